"""`kerasft find-lr`."""

from __future__ import annotations

from types import ModuleType

import click

from kerasft.cli.options import given_settings, wants
from kerasft.cli.output import print_facts, print_json
from kerasft.cli.recipe_group import RecipeGroup
from kerasft.cli.startup import check_sources, working
from kerasft.config import Config
from kerasft.display import current, status


def find_lr(module: ModuleType, config: Config, steps: int, output: str) -> None:
    """Ramp the learning rate of every phase and print the suggested rates."""
    check_sources(module, config)
    given = given_settings(click.get_current_context(), type(config))
    with working():
        import kerasft
        from kerasft.insight import plot_rates

        curves = kerasft.find_learning_rate(module, config, steps=steps, log=current().line)
        status("drawing the curves")
        plot_rates(curves, output)
    rates = {curve.phase: curve.valley for curve in curves}
    if wants("json"):
        print_json({"rates": rates, "plot": output, "curves": [vars(curve) for curve in curves]})
    elif wants("quiet"):
        click.echo(rates["main"])
    else:
        from kerasft.insight import fit_command
        from kerasft.runs.provenance import describe_recipe
        from kerasft.training.learning_rate_finder import use_found

        config = use_found(config, curves)
        found = {"learning_rate": config.learning_rate}
        if "head" in rates:
            found["head_learning_rate"] = config.head_learning_rate
        recipe = describe_recipe(module)
        next_line = fit_command(recipe["source"] or recipe["name"], {**given, **found})
        print_facts({**found, "plot": output, "next": next_line})


def _make_options() -> list[click.Option]:
    return [
        click.Option(["--steps"], type=click.IntRange(20), default=120, show_default=True,
                     help="Steps of each ramp"),
        click.Option(["-o", "--output"], type=click.Path(dir_okay=False), default="find_lr.png",
                     show_default=True, help="File of the plot"),
    ]  # fmt: skip


find_lr_command = RecipeGroup(
    "find-lr",
    action=find_lr,
    make_options=_make_options,
    help="""Find a learning rate for each phase of a RECIPE with a short ramp.

    The rate rises from 1e-6 until the loss diverges. The suggestion is half way down the descent
    of the loss. `kerasft fit RECIPE --learning-rate auto` does the same and fits with it.
    """,
)
