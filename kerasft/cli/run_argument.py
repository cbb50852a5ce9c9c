"""RUN on the command line, and the option for the folder of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

_RUNS_DIR: dict[str, Any] = {
    "type": click.Path(file_okay=False),
    "default": "runs",
    "show_default": True,
    "metavar": "DIR",
    "help": "Folder of runs",
}
with_runs_dir = click.option("--runs-dir", **_RUNS_DIR)


def runs_dir_option() -> click.Option:
    """Return a new --runs-dir option, as `with_runs_dir` adds it to a function."""
    return click.Option(["--runs-dir"], **_RUNS_DIR)


def find_run(text: str, runs_dir: str) -> Path:
    """Return the folder of the run that an argument names, as `kerasft.load_run` finds it."""
    from kerasft import runs

    return runs.find_run(text, runs_dir)


def load_runs(texts: Sequence[str], runs_dir: str) -> list[Any]:
    """Return the runs that arguments name, in order, each once."""
    from kerasft import runs

    named = [runs.load_run(find_run(text, runs_dir)) for text in texts]
    return list({run.path.resolve(): run for run in named}.values())


def find_model(text: str, runs_dir: str) -> Path:
    """Return the folder of the exported model or the run that an argument names."""
    from kerasft import runs

    return runs.find_export(text) or runs.find_run(text, runs_dir)


def recorded_labels(path: Path) -> dict[str, Any]:
    """Return the labels of a run or an exported model, as in its record."""
    import kerasft
    from kerasft.evaluation.artifact import open_artifact

    artifact = open_artifact(path)
    return kerasft.load_run(path).labels if artifact is None else artifact.labels.to_dict()


def run_names(runs_dir: str) -> set[str]:
    """Return what RUN can be, without paths: RECIPE/NAME, RECIPE and NAME of every run."""
    from kerasft import runs

    return runs.run_names(runs_dir)
