"""What benchmarks share: settings on their command line, and Keras as its guides use it."""

from __future__ import annotations

import argparse
from typing import Any


def stock_keras() -> None:
    """Leaves the layers of backbones as KerasHub makes them; for this process."""
    from kerasft.models import backbones

    backbones.speed_up = lambda model: None


def compile_stock(model: Any, config: Any, data: Any) -> None:
    """Compiles as `compile_model` does, with the AdamW of Keras."""
    import keras

    from kerasft.training.optimizers import schedules as optimizers
    from kerasft.training.phases import compile_model

    ours, optimizers.FusedAdam = optimizers.FusedAdam, keras.optimizers.AdamW
    try:
        compile_model(model, config, data)
    finally:
        optimizers.FusedAdam = ours


def longest_only(x: Any) -> Any:
    """Returns prepared inputs, texts without the padding that all of them have in common."""
    if not isinstance(x, dict):
        return x
    longest = int(x["padding_mask"].sum(axis=1).max())
    return {name: values[:, :longest] for name, values in x.items()}


def add_settings(parser: argparse.ArgumentParser, recipe: str, epochs: int) -> None:
    """Adds --recipe, --epochs and --set to a command line."""
    parser.add_argument("--recipe", default=recipe)
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")


def read_settings(arguments: argparse.Namespace) -> tuple[Any, Any]:
    """Returns the recipe and its settings: one phase, as both sides can train it."""
    from kerasft.catalog import load_recipe

    recipe = load_recipe(arguments.recipe)
    values = {"precision": "float32", "head_start": "random", **read_values(recipe, arguments.set)}
    return recipe, recipe.Config(epochs=arguments.epochs, head_epochs=0, patience=0, **values)


def read_values(recipe: Any, pairs: list[str]) -> dict[str, Any]:
    """Returns the settings of a recipe that NAME=VALUE give."""
    from kerasft.setting_declaration import settings

    known = settings(recipe.Config)
    given = dict(pair.split("=", 1) for pair in pairs)
    return {name: known[name].type(value) for name, value in given.items()}
