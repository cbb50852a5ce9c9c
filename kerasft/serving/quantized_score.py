"""Whether an export with fewer bits loses too much: its score on the validation split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kerasft.data import Labels, select_rows
from kerasft.display import progress, status
from kerasft.errors import ProofError
from kerasft.evaluation.artifact import BATCH_SIZE
from kerasft.evaluation.graph_file import Answer
from kerasft.formatting import number
from kerasft.serving.verdict import MARGIN
from kerasft.tasks import less_is_better
from kerasft.tasks.intervals import paired_interval


def accept(
    labels: Labels, y: np.ndarray, decided: Mapping[str, Any], reference: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the change of the main metric against the run, with its 95% interval.

    Args:
        labels: Labels of the run.
        y: Targets of the validation split, as in `Split.y`.
        decided: Arrays of `Task.decide` by the exported model.
        reference: Those by the run.

    Returns:
        `split`, `examples`, `metric`, `reference` and `score` (its values), `difference`,
        `confidence_interval` of the difference, and `allowed` (the largest loss).

    Raises:
        ProofError: The loss is above 0.01, or above 1% of an error, and more than one example.
    """
    task, count = labels.kind, len(y)
    name = task.main_metric
    before, after = (task.predictions(each) for each in (reference, decided))
    old, new = (float(task.score(labels, y, each)[name]) for each in (before, after))
    loss = new - old if less_is_better(name) else old - new
    allowed = max(MARGIN, 1 / count) if task.has_classes else MARGIN * old
    low, high = paired_interval(task, y, after, before)
    # Differences of shares are rounded. A comparison with NaN is false.
    if not loss <= allowed * (1 + 1e-6):
        raise ProofError(
            f"The quantized model is worse on the {count} validation examples: {name} "
            f"{number(new)} instead of {number(old)}, difference {number(new - old)} (95% interval "
            f"{number(low)} to {number(high)}, a loss of {number(allowed)} is allowed). Export it "
            "with another --quantize or without."
        )
    return {
        "split": "validation",
        "examples": count,
        "metric": name,
        "reference": old,
        "score": new,
        "difference": new - old,
        "confidence_interval": [low, high],
        "allowed": allowed,
    }


def answers_of_graph(labels: Labels, answer: Answer, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arrays of `Task.decide` for prepared inputs by name, by a graph."""
    count = len(next(iter(inputs.values())))
    found: dict[str, list[Any]] = {}
    status("measuring the quantized graph")
    with progress("measuring", count) as bar:
        for start in range(0, count, BATCH_SIZE):
            rows = np.arange(start, min(start + BATCH_SIZE, count))
            for name, values in answer(select_rows(inputs, rows)).items():
                found.setdefault(name, []).append(values)
            bar.advance(len(rows))
    arrays = {name: np.concatenate(parts) for name, parts in found.items()}
    if "probability" in arrays:
        index = {name.encode("utf-8"): n for n, name in enumerate(labels.names)}
        arrays["best"] = np.array([index[name] for name in arrays["prediction"]])
    return arrays
