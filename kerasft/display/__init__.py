"""What a person sees while something runs: status lines, progress bars, tables that grow.

Code at any depth calls `status` and `progress`. They reach the display that the outermost caller
opened with `showing`, and do nothing where none is open.
"""

from kerasft.display.base import Activity, Cell, Display
from kerasft.display.current import current, progress, showing, shows_progress, status

__all__ = [
    "Activity",
    "Cell",
    "Display",
    "current",
    "progress",
    "showing",
    "shows_progress",
    "status",
]
