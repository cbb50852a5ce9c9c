"""The task `ordinal`: ordered classes such as stars, grades, levels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kerasft.calibration import Interval
from kerasft.errors import DataError
from kerasft.tasks.labels import Labels
from kerasft.tasks.regression import Regression

if TYPE_CHECKING:
    import numpy as np

_WIDEST = 1000  # range of the labels; kappa needs a matrix of this size


class Ordinal(Regression):
    """Ordinal integer labels: a regression with additional metrics of classes.

    It also computes the metrics of a regression whose labels have a `scale` (`Labels.kind`), so
    that runs of task=regression report the same metrics as before.
    """

    name = "ordinal"
    title = "an ordered class such as stars"
    target_transform = False

    def scale(self, targets: np.ndarray, origins: Sequence[str]) -> tuple[int, int] | None:
        """Return the lowest and highest class.

        Raises:
            DataError: A target is not a whole number, or the range is too wide for classes.
        """
        wrong = next((n for n, value in enumerate(targets) if value != round(value)), None)
        if wrong is not None:
            raise DataError(
                f"The label of {origins[wrong]} is {targets[wrong]:g}, but must be a whole number "
                "for task=ordinal. Use --task regression for other numbers."
            )
        low, high = int(targets.min()), int(targets.max())
        if high - low > _WIDEST:
            raise DataError(
                f"The labels are {low} to {high}, but must have a range of at most {_WIDEST} for "
                "task=ordinal. Use --task regression."
            )
        return low, high

    def labels_problem(self, labels: Labels) -> str:
        """Return whether the lowest and highest class are missing."""
        if labels.scale is None or len(labels.scale) != 2:
            return "`labels.scale` has no lowest and highest class"
        return ""

    def bounds(self, labels: Labels, predicted: Any, interval: Interval) -> tuple[Any, Any]:
        """Return the lowest and highest class in the interval, at least the rounded prediction."""
        if labels.task != self.name:
            return super().bounds(labels, predicted, interval)
        from keras import ops

        assert labels.scale is not None  # every ordinal label has one
        lower, upper = interval.bounds(predicted)
        rounded = ops.round(predicted)
        return (
            ops.clip(ops.minimum(ops.ceil(lower), rounded), *labels.scale),
            ops.clip(ops.maximum(ops.floor(upper), rounded), *labels.scale),
        )

    def score(self, labels: Labels, y: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
        """Return the metrics of a regression and of ordinal classes.

        The latter are accuracy_rounded, within_one (accuracy within ±1) and kappa (Cohen's kappa
        with quadratic weights).
        """
        found = super().score(labels, y, predicted)
        if labels.scale is not None:
            found |= _ordered_scores(labels.scale, y, predicted)
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
