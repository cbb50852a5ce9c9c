"""Completions for the shell, from names of files alone: nothing is imported for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import click
from click.shell_completion import CompletionItem

from kerasft import catalog
from kerasft.cli.run_argument import run_names


def complete_recipes(
    context: click.Context, parameter: click.Parameter | None, incomplete: str
) -> list[CompletionItem]:
    """Return the recipes of the package, or files for the beginning of a path."""
    return _matching(_recipes(), incomplete)


def complete_runs(
    context: click.Context, parameter: click.Parameter | None, incomplete: str
) -> list[CompletionItem]:
    """Return the runs below --runs-dir as RECIPE/NAME, recipes for their latest run, and latest."""
    return _matching(_runs(context), incomplete)


def complete_recipes_and_runs(
    context: click.Context, parameter: click.Parameter | None, incomplete: str
) -> list[CompletionItem]:
    """Return recipes and runs."""
    return _matching({**_runs(context), **_recipes()}, incomplete)


def _recipes() -> dict[str, str]:
    return {recipe.name: recipe.summary for recipe in catalog.list_recipes()}


def _runs(context: click.Context) -> dict[str, str]:
    names = run_names(str(context.params.get("runs_dir") or "runs"))
    whole = sorted(name for name in names if "/" in name)
    if not whole:
        return {}
    recipes = dict.fromkeys((name.partition("/")[0] for name in whole), "Its latest run")
    return {"latest": "The latest of all runs", **recipes, **dict.fromkeys(whole, "")}


def complete_values(values: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Return the values of a setting that can still be meant."""
    return [CompletionItem(value) for value in values if value.startswith(incomplete)]


def complete_path(incomplete: str) -> list[CompletionItem]:
    """Return the request that the shell completes a path."""
    return [CompletionItem(incomplete, type="file")]


def _matching(names: Mapping[str, str], incomplete: str) -> list[CompletionItem]:
    found = [
        CompletionItem(name, help=text or None)
        for name, text in names.items()
        if name.startswith(incomplete)
    ]
    return found or complete_path(incomplete)
