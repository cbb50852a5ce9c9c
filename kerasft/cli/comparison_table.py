"""Compared runs as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kerasft.cli.output import print_facts, print_table, terminal_width, wrapped
from kerasft.formatting import setting_text, shown


def _names(group: dict[str, Any]) -> str:
    """Return the name of a group: its first run, and the number of other seeds."""
    first = Path(group["runs"][0])
    more = len(group["runs"]) - 1
    return f"{first.parent.name}/{first.name}" + (f" and {more} more" if more else "")


def print_comparison(compared: dict[str, Any]) -> None:
    """Print compared runs, one row per group of seeds, and the settings that differ."""
    name = compared["score"]
    rows = []
    for group in compared["groups"]:
        spread = "" if group["spread"] is None else f" ± {shown(group['spread'])}"
        against = ""
        if "difference" in group:
            noise = "" if group["noise"] is None else f" (noise {shown(group['noise'])})"
            against = f"{group['difference']:+.4g}{noise}: {group['verdict']}"
        rows.append((_names(group), f"{shown(group['mean'])}{spread}", against))
    print_table(("run", f"{compared['split']} {name}", "vs first"), rows)
    for group in compared["groups"]:
        _print_changes(group)
    if not compared["same_data"] and len(compared["groups"]) > 1:
        note = "The runs have different data: differences may come from the data."
        click.echo("\n" + "\n".join(wrapped(note, terminal_width())))


def _print_changes(group: dict[str, Any]) -> None:
    """Print the settings of a group that differ from those of the first."""
    if group["settings"]:
        click.secho(f"\nSettings of {_names(group)}", bold=True)
        print_facts(
            {
                name: f"{setting_text(first) or 'none'} -> {setting_text(other) or 'none'}"
                for name, (first, other) in group["settings"].items()
            }
        )
