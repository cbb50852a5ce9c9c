"""The record of a calibration as lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kerasft.formatting import number


def calibration_lines(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what was fitted: the name of each part, and what it says.

    Args:
        record: Record of a calibration, as in `Run.calibration`.
    """
    fitted, scores = record["calibration"], record["scores"]
    return [
        *_probabilities(record),
        *_thresholds(fitted, scores),
        *_coverage(fitted, scores),
    ]


def _probabilities(record: Mapping[str, Any]) -> Iterator[Any]:
    from kerasft.calibration.cross_validation import LEAST

    fitted, scores = record["calibration"], record["scores"]
    changed = sum(
        pair != (1.0, 0.0) for pair in zip(fitted["slopes"], fitted["offsets"], strict=True)
    )
    if fitted["temperature"] != 1:
        yield "temperature", number(fitted["temperature"])
    elif changed:
        yield "log-odds", f"scaled for {changed:,} of {len(fitted['slopes']):,} labels"
    elif scores and record["examples"] >= LEAST:  # with fewer, a note says so
        yield "probabilities", "unchanged, as no scaling improves held-out examples"
    for name in ("log_loss", "calibration_error"):
        if name in scores:
            before, after = (number(scores[name][key]) for key in ("before", "after"))
            text = before if before == after else f"{before} before, {after} after"
            yield name.replace("_", " "), text


def _thresholds(fitted: Mapping[str, Any], scores: Mapping[str, Any]) -> Iterator[Any]:
    thresholds = fitted["thresholds"]
    if thresholds:
        low, high = number(min(thresholds)), number(max(thresholds))
        yield "thresholds", low if low == high else f"{low} to {high}"
    if fitted["rejection"] is not None:
        yield (
            "accepted",
            f"{100 * scores['accepted']:.3g}% of the predictions, those with a probability of at "
            f"least {number(fitted['rejection'])}; {100 * scores['accepted_error']:.3g}% of them "
            "are errors",
        )


def _coverage(fitted: Mapping[str, Any], scores: Mapping[str, Any]) -> Iterator[Any]:
    sets, interval, known = fitted["sets"], fitted["interval"], fitted["known"]
    if sets is not None:
        yield (
            "prediction sets",
            f"average size {number(scores['set_size'])}, for a coverage of {sets['coverage']:.0%}",
        )
    if interval is not None:
        yield "interval", f"{interval_text(interval)}, for a coverage of {interval['coverage']:.0%}"
    if known is not None:
        yield "known inputs", f"score of at least {number(known['threshold'])}"


def interval_text(interval: Mapping[str, Any]) -> str:
    """Return the half width of an interval: `±12`, or a factor on a logarithmic scale."""
    import math

    if interval["logarithm"]:
        return f"divided and multiplied by {number(math.exp(interval['margin']))}"
    return f"±{number(interval['margin'])}"
