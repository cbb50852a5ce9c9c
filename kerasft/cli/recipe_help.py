"""Help of a recipe: the settings to try first, or all of them by group."""

from __future__ import annotations

import textwrap
from typing import Any

import click

from kerasft.cli.options import limits, setting_groups, setting_help
from kerasft.config import Config
from kerasft.setting_declaration import Setting, settings

_ALL = "kerasft.help_all"
_RECIPE = "recipe"  # group of the settings that a recipe declares itself
Record = tuple[str, str]


def help_all_option() -> click.Option:
    """Return a new --help-all option, which describes every setting and exits."""

    def show(context: click.Context, option: click.Parameter, value: bool) -> None:
        if value and not context.resilient_parsing:
            context.meta[_ALL] = True
            click.echo(context.get_help(), color=context.color)
            context.exit()

    text = "Describe all settings, by group, and exit"
    silent: dict[str, Any] = {"expose_value": False, "is_eager": True, "callback": show}
    return click.Option(["--help-all"], is_flag=True, help=text, **silent)


def write_recipe_options(
    context: click.Context, formatter: click.HelpFormatter, config: type[Config]
) -> None:
    """Write the help of a recipe's options.

    `--help` describes the common settings and those of the recipe itself, and names the others.
    `--help-all` describes all settings under the headings of their groups.

    Args:
        context: Context of the command.
        formatter: Receives the help.
        config: Config class of the recipe.
    """
    records = {
        str(parameter.name): record
        for parameter in context.command.get_params(context)
        if (record := parameter.get_help_record(context)) is not None
    }
    groups = setting_groups(config)
    described = {name: records.pop(name) for names in groups.values() for name in names}
    if context.meta.get(_ALL):
        for group, names in groups.items():
            _write(formatter, f"{group.capitalize()} settings", [described[n] for n in names])
        _write(formatter, "Options", list(records.values()))
        return
    known = settings(config)
    common = [name for name in described if known[name].common]
    own = [name for name in groups.get(_RECIPE, []) if name not in common]
    brief = {name: (described[name][0], _brief(known[name])) for name in (*common, *own)}
    _write(formatter, "Settings to try first", [brief[name] for name in common])
    _write(formatter, "Recipe settings", [brief[name] for name in own])
    _write(formatter, "Options", list(records.values()))
    rest = {
        group: [described[name][0].split()[0] for name in names if name not in (*common, *own)]
        for group, names in groups.items()
    }
    with formatter.section("More settings (described by --help-all)"):
        width = max(map(len, rest)) + 2
        for group, flags in rest.items():
            if flags:
                _write_names(formatter, group.ljust(width), [flag.rstrip(",") for flag in flags])


def _brief(item: Setting) -> str:
    """Return the help of a setting with its default, without the limits of a number."""
    return setting_help(item, limits(item) if item.choices else "")


def _write(formatter: click.HelpFormatter, title: str, rows: list[Record]) -> None:
    if rows:
        with formatter.section(title):
            formatter.write_dl(rows, col_max=26)


def _write_names(formatter: click.HelpFormatter, first: str, names: list[str]) -> None:
    """Write names after a first word, wrapped below each other between two names."""
    indent = " " * formatter.current_indent
    text = textwrap.fill(
        " ".join(names),
        max(formatter.width, 40),
        initial_indent=f"{indent}{first}",
        subsequent_indent=f"{indent}{' ' * len(first)}",
        break_on_hyphens=False,
    )
    formatter.write(f"{text}\n")
