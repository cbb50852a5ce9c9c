"""`kerasft runs`."""

from __future__ import annotations

from typing import Any

import click

from kerasft.cli.find_runs import with_runs_dir
from kerasft.cli.options import SharedOptions, wants
from kerasft.cli.output import print_json, print_table, shown
from kerasft.cli.scores import main_metrics
from kerasft.errors import DamagedFileError, SettingError, did_you_mean

_TABLES = ("per_class", "confusion_matrix")


@click.command("runs", cls=SharedOptions)
@click.argument("recipe", required=False)
@with_runs_dir
def runs_command(recipe: str | None, runs_dir: str) -> None:
    """List the runs, of a RECIPE or all, newest last."""
    import kerasft

    runs = kerasft.list_runs(runs_dir)
    recipes = {run.path.parent.name for run in runs}
    if recipe is not None and recipe not in recipes:
        raise SettingError(
            f"There is no run of {recipe} in {runs_dir}.{did_you_mean(recipe, recipes)} "
            "All: kerasft runs."
        )
    rows = [_describe(run) for run in runs if recipe in (None, run.path.parent.name)]
    if wants("json"):
        print_json(rows)
    elif wants("quiet"):
        for row in rows:
            click.echo(row["path"])
    elif not rows:
        click.echo(f"There is no run in {runs_dir} yet. Make one: kerasft fit RECIPE", err=True)
    else:
        _print_runs(rows)


def _describe(run: Any) -> dict[str, Any]:
    """Returns a run in few words; a damaged file costs its values, not the list."""
    found = {"run": run.name, "recipe": run.path.parent.name, "path": run.path}
    try:
        manifest = run.manifest
        return {
            **found,
            "state": manifest.get("state"),
            "dataset": manifest.get("data", {}).get("dataset"),
            "task": run.labels["task"],
            "metrics": {
                split: {name: value for name, value in values.items() if name not in _TABLES}
                for split, values in run.metrics.items()
            },
            "epochs": len(run.history),
            "seconds": manifest.get("seconds"),
            "created": manifest.get("created"),
        }
    except (DamagedFileError, KeyError) as error:
        return {**found, "state": "damaged", "reason": str(error)}


def _print_runs(rows: list[dict[str, Any]]) -> None:
    headings = ("run", "dataset", "state", "test", "epochs", "seconds", "created (UTC)")
    cells = [
        (
            f"{row['recipe']}/{row['run']}",
            row.get("dataset"),
            row["state"],
            _scores(row),
            row.get("epochs"),
            None if row.get("seconds") is None else round(row["seconds"]),
            str(row.get("created") or "")[:16].replace("T", " "),
        )
        for row in rows
    ]
    print_table(headings, cells)


def _scores(row: dict[str, Any]) -> str:
    test = row.get("metrics", {}).get("test", {})
    names = [name for name in main_metrics(row.get("task", "")) if name in test]
    return ", ".join(f"{name} {shown(test[name])}" for name in names)
