"""The display of a terminal: bars below the lines, drawn by rich four times a second."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from kerasft.display.base import Cell, Display
from kerasft.display.layout import heading_line, kept_cells, live_lines, log_lines, row_lines

_PER_SECOND = 4
_STYLES = {"good": "green", "bad": "red"}
_WARNINGS = ("watch ", "stop ")  # first words of lines that need attention


class TerminalDisplay(Display):
    """Draws what runs below the lines, and removes it at the end.

    Args:
        stream: Stream of the terminal.
    """

    live = True

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.drawing = False
        self._stream = stream
        self._headings: tuple[str, ...] = ()
        self.console = Console(
            file=_duplicate(stream), force_terminal=True, force_jupyter=False, markup=False,
            highlight=False, emoji=False,
        )  # fmt: skip
        self._bar = {} if _writes_unicode(stream) else {"full": "#", "rest": "-"}
        self._streams = {"stderr": _Above(self, stream)}
        if sys.stdout.isatty():
            self._streams["stdout"] = _Above(self, sys.stdout)
        self._replaced: dict[str, Any] = {}
        self._live = Live(
            self, console=self.console, refresh_per_second=_PER_SECOND, transient=True,
            redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        self.console.show_cursor(True)  # else a killed process leaves the terminal without one
        self.drawing = True
        for name, stream in self._streams.items():
            self._replaced[name] = getattr(sys, name)
            setattr(sys, name, stream)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the bars and restore the streams."""
        for name, stream in self._replaced.items():
            setattr(sys, name, stream)
        self._live.stop()
        self.drawing = False
        for above in self._streams.values():
            above.release()
        if self.console.file is not self._stream:
            self.console.file.close()

    def line(self, text: str) -> None:
        """Print a line, wrapped at spaces."""
        style = "yellow" if text.startswith(_WARNINGS) else ""
        self._print(log_lines(text, self.console.width), style)

    def row(self, cells: Sequence[Cell], plain: str, style: str = "") -> None:
        """Print a row, after the headings where they differ from those above."""
        width = self.console.width
        kept = kept_cells(cells, width)
        headings = tuple(cell.heading for cell in kept)
        if headings != self._headings:
            self._headings = headings
            self._print([heading_line(kept, width)], "bold")
        self._print(row_lines(kept, width), _STYLES.get(style, ""))

    def status(self, text: str) -> None:
        """Draw the status at once: what follows may keep Python busy."""
        super().status(text)
        if self.drawing and not self.activities:
            self._live.refresh()

    def _print(self, lines: list[str], style: str = "") -> None:
        for line in lines:
            if self.drawing:
                self.console.print(Text(line, style), soft_wrap=True)
            else:  # a thread goes on after the display has ended
                print(line, file=self._stream, flush=True)

    def __rich__(self) -> Text:
        """Return what is drawn below the lines."""
        lines = live_lines(self, self.console.width, **self._bar)
        for above in self._streams.values():
            if above.begun:  # such as the bar of a download
                lines.append(above.begun[: self.console.width])
        return Text("\n".join(lines), no_wrap=True, overflow="crop", end="")


class _Above(io.TextIOBase):
    """A stream whose lines are printed above the bars while they are drawn.

    Libraries may keep it for their logs: once the bars are gone it writes to the stream itself.
    """

    def __init__(self, display: TerminalDisplay, stream: TextIO) -> None:
        self._display, self._stream, self._rest = display, stream, ""

    @property
    def begun(self) -> str:
        """The line that is not finished yet, without control characters."""
        return Text.from_ansi(self._rest).plain.strip()

    def write(self, text: str) -> int:
        """Print finished lines above the bars."""
        if not self._display.drawing:
            return self._stream.write(text)
        *lines, rest = (self._rest + text).split("\n")
        self._rest = rest.rpartition("\r")[2]
        for line in lines:
            shown = Text.from_ansi(line.rstrip("\r").rpartition("\r")[2])
            self._display.console.print(shown, soft_wrap=True)
        return len(text)

    def release(self) -> None:
        """Write the line that is not finished."""
        if self._rest:
            self._stream.write(f"{self._rest}\n")
            self._rest = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the file descriptor of the stream."""
        return self._stream.fileno()

    def flush(self) -> None:
        """Flush the stream."""
        self._stream.flush()


def _duplicate(stream: TextIO) -> TextIO:
    """Return a stream to the same terminal, which works while file descriptor 2 is redirected."""
    try:
        number = os.dup(stream.fileno())
    except OSError:  # a stream in memory
        return stream
    return open(number, "w", encoding=stream.encoding, errors="replace")


def _writes_unicode(stream: TextIO) -> bool:
    return (stream.encoding or "utf-8").lower().startswith("utf")
