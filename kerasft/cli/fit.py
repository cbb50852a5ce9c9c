"""`kerasft fit`."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from kerasft.cli.completion import complete_runs
from kerasft.cli.failures import show_unexpected_tracebacks
from kerasft.cli.options import given_settings, wants
from kerasft.cli.output import print_facts, print_json
from kerasft.cli.recipe_group import RecipeGroup
from kerasft.cli.run_argument import runs_dir_option
from kerasft.cli.run_summary import describe, report
from kerasft.cli.startup import check_sources, working
from kerasft.config import Config
from kerasft.distribution.ranks import find_ranks


def fit(module: ModuleType, config: Config, **options: Any) -> None:
    """Fit a recipe; print the scores, the run's folder and the commands to run next.

    Args:
        module: Recipe.
        config: Its settings.
        **options: Values of the options of `_make_options`, by name.
    """
    from kerasft.runs import check_name

    _check_options(**options)
    ranks = find_ranks(os.environ)
    first = not ranks.rank  # of several processes, the one that writes
    if not first:  # its run.log is in a temporary folder
        show_unexpected_tracebacks(click.get_current_context())
    if not first and not wants("quiet"):
        last = ranks.number - 1
        click.echo(
            f"process {ranks.rank} (of 0 to {last}): it trains, and process 0 reports", err=True
        )
    if not options["resume"]:  # else the manifest has the settings that were used
        check_sources(module, config)
        if first:
            check_name(options["runs_dir"], Path(str(module.__file__)).stem, options["name"])
    seeds, baselines = options.pop("seeds"), options.pop("baselines")
    if config.average_weights == "soup" and (seeds < 2 or baselines):
        raise click.UsageError(
            "--average-weights soup averages several fits: give --seeds 2 or more, use "
            "`kerasft tune`, or average finished runs: kerasft average RUN RUN."
        )
    common = {name: options[name] for name in ("runs_dir", "track")}
    common["progress"] = first and not wants("quiet")
    if seeds > 1 or baselines:
        from kerasft.cli.several_fits import fit_several

        fit_several(module, config, seeds, common, baselines=baselines)
        return
    fixed = list(given_settings(click.get_current_context(), type(config)))
    with working():
        import kerasft

        run = kerasft.fit(
            module, config, name=options["name"], resume=options["resume"],
            devices=options["devices"], fixed=fixed, **common,
        )  # fmt: skip
    if not first:
        return
    if wants("json"):
        print_json(describe(run))
    elif wants("quiet"):
        click.echo(run.path)
    else:
        print_facts(report(run))


def _check_options(
    *,
    seeds: int,
    baselines: bool,
    name: str | None,
    resume: bool,
    like: str | None,
    devices: int | str | None,
    **_others: Any,
) -> None:
    """Raise UsageError if options exclude each other."""
    if (seeds > 1) + baselines + (name is not None) > 1:
        raise click.UsageError("--seeds, --baselines and --name exclude each other: give one.")
    if resume and (seeds > 1 or baselines):
        raise click.UsageError("--resume continues one fit: leave out --seeds and --baselines.")
    shared = devices not in (None, 1) or find_ranks(os.environ).number > 1
    if shared and (seeds > 1 or baselines):
        raise click.UsageError(
            "Several devices or processes share one fit: leave out --seeds and --baselines."
        )
    if resume and like:
        raise click.UsageError("--resume keeps the settings of the run: leave out --like.")


class DevicesType(click.ParamType):
    """A number of devices of at least 1, or `all`."""

    name = "N|all"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """Return the number, or `all`."""
        if value == "all":
            return "all"
        try:
            return int(click.IntRange(1).convert(value, param, ctx))
        except click.BadParameter:
            self.fail(f"{value!r} is neither `all` nor a number of at least 1.", param, ctx)


class _BaselinesOption(click.Option):
    """`--baselines`; its former name `--ladder` still works and is not listed."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the first name alone with the help text."""
        record = super().get_help_record(ctx)
        return record and (self.opts[0], record[1])


def _like_option() -> click.Option:
    return click.Option(
        ["--like"],
        metavar="RUN",
        shell_complete=complete_runs,
        help="Start from all settings of this run, and from its recipe if none is named",
    )


def _make_options() -> list[click.Option]:
    return [
        runs_dir_option(),
        click.Option(
            ["--seeds"],
            type=click.IntRange(1),
            default=1,
            help="Number of fits, with seeds from --seed on (also for splits without --split-seed)",
        ),
        _BaselinesOption(
            ["--baselines", "--ladder"],
            is_flag=True,
            help="Compare baselines: constant, linear probe, then more blocks while it helps",
        ),
        click.Option(
            ["--track"],
            type=click.Choice(["mlflow", "wandb"]),
            help="Also log to this tool (its own variables say where: MLFLOW_TRACKING_URI, "
            "WANDB_MODE=offline)",
        ),
        click.Option(
            ["--devices"],
            type=DevicesType(),
            metavar="N|all",
            help="Devices that share every batch",
        ),
        click.Option(["--name"], help="Name of the run's folder  [default: timestamp]"),
        _like_option(),
        click.Option(
            ["--resume"],
            is_flag=True,
            help="Continue the run --name, or the latest interrupted one, with its original "
            "settings",
        ),
    ]


fit_command = RecipeGroup(
    "fit",
    action=fit,
    make_options=_make_options,
    params=[_like_option()],  # `kerasft fit --like RUN`, without a recipe
    help="""Fine-tune a RECIPE and save the result as a run.

    RECIPE is a name, or the path of a .py file. Any recipe runs on your own data: --dataset takes
    a folder of class folders, or a CSV, JSONL or Parquet table.

    \b
    kerasft fit RECIPE --config FILE.toml       settings from a file
    kerasft fit --like RUN --dropout 0.3        those of a run, then overrides
    """,
)
