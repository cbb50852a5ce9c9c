"""Base class of tasks whose outputs are probabilities of named classes."""

from __future__ import annotations

from typing import Any, ClassVar

from kerasft.tasks.base import Task


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
