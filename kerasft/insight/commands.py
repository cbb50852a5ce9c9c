"""Commands to run next, quoted for a shell."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def fit_command(recipe: str, values: Mapping[str, Any]) -> str:
    """Return the command that fits a recipe with settings.

    Args:
        recipe: Name, or path of a file; relative if it is below the current folder.
        values: Settings; None is an empty text, which unsets what the recipe says.

    Example:
        >>> fit_command("resnet_digits", {"learning_rate": 1e-4, "cache": False})
        'kerasft fit resnet_digits --learning-rate 0.0001 --no-cache'
    """
    path = Path(recipe)
    if path.suffix == ".py" and path.is_relative_to(Path.cwd()):
        recipe = str(path.relative_to(Path.cwd()))
    options = [part for item in values.items() for part in _option(*item)]
    return shlex.join(["kerasft", "fit", recipe, *options])


def _option(name: str, value: Any) -> list[str]:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    return [f"--{flag}", "" if value is None else str(value)]
