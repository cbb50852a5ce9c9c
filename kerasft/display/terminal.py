"""The display of a terminal: bars below the lines, drawn by rich four times a second."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TextIO

from rich.console import Console, Group
from rich.file_proxy import FileProxy
from rich.live import Live
from rich.text import Text

from kerasft.display.rich_display import RichDisplay

_PER_SECOND = 4


class TerminalDisplay(RichDisplay):
    """Draws what runs below the lines, and removes it at the end.

    Args:
        stream: Stream of the terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream, terminal=True)
        self._stream = stream
        self._above: list[_Above] = []
        self._live = Live(
            console=self.console, get_renderable=self._below, refresh_per_second=_PER_SECOND,
            transient=True, redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip

    @contextlib.contextmanager
    def drawing(self) -> Iterator[None]:
        """Draw while the body runs, and print what is written to the streams above the bars."""
        with contextlib.ExitStack() as stack:
            self.console.file = stack.enter_context(_duplicate(self._stream))
            stack.callback(setattr, self.console, "file", self._stream)
            stack.enter_context(contextlib.redirect_stderr(self._print_above(self._stream, stack)))
            if sys.stdout.isatty():  # else it goes to a file or a pipe
                above = self._print_above(sys.stdout, stack)
                stack.enter_context(contextlib.redirect_stdout(above))
            stack.enter_context(self._live)
            self.console.show_cursor(True)  # else a killed process leaves the terminal without one
            yield

    def refresh(self) -> None:
        """Draw what runs now."""
        self._live.refresh()

    def _print_above(self, stream: TextIO, stack: contextlib.ExitStack) -> _Above:
        above = _Above(self.console, stream)
        self._above.append(above)
        stack.callback(above.finish)
        return above

    def _below(self) -> Group:
        """Return what is drawn below the lines: what runs, and lines that are not finished."""
        begun = [Text.from_ansi(above.begun, no_wrap=True) for above in self._above]
        return Group(self.running(), *filter(None, begun))


class _Above(FileProxy):
    """A stream whose finished lines are printed above the bars.

    The stream of rich prints at a flush what is not finished. A download flushes each state of
    its bar, so each would stay as a line; here the last one is drawn below until it is finished.
    Libraries that keep the stream for their logs go on writing to the console.
    """

    def __init__(self, console: Console, stream: TextIO) -> None:
        super().__init__(console, stream)
        self._console, self.begun = console, ""

    def write(self, text: str) -> int:
        """Print finished lines; only the terminal wraps them, so that paths can be copied."""
        *lines, begun = (self.begun + text).split("\n")
        self.begun = begun.rpartition("\r")[2]
        for line in lines:
            self._console.print(Text.from_ansi(line.rstrip("\r")), soft_wrap=True)
        return len(text)

    def flush(self) -> None:
        """Keep what is not finished."""

    def isatty(self) -> bool:
        """Return whether the stream is a terminal; rich 14 says that none is."""
        return bool(self.rich_proxied_file.isatty())

    def finish(self) -> None:
        """Print the line that is not finished."""
        if self.begun:
            self.write("\n")


def _duplicate(stream: TextIO) -> contextlib.AbstractContextManager[TextIO]:
    """Return a stream to the same terminal, which works while file descriptor 2 is redirected."""
    try:
        number = os.dup(stream.fileno())
    except OSError:  # a stream in memory
        return contextlib.nullcontext(stream)
    return open(number, "w", encoding=stream.encoding, errors="replace")
