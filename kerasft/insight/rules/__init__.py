"""Rules of the diagnosis, each a pure function `Facts -> Finding | None`."""

from kerasft.insight.rules import data, epochs, generalization, learning_rate

__all__ = ["data", "epochs", "generalization", "learning_rate"]
