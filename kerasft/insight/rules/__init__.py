"""Rules of the diagnosis, each a pure function `Facts -> Finding | None`."""

from kerasft.insight.rules import (
    classes,
    confidence,
    data,
    epochs,
    gain,
    generalization,
    learning_rate,
)

__all__ = ["classes", "confidence", "data", "epochs", "gain", "generalization", "learning_rate"]
