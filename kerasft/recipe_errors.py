"""Errors in a recipe, which is a user's program: they name its file, function and line."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, TracebackType

from kerasft.errors import KerasftError, SettingError, name_and_first_line

_OF_THE_MACHINE = (MemoryError, OSError, ImportError)


@contextlib.contextmanager
def errors_in(recipe: ModuleType, function: str) -> Iterator[None]:
    """Name the recipe, the function and the line in errors of the body.

    Errors of kerasft, of the machine (memory, disk, missing packages), and those that do not pass
    through the recipe's file are raised as they are. A recipe without a file is named alone.

    Args:
        recipe: Recipe module.
        function: Name of the function that the body calls.

    Raises:
        SettingError: The function failed, or ended the process.

    Example:
        >>> with errors_in(recipe, "build_model"):
        ...     model = recipe.build_model(config, data)
    """
    file = getattr(recipe, "__file__", None)
    path = Path(file or ".").resolve()
    try:
        yield
    except (KerasftError, *_OF_THE_MACHINE):
        raise
    except (Exception, SystemExit) as error:
        lines = lines_in(path, error.__traceback__)
        if (file and not lines) or (isinstance(error, SystemExit) and not raised_in(path, error)):
            raise
        name, where = (path.name, f" (line {lines[-1]})") if lines else (recipe.__name__, "")
        raise SettingError(
            f"{name} failed in {function}{where}: {name_and_first_line(error)}. Correct the recipe."
        ) from error


def lines_in(path: Path, trace: TracebackType | None) -> list[int]:
    """Return the lines of a file that a traceback passes through, the innermost last."""
    frames = traceback.extract_tb(trace)
    return [frame.lineno or 0 for frame in frames if frame.filename == str(path.resolve())]


def raised_in(path: Path, error: BaseException) -> bool:
    """Return whether an error was raised in a file itself: a signal handler raises elsewhere."""
    return traceback.extract_tb(error.__traceback__)[-1].filename == str(path.resolve())
