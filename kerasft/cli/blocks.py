"""`kerasft blocks`."""

from __future__ import annotations

import click

from kerasft import catalog
from kerasft.cli.completion import complete_recipes
from kerasft.cli.options import SharedOptions, wants
from kerasft.cli.output import print_json, print_table
from kerasft.cli.startup import working
from kerasft.errors import SettingError


@click.command("blocks", cls=SharedOptions)
@click.argument("preset", shell_complete=complete_recipes)
@click.option(
    "--image-size", type=click.IntRange(8, 4096), help="Image size for the shapes and the compute"
)
def blocks_command(preset: str, image_size: int | None) -> None:
    """List the blocks of a PRESET that `--trainable-blocks` counts, top block first.

    PRESET is what `--preset` takes: a KerasHub name, a folder, a .keras file, hf://ORG/NAME,
    applications:NAME, or package:NAME/FOLDER. A recipe name selects its preset. The last column is
    the share of the compute of a forward pass.
    """
    recipes = {recipe.name: recipe for recipe in catalog.list_recipes()}
    if preset in recipes:
        defaults = catalog.recipe_defaults(recipes[preset])
        if not defaults.get("preset"):
            raise SettingError(
                f"The recipe {preset} builds its own backbone and has no preset. Name a preset."
            )
        preset, image_size = defaults["preset"], image_size or defaults.get("image_size")
    with working():
        import kerasft

        # Only the architecture is needed: no weights are downloaded.
        backbone = kerasft.load_backbone(preset, pretrained=False)
        rows = kerasft.describe_blocks(backbone, image_size)
    if wants("json"):
        print_json(rows)
        return
    if wants("quiet"):
        for row in reversed(rows):
            click.echo(row["block"])
        return
    print_table(
        ("n", "block", "layers", "parameters", "output", "work"),
        [
            (
                count,
                row["block"],
                row["layers"],
                f"{row['parameters']:,}",
                " x ".join("tokens" if size is None else str(size) for size in row["output"]),
                f"{row['work']:.0%}",
            )
            for count, row in enumerate(reversed(rows), 1)
        ],
    )
