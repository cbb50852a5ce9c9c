"""Examples that prove an export, and Python's answers to them."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasft.data import (
    Examples,
    examples_of,
    load_recipe_data,
    prepare_inputs,
    read_rows,
    read_splits,
)
from kerasft.dataset_check import is_rendered
from kerasft.errors import DataError
from kerasft.evaluation.load import Loaded
from kerasft.evaluation.predict import predict_arrays
from kerasft.evaluation.run_answers import decide
from kerasft.modalities import modality_of
from kerasft.models import tower_of, with_features
from kerasft.models.fast_layers import exported_graphs
from kerasft.serving.proof import request_of

_COUNT = 32
_FIRST = 8  # examples for the other signatures
_BYTES = 16 * 2**20  # of all inputs


def input_names(loaded: Loaded) -> list[str]:
    """Return the names of the raw inputs that the served model of a run takes."""
    serving = modality_of(loaded.config).serving(loaded.config, pairs=loaded.pairs)
    return [spec.name for spec in serving.signature]


def proof_request(
    loaded: Loaded, names: Sequence[str], data: Any
) -> tuple[dict[str, Any], list[str]]:
    """Return what `proof.json` has: up to 32 examples, and Python's answers to them.

    Args:
        loaded: Run in memory, as it was trained.
        names: Names of the inputs of the signature.
        data: Inputs as of `predict`; None for the validation split of the run.

    Returns:
        The request: `inputs` of the signature, `answers` of Python, and for the first examples
        `first`: the inputs of `preprocessed`, `outputs`, and `features` and `embedding` where the
        model has them. Then the origins of the examples, which stay on this machine.

    Raises:
        DataError: The data cannot be read.
    """
    examples = proof_examples(loaded, data)
    few = examples.select(range(min(_FIRST, len(examples))))
    with exact_products():
        request = {
            "data": data_name(data),
            "inputs": request_of(names, raw_inputs_of(loaded, examples)),
            "answers": python_answers(loaded, examples),
            "first": _first_answers(loaded, few),
        }
    return request, list(examples.origins)


def data_name(data: Any) -> str:
    """Return what a proof calls its examples; see `proof_request`."""
    return "validation split" if data is None else "given"


def proof_examples(loaded: Loaded, data: Any) -> Examples:
    """Return the examples of `proof_request`, without labels; the arguments are the same."""
    chosen = _choose(_validation(loaded) if data is None else _given(loaded, data))
    raw = raw_inputs_of(loaded, chosen)
    sizes = np.cumsum([sum(len(value) for value in values) for values in raw])
    few = max(1, int(np.searchsorted(sizes, _BYTES, side="right")))
    chosen = chosen.select(range(min(few, len(chosen))))
    return Examples(chosen.inputs, None, chosen.origins)


def raw_inputs_of(loaded: Loaded, examples: Examples) -> list[tuple[Any, ...]]:
    """Return examples as the served model of a run reads them, a value per input."""
    modality = modality_of(loaded.config)
    return [
        modality.raw_inputs(item, origin)
        for item, origin in zip(examples.inputs, examples.origins, strict=True)
    ]


def _validation(loaded: Loaded) -> Examples:
    """Return the examples of the validation split, without preparing all of them."""
    config = loaded.config
    own = hasattr(loaded.recipe, "load_data") or is_rendered(config.dataset.source)
    own = own or config.drop_bad  # what cannot be prepared is left out
    try:
        if own:
            part = load_recipe_data(loaded.recipe, config).validation
            return part.examples if part is not None else Examples([], None, [])
        return read_splits(config)["validation"]
    except DataError as error:
        raise DataError(
            f"The export cannot be proved on the validation split of its run: {error} Give other "
            "inputs with --proof-data."
        ) from error


def _given(loaded: Loaded, data: Any) -> Examples:
    one = isinstance(data, (str, Path))
    return examples_of(read_rows(loaded.config, [str(data)] if one else data, pairs=loaded.pairs))


def _choose(examples: Examples) -> Examples:
    """Return up to 32 examples from the whole range; splits may be sorted by class."""
    if not len(examples):
        raise DataError("There are no examples to prove the export on. Give --proof-data.")
    return examples.select(np.unique(np.linspace(0, len(examples) - 1, _COUNT).round()))


def python_answers(loaded: Loaded, examples: Examples) -> dict[str, list[Any]]:
    """Return the answers of `predict` by name, a value per example."""
    answers = decide(loaded, prepare_inputs(loaded.config, examples))
    found = {
        name: [np.asarray(answer[name]).tolist() for answer in answers]
        for name in answers[0]
        if name != "best"  # a name in the graph
    }
    rows = [loaded.labels.kind.row(loaded.labels, answer) for answer in answers]
    return {"prediction": [row["prediction"] for row in rows], **found}


def _first_answers(loaded: Loaded, examples: Examples) -> dict[str, Any]:
    """Return prepared inputs by name, and what Python computes from them before it decides."""
    x = prepare_inputs(loaded.config, examples)
    model = with_features(loaded.model)
    with exported_graphs():
        found = predict_arrays(model or loaded.model, x)
        parts = found if isinstance(found, list) else [found]
        named = dict(zip(("outputs", "features"), parts, strict=False))
        if (tower := tower_of(loaded.model)) is not None:
            named["embedding"] = predict_arrays(tower, {name: x[name] for name in tower.input})
    return {
        "preprocessed": {
            name: _stored(np.asarray(array)) for name, array in by_name(loaded.model, x).items()
        },
        **{name: part.tolist() for name, part in named.items()},
    }


def by_name(model: keras.Model, x: Any) -> dict[str, Any]:
    """Return prepared inputs by the names of the model's inputs."""
    names = [tensor.name for tensor in model.inputs]
    return {name: x[name] for name in names} if isinstance(x, dict) else {names[0]: x}


def _stored(array: np.ndarray) -> dict[str, Any]:
    content = base64.b64encode(array.tobytes()).decode("ascii")
    return {"dtype": array.dtype.name, "shape": list(array.shape), "b64": content}


@contextlib.contextmanager
def exact_products() -> Iterator[None]:
    """Compute in whole float32 on a GPU too, where TensorFlow rounds the factors of products."""
    import tensorflow as tf

    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)
