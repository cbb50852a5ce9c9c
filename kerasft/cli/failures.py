"""Error messages and exit codes of the command line."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from types import FrameType
from typing import Any, TypeGuard

import click

from kerasft.cli.option_names import as_typed
from kerasft.errors import (
    KerasftError,
    ResourceError,
    SettingError,
    first_line,
    is_full_disk,
    is_out_of_memory,
    name_and_first_line,
)
from kerasft.formatting import shortened

INTERRUPTED = 130
TERMINATED = 143


@contextlib.contextmanager
def report_errors(context: click.Context) -> Iterator[None]:
    """Print any error of the body on stderr and exit with its documented code.

    Errors of click itself pass through, as does a closed pipe, which click handles.
    """
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except KeyboardInterrupt:
        _show_traceback(context)
        click.echo("\nInterrupted.", err=True)
        context.exit(INTERRUPTED)
    except Exception as error:  # the outermost frame: every error must reach the user
        if _is_terminated():  # its exception was raised in TensorFlow, which raised another one
            context.exit(TERMINATED)
        if isinstance(error, OSError) and error.errno == errno.EPIPE:
            raise
        _show_traceback(context, error)
        click.secho("Error: ", fg="red", nl=False, err=True)
        click.echo(as_typed(sentence(error), context), err=True)
        context.exit(exit_code(error))


def _is_terminated() -> bool:
    """Return whether SIGTERM has arrived: `stopping_on_sigterm` ignores it from then on."""
    return signal.getsignal(signal.SIGTERM) == signal.SIG_IGN


def exit_code(error: BaseException) -> int:
    """Return the documented exit code of an error."""
    if isinstance(error, KerasftError):
        return error.exit_code
    if _is_long_path(error):
        return SettingError.exit_code
    return ResourceError.exit_code if is_full_disk(error) or is_out_of_memory(error) else 1


def sentence(error: BaseException) -> str:
    """Return the message that the user sees for an error."""
    if isinstance(error, KerasftError):
        return str(error)
    if _is_long_path(error):
        return f"The path or name {shortened(str(error.filename), 80)} is too long. Shorten it."
    reason = first_line(error)
    if is_full_disk(error):
        return f"Out of disk space{' for standard output' * _is_of_output(error)}: {reason}."
    if is_out_of_memory(error):
        return f"Out of memory: {reason}. Try a smaller --batch-size."
    doctor = "kerasft doctor lists what is missing; " if isinstance(error, ImportError) else ""
    return f"{name_and_first_line(error)} ({doctor}use --debug for the traceback)"


def _is_of_output(error: BaseException) -> bool:
    """Return whether an error was raised by printing."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code is click.echo.__code__ for frame, _ in frames)


def _is_long_path(error: BaseException) -> TypeGuard[OSError]:
    return isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG


def show_unexpected_tracebacks(context: click.Context) -> None:
    """Print the tracebacks of errors that are not kerasft's own, which no file records."""
    context.meta["kerasft.unexpected"] = True


def _show_traceback(context: click.Context, error: Exception | None = None) -> None:
    expected = error is None or isinstance(error, KerasftError)
    unexpected = context.meta.get("kerasft.unexpected") and not expected
    if context.meta.get("kerasft.debug") or unexpected:
        click.echo(traceback.format_exc(), err=True)


@contextlib.contextmanager
def stopping_on_sigterm() -> Iterator[None]:
    """Raise SystemExit on SIGTERM, so that files are closed and temporary ones removed.

    Further ones are ignored: an orderly end is under way.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise SystemExit(TERMINATED)

    try:
        before: Any = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread, where signals are handled
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


@contextlib.contextmanager
def leaving_on_second_interrupt() -> Iterator[None]:
    """End the process at once on Ctrl-C after a first signal, which began an orderly end.

    Python handles signals between steps of its own, so not during a long call of TensorFlow. The
    system writes their numbers to a pipe meanwhile, which a thread reads.
    """
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    try:
        before = signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    except ValueError:  # not in the main thread, where signals are handled
        os.close(ours)
        os.close(theirs)
        yield
        return
    threading.Thread(target=_leave_on_second, args=(ours,), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(theirs)  # ends the thread


def _leave_on_second(signals: int) -> None:
    """Read the numbers of signals from a pipe, and leave on a second one that is SIGINT."""
    count = 0
    while number := os.read(signals, 1):
        count += number[0] in (signal.SIGINT, signal.SIGTERM)
        if count > 1 and number[0] == signal.SIGINT:
            _leave_at_once()
    os.close(signals)


def _leave_at_once() -> None:
    """End this process and its workers without cleaning up; states are saved atomically."""
    if "multiprocessing" in sys.modules:
        for worker in sys.modules["multiprocessing"].active_children():
            worker.kill()
    show_cursor = "\x1b[?25h" if sys.stderr.isatty() else ""  # a bar has hidden it
    os.write(2, f"{show_cursor}\nInterrupted at once.\n".encode())
    os._exit(INTERRUPTED)


def use_color() -> bool | None:
    """Return False if NO_COLOR is set, else None: click decides by the terminal."""
    return False if os.environ.get("NO_COLOR") else None
