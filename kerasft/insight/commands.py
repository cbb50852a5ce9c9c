"""Lines to run next, as a shell takes them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def fit_command(recipe: str, values: Mapping[str, Any]) -> str:
    """Return the line that fits a recipe with settings.

    Args:
        recipe: A name, or the path of a file: shown from the present folder where it lies in it.
        values: Settings; None is left out.

    Example:
        >>> fit_command("resnet_digits", {"learning_rate": 1e-4, "cache": False})
        'kerasft fit resnet_digits --learning-rate 0.0001 --no-cache'
    """
    path = Path(recipe)
    if path.suffix == ".py" and path.is_relative_to(Path.cwd()):
        recipe = str(path.relative_to(Path.cwd()))
    options = [part for item in values.items() if item[1] is not None for part in _option(*item)]
    return shlex.join(["kerasft", "fit", recipe, *options])


def _option(name: str, value: Any) -> list[str]:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    return [f"--{flag}", str(value)]
