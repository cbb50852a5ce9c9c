"""`kerasft list`, `show` and `copy`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from kerasft import catalog
from kerasft.cli.options import SharedOptions, limits, setting_groups, wants
from kerasft.cli.output import print_facts, print_json, print_table
from kerasft.config import Config
from kerasft.errors import SettingError
from kerasft.formatting import setting_text
from kerasft.settings import settings
from kerasft.tensorflow_log import quiet_tensorflow


@click.command("list", cls=SharedOptions)
def list_command() -> None:
    """List the recipes.

    OFFLINE tells whether a recipe's own data and weights come without a network; any recipe
    takes your own with --dataset and --preset.
    """
    rows = [_describe(recipe) for recipe in catalog.list_recipes()]
    if wants("json"):
        print_json(rows)
    elif wants("quiet"):
        for row in rows:
            click.echo(row["name"])
    else:
        columns = ("name", "offline", "summary", "dataset", "preset")
        print_table(("recipe", *columns[1:]), [[row[column] for column in columns] for row in rows])


def _describe(recipe: catalog.Recipe) -> dict[str, Any]:
    defaults = catalog.recipe_defaults(recipe)
    dataset, preset = defaults.get("dataset", ""), defaults.get("preset", "")
    return {
        "name": recipe.name,
        "offline": _is_offline(str(dataset), str(preset)),
        "summary": recipe.summary,
        "dataset": dataset,
        "preset": preset,
        "path": recipe.path,
    }


def _is_offline(dataset: str, preset: str) -> bool:
    """A recipe without a preset starts from random weights; one without data needs the user's."""
    return not dataset.startswith("tfds:") and (not preset or preset.startswith("package:"))


@click.command("show", cls=SharedOptions)
@click.argument("recipe")
def show_command(recipe: str) -> None:
    """Show what a RECIPE does and its settings."""
    found = catalog.find_recipe(recipe)
    with quiet_tensorflow():
        config: type[Config] = catalog.load_recipe(recipe).Config
    items = settings(config)
    if wants("json"):
        defaults = {name: item.default for name, item in items.items()}
        print_json({**_describe(found), "docstring": found.docstring, "settings": defaults})
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


@click.command("copy", cls=SharedOptions)
@click.argument("recipe")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it exists")
def copy_command(recipe: str, file: Path, force: bool) -> None:
    """Copy a RECIPE to FILE, to make it your own."""
    found = catalog.find_recipe(recipe)
    if file.is_dir():
        file = file / found.path.name
    if file.suffix != ".py":
        raise SettingError(f"FILE must end in .py, so that it works as a recipe. Received: {file}.")
    if file.exists() and not force:
        raise SettingError(f"There is already a file {file}. Give another name, or --force.")
    if not file.parent.is_dir():
        raise SettingError(f"There is no folder {file.parent}.")
    from kerasft.runs import write_text

    write_text(file, found.path.read_text(encoding="utf-8"))
    if wants("json"):
        print_json({"recipe": found.name, "path": file})
    elif wants("quiet"):
        click.echo(file)
    else:
        print_facts({"copied": file, "next": f"kerasft fit {shlex.quote(str(file))}"})
