"""Outputs and features of a trained model for the splits of its data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from kerasft.data import Split, text_lengths
from kerasft.evaluation.known_inputs import (
    NO_HEAD,
    RENDERED,
    KnownInputs,
    known_inputs_of,
    rows_to_remember,
)
from kerasft.evaluation.predict import predict_arrays
from kerasft.frozen.feature_cache import PhaseInputs
from kerasft.models import with_features
from kerasft.training.context import FitContext


def final_outputs(
    context: FitContext, inputs: PhaseInputs, parts: Mapping[str, Split]
) -> tuple[dict[str, np.ndarray], KnownInputs]:
    """Return the outputs for splits, shape (n, outputs), and the scores of known inputs.

    Args:
        context: Context of the fit, which has ended.
        inputs: Model and inputs of the last phase: cached features are not computed again.
        parts: Splits by name.
    """
    train, models = context.data.train, (inputs.model, context.model)
    extended = _with_features(*models)
    if extended is None or not isinstance(train, Split):
        outputs = {name: _predict(context, inputs, name, models) for name in parts}
        return outputs, KnownInputs(reason=NO_HEAD if extended is None else RENDERED)
    found = {name: _predict(context, inputs, name, extended) for name in parts}
    rows, lengths = rows_to_remember(context.data.labels, train.y), text_lengths(train.x)
    _, features = predict_arrays(
        extended[0],
        inputs.train,
        context.batch_size,
        lengths=lengths,
        rows=rows,
        title="computing the features of training examples",
    )
    known_inputs = known_inputs_of(
        context.data.labels,
        train.y[rows],
        features,
        found,
    )
    return {name: outputs for name, (outputs, _) in found.items()}, known_inputs


def _with_features(tail: keras.Model, whole: keras.Model) -> tuple[keras.Model, keras.Model] | None:
    """Return both models with the features as second output, None where they have none."""
    first = with_features(tail)
    second = first if tail is whole else with_features(whole)
    return None if first is None or second is None else (first, second)


def _predict(
    context: FitContext,
    inputs: PhaseInputs,
    split: str,
    models: tuple[keras.Model, keras.Model],
) -> Any:
    """Return what a model returns for a split, from cached features where there are some.

    Args:
        context: Context of the fit.
        inputs: Model and inputs of the last phase.
        split: `validation` or `test`.
        models: Models for the inputs of the last phase, and for those of the whole model.
    """
    part, title = getattr(context.data, split), f"measuring the {split} split"
    if split == "validation" and inputs.model is not context.model:
        return predict_arrays(
            models[0],
            inputs.validation,
            context.batch_size,
            lengths=text_lengths(part.x),
            title=title,
        )
    return predict_arrays(models[1], part.x, context.batch_size, title=title)
