"""`kerasft show`."""

from __future__ import annotations

import click

from kerasft import catalog
from kerasft.cli.options import SharedOptions, limits, setting_groups, wants
from kerasft.cli.output import print_facts, print_json, print_table
from kerasft.cli.recipe_description import describe_recipe
from kerasft.config import Config
from kerasft.formatting import setting_text
from kerasft.setting_declaration import settings
from kerasft.tensorflow_log import quiet_tensorflow


@click.command("show", cls=SharedOptions)
@click.argument("recipe")
def show_command(recipe: str) -> None:
    """Show a RECIPE's description and settings."""
    found = catalog.find_recipe(recipe)
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
