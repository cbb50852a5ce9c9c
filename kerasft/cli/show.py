"""`kerasft show`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kerasft import catalog
from kerasft.cli.completion import complete_recipes_and_runs
from kerasft.cli.options import SharedOptions, limits, setting_groups, wants
from kerasft.cli.output import print_facts, print_json, print_table
from kerasft.cli.recipe_description import describe_recipe
from kerasft.cli.run_argument import find_run, run_names, with_runs_dir
from kerasft.cli.run_description import describe_run, run_facts
from kerasft.config import Config
from kerasft.errors import DataError, SettingError, did_you_mean
from kerasft.formatting import setting_text
from kerasft.setting_declaration import settings
from kerasft.tensorflow_log import quiet_tensorflow


@click.command("show", cls=SharedOptions)
@click.argument("subject", metavar="RECIPE|RUN", shell_complete=complete_recipes_and_runs)
@click.option(
    "--recipe",
    "source",
    is_flag=True,
    help="Print the source of the recipe; of a RUN, as it was when the run was fitted",
)
@with_runs_dir
def show_command(subject: str, source: bool, runs_dir: str) -> None:
    """Show a RECIPE's description and settings, or a RUN and the command that reproduces it."""
    if is_recipe(subject):
        _show_recipe(subject, source=source)
        return
    path = find_subject(subject, runs_dir)
    from kerasft.runs import load_run

    run = load_run(path)
    if source:
        _print_source(run)
    elif wants("json"):
        print_json(describe_run(run))
    elif wants("quiet"):
        click.echo(path)
    else:
        print_facts(run_facts(run))


def is_recipe(text: str) -> bool:
    """Return whether an argument names a recipe: one of the package, or a .py file."""
    return text.endswith(".py") or text in {recipe.name for recipe in catalog.list_recipes()}


def find_subject(text: str, runs_dir: str) -> Path:
    """Return the folder of a run, where a recipe is possible too.

    Raises:
        SettingError: There is neither a recipe nor a run of that name.
    """
    try:
        return find_run(text, runs_dir)
    except SettingError:
        if text == "latest" or Path(text).name != text or Path(text).is_dir():
            raise
        known = {recipe.name for recipe in catalog.list_recipes()} | run_names(runs_dir)
        raise SettingError(
            f"No recipe or run named '{text}' found.{did_you_mean(text, known)} List recipes: "
            "kerasft list. List runs: kerasft runs."
        ) from None


def _print_source(run: Any) -> None:
    content = run.recipe_source
    if content is None:
        raise DataError(f"{run.path} has no copy of its recipe: an older version made the run.")
    click.echo(content, nl=False)


def _show_recipe(recipe: str, *, source: bool) -> None:
    """Print a recipe: its source, or its docstring and settings."""
    found = catalog.find_recipe(recipe)
    if source:
        click.echo(found.path.read_bytes(), nl=False)
        return
    with quiet_tensorflow():
        config: type[Config] = catalog.load_recipe(recipe).Config
    items = settings(config)
    if wants("json"):
        defaults = {name: item.default for name, item in items.items()}
        print_json({**describe_recipe(found), "docstring": found.docstring, "settings": defaults})
        return
    click.echo(f"{found.docstring}\n")
    for group, names in setting_groups(config).items():
        click.secho(f"{group.capitalize()} settings", bold=True)
        rows = [(name, setting_text(items[name].default), limits(items[name])) for name in names]
        print_table(("setting", "default", "allowed"), rows, indent="  ")
        click.echo()
    print_facts(
        {
            "source": found.path,
            "fit": f"kerasft fit {recipe}",
            "copy": f"kerasft copy {recipe} my_recipe.py",
        }
    )
