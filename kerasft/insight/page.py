"""HTML of a report: one file without scripts, links or requests."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from kerasft.formatting import shown

_STYLE = """
:root { --ink: #1d2329; --soft: #5d6874; --line: #d9dee3; --paper: #ffffff; --card: #f5f7f9;
  --good: #1f7a4d; --bad: #b3391f; --blue: #3b6fb6; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --soft: #9aa5b1; --line: #39424c;
  --paper: #14181c; --card: #1d2329; --good: #5cc494; --bad: #f08c73; --blue: #7fb0ef; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1.2rem; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: .2rem 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .6rem;
  border-bottom: 1px solid var(--line); padding-bottom: .2rem; }
p { margin: .4rem 0; } .soft { color: var(--soft); }
.headline { font-size: 2.2rem; font-weight: 600; margin: .6rem 0 0; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: .7rem; }
.card { background: var(--card); border-radius: .4rem; padding: .7rem .9rem; }
.finding { border-left: .25rem solid var(--bad); padding: .1rem .9rem; margin: .9rem 0; }
.finding.note { border-color: var(--soft); } .finding.well { border-color: var(--good); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .88rem; }
th, td { text-align: left; padding: .22rem .7rem .22rem 0; vertical-align: top;
  border-bottom: 1px solid var(--line); } td.number, th.number { text-align: right;
  font-variant-numeric: tabular-nums; }
code, pre { font: .85rem/1.45 ui-monospace, monospace; } pre { background: var(--card);
  border-radius: .4rem; padding: .6rem .8rem; white-space: pre-wrap; margin: .4rem 0; }
svg { width: 100%; max-width: 32rem; height: auto; display: block; color: var(--ink); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 1rem; }
img { image-rendering: auto; max-width: 100%; border-radius: .25rem; }
details summary { cursor: pointer; }
@media print { body { max-width: none; font-size: 11px; } h2, .card, .finding, figure {
  break-inside: avoid; } pre { white-space: pre-wrap; } }
"""


def page(title: str, parts: Sequence[str]) -> str:
    """Return a whole document.

    Args:
        title: Of the window.
        parts: Pieces of HTML, in order.
    """
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        "<link rel='icon' href='data:,'>"  # else browsers ask for one
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body></html>\n"
    )


def escape(value: Any) -> str:
    """Return a value as escaped HTML text."""
    return html.escape(shown(value))


def section(title: str, *parts: str) -> str:
    """Return a section with its heading, or an empty string without content."""
    content = "\n".join(part for part in parts if part)
    return f"<section><h2>{escape(title)}</h2>\n{content}</section>" if content else ""


def table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a table with its own scroll bar; numbers are aligned right."""
    if not rows:
        return ""
    numeric = [all(isinstance(row[i], (int, float)) or row[i] is None for row in rows)
               for i in range(len(headings))]  # fmt: skip

    def cells(row: Sequence[Any], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=number' if number else ''}>{escape(cell)}</{tag}>"
            for cell, number in zip(row, numeric, strict=True)
        )

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return (
        f"<div class=scroll><table><thead><tr>{cells(headings, 'th')}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph."""
    return f"<p{f' class={kind}' if kind else ''}>{escape(text)}</p>" if text else ""


def folded(title: str, content: str) -> str:
    """Return a collapsed section, which is expanded in print."""
    return f"<details><summary>{escape(title)}</summary>{content}</details>" if content else ""


def figure(svg: str, caption: str = "") -> str:
    """Return a chart with its caption."""
    text = f"<figcaption class=soft>{escape(caption)}</figcaption>" if caption else ""
    return f"<figure style='margin:0'>{svg}{text}</figure>" if svg else ""
