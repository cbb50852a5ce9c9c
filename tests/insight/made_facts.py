"""Facts about a run that is not on disk."""

from kerasft.config import to_dict
from kerasft.insight.facts import Facts
from kerasft.recipes import resnet_digits


def facts(**changes):
    """Returns the facts about a run of three epochs, but for changes."""
    rows = [
        {"epoch": i + 1, "phase": "main", "loss": loss, "val_loss": loss, "accuracy": 0.5,
         "val_accuracy": 0.5, "learning_rate": 1e-3, "penalty": 0.0}
        for i, loss in enumerate(changes.pop("loss", [1.0, 0.5, 0.3]))
    ]  # fmt: skip
    usual = {
        "state": "done", "reason": "", "task": "classification", "changed": {}, "defaults": {},
        "recipe": "r",
        "settings": to_dict(resnet_digits.Config()), "rows": rows,
        "counts": {"train": 100, "validation": 400, "test": 400}, "metrics": {},
        "audit": {"class_counts": {"a": 50, "b": 50}}, "best_epoch": len(rows),
        "config_class": resnet_digits.Config,
    }  # fmt: skip
    return Facts(**{**usual, **changes})
