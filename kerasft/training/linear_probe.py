"""The start of the output layer: a linear probe on frozen features.

A head phase trains the output layer alone, so its best result is a linear model of fixed features.
scikit-learn finds one in seconds, where epochs at a usual learning rate end far from it. The phase
begins from there, and the main phase where there is no head phase (Kumar et al. 2022, arXiv
2202.10054: linear probing, then fine-tuning).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kerasft.data import Split
from kerasft.evaluation.metrics import example_losses, measure
from kerasft.formatting import duration, number
from kerasft.runs import write_manifest
from kerasft.tasks import compared_metric
from kerasft.tasks.linear_models import LinearModel
from kerasft.training.context import FitContext
from kerasft.training.head_features import HeadFeatures, NoStartError, assign_head
from kerasft.training.phases import training_weights

_LEAST = 1e-6  # of a standard deviation, for features that never vary


@dataclass(frozen=True)
class LinearProbe:
    """A linear probe: the kernel and bias of the output layer, and its scores.

    Attributes:
        kernel: Kernel for features that are not standardized, float32, shape (width, outputs).
        bias: Bias, float32, shape (outputs,).
        record: `C`, `examples` (of training), and the metrics of the validation split.
    """

    kernel: np.ndarray
    bias: np.ndarray
    record: dict[str, Any]


def start_as_probe(context: FitContext, features: HeadFeatures, *, start_counts: bool) -> str:
    """Set the output layer to a linear probe, and record the scores of the probe.

    Args:
        context: Context of a training that has not begun.
        features: Features of its first phase.
        start_counts: Whether the model with the probe can be the best epoch, as epoch 0.

    Returns:
        The start for the log.

    Raises:
        NoStartError: No probe can be fitted.
    """
    began = time.monotonic()
    record = _assign_probe(context, features)
    if record is None:
        raise NoStartError(
            "no linear probe (features overflow, or a class has no training example)"
        )
    if start_counts:
        _offer_start(context, features, record)
    if context.recorder.run is not None:
        write_manifest(context.recorder.run, linear_probe=record)
    task = context.data.labels.kind
    name = compared_metric(task, context.config.monitor)
    return (
        f"a linear probe: val_{name} {number(record[name])}, val_loss "
        f"{number(record['loss'])}, C={record['C']:g}, in {duration(time.monotonic() - began)}"
    )


def _offer_start(context: FitContext, features: HeadFeatures, record: dict[str, Any]) -> None:
    """Offer the model with the probe as the best epoch, if all validation examples scored it."""
    best_weights, validation = context.best_weights, context.data.validation
    value = record.get(best_weights.monitor.removeprefix("val_"))
    every = isinstance(validation, Split) and len(features.validation[0]) == len(validation)
    if value is not None and every:
        best_weights.offer_start(value, record["loss"])


def _assign_probe(context: FitContext, features: HeadFeatures) -> dict[str, Any] | None:
    """Set the output layer to the probe of the first process; return its record, or None."""
    probe: LinearProbe | None = None

    def fit_probe() -> str:
        nonlocal probe
        probe = _shared_probe(context, features)
        return json.dumps(None if probe is None else probe.record)

    record: dict[str, Any] | None = json.loads(context.devices.agree("linear probe", fit_probe))
    if record is not None:
        assign_head(context, None if probe is None else (probe.kernel, probe.bias))
    return record


def _shared_probe(context: FitContext, features: HeadFeatures) -> LinearProbe | None:
    """Return the probe, that of an earlier trial where cached features and settings are equal."""
    config, found = context.config, context.feature_cache.linear_probes
    if not features.cached:  # the weights below may differ
        return _fit_probe(context, features)
    settings = (
        config.loss, config.label_smoothing, config.class_weight, config.kernel_l1, config.kernel_l2
    )  # fmt: skip
    # The arrays are held with the probe, as their ids are part of its key.
    inputs = features.inputs
    arrays = [*keras.tree.flatten(inputs.train), *keras.tree.flatten(inputs.validation)]
    key = (*settings, *map(id, arrays))
    if key not in found:
        found[key] = arrays, _fit_probe(context, features)
    probe: LinearProbe | None = found[key][1]
    return probe


def _fit_probe(context: FitContext, head: HeadFeatures) -> LinearProbe | None:
    """Fit linear models and return the best one, None where none can be fitted."""
    train, validation = context.data.train, context.data.validation
    assert train is not None and validation is not None  # else there is a reason against
    (rows, features), (checked, others) = head.train, head.validation
    if not (np.isfinite(features).all() and np.isfinite(others).all()):
        return None  # an overflow of float16, which training reports
    mean, scale = features.mean(axis=0), np.maximum(features.std(axis=0), _LEAST)
    labels = context.data.labels
    weights = training_weights(train, context.config, labels)
    models = labels.kind.linear_models(
        labels,
        (features - mean) / scale,
        train.y[rows],
        None if weights is None else weights[rows],
    )
    y = validation.y[checked]
    best = _best(context, (_unscaled(model, mean, scale) for model in models), others, y)
    if best is None:
        return None
    scores = measure(context.config, labels, y, _outputs(labels, others, best))
    record = {"C": best.strength, "examples": len(rows), "loss": scores["loss"]}
    record |= {name: scores[name] for name in labels.kind.directions if name != "loss"}
    return LinearProbe(best.kernel.astype("float32"), best.bias.astype("float32"), record)


def _best(
    context: FitContext, models: Iterable[LinearModel], features: np.ndarray, y: np.ndarray
) -> LinearModel | None:
    """Return the model of the lowest validation loss and penalty, which falls and then rises."""
    config, labels = context.config, context.data.labels
    least, best = math.inf, None
    for model in models:
        losses = example_losses(config, labels, y, _outputs(labels, features, model))
        penalty = config.kernel_l1 * np.abs(model.kernel).sum()
        penalty += config.kernel_l2 * np.square(model.kernel).sum()
        if not np.mean(losses) + penalty < least:
            break
        least, best = float(np.mean(losses) + penalty), model
    return best


def _unscaled(model: LinearModel, mean: np.ndarray, scale: np.ndarray) -> LinearModel:
    """Return a model of standardized features as one of the features themselves."""
    kernel = model.kernel / scale[:, None]
    return LinearModel(model.strength, kernel, model.bias - mean @ kernel)


def _outputs(labels: Any, features: np.ndarray, model: LinearModel) -> np.ndarray:
    x = keras.ops.convert_to_tensor((features @ model.kernel + model.bias).astype("float32"))
    outputs: np.ndarray = keras.ops.convert_to_numpy(labels.kind.activate(x, labels))
    return outputs
