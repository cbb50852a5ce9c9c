"""The display of this process: opened by the outermost caller, found by all others."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

from kerasft.display.base import Activity, Display
from kerasft.display.plain import PlainDisplay

P = ParamSpec("P")
Result = TypeVar("Result")

_NOTHING = Display()
_open: list[Display] = [_NOTHING]  # the last one is the current one


def current() -> Display:
    """Return the display of this process, one that shows nothing where none is open."""
    return _open[-1]


def status(text: str) -> None:
    """Show what is done from now on, until the next status.

    Example:
        >>> status("reading photos/")
    """
    current().status(text)


def progress(text: str, total: int | None = None) -> contextlib.AbstractContextManager[Activity]:
    """Show a bar while the body of a `with` statement runs; it gets the activity.

    Args:
        text: What is done: `decoding images`.
        total: Number of steps; None where it is not known.
    """
    return current().progress(text, total)


def shows_progress(function: Callable[P, Result]) -> Callable[P, Result]:
    """Decorate a function with a keyword `progress`: whether to show what it does."""

    @functools.wraps(function)
    def shown(*args: P.args, **options: P.kwargs) -> Result:
        with showing(bool(options.get("progress", True))):
            return function(*args, **options)

    shown.__kwdefaults__ = function.__kwdefaults__  # type: ignore[attr-defined]
    return shown


@contextlib.contextmanager
def showing(wanted: bool = True) -> Iterator[Display]:
    """Show on stderr what the body does; a display that is open already is used.

    Args:
        wanted: Whether to show anything.
    """
    if wanted and current() is not _NOTHING:
        yield current()
        return
    display = _make_display() if wanted else Display()
    _open.append(display)
    try:
        with display.drawing():
            yield display
    finally:
        _open.remove(display)


def _make_display() -> Display:
    """Return the display that fits stderr: a notebook, a terminal or plain lines."""
    output = _notebook_output()
    if output is not None:
        from kerasft.display.notebook import NotebookDisplay  # imports rich

        return NotebookDisplay(output)
    if sys.stderr.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown"):
        from kerasft.display.terminal import TerminalDisplay  # imports rich

        return TerminalDisplay(sys.stderr)
    return PlainDisplay(sys.stderr)


def _notebook_output() -> Callable[[str], None] | None:
    """Return a function that replaces the text of a new output of the cell, None elsewhere."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "kernel"):  # a shell in a terminal has none
        return None
    from IPython import display

    show: Any = display.display  # not typed
    handle = show({"text/plain": ""}, raw=True, display_id=True)
    return lambda text: handle.update({"text/plain": text}, raw=True)
