"""A figure of matplotlib that a notebook shows.

Importing this module imports matplotlib.
"""

from __future__ import annotations

import io

from matplotlib.figure import Figure


class InlineFigure(Figure):
    """A figure that a notebook shows; Jupyter shows a plain one only if pyplot is imported."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, dpi=110, format="png")
        return file.getvalue()
