"""The display that shows nothing, and the values that every display shows."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

_ESTIMATE_AFTER = 0.5  # seconds of work before the time left is estimated


@dataclass(eq=False)
class Activity:
    """Work that is shown while it runs.

    Attributes:
        text: What is done: `decoding images`.
        total: Number of steps; None where it is not known.
        done: Number of finished steps.
        details: Values shown below the bar, the most important first.
        left: Estimated seconds left; None for an estimate from `done`, NaN where not known.
        changed: Function that is called after a change.
        began: Time of the beginning (`time.monotonic`).
    """

    text: str
    total: int | None
    done: int = 0
    details: tuple[str, ...] = ()
    left: float | None = None
    changed: Callable[[], None] = lambda: None
    began: float = field(default_factory=lambda: time.monotonic())

    def advance(self, steps: int = 1) -> None:
        """Count finished steps."""
        self.done += steps
        self.changed()

    def seconds_left(self) -> float | None:
        """Return the estimated seconds left, None where they are not known."""
        if self.left is not None:
            return None if math.isnan(self.left) else self.left
        passed = time.monotonic() - self.began
        if not self.total or not 0 < self.done < self.total or passed < _ESTIMATE_AFTER:
            return None
        return passed / self.done * (self.total - self.done)


@dataclass(frozen=True)
class Cell:
    """A cell of a table that grows by rows.

    Attributes:
        heading: Heading of its column.
        text: What it contains.
        width: Usual width of the column; None for a text that is wrapped into the space left.
        rank: Columns of the highest rank are left out first on a narrow terminal; 0 is kept.
        left: Whether the text is aligned left.
    """

    heading: str
    text: str
    width: int | None
    rank: int = 0
    left: bool = False


class Display:
    """Shows nothing; subclasses show lines, bars and tables.

    Attributes:
        live: Whether bars are drawn, so that it pays to describe what runs.
        doing: The status, without a text if there is none.
        activities: Running activities, the outermost first.
        wording: Function from a line of a log to the words of the reader, such as the options of a
            command in place of settings.
    """

    live = False

    def __init__(self) -> None:
        self.wording: Callable[[str], str] = str
        self.doing = Activity("", None)
        self.activities: list[Activity] = []

    @contextlib.contextmanager
    def drawing(self) -> Iterator[None]:
        """Draw while the body runs."""
        yield

    def line(self, text: str) -> None:
        """Show a line that stays."""

    def row(self, cells: Sequence[Cell], plain: str, style: str = "") -> None:
        """Add a row to a table, or a line where tables are not drawn.

        Args:
            cells: Its cells, with the headings of their columns.
            plain: The line.
            style: `good` or `bad`, or empty.
        """
        self.line(plain)

    def status(self, text: str) -> None:
        """Show what is done from now on, until the next status."""
        self.doing = Activity(text, None)

    def begin(self, text: str, total: int | None = None) -> Activity:
        """Show an activity until `end`."""
        activity = Activity(text, total)
        activity.changed = lambda: self.changed(activity)
        self.activities.append(activity)
        return activity

    def changed(self, activity: Activity) -> None:
        """Show a change of an activity."""

    def end(self, activity: Activity) -> None:
        """Stop showing an activity."""
        self.activities.remove(activity)

    @contextlib.contextmanager
    def progress(self, text: str, total: int | None = None) -> Iterator[Activity]:
        """Show an activity while the body runs.

        Example:
            >>> with display.progress("decoding images", len(paths)) as bar:
            ...     for path in paths:
            ...         decode(path)
            ...         bar.advance()
        """
        activity = self.begin(text, total)
        try:
            yield activity
        finally:
            self.end(activity)
