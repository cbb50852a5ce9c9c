"""What a command that fails says, and with which code it leaves."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import traceback
from collections.abc import Iterator
from types import FrameType
from typing import Any

import click

from kerasft.errors import KerasftError, ResourceError, first_line, name_and_first_line

INTERRUPTED = 130
TERMINATED = 143
_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def telling(context: click.Context) -> Iterator[None]:
    """Turn every error inside into a sentence on stderr and the documented exit code.

    Click's own errors pass, and so does a closed pipe, which click ends quietly.
    """
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except KeyboardInterrupt:
        _show_traceback(context)
        click.echo("\nInterrupted.", err=True)
        context.exit(INTERRUPTED)
    except Exception as error:  # the command line ends here: nobody above could tell the user
        if isinstance(error, OSError) and error.errno == errno.EPIPE:
            raise
        _show_traceback(context)
        click.secho("Error: ", fg="red", nl=False, err=True)
        click.echo(sentence(error), err=True)
        context.exit(exit_code(error))


def exit_code(error: BaseException) -> int:
    """Return the documented exit code of an error."""
    if isinstance(error, KerasftError):
        return error.exit_code
    return ResourceError.exit_code if _out_of_something(error) else 1


def sentence(error: BaseException) -> str:
    """Return what the user reads of an error."""
    if isinstance(error, KerasftError):
        return str(error)
    reason = first_line(error)
    if _out_of_something(error):
        what = "disk space" if isinstance(error, OSError) else "memory"
        way_out = "" if isinstance(error, OSError) else " A smaller --batch-size needs less."
        return f"Out of {what}: {reason}.{way_out}"
    doctor = "kerasft doctor tells what is missing; " if isinstance(error, ImportError) else ""
    return f"{name_and_first_line(error)} ({doctor}use --debug for the traceback)"


def _out_of_something(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in _FULL
    # TensorFlow's class is known by its name: importing it here would start TensorFlow.
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"MemoryError", "ResourceExhaustedError"})


def _show_traceback(context: click.Context) -> None:
    if context.meta.get("kerasft.debug"):
        click.echo(traceback.format_exc(), err=True)


@contextlib.contextmanager
def stopping_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end the program as an exception does, so that files are closed and removed."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(TERMINATED)

    try:
        before: Any = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread: its owner decides about signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def use_color() -> bool | None:
    """Return False where NO_COLOR asks for none, None to let click look at the terminal."""
    return False if os.environ.get("NO_COLOR") else None
