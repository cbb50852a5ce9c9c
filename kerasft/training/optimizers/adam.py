"""Adam in one pass over each weight, and over the embedding rows that a batch used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras

from kerasft.models.keras_attributes import get_rate_scale
from kerasft.models.replicas import sum_over_replicas, update_replicas
from kerasft.training.optimizers.layer_rates import ByDepth


class _Constants(NamedTuple):
    """Tensors that the updates of all weights in a step share: they are traced once."""

    powers: tuple[Any, Any]
    betas: tuple[Any, Any]
    epsilon: Any


@keras.saving.register_keras_serializable(package="kerasft")
class FusedAdam(ByDepth, keras.optimizers.Adam):
    """Keras' Adam and AdamW (its `weight_decay` is decoupled), in fewer passes on TensorFlow.

    Keras updates a weight by a dozen operations, each a pass over memory. Here TensorFlow's own
    fused kernel does the same arithmetic.

    Embedding tables get a gradient for the rows of a batch only, which Keras fills up with zeros
    to a whole table. Here those rows alone are updated and decayed, as PyTorch's `SparseAdam` does:
    the moments of other rows wait until the row is used again. For a text of 16 tokens and a
    vocabulary of 30,000 words that skips 98% of the table in every step.

    Under a distribution strategy the gradients of all replicas are summed, then clipped: Keras
    clips those of each replica, which is another step than that of one device. On other backends,
    and with options other than `global_clipnorm`, it is Keras' own.

    Example:
        >>> optimizer = FusedAdam(1e-4, weight_decay=0.01, global_clipnorm=1.0)
    """

    def _backend_apply_gradients(self, grads: list[Any], trainable_variables: list[Any]) -> None:
        if not self._can_fuse():
            super()._backend_apply_gradients(grads, trainable_variables)
            return
        import tensorflow as tf

        summed = zip(sum_over_replicas(grads), trainable_variables, strict=True)
        gradients = [_each_row_once(gradient, variable.shape[-1:]) for gradient, variable in summed]
        if self.global_clipnorm:
            gradients = _clipped(gradients, self.global_clipnorm)
        constants, rate = self._constants(), tf.cast(self.learning_rate, tf.float32)
        scales = dict.fromkeys(map(get_rate_scale, trainable_variables))  # most are 1
        rates = {scale: rate * scale for scale in scales}
        decays: dict[float, Any] = {}
        if self.weight_decay is not None:  # a number, or a variable
            share = tf.cast(self.weight_decay, tf.float32)
            decays = {scale: own * share for scale, own in rates.items()}
        for gradient, variable in zip(gradients, trainable_variables, strict=True):
            decayed = decays and self._use_weight_decay(variable)
            scale, index = get_rate_scale(variable), self._get_variable_index(variable)
            moments = self._momentums[index].value, self._velocities[index].value
            update = self._rows if isinstance(gradient, tf.IndexedSlices) else self._whole
            update_replicas(
                update, variable.value, moments, gradient, rates[scale],
                decays[scale] if decayed else None, constants,
            )  # fmt: skip
        if self.use_ema:
            self._update_model_variables_moving_average(self._trainable_variables)

    def _constants(self) -> _Constants:
        import tensorflow as tf

        step = tf.cast(self.iterations, tf.float32) + 1.0
        powers = tf.pow(float(self.beta_1), step), tf.pow(float(self.beta_2), step)
        betas = tf.constant(self.beta_1, tf.float32), tf.constant(self.beta_2, tf.float32)
        return _Constants(powers, betas, tf.constant(self.epsilon, tf.float32))

    def _can_fuse(self) -> bool:
        if keras.backend.backend() != "tensorflow":
            return False
        others = (self.amsgrad, self.clipnorm, self.clipvalue)
        return not (any(others) or self.gradient_accumulation_steps)

    def _whole(
        self, variable: Any, moments: Any, gradient: Any, rate: Any, decay: Any, c: _Constants
    ) -> None:
        import tensorflow as tf

        if decay is not None:  # variable -= decay * variable
            tf.raw_ops.ResourceApplyGradientDescent(
                var=variable.handle, alpha=decay, delta=variable
            )
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=moments[0].handle,
            v=moments[1].handle,
            beta1_power=c.powers[0],
            beta2_power=c.powers[1],
            lr=rate,
            beta1=c.betas[0],
            beta2=c.betas[1],
            epsilon=c.epsilon,
            grad=gradient,
        )

    def _rows(
        self, variable: Any, moments: Any, gradient: Any, rate: Any, decay: Any, c: _Constants
    ) -> None:
        import tensorflow as tf

        rows, slope = gradient.indices, gradient.values
        first, second = (tf.gather(moment, rows) for moment in moments)
        first += (slope - first) * (1 - self.beta_1)
        second += (tf.square(slope) - second) * (1 - self.beta_2)
        size = rate * tf.sqrt(1 - c.powers[1]) / (1 - c.powers[0])
        change = size * first / (tf.sqrt(second) + self.epsilon)
        if decay is not None:
            change += decay * tf.gather(variable, rows)
        for moment, values in zip(moments, (first, second), strict=True):
            moment.scatter_update(tf.IndexedSlices(values, rows))
        variable.scatter_sub(tf.IndexedSlices(change, rows))


def _each_row_once(gradient: Any, row: Sequence[int]) -> Any:
    """Return a gradient of rows of a shape with the parts of each summed; any other as it is."""
    import tensorflow as tf

    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, position = tf.unique(tf.reshape(gradient.indices, [-1]))
    values = tf.reshape(gradient.values, [-1, *row])
    return tf.IndexedSlices(
        tf.math.unsorted_segment_sum(values, position, tf.size(rows)), rows, gradient.dense_shape
    )


def _clipped(gradients: list[Any], limit: float) -> list[Any]:
    """Return gradients whose global norm is at most the limit, NaN where it is not finite."""
    import tensorflow as tf

    values = [g.values if isinstance(g, tf.IndexedSlices) else g for g in gradients]
    norm = tf.sqrt(2 * tf.add_n([tf.nn.l2_loss(value) for value in values]))
    scale = limit * tf.minimum(1.0 / norm, 1.0 / limit) + (norm - norm)
    return [
        tf.IndexedSlices(g.values * scale, g.indices, g.dense_shape)
        if isinstance(g, tf.IndexedSlices)
        else g * scale
        for g in gradients
    ]
