"""Rules of the diagnosis, each a pure function `Facts -> Finding | None`."""

from kerasft.insight.rules import data, epochs, fit, learning_rate

__all__ = ["data", "epochs", "fit", "learning_rate"]
