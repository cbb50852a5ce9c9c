"""Signatures of a served model, in a TensorFlow graph."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from kerasft.evaluation.load import Loaded
from kerasft.modalities import Serving, modality_of
from kerasft.models import tower_of, with_features

Outputs = dict[str, Any]


class Signature(NamedTuple):
    """A function of a served model.

    Attributes:
        function: Function from tensors to named tensors, whose first dimension is the batch.
        inputs: `tf.TensorSpec` of each argument.
    """

    function: Callable[..., Outputs]
    inputs: list[Any]


def signatures(loaded: Loaded) -> tuple[dict[str, Signature], list[Any]]:
    """Return the signatures of a run by name, the default one first, and layers with tables.

    `serve` answers raw inputs. An input that cannot be read has a message in `error`, and outputs
    that are empty, NaN or false; the others have their answers. `strict` fails instead, and names
    the first such input. `preprocessed` answers prepared inputs. `outputs` returns the outputs of
    the model before calibration, and `features` what its output layer reads (not of a model
    without feature vectors). `embedding` returns the vector of one text of a pair, if the
    model has two towers. The layers are those of a tokenizer. An archive finds the variables of
    the model in the signatures, and would store them twice if it tracked the model too.

    Args:
        loaded: Run in memory.

    Raises:
        SettingError: The config has no modality.
    """
    serving = modality_of(loaded.config).serving(loaded.config, pairs=loaded.pairs)
    serving = serving._replace(prepare=_traced(serving.prepare, serving.signature))
    model = with_features(loaded.model)
    prepared = prepared_inputs(loaded.model)

    def call(x: Any) -> tuple[Any, ...]:
        outputs = (model or loaded.model)(x, training=False)
        return (outputs,) if model is None else tuple(outputs)

    traced = _traced(call, [prepared])

    def decide(x: Any) -> Outputs:
        outputs, *features = traced(x)
        kind = loaded.labels.kind
        return kind.served_outputs(loaded.labels, outputs, loaded.calibration, *features)

    decided = _traced(decide, [prepared])

    def run(x: Any) -> tuple[Any, ...]:
        found: tuple[Any, ...] = traced(_cast(x, prepared))
        return found

    def answers(x: Any) -> Outputs:
        found: Outputs = decided(_cast(x, prepared))
        return found

    found = {
        "serve": _lenient(serving, answers),
        "strict": _strict(serving, answers),
        "outputs": _lenient(serving, lambda x: {"outputs": run(x)[0]}),
        "preprocessed": Signature(answers, [prepared]),
    }
    if model is not None:
        found["features"] = _lenient(serving, lambda x: {"features": run(x)[1]})
    if (tower := tower_of(loaded.model)) is not None:
        found["embedding"] = _embedding(loaded, tower)
    return found, list(serving.layers)


def _embedding(loaded: Loaded, tower: Any) -> Signature:
    """Return the signature from one text to its vector."""
    serving = modality_of(loaded.config).serving(loaded.config, pairs=False)
    prepared = prepared_inputs(tower)
    return _lenient(serving, lambda x: {"embedding": tower(_cast(x, prepared), training=False)})


def _traced(function: Callable[..., Any], inputs: list[Any]) -> Any:
    """Return a function that is traced once for all signatures, which is most of an export."""
    import tensorflow as tf

    graph = tf.function(function, input_signature=inputs, autograph=False)
    return graph.get_concrete_function()


def prepared_inputs(model: Any) -> Any:
    """Return the specification of the prepared inputs: of one tensor, or by name."""
    import tensorflow as tf

    specs = {
        tensor.name: tf.TensorSpec(tensor.shape, tensor.dtype, tensor.name)
        for tensor in model.inputs
    }
    return specs if isinstance(model.input, dict) else next(iter(specs.values()))


def _cast(x: Any, prepared: Any) -> Any:
    """Return inputs in the number formats of the model: a mask of a tokenizer may be boolean."""
    import tensorflow as tf

    if not isinstance(prepared, dict):
        return tf.cast(x, prepared.dtype)
    return {name: tf.cast(x[name], spec.dtype) for name, spec in prepared.items()}


def _lenient(serving: Serving, answers: Callable[[Any], Outputs]) -> Signature:
    """Return the signature in which a bad input leaves the others their answers."""
    import tensorflow as tf

    def serve(*inputs: Any) -> Outputs:
        x, errors = serving.prepare(*inputs)
        good = tf.equal(errors, "")
        found = {name: _where(good, values) for name, values in answers(x).items()}
        return {**found, "error": errors, "index": tf.range(tf.size(errors))}

    return Signature(_named_as(serving.signature, serve), serving.signature)


def _strict(serving: Serving, answers: Callable[[Any], Outputs]) -> Signature:
    """Return the signature in which a bad input ends the request."""
    import tensorflow as tf

    def strict(*inputs: Any) -> Outputs:
        x, errors = serving.prepare(*inputs)
        bad = tf.not_equal(errors, "")
        first = tf.concat([tf.where(bad)[:, 0], [-1]], 0)[0]
        message = tf.strings.format(
            "Input {}: {}", (first, tf.gather(errors, tf.maximum(first, 0)))
        )
        with tf.control_dependencies([tf.debugging.Assert(~tf.reduce_any(bad), [message])]):
            return answers(tf.nest.map_structure(tf.identity, x))

    return Signature(_named_as(serving.signature, strict), serving.signature)


def _named_as(inputs: list[Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function whose arguments have the names of its inputs."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(spec.name, kind) for spec in inputs]
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return function


def _where(good: Any, values: Any) -> Any:
    """Return outputs in which those of bad inputs are empty: NaN, -1, false or an empty text."""
    import tensorflow as tf

    if values.dtype == tf.string:
        empty: Any = ""
    elif values.dtype == tf.bool:
        empty = False
    else:
        empty = float("nan") if values.dtype.is_floating else -1
    column = tf.reshape(good, [-1] + [1] * (len(values.shape) - 1))
    return tf.where(column, values, tf.constant(empty, values.dtype))
