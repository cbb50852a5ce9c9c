"""The exponential moving average of the trained weights, which is validated and stored.

Keras' optimizers compute it (`use_ema`); Polyak and Juditsky 1992, doi 10.1137/0330046.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from kerasft.config import Config

_EPOCHS = 0.5  # of the mean age; 1 scored lower on 300 photographs (docs, benchmarks)


def average_momentum(config: Config, steps: int) -> float:
    """Return the momentum of the average, in (0, 1), or 0 where nothing is averaged.

    A fixed one does not suit small data: after the 20 steps of an epoch of 640 examples, Keras'
    0.99 still gives 82% of the weight to where the training began. Here the mean age of the
    averaged weights is half an epoch, and at least one step.

    Args:
        config: Its average_weights is used.
        steps: Steps of an epoch, at least 1.
    """
    if config.average_weights != "ema":
        return 0.0
    age = max(_EPOCHS * steps, 1.0)
    return age / (age + 1)


def averaging(config: Config, *, resumed: bool) -> list[keras.callbacks.Callback]:
    """Return the callbacks that a fit with an average of its weights needs, none without one."""
    return [] if config.average_weights != "ema" else [SwapAverages(in_model=resumed)]


class SwapAverages(keras.callbacks.Callback):
    """Exchanges the weights and their averages from each validation to the next epoch.

    So later callbacks find the averages in the model at the end of an epoch, and a saved state has
    the weights in the place of the averages. It must be the first callback. Keras' `SwapEMAWeights`
    exchanges them three times an epoch, by sums that change the last bits on TensorFlow, and
    cannot resume.

    Args:
        in_model: Whether the averages are in the model when the training begins, as in a saved
            state.
    """

    def __init__(self, *, in_model: bool) -> None:
        super().__init__()
        self.in_model = in_model

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin the averages at the weights.

        Keras does so in the first step, which float16 skips while its loss scale is too large.
        """
        if not self.in_model:
            for variable, average in _pairs(self.model):
                average.assign(_copy(variable))

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Put the averages into the model."""
        if not self.in_model:
            self._swap()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Put the weights back, with which the training goes on."""
        if self.in_model:
            self._swap()

    def _swap(self) -> None:
        for variable, average in _pairs(self.model):
            value = _copy(variable)
            variable.assign(_copy(average))
            average.assign(value)
        self.in_model = not self.in_model


def _copy(variable: Any) -> np.ndarray:
    """Return a value that shares no memory: JAX refuses a step with two variables that do."""
    return np.array(variable.numpy())


def _pairs(model: keras.Model) -> Iterator[tuple[Any, Any]]:
    """Yield each trained variable of a compiled model with its average."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)  # of a scaled loss
    averages = optimizer._model_variables_moving_average
    return zip(optimizer._trainable_variables, averages, strict=True)
