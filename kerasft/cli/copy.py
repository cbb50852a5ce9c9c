"""`kerasft copy`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from kerasft import catalog
from kerasft.cli.completion import complete_recipes
from kerasft.cli.options import SharedOptions, wants
from kerasft.cli.output import print_facts, print_json
from kerasft.errors import SettingError


@click.command("copy", cls=SharedOptions)
@click.argument("recipe", shell_complete=complete_recipes)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it exists")
def copy_command(recipe: str, file: Path, force: bool) -> None:
    """Copy a RECIPE to FILE, as a start for your own."""
    found = catalog.find_recipe(recipe)
    if file.is_dir():
        file = file / found.path.name
    if file.suffix != ".py":
        raise SettingError(f"FILE must end in .py. Received: {file}.")
    if file.exists() and not force:
        raise SettingError(
            f"File {file} already exists. Give another name, or replace it with --force."
        )
    if not file.parent.is_dir():
        raise SettingError(f"Folder {file.parent} not found. Create it first.")
    from kerasft.runs import write_text

    write_text(file, found.path.read_text(encoding="utf-8"))
    if wants("json"):
        print_json({"recipe": found.name, "path": file})
    elif wants("quiet"):
        click.echo(file)
    else:
        print_facts({"copied": file, "next": f"kerasft fit {shlex.quote(str(file))}"})
