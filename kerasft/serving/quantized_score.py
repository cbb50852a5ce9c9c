"""Whether an export with fewer bits loses too much: its score on the validation split."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasft.data import Labels, select_rows
from kerasft.display import progress, status
from kerasft.errors import ProofError, SettingError
from kerasft.evaluation.artifact import BATCH_SIZE
from kerasft.evaluation.graph_file import Answer
from kerasft.formatting import number
from kerasft.serving.verdict import MARGIN, Loss, agreement, measure_loss

FLOAT16, DYNAMIC, INT8 = "float16", "dynamic", "int8"
QUANTIZED = (FLOAT16, DYNAMIC, INT8)


@dataclass(frozen=True)
class Quantization:
    """Number format of a smaller graph, and the loss that it may have.

    Attributes:
        kind: `float16` (weights), `dynamic` (weights in int8) or `int8` (weights and activations).
        margin: Largest loss of the main metric at 95% confidence, in (0, 1]; of an error as a share
            of it.
    """

    kind: str
    margin: float = MARGIN

    def __post_init__(self) -> None:
        if self.kind not in QUANTIZED:
            raise SettingError(
                f"`quantize` must be one of {', '.join(QUANTIZED)}. Received: {self.kind!r}."
            )
        if not 0 < self.margin <= 1:
            raise SettingError(f"`margin` must be in (0, 1]. Received: margin={self.margin}.")

    def accept(
        self,
        labels: Labels,
        y: np.ndarray,
        decided: Mapping[str, Any],
        reference: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Return the change of the main metric against the run, if it is within the margin.

        It is a test of non-inferiority: the 95% interval of the loss on the same examples must lie
        below the margin.

        Args:
            labels: Labels of the run.
            y: Targets of the validation split, as in `Split.y`.
            decided: Arrays of `Task.decide` by the exported model.
            reference: Those by the run.

        Returns:
            `split`, `examples`, `metric`, `reference` and `score` (its values), `difference`,
            `confidence_interval` of the difference, `allowed` (the largest loss), and `agreement`
            with the run as in a benchmark.

        Raises:
            ProofError: The interval of the loss reaches beyond the margin.
        """
        loss = measure_loss(labels, y, decided, reference)
        allowed = self.margin * loss.unit
        # A comparison with NaN is false.
        if not loss.high <= allowed:
            raise ProofError(
                f"The quantized model may be worse by more than {number(allowed)}: {loss.metric} "
                f"{number(loss.score)} instead of {number(loss.reference)} on {len(y):,} "
                f"validation examples, a loss of {number(loss.low)} to {number(loss.high)} (95% "
                f"interval). {_allow(loss)}"
            )
        return {
            "split": "validation",
            "examples": len(y),
            "metric": loss.metric,
            "reference": loss.reference,
            "score": loss.score,
            "difference": loss.score - loss.reference,
            "confidence_interval": list(loss.interval),
            "allowed": allowed,
            "agreement": agreement(labels, decided, reference),
        }


def check_model(model: Any, quantization: Quantization | None) -> None:
    """Refuse a number format that ruins a model.

    Raises:
        SettingError: `int8` for a model that reads tokens.
    """
    tokens = isinstance(model.input, dict)
    if quantization is not None and quantization.kind == INT8 and tokens:
        raise SettingError(
            "quantize='int8' gives activations one fixed range, which the attention masks of a "
            "text model exceed, but dynamic or float16 is expected. A dynamic graph is as small: "
            "--quantize dynamic."
        )


def _allow(loss: Loss) -> str:
    """Return what to do about a loss beyond the margin."""
    # No margin allows a loss that is NaN, or a share of an error of 0.
    if not 0 < loss.high <= loss.unit:
        return "Export with another --quantize or without."
    needed = math.ceil(1000 * loss.high / loss.unit) / 1000
    return (
        f"Allow it with --margin {needed:g}, fit with more validation examples, or export with "
        "another --quantize or without."
    )


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


def as_proof(decided: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the answers of a graph as `proof.json` has them: lists by name, texts as str."""
    return {
        name: [_plain(value) for value in values.tolist()]
        for name, values in decided.items()
        if name not in ("best", "classes")
    }


def _plain(value: Any) -> Any:
    return value.decode("utf-8") if isinstance(value, bytes) else value
