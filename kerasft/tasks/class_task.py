"""Base class of tasks whose outputs are probabilities of named classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from kerasft.tasks.base import Task

if TYPE_CHECKING:
    import numpy as np


class ClassTask(Task):
    """A task with classes: its metrics and losses."""

    directions: ClassVar = {
        "loss": "min", "accuracy": "max", "precision": "max", "recall": "max", "f1": "max",
    }  # fmt: skip
    losses = ("cross_entropy", "focal")

    def is_focal(self, loss: str) -> bool:
        """Return whether a value of the setting `loss` is the focal loss."""
        return self.choose_loss(loss, {"cross_entropy": False, "focal": True})


def constant_surprise(probability: Any, *, focal: bool) -> Any:
    """Return the loss of the true class by its predicted probability."""
    import numpy as np

    found = -np.log(np.maximum(probability, 1e-12))
    return found * (1 - probability) ** 2 if focal else found


def smoothed(shares: np.ndarray, smoothing: float, classes: int) -> np.ndarray:
    """Return shares of classes after label smoothing."""
    return (1 - smoothing) * shares + smoothing / classes


def least_smoothed_loss(smoothing: float, classes: int, *, focal: bool) -> float:
    """Return the least loss of a smoothed label: its entropy, and less with the focal loss.

    Args:
        smoothing: Fraction of the label that is spread over all classes, in [0, 1).
        classes: Number of classes, >= 2.
        focal: Whether the loss is the focal one, whose best prediction is not the label itself.
    """
    import numpy as np

    if not smoothing:
        return 0.0
    others = np.geomspace(1e-9, 1 / classes, 2000)  # predicted for each other class
    true = smoothed(np.ones(()), smoothing, classes)
    found = true * constant_surprise(1 - (classes - 1) * others, focal=focal)
    found += (1 - true) * constant_surprise(others, focal=focal)
    return float(found.min())
