"""`kerasft list`."""

from __future__ import annotations

import click

from kerasft import catalog
from kerasft.cli.options import SharedOptions, wants
from kerasft.cli.output import print_json, print_table
from kerasft.cli.recipe_description import describe_recipe


@click.command("list", cls=SharedOptions)
def list_command() -> None:
    """List the recipes.

    OFFLINE says whether a recipe's default data and weights work without a network. Any recipe
    takes your own with --dataset and --preset.
    """
    rows = [describe_recipe(recipe) for recipe in catalog.list_recipes()]
    if wants("json"):
        print_json(rows)
    elif wants("quiet"):
        for row in rows:
            click.echo(row["name"])
    else:
        columns = ("name", "offline", "summary", "dataset", "preset")
        print_table(("recipe", *columns[1:]), [[row[column] for column in columns] for row in rows])
