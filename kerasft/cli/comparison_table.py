"""Compared runs as a table."""

from __future__ import annotations

from typing import Any

import click

from kerasft.cli.output import print_facts, print_table, terminal_width, wrapped
from kerasft.formatting import group_name, run_name, setting_text, shown


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
        rows.append((group_name(group["runs"]), f"{shown(group['mean'])}{spread}", against))
    print_table(("run", f"{compared['split']} {name}", "vs first"), rows)
    for group in compared["groups"]:
        _print_changes(group)
    notes = [compared["note"]] if compared["note"] else []
    if compared["left_out"]:
        names = ", ".join(map(run_name, compared["left_out"]))
        notes.append(f"Left out, without a {compared['split']} {name}: {names}.")
    for note in notes:
        click.echo("\n" + "\n".join(wrapped(note, terminal_width())))


def _print_changes(group: dict[str, Any]) -> None:
    """Print the settings of a group that differ from those of the first."""
    if group["settings"]:
        click.secho(f"\nSettings of {group_name(group['runs'])}", bold=True)
        print_facts(
            {
                name: f"{_value_text(first)} -> {_value_text(other)}"
                for name, (first, other) in group["settings"].items()
            }
        )


def _value_text(value: Any) -> str:
    """Return the value of a setting; `none` is a value of some, so None is not called that."""
    return "not set" if value is None else setting_text(value) or "none"
