"""Findings about numbers to predict."""

from __future__ import annotations

import dataclasses

import numpy as np

from kerasft.config import Config
from kerasft.data.examples import Examples
from kerasft.data_finding import LISTED, DataFinding
from kerasft.formatting import counted
from kerasft.tasks import Labels

_FAR = 10  # interquartile ranges from the nearer quartile
_ROBUST = ("absolute", "huber")  # losses with less weight on outliers


def find_outliers(config: Config, train: Examples, labels: Labels) -> list[DataFinding]:
    """Return a finding about targets far from all others, which dominate a squared loss."""
    values = np.asarray(train.labels, np.float64)
    logarithmic = labels.transform == "log"
    scaled = np.log(values) if logarithmic else values
    low, high = np.quantile(scaled, (0.25, 0.75))
    far = np.maximum(low - scaled, scaled - high) > _FAR * (high - low)
    if high == low or not far.any():
        return []
    indices = np.flatnonzero(far)
    shown = tuple(f"{train.origins[i]} ({values[i]:g})" for i in indices[:LISTED])
    kind = counted(len(indices), "target is", "targets are")
    text = f"{kind} more than {_FAR} interquartile ranges from the others, for example {shown[0]}."
    found = DataFinding("target_outliers", "warning", text, len(indices), shown)
    if config.loss in _ROBUST:
        return [dataclasses.replace(found, level="note", advice="Correct them if they are wrong.")]
    if not logarithmic and labels.kind.target_transform and values.min() > 0:
        return [dataclasses.replace(found, changes={"target_transform": "log"})]
    return [dataclasses.replace(found, advice="Correct them, or use loss=huber.")]
