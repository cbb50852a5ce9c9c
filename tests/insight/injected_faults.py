"""Fits with injected faults: changes of settings and of the data, one fault each."""

from __future__ import annotations

import collections
import dataclasses
import types
from typing import Any

import numpy as np

# Changes of settings (factors if the name ends in `*`) and of the data, by fault.
FAULTS: dict[str, dict[str, Any]] = {
    "learning_rate_too_high": {"learning_rate*": 100, "head_learning_rate*": 100},
    "learning_rate_too_low": {"learning_rate*": 0.01, "head_learning_rate*": 0.01},
    "overfitting": {"data": "few", "epochs": 12, "patience": 0, "dropout": 0.0},
    "over_regularized": {"kernel_l2": 10.0},
    "over_regularized (dropout)": {"dropout": 0.9},
    "no_signal": {"data": "shuffled", "patience": 0},
    "stopped_too_early": {"epochs": 1, "head_epochs": 0},
    "imbalance": {"data": "imbalanced"},
    "leakage": {"data": "leak"},
    "batch_norm": {"freeze_batch_norm": False, "batch_size": 4, "trainable_blocks": -1},
    "truncated": {"sequence_length": 8},
    "healthy": {},
}
# Other names that describe the same fault.
ALSO = {"learning_rate_too_high": {"diverged"}}


def spoiled(recipe: Any, how: str, seed: int, usual: int | None = None) -> types.ModuleType:
    """Return a recipe whose data have a fault."""
    import kerasft
    from kerasft.data import read_dataset

    def load_data(config: Any) -> Any:
        part = read_dataset(dataclasses.replace(config, seed=0))["train"]
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(part))
        held, rest = order[: len(order) // 4], order[len(order) // 4 :]
        labels = list(part.labels or [])
        if how == "shuffled":
            labels = [labels[i] for i in rng.permutation(len(labels))]
            part = dataclasses.replace(part, labels=labels)
        # With many digits no fault shows: they are too easy.
        size = 15 if recipe.__name__.endswith("digits") else usual
        per_class = {"few": 3, "imbalanced": size and max(size, 60)}.get(how, size)
        if per_class is not None:
            rest = _few(rest, labels, per_class)
        if how == "imbalanced":
            rest = _imbalanced(rest, labels)
        if how == "leak":
            rest = [*rest, *held[: len(held) // 2]]
        train, validation = part.select(rest), part.select(held)
        half = len(validation) // 2
        return kerasft.prepare_data(config, {
            "train": train, "validation": validation.select(range(half)),
            "test": validation.select(range(half, len(validation))),
        })  # fmt: skip

    module = types.ModuleType(recipe.__name__)
    module.__dict__.update(vars(recipe))
    module.__dict__["load_data"] = load_data
    return module


def _few(rows: Any, labels: list[Any], count: int) -> list[int]:
    if isinstance(labels[0], float):
        return [int(i) for i in rows[: 8 * count]]
    seen: collections.Counter[Any] = collections.Counter()
    chosen = []
    for index in rows:
        if seen[labels[index]] < count:
            seen[labels[index]] += 1
            chosen.append(int(index))
    return chosen


def _imbalanced(rows: Any, labels: list[Any]) -> list[int]:
    """Keep one in 50 examples of every other class, at least two."""
    rare = set(sorted(set(labels))[::2])
    seen: collections.Counter[Any] = collections.Counter()
    chosen = []
    for index in rows:
        label = labels[index]
        seen[label] += 1
        if label not in rare or seen[label] % 50 == 1 or seen[label] == 2:
            chosen.append(int(index))
    return chosen


def changed(config: Any, changes: dict[str, Any]) -> Any:
    """Return a config with settings set, or multiplied if the name ends in `*`."""
    values = {}
    for name, value in changes.items():
        plain = name.rstrip("*")
        if hasattr(config, plain):
            values[plain] = getattr(config, plain) * value if name.endswith("*") else value
    return dataclasses.replace(config, **values)


def fit(module: Any, config: Any, folder: str) -> Any:
    """Fit and return the run, also of a training that diverged."""
    import kerasft
    from kerasft.errors import DivergedError

    try:
        return kerasft.fit(module, config, runs_dir=folder, progress=False)
    except DivergedError:
        return kerasft.list_runs(folder)[-1]
