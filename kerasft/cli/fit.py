"""`kerasft fit`."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import click

from kerasft.cli.find_runs import runs_dir_option
from kerasft.cli.options import wants
from kerasft.cli.output import print_facts, print_json
from kerasft.cli.recipe_group import RecipeGroup
from kerasft.cli.run_summary import describe, report
from kerasft.cli.several_fits import fit_several
from kerasft.cli.startup import check_sources, working
from kerasft.config import Config


def fit(
    module: ModuleType,
    config: Config,
    runs_dir: str,
    name: str | None,
    seeds: int,
    ladder: bool,
    track: str | None,
    resume: bool,
) -> None:
    """Fit a recipe and tell where the run is and what can be done with it."""
    if (seeds > 1) + ladder + (name is not None) > 1:
        raise click.UsageError("--seeds, --ladder and --name do not go together: give one.")
    if resume and (seeds > 1 or ladder):
        raise click.UsageError("--resume goes on with one fit: leave --seeds and --ladder out.")
    if not resume:  # else the record says what was used
        check_sources(module, config)
    options: dict[str, Any] = {"runs_dir": runs_dir, "progress": not wants("quiet"), "track": track}
    if seeds > 1 or ladder:
        fit_several(module, config, seeds, options, ladder=ladder)
        return
    with working():
        import kerasft

        run = kerasft.fit(module, config, name=name, resume=resume, **options)
    if wants("json"):
        print_json(describe(run))
    elif wants("quiet"):
        click.echo(run.path)
    else:
        print_facts(report(run))


def _make_options() -> list[click.Option]:
    return [
        runs_dir_option(),
        click.Option(
            ["--seeds"],
            type=click.IntRange(1),
            default=1,
            help="Fit this many times, from --seed on (which draws missing splits, too): mean "
            "and spread",
        ),
        click.Option(
            ["--ladder"],
            is_flag=True,
            help="Begin with the simplest model, and train more while it pays",
        ),
        click.Option(
            ["--track"],
            type=click.Choice(["mlflow"]),
            help="Also tell this tool (MLFLOW_TRACKING_URI says where)",
        ),
        click.Option(["--name"], help="Name of the run's folder  [default: the present time]"),
        click.Option(
            ["--resume"],
            is_flag=True,
            help="Go on with the run --name, or the latest that was interrupted, as it was begun",
        ),
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
