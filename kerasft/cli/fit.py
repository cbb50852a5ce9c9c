"""`kerasft fit`."""

from __future__ import annotations

import shlex
import statistics
from dataclasses import replace
from types import ModuleType
from typing import Any

import click

from kerasft.cli.find_runs import runs_dir_option
from kerasft.cli.options import wants
from kerasft.cli.output import print_facts, print_json, print_table
from kerasft.cli.recipe_group import RecipeGroup
from kerasft.cli.scores import main_metrics, score_line
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
        _fit_several(module, config, seeds, options, ladder=ladder)
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


def _fit_several(
    module: ModuleType, config: Config, seeds: int, options: dict[str, Any], *, ladder: bool
) -> None:
    """Fit with several seeds, or step by step from the simplest model."""
    steps: list[Any] = []
    with working():
        import kerasft

        if ladder:
            steps = kerasft.compare_baselines(module, config, **options)
            runs = [step.run for step in steps if step.run is not None]
        else:
            several = [config, *(replace(config, seed=config.seed + n) for n in range(1, seeds))]
            runs = [kerasft.fit(module, one, **options) for one in several]
    if wants("quiet"):
        for run in runs:
            click.echo(run.path)
    elif wants("json"):
        compared = kerasft.compare(runs)
        print_json({"runs": [describe(run) for run in runs], "comparison": compared,
                    "ladder": [vars(step) | {"run": step.run and step.run.path}
                               for step in steps]})  # fmt: skip
    elif ladder:
        _print_ladder(steps, config.task)
    else:
        _print_seeds(runs, config.task)


def _print_seeds(runs: list[Any], task: str) -> None:
    """Print a row for every seed, then what they are on average and how far they differ."""
    name = main_metrics(task)[0]
    splits = [split for split in ("validation", "test") if split in runs[0].metrics]
    scores = [[run.metrics[split][name] for split in splits] for run in runs]
    columns = list(zip(*scores, strict=True))
    rows: list[Any] = [
        (str(run.config["seed"]), *found, str(run.path))
        for run, found in zip(runs, scores, strict=True)
    ]
    rows.append(("mean", *map(statistics.fmean, columns), ""))
    rows.append(("standard deviation", *map(statistics.stdev, columns), ""))
    print_table(("seed", *(f"{split} {name}" for split in splits), "run"), rows)
    paths = [str(run.path) for run in runs]
    print_facts({"next": f"kerasft diagnose {shlex.join(paths)}"})


def _print_ladder(steps: list[Any], task: str) -> None:
    name = main_metrics(task)[0]
    rows = [(step.name, step.score, step.parameters, step.seconds, step.verdict) for step in steps]
    heads = ("step", f"validation {name}", "trained", "seconds", "")
    print_table(heads, rows)
    for step in [step for step in steps if step.kept and step.run is not None][-1:]:
        path = str(step.run.path)
        test = score_line(task, step.run.metrics["test"]) if step.test is not None else None
        print_facts({"test": test, "run": path, "next": f"kerasft diagnose {shlex.quote(path)}"})


def describe(run: Any) -> dict[str, Any]:
    """Return what `--json` tells of a run that was made."""
    return {
        "run": run.name,
        "recipe": run.recipe,
        "path": run.path,
        "config": run.config,
        "metrics": run.metrics,
        "seconds": run.manifest.get("seconds"),
    }


def report(run: Any) -> dict[str, Any]:
    """Return what a person is told of a run that was made."""
    path = shlex.quote(str(run.path))
    example = "'a text'" if "text_column" in run.config else "picture.png"
    if run.pairs:
        example = r"$'a text\tits second text'"
    seconds, task = run.manifest.get("seconds"), run.labels["task"]
    return {
        **{split: score_line(task, found) for split, found in run.metrics.items()},
        "time": f"{seconds:.0f} s" if seconds is not None else None,
        "run": str(run.path),
        "next": [
            f"kerasft diagnose {path}",
            f"kerasft report {path}",
            f"kerasft predict {path} {example}",
            f"kerasft export {path}",
        ],
    }


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
