"""A summary of prepared data for people."""

from __future__ import annotations

from collections.abc import Mapping

from kerasft.data.audit.classes import count_classes
from kerasft.data.examples import SPLITS, Data, Split
from kerasft.tasks import Labels


def summarize(data: Data) -> str:
    """Return a summary of the data for people: sizes, classes, notes.

    Args:
        data: Dataset from `load_data`.

    Example:
        >>> print(summarize(load_data(ImageConfig(dataset="builtin:digits"))))
    """
    splits = {name: split for name in SPLITS if (split := getattr(data, name)) is not None}
    lines = ["  ".join(f"{name} {len(split):,}" for name, split in splits.items())]
    if not data.labels.names:
        scale = " (log)" if data.labels.transform == "log" else ""
        mean, deviation = f"{data.labels.mean:,.6g}", f"{data.labels.std:,.6g}"
        lines.append(f"target{scale}  mean {mean}, standard deviation {deviation}")
    else:
        lines += _class_table(splits, data.labels)
    return "\n".join([*lines, *(f"- {note}" for note in data.notes)])


def _class_table(splits: Mapping[str, Split], labels: Labels) -> list[str]:
    counts = {name: count_classes(split.examples) for name, split in splits.items()}
    width = max(len("class"), *(len(name) for name in labels.names))
    header = f"{'class':<{width}}" + "".join(f"{name:>12}" for name in counts)
    rows = [
        f"{label:<{width}}" + "".join(f"{found[label]:>12,}" for found in counts.values())
        for label in labels.names
    ]
    shown = rows if len(rows) <= 20 else [*rows[:20], f"... {len(rows) - 20} more classes"]
    return [f"{len(labels.names)} classes", header, *shown]
