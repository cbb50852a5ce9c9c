"""`kerasft runs list`, which is `kerasft runs` too."""

from __future__ import annotations

from typing import Any

import click

from kerasft.cli.options import SharedOptions, choice_option, wants
from kerasft.cli.output import print_json, print_table
from kerasft.cli.run_argument import with_runs_dir
from kerasft.cli.score_tables import main_metrics
from kerasft.errors import DamagedFileError, SettingError, did_you_mean
from kerasft.formatting import shown
from kerasft.tasks import TASKS, less_is_better

_TABLES = ("per_class", "confusion_matrix")


@click.command("list", cls=SharedOptions)
@click.argument("recipe", required=False)
@choice_option(
    "--sort",
    ("created", "score", "seconds"),
    "created",
    "Order: newest, best (validation score) or longest last",
)
@click.option("--where", multiple=True, metavar="NAME=VALUE", help="Only runs with this setting, or state=done")  # fmt: skip # noqa: E501
@with_runs_dir
def list_runs_command(recipe: str | None, sort: str, where: tuple[str, ...], runs_dir: str) -> None:
    """List the runs, of a RECIPE or all, newest last."""
    import kerasft

    runs = kerasft.list_runs(runs_dir)
    recipes = {run.path.parent.name for run in runs}
    if recipe is not None and recipe not in recipes:
        raise SettingError(
            f"No runs of {recipe} found in {runs_dir}.{did_you_mean(recipe, recipes)} "
            "List all: kerasft runs."
        )
    chosen = _wanted([run for run in runs if recipe in (None, run.path.parent.name)], where)
    rows = sorted((_describe(run) for run in chosen), key=lambda row: _place(row, sort))
    if wants("json"):
        print_json(rows)
    elif wants("quiet"):
        for row in rows:
            click.echo(row["path"])
    elif not rows:
        end = f"with {' and '.join(where)}." if where else "yet. Start one: kerasft fit RECIPE."
        click.echo(f"No runs in {runs_dir} {end}", err=True)
    else:
        _print_runs(rows, "validation" if sort == "score" else "test")


def _wanted(runs: list[Any], where: tuple[str, ...]) -> list[Any]:
    """Return the runs whose settings match; damaged runs match nothing.

    Raises:
        SettingError: None of the runs has a setting of that name.
    """
    pairs = []
    for text in where:
        name, equals, value = text.partition("=")
        if not equals:
            raise SettingError(f"--where takes NAME=VALUE. Received: {text!r}.")
        pairs.append((name.replace("-", "_"), value))
    known = [_known(run) for run in runs] if pairs else []
    names = {name for values in known for name in values}
    for name, _ in pairs:
        if names and name not in names:
            raise SettingError(f"No run has the setting `{name}`.{did_you_mean(name, names)}")
    return [
        run
        for run, values in zip(runs, known or [{}] * len(runs), strict=True)
        if all(name in values and _equal(values[name], value) for name, value in pairs)
    ]


def _known(run: Any) -> dict[str, Any]:
    try:
        return {**run.config, "state": run.state}
    except DamagedFileError:
        return {}


def _equal(known: Any, text: str) -> bool:
    if isinstance(known, (int, float)) and not isinstance(known, bool):
        try:
            return float(text) == float(known)
        except ValueError:
            return False
    texts = {True: ("yes", "true"), False: ("no", "false")}
    return text.lower() in texts[known] if isinstance(known, bool) else text == str(known or "")


def _place(row: dict[str, Any], sort: str) -> Any:
    if sort == "score":
        if row.get("task") not in TASKS:  # a damaged run, or one of a later version
            return float("-inf")
        metrics, name = row.get("metrics") or {}, main_metrics(row["task"])[0]
        value = (metrics.get("validation") or {}).get(name)
        if value is None:
            return float("-inf")
        return -value if less_is_better(name) else value
    return row.get("seconds") or 0.0 if sort == "seconds" else 0  # else by creation time


def _describe(run: Any) -> dict[str, Any]:
    """Return a summary of a run; a damaged file leaves out values, not the run."""
    found = {"run": run.name, "recipe": run.path.parent.name, "path": run.path}
    try:
        manifest = run.manifest
        return {
            **found,
            "state": run.state,
            "dataset": manifest.get("data", {}).get("dataset"),
            "task": run.labels["task"],
            "metrics": {
                split: {name: value for name, value in values.items() if name not in _TABLES}
                for split, values in run.metrics.items()
            },
            "epochs": len(run.history),
            "head_epochs": sum(row.get("phase") == "head" for row in run.history),
            "seconds": manifest.get("seconds"),
            "created": manifest.get("created"),
        }
    except (DamagedFileError, KeyError) as error:
        return {**found, "state": "damaged", "reason": str(error)}


def _print_runs(rows: list[dict[str, Any]], split: str) -> None:
    headings = ("run", "dataset", "state", split, "epochs", "seconds", "created (UTC)")
    cells = [
        (
            f"{row['recipe']}/{row['run']}",
            row.get("dataset"),
            row["state"],
            _scores(row, split),
            _epochs(row),
            None if row.get("seconds") is None else round(row["seconds"]),
            str(row.get("created") or "")[:16].replace("T", " "),
        )
        for row in rows
    ]
    print_table(headings, cells, optional=("created (UTC)", "seconds", "dataset"))


def _epochs(row: dict[str, Any]) -> str | None:
    """Return the number of epochs: of the head phase, if any, plus the main phase."""
    count, head = row.get("epochs"), row.get("head_epochs")
    return None if count is None else f"{head} + {count - head}" if head else str(count)


def _scores(row: dict[str, Any], split: str) -> str:
    found, task = row.get("metrics", {}).get(split, {}), row.get("task")
    # A damaged run has no task; that of a later version may be unknown here.
    names = [name for name in (main_metrics(task) if task in TASKS else ()) if name in found]
    title = TASKS[str(task)].metric_title if names else str
    return ", ".join(f"{title(name)} {shown(found[name])}" for name in names)
