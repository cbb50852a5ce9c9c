"""`kerasft fit`."""

from __future__ import annotations

import shlex
from types import ModuleType
from typing import Any

import click

from kerasft.cli.find_runs import runs_dir_option
from kerasft.cli.options import wants
from kerasft.cli.output import print_facts, print_json
from kerasft.cli.recipe_group import RecipeGroup
from kerasft.cli.scores import score_line
from kerasft.cli.startup import working
from kerasft.config import Config, TextConfig


def fit(module: ModuleType, config: Config, runs_dir: str, name: str | None) -> None:
    """Fits a recipe and tells where the run is and what can be done with it."""
    with working():
        import kerasft

        progress = not wants("quiet")
        run = kerasft.fit(module, config, runs_dir=runs_dir, name=name, progress=progress)
    if wants("json"):
        print_json(describe(run))
    elif wants("quiet"):
        click.echo(run.path)
    else:
        print_facts(report(run, config))


def describe(run: Any) -> dict[str, Any]:
    """Returns what `--json` tells of a run that was made."""
    return {
        "run": run.name,
        "recipe": run.recipe,
        "path": run.path,
        "config": run.config,
        "metrics": run.metrics,
        "seconds": run.manifest.get("seconds"),
    }


def report(run: Any, config: Config) -> dict[str, Any]:
    """Returns what a person is told of a run that was made."""
    path = shlex.quote(str(run.path))
    example = "'a text'" if isinstance(config, TextConfig) else "picture.png"
    seconds = run.manifest.get("seconds")
    return {
        **{split: score_line(config.task, found) for split, found in run.metrics.items()},
        "time": f"{seconds:.0f} s" if seconds is not None else None,
        "run": str(run.path),
        "next": [
            f"kerasft evaluate {path}",
            f"kerasft predict {path} {example}",
            f"kerasft export {path}",
        ],
    }


def _make_options() -> list[click.Option]:
    return [
        runs_dir_option(),
        click.Option(["--name"], help="Name of the run's folder  [default: the present time]"),
    ]


fit_command = RecipeGroup(
    "fit",
    action=fit,
    make_options=_make_options,
    help="""Fine-tune a RECIPE and keep what comes out as a run.

    RECIPE is a name, or the path of a .py file. Any recipe runs on your own data: --dataset takes
    a folder of class folders, or a CSV, JSONL or Parquet table.
    """,
)
