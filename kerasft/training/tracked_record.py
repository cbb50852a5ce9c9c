"""The parts of a run folder that a tracker receives at the end of a fit."""

from __future__ import annotations

from pathlib import Path

from kerasft.runs import Run


def tracked_numbers(run: Run) -> dict[str, float]:
    """Return the metrics of a run that are numbers, named SPLIT_METRIC."""
    return {
        f"{split}_{name}": value
        for split, metrics in run.metrics.items()
        for name, value in metrics.items()
        if isinstance(value, int | float)
    }


def tracked_files(run: Run) -> list[Path]:
    """Return the records, tables and charts in the folder of a run."""
    return [file for file in sorted(run.path.iterdir()) if file.suffix in (".json", ".csv", ".png")]
