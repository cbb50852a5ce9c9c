"""Commands to run next, quoted for a shell."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasft.formatting import option_name
from kerasft.paths import shortest


def fit_command(recipe: str, values: Mapping[str, Any]) -> str:
    """Return the command that fits a recipe with settings, to be run in the current folder.

    Args:
        recipe: Name, or path of a file.
        values: Settings; None is an empty text, which unsets what the recipe says.

    Example:
        >>> fit_command("resnet_digits", {"learning_rate": 1e-4, "cache": False})
        'kerasft fit resnet_digits --learning-rate 0.0001 --no-cache'
    """
    command = shlex.join(["kerasft", "fit", _short(recipe)])
    if values.get("dataset"):
        values = {**values, "dataset": _short(values["dataset"])}
    return f"{command} {fit_options(values)}".rstrip()


def _short(text: str) -> str:
    """Return an absolute path as `shortest` writes it, and a name unchanged."""
    return shortest(text) if Path(text).is_absolute() else text


def fit_options(values: Mapping[str, Any]) -> str:
    """Return settings as options of a command; None is an empty text.

    Example:
        >>> fit_options({"learning_rate": 1e-4, "cache": False})
        '--learning-rate 0.0001 --no-cache'
    """
    return shlex.join(part for item in values.items() for part in _option(*item))


def _option(name: str, value: Any) -> list[str]:
    option = option_name(name)
    if isinstance(value, bool):
        return [option if value else f"--no-{option.removeprefix('--')}"]
    return [option, "" if value is None else str(value)]
