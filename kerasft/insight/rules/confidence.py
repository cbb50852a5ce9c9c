"""Rule about the probabilities of classes.

It reads `Facts` and returns a Finding or None; docs/pages/benchmarks/diagnosis.md has the fits
between which the thresholds are.
"""

from __future__ import annotations

import numpy as np

from kerasft.formatting import number
from kerasft.insight.facts import Facts
from kerasft.insight.findings import Advice, Finding

_TEMPERATURE = 1.3  # of the calibration; that of good fits can be 2
_RISE = 1.4  # times the lowest validation loss
_GAIN = 2.0  # in log-likelihood; 1.92 is the 95% bound of chance for one fitted number


def overconfident(facts: Facts) -> Finding | None:
    """Detect a best epoch with a far higher validation loss, from too confident probabilities."""
    record, best = facts.calibration, facts.best_row
    log_loss = record.get("scores", {}).get("log_loss")
    if best is None or not log_loss:
        return None
    temperature = record["calibration"]["temperature"]
    own = float(facts.curve("val_loss", [best])[0])
    lowest = float(np.nanmin(facts.curve("val_loss", facts.rows)))
    gain = record["examples"] * (log_loss["before"] - log_loss["after"])
    if temperature < _TEMPERATURE or own < _RISE * lowest or gain < _GAIN:
        return None
    return Finding(
        "overconfident",
        "The probabilities are too confident",
        f"The validation loss is {facts.shown(own)} in epoch {best['epoch']}, the best "
        f"one; the lowest is {facts.shown(lowest)}. Calibration (temperature "
        f"{number(temperature)}) lowers the log loss from {number(log_loss['before'])} to "
        f"{number(log_loss['after'])}.",
        (Advice({}, "Use the calibrated probabilities, which `predict` and exports return."),),
        fault=False,
    )
