"""The command that resumes a fit, for messages."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def resume_command(path: Path, recipe: Mapping[str, Any]) -> str:
    """Return the command that resumes the fit of a run.

    Args:
        path: Folder of the run.
        recipe: Its recipe, as in the manifest.
    """
    runs_dir = path.parent.parent
    arguments = ["kerasft", "fit", str(recipe.get("source") or recipe["name"]), "--resume"]
    arguments += ["--name", path.name]
    arguments += ["--runs-dir", str(runs_dir)] if str(runs_dir) != "runs" else []
    return shlex.join(arguments)


def how_to_resume(path: Path, recipe: Mapping[str, Any]) -> str:
    """Return a sentence: how to resume an unfinished run; a trial is resumed by its search."""
    if path.parent.name != recipe["name"]:
        return "Resume it with --resume."
    return f"Resume it: {resume_command(path, recipe)}"
