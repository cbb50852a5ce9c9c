"""HTML pages from the templates of this room: one file each, without links or requests."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kerasft.formatting import counted, settings_text, shown

if TYPE_CHECKING:
    import jinja2


def render(template: str, values: Mapping[str, Any]) -> str:
    """Return a page. All values are escaped, and numbers are formatted for people.

    Args:
        template: Name of a file in `templates/`.
        values: Values by the names that the template uses, all of them.
    """
    return _environment().get_template(template).render(values)


@functools.cache
def _environment() -> jinja2.Environment:
    import jinja2  # only here: most commands write no page

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("kerasft.insight"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: value if isinstance(value, str) else shown(value),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["settings_text"] = settings_text
    environment.filters["counted"] = counted
    return environment


def table(
    headings: Sequence[str], rows: Sequence[Sequence[Any]], marked: int | None = None
) -> dict[str, Any]:
    """Return a table for a template; columns of numbers are aligned right.

    Args:
        headings: One per column.
        rows: Cells, in the order of the headings.
        marked: Index of a row to stress.
    """
    numeric = [
        bool(rows) and all(isinstance(row[i], (int, float)) or row[i] is None for row in rows)
        for i in range(len(headings))
    ]
    return {"headings": headings, "rows": rows, "numeric": numeric, "marked": marked}


def chart(title: str, svg: str, note: str = "") -> dict[str, Any]:
    """Return a chart for a template, with its title and a note on how to read it."""
    from markupsafe import Markup

    return {"title": title, "svg": Markup(svg), "note": note}


def tile(name: str, value: Any, note: str = "") -> dict[str, Any]:
    """Return a number of the head of a page, with its name and a note below it."""
    return {"name": name, "value": value, "note": note}
