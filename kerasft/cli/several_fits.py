"""Several fits of one recipe: with several seeds, or from a constant baseline upwards."""

from __future__ import annotations

import shlex
import statistics
from dataclasses import replace
from types import ModuleType
from typing import Any

import click

from kerasft.cli.average import describe_average, print_average
from kerasft.cli.options import wants
from kerasft.cli.output import print_facts, print_json, print_table
from kerasft.cli.run_summary import describe
from kerasft.cli.score_tables import score_lines
from kerasft.cli.startup import working
from kerasft.config import Config
from kerasft.display import current
from kerasft.tasks import compared_metric, task_of


def fit_several(
    module: ModuleType, config: Config, seeds: int, options: dict[str, Any], *, baselines: bool
) -> None:
    """Fit with several seeds, or compare baselines step by step."""
    steps: list[Any] = []
    averaged, failure = None, None
    with working():
        import kerasft

        if baselines:
            steps = kerasft.compare_baselines(module, config, **options)
            runs = [step.run for step in steps if step.run is not None]
        else:
            runs = []
            for number, one in enumerate(_with_seeds(config, seeds), start=1):
                current().line(f"seed   {one.seed}, fit {number} of {seeds}")
                runs.append(kerasft.fit(module, one, **options))
            if config.average_weights == "soup":
                own = {name: options[name] for name in ("runs_dir", "progress")}
                try:
                    averaged = kerasft.average(runs, **own)
                except kerasft.KerasftError as error:  # the fits are printed first
                    failure = error
    if wants("quiet"):
        for run in [*runs, *([averaged] if averaged else [])]:
            click.echo(run.path)
    elif wants("json"):
        compared = kerasft.compare(runs)
        print_json({"runs": [describe(run) for run in runs], "comparison": compared,
                    "baselines": [_describe_step(step) for step in steps],
                    "average": averaged and describe_average(averaged)})  # fmt: skip
    elif baselines:
        _print_baselines(steps)
    else:
        _print_seeds(runs, compared_metric(task_of(config.task), config.monitor))
        if averaged:
            click.echo()
            print_average(averaged)
    if failure is not None:
        raise failure


def _with_seeds(config: Config, count: int) -> list[Config]:
    """Return settings with so many seeds; fits that are averaged have the same splits."""
    if config.average_weights == "soup":
        splits = config.seed if config.split_seed is None else config.split_seed
        config = replace(config, average_weights="none", split_seed=splits)
    return [replace(config, seed=config.seed + n) for n in range(count)]


def _describe_step(step: Any) -> dict[str, Any]:
    """Return the JSON of a step; `kept` is the old name of `improved`."""
    return {**vars(step), "kept": step.improved, "run": step.run and step.run.path}


def _print_seeds(runs: list[Any], name: str) -> None:
    """Print the score of every seed, then the mean and the standard deviation."""
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


def _print_baselines(steps: list[Any]) -> None:
    rows = [
        (step.name, step.score, step.parameters, step.seconds, step.verdict,
         "<- chosen" if step.chosen else "")
        for step in steps
    ]  # fmt: skip
    heads = ("step", f"validation {steps[0].metric}", "trained", "seconds", "gain", "")
    print_table(heads, rows)
    (step,) = (step for step in steps if step.chosen)
    why = "the simplest that no later step beats by more than noise"
    facts = {"chosen": f"{step.name}, {why}"}
    if step.run is not None:
        path = str(step.run.path)
        if step.test is not None:
            facts["test"] = score_lines(step.run)["test"]
        facts |= {"run": path, "next": f"kerasft diagnose {shlex.quote(path)}"}
    print_facts(facts)
