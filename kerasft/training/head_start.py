"""The start of the output layer, which a head phase or the main one trains from there."""

from __future__ import annotations

from kerasft.data import Split
from kerasft.evaluation.known_inputs import NO_HEAD, RENDERED
from kerasft.modalities import modality_of
from kerasft.models.towers import initial_weights
from kerasft.runs import write_manifest
from kerasft.training.class_means import start_as_class_means
from kerasft.training.context import FitContext
from kerasft.training.head_features import HeadFeatures, NoStartError
from kerasft.training.linear_probe import start_as_probe

_STARTS = {"linear": start_as_probe, "class_means": start_as_class_means}


def start_head(context: FitContext, features: HeadFeatures, *, start_counts: bool = False) -> None:
    """Set the output layer to the start of the settings, or log why it remains random.

    All processes set the values of the first one.

    Args:
        context: Context of a training that has not begun.
        features: Features of its first phase.
        start_counts: Whether the model with a linear probe can be the best epoch, as epoch 0.
    """
    if not features.alone:
        return
    start = modality_of(context.config).head_start(context.config)
    if start != "random" and (reason := _set(start, context, features, start_counts=start_counts)):
        context.log(f"head   random start: {reason}")
        start = "random"
    run = context.recorder.run
    if run is not None and not context.devices.ranks.rank:
        write_manifest(run, head_start=start)


def _set(start: str, context: FitContext, features: HeadFeatures, *, start_counts: bool) -> str:
    """Set the output layer to a start; return why it remains random, or an empty text."""
    if reason := _reason_against(context, features):
        return reason
    try:
        line = _STARTS[start](context, features, start_counts=start_counts)
    except NoStartError as error:
        return str(error)
    context.log(f"head   starts as {line}")
    return ""


def _reason_against(context: FitContext, features: HeadFeatures) -> str:
    """Return why the start is random, empty where another one is possible."""
    data = context.data
    if not (isinstance(data.train, Split) and isinstance(data.validation, Split)):
        return RENDERED
    if initial_weights(context.config):
        return "it begins as the cosine of two towers"
    return NO_HEAD if features.model is None else ""
