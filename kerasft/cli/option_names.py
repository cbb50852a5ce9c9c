"""Names of settings in messages, as the options that a person types."""

from __future__ import annotations

import re
import shlex

import click

_OPTIONS = "kerasft.options"
_QUOTED = re.compile(r"`(\w+)`")
_ASSIGNED = re.compile(r"\b([a-z][a-z0-9_]*)=('[^']*'|[^\s,;:()'`]*[^\s,;:()'`.])")

_OPTION = re.compile(r"--[a-z-]+ \Z")


def note_options(context: click.Context) -> None:
    """Note the options of a command for messages; those of a subcommand replace its parent's."""
    options = [item for item in context.command.params if isinstance(item, click.Option)]
    context.meta[_OPTIONS] = {str(item.name): item for item in options}


def as_typed(message: str, context: click.Context) -> str:
    """Return a message that names the options of the command where the API names settings.

    Names that are no options of the command stay as they are.

    Example:
        >>> as_typed("`epochs` must be at least 1. Received: epochs=0.", context)
        '--epochs must be at least 1. Received: --epochs 0.'
    """
    options: dict[str, click.Option] = context.meta.get(_OPTIONS, {})

    def name(match: re.Match[str]) -> str:
        option = options.get(match[1])
        return option.opts[0] if option else match[0]

    def assigned(match: re.Match[str]) -> str:
        option, value = options.get(match[1]), match[2]
        of_option = _OPTION.search(match.string, 0, match.start())  # such as --space dropout=0..1
        if option is None or of_option:
            return match[0]
        if option.is_flag:
            return _flag(option, value) or match[0]
        return f"{option.opts[0]} {shlex.quote(value.strip(chr(39)))}"

    return _ASSIGNED.sub(assigned, _QUOTED.sub(name, message))


def _flag(option: click.Option, value: str) -> str:
    """Return the spelling of a flag for True or False, or an empty string for another value."""
    names = {"True": option.opts, "False": option.secondary_opts}.get(value, [])
    return names[0] if names else ""
