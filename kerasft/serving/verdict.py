"""Whether a model is as good as a reference on the same examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from kerasft.data import Labels
from kerasft.formatting import number
from kerasft.serving.proof import differences_of, mean_limit
from kerasft.tasks import less_is_better
from kerasft.tasks.intervals import paired_interval

MARGIN = 0.01  # of a score: one point, or one percent of an error
_COMPARED = ("probabilities", "prediction", "lower", "upper")
FAILED = ("worse", "differs")


class Loss(NamedTuple):
    """How much worse a model is than a reference on the same examples; below 0 it is better.

    Attributes:
        metric: Name of the main metric.
        reference: Its value of the reference.
        score: Its value of the model.
        interval: 95% interval of the difference of the values.
        low: Least loss in the interval.
        high: Largest loss in the interval.
        unit: What a margin of a loss is a share of: 1 for scores, the error of the reference.
    """

    metric: str
    reference: float
    score: float
    interval: tuple[float, float]
    low: float
    high: float
    unit: float


def measure_loss(
    labels: Labels,
    y: np.ndarray,
    decided: Mapping[str, np.ndarray],
    reference: Mapping[str, np.ndarray],
) -> Loss:
    """Return the loss of the main metric against a reference; the arguments are as of `judge`."""
    task = labels.kind
    name = task.main_metric
    one, other = task.predictions(decided), task.predictions(reference)
    after, before = (float(task.score(labels, y, each)[name]) for each in (one, other))
    interval = paired_interval(task, y, one, other)
    sign = 1 if less_is_better(name) else -1
    low, high = sorted(sign * end for end in interval)
    return Loss(name, before, after, interval, low, high, 1.0 if task.has_classes else before)


def agreement(
    labels: Labels, decided: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Return how far answers agree with those of a reference.

    Args:
        labels: Labels of both.
        decided: Arrays of `Task.decide`.
        reference: Those of the reference.

    Returns:
        `equal`, the share of equal predictions (None for numbers); `largest_difference` and
        `mean_difference_limit` (upper 95% confidence limit of the mean) of the probabilities or
        numbers, as in a proof.
    """
    equal = None
    if labels.names:
        one, other = (labels.kind.predictions(each) for each in (decided, reference))
        equal = float((one == other).reshape(len(one), -1).all(axis=1).mean())
    compared = {name: reference[name] for name in _COMPARED if name in reference}
    differences = differences_of(labels, compared, decided)
    return {
        "equal": equal,
        "largest_difference": float(differences.max()),
        "mean_difference_limit": mean_limit(differences),
    }


def judge(
    labels: Labels,
    y: np.ndarray,
    decided: Mapping[str, np.ndarray],
    reference: Mapping[str, np.ndarray],
    proof: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return the verdict on a model: its difference from a reference on the same examples.

    Args:
        labels: Labels of both.
        y: Targets, as in `Split.y`.
        decided: Arrays of `Task.decide`.
        reference: Those of the reference.
        proof: Record of the proof that a model answers as the reference, of which it is an export:
            its `test` and `tolerance`. None for another or a quantized model.

    Returns:
        `verdict`, `difference` of the main metric, its `confidence_interval`, `allowed` (mean
        difference of the answers, None without a proof), and `text` for people. The verdict is
        `worse` or `better` where the interval excludes 0; else `differs` where the answers differ
        by more than is allowed; `equivalent` where an exact model has the same answers, or the
        score is worse by at most 0.01 (an error: 1%); else `unclear`.
    """
    loss = measure_loss(labels, y, decided, reference)
    allowed = None if proof is None else proof["tolerance"]
    exact = proof is not None and proof["test"] == "exact"
    mean = agreement(labels, decided, reference)["mean_difference_limit"]
    agree = allowed is None or mean <= allowed
    difference, low, high = loss.score - loss.reference, loss.low, loss.high
    if low > 0:
        verdict = "worse"
    elif high < 0:
        verdict = "better"
    elif not agree:
        verdict = "differs"
    else:
        verdict = "equivalent" if exact or high <= MARGIN * loss.unit else "unclear"
    worse = difference if less_is_better(loss.metric) else -difference
    text = _text(verdict, worse, (low, high), points=labels.kind.has_classes)
    if verdict == "differs":
        text = f"answers differ (mean {mean:.2g}, allowed {allowed:g})"
    return {
        "verdict": verdict,
        "difference": difference,
        "confidence_interval": list(loss.interval),
        "allowed": allowed,
        "text": text,
    }


def _text(verdict: str, worse: float, interval: tuple[float, float], *, points: bool) -> str:
    """Return a verdict for people; classes in points of a hundred."""
    if verdict == "equivalent":
        return verdict
    low, high = interval
    if verdict == "better":
        worse, low, high = -worse, -high, -low
    word = "unclear: worse" if verdict == "unclear" else verdict
    if points:
        return f"{word} by {100 * worse:.1f} points ({100 * low:.1f} to {100 * high:.1f})"
    return f"{word} by {number(worse)} ({number(low)} to {number(high)})"
