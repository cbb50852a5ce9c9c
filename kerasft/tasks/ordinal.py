"""Ordered classes: stars, grades, levels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kerasft.errors import DataError
from kerasft.tasks.labels import Labels
from kerasft.tasks.regression import Regression

if TYPE_CHECKING:
    import numpy as np

_WIDEST = 1000  # classes between which kappa counts distances; more are a plain number


class Ordinal(Regression):
    """Whole-number classes in an order: a regression that is also measured as classes.

    It measures the labels of a plain regression too where those have a `scale` (`Labels.kind`),
    so that runs of task=regression report what they always did.
    """

    name = "ordinal"
    title = "an ordered class such as stars"
    target_transform = False

    def scale(self, targets: np.ndarray, origins: Sequence[str]) -> tuple[int, int] | None:
        """Return the ends of the classes.

        Raises:
            DataError: A target is no whole number, or the range is too wide for classes.
        """
        wrong = next((n for n, value in enumerate(targets) if value != round(value)), None)
        if wrong is not None:
            raise DataError(
                f"The label of {origins[wrong]} must be a whole number for task=ordinal. Received: "
                f"{targets[wrong]:g}. Use --task regression for other numbers."
            )
        low, high = int(targets.min()), int(targets.max())
        if high - low > _WIDEST:
            raise DataError(
                f"The labels of task=ordinal must be at most {_WIDEST} apart. Received: {low} to "
                f"{high}. Use --task regression."
            )
        return low, high

    def measure(self, labels: Labels, y: np.ndarray, predictions: np.ndarray) -> dict[str, Any]:
        """Return the metrics of a regression, and those of ordered classes.

        These are accuracy_rounded, within_one (the share that is off by one class at most) and
        kappa (Cohen's, by squared distance).
        """
        found = super().measure(labels, y, predictions)
        if labels.scale is not None:
            found |= _ordered_scores(labels.scale, y, predictions[:, 0])
        return found


def _ordered_scores(
    scale: tuple[int, int], y: np.ndarray, predicted: np.ndarray
) -> dict[str, float]:
    """Return the metrics of ordinal labels, or an empty dict if a target is not an integer."""
    import numpy as np
    from sklearn import metrics

    truth = np.rint(y).astype("int64")
    if np.any(truth != y):
        return {}
    # Predictions beyond the ends of the scale are clipped to it.
    lowest, highest = min(scale[0], int(truth.min())), max(scale[1], int(truth.max()))
    rounded = np.rint(np.clip(predicted, lowest, highest)).astype("int64")
    # Kappa is undefined if only one class occurs; NaN becomes null in JSON.
    alike = len(np.union1d(truth, rounded)) == 1
    # List all classes of the scale, because kappa measures distances by position in this list.
    kappa = (
        float("nan")
        if alike
        else metrics.cohen_kappa_score(
            truth, rounded, labels=range(lowest, highest + 1), weights="quadratic"
        )
    )
    return {
        "accuracy_rounded": float(np.mean(truth == rounded)),
        "within_one": float(np.mean(np.abs(truth - rounded) <= 1)),
        "kappa": float(kappa),
    }
