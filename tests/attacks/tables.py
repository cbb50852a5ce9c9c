"""Damaged tables, and cells that cannot be a text, a label or a number."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.attacks.attack import Attack, Place, json_line

RECIPE = ["minilm_tickets", "--preset", "{bert}", "--trainable-blocks", "0", "--epochs", "1"]
Rows = Sequence[Mapping[str, Any]]
ROWS: Rows = [{"text": f"text {n}", "label": "ab"[n % 2]} for n in range(24)]


def csv_of(rows: Rows, separator: str = ",") -> bytes:
    """Return rows as a CSV file, without quotes."""
    lines = [list(rows[0]), *([str(cell) for cell in row.values()] for row in rows)]
    return "\n".join(separator.join(line) for line in lines).encode() + b"\n"


def parquet_of(rows: Rows) -> bytes:
    """Return rows as a Parquet file."""
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), file)
    return file.getvalue()


FORMATS: dict[str, Callable[[Rows], bytes]] = {
    "csv": csv_of,
    "tsv": lambda rows: csv_of(rows, "\t"),
    "json": lambda rows: json.dumps(rows).encode(),
    "jsonl": lambda rows: "".join(json_line(**row) for row in rows).encode(),
    "ndjson": lambda rows: "".join(json_line(**row) for row in rows).encode(),
    "parquet": parquet_of,
}
DAMAGES = {
    "empty": lambda content: b"",
    "its first 9 bytes": lambda content: content[:9],
    "zero bytes": lambda content: bytes(len(content)),
    "all bits flipped": lambda content: bytes(255 - byte for byte in content),
    "UTF-16": lambda content: content.decode("latin-1").encode("utf-16"),
    "compressed": lambda content: gzip.compress(content, mtime=0),
    "a PNG": lambda content: b"\x89PNG\r\n\x1a\n" + bytes(64),
    "a pickle": lambda content: b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
    "a page of HTML": lambda content: b"<!DOCTYPE html>\n<title>404</title>\n<p>, not found\n" * 9,
    "a byte that is no UTF-8": lambda content: content[:40] + b"\xe9\xff" + content[40:],
}
# What Python reads of the first rows of such files is valid.
HALVED = ("json", "jsonl", "ndjson", "parquet")
JSON_KINDS = {
    "null": "null",
    "a number": "17",
    "a text": '"text"',
    "an empty list": "[]",
    "a list of numbers": "[1, 2]",
    "a list of lists": '[["text", "label"], ["a", "b"]]',
    "an object of columns": '{"text": {"0": "a"}, "label": {"0": "b"}}',
    "100,000 brackets": "[" * 100_000 + "]" * 100_000,
    "100,000 objects": '{"a":' * 100_000,
    "NaN as a row": "NaN",
    "a name twice": '{"text": "a", "text": "b", "label": "c"}',
    "a number of 5,000 digits": '{"text": "a", "label": ' + "9" * 5000 + "}",
}


def fit(file: str, *settings: str) -> list[str]:
    """Return the command that fits a text recipe on a table, before it is trained."""
    return ["fit", *RECIPE, "--dataset", file, *settings]


def _file(what: str, name: str, content: str | bytes, *names: str, code: int = 3) -> Attack:
    return Attack(
        "tables", what, fit(name), code, [name, *names], lambda place: place.write(name, content)
    )  # fmt: skip


def _files() -> Iterator[Attack]:
    for kind, make in FORMATS.items():
        for damage, change in DAMAGES.items():
            yield _file(f"{kind}: {damage}", f"bad.{kind}", change(make(ROWS)))
        yield _file(f"{kind}: no rows", f"bad.{kind}", make([*ROWS][:1])[:11])
    for kind in HALVED:
        content = FORMATS[kind](ROWS)
        yield _file(f"{kind}: its first half", f"bad.{kind}", content[: len(content) // 2 - 3])
    for kind in ("json", "jsonl"):
        for what, content in JSON_KINDS.items():
            yield _file(f"{kind}: {what}", f"bad.{kind}", content)
    for content, other in (("csv", "parquet"), ("parquet", "csv"), ("csv", "json")):
        yield _file(f"{content} called {other}", f"bad.{other}", FORMATS[content](ROWS))


def _shapes() -> Iterator[tuple[str, str, Sequence[str]]]:
    """Yield tables that are not rectangular: what is wrong, the content, what must be named."""
    good = "".join(f"text {n},{'ab'[n % 2]}\n" for n in range(20))
    yield "a header alone", "text,label\n", []
    yield "a header twice", f"text,text,label\n{good}", ["text"]
    yield "a header with a name twice, in spaces", f"text, text ,label\n{good}", ["text"]
    yield "no header", good, ["--label-column"]
    yield "one column", "text\n" + "a\n" * 20, ["--label-column"]
    yield "a long row", f"text,label\n{good}a,b,c,d\n", ["22"]
    yield "a quote that is not closed", f'text,label\n{good}"a,b\n', ["row 21"]
    yield "a quote in the header that is not closed", f'"text,label\n{good}', []
    yield "200 columns", ",".join(f"column_of_a_long_name_{n}" for n in range(200)) + "\n1\n", []
    yield "a column name of 5,000 characters", "x" * 5000 + ",label\n" + good, []
    yield "an escape sequence in the header", f"\x1b]0;hacked\x07\x1b[2J,label\n{good}", []
    yield "a column that reverses the line", f"\u202etxet,label\n{good}", []
    yield "rich markup in the header", f"[red]x[/red],label\n{good}", ["[red]x[/red]"]
    yield "a format string in the header", f"{{0}}%s%n,label\n{good}", ["{0}%s%n"]


_DIGITS = "9" * 400
# Cells of a label column: task, value in CSV.
LABELS = {
    "classification": ["", " ", "\t", "\u200b", "\0"],
    "regression": [
        "",
        "much",
        "nan",
        "NaN",
        "inf",
        "-inf",
        "1e400",
        "1e30",
        _DIGITS,
        "0x10",
        "1,5",
    ],
    "ordinal": ["", " ", "\u200b"],
}
JSON_LABELS = {
    "classification": [None, [], {}, ["a", "b"], {"a": 1}, float("nan")],
    "regression": [None, [], {}, [1.5], True, "x", float("nan"), float("inf"), 10**400, 1e19],
}
TEXTS = ["", " ", "\t \u00a0", "\u200b\u200d\ufeff", "\0", "\x1b"]
JSON_TEXTS = [None, [], {}, 17, 1.5, True, ["a"], {"a": 1}]


def _cells() -> Iterator[Attack]:
    """Yield tables with one bad cell in row 7, and one that is read before it."""
    for task, values in LABELS.items():
        for value in values:
            yield _cell(f"{task}, the label {_shown(value)}", task, "csv", label=value)
    for task, values in JSON_LABELS.items():
        for value in values:
            yield _cell(f"{task}, the JSON label {_shown(value)}", task, "jsonl", label=value)
    for value in TEXTS:
        yield _cell(f"the text {_shown(value)}", "classification", "csv", text=value)
    for value in JSON_TEXTS:
        yield _cell(f"the JSON text {_shown(value)}", "classification", "jsonl", text=value)


def _shown(value: Any) -> str:
    return (
        f"{value!a:.20} ({len(value)} characters)" if isinstance(value, str) else f"{value!r:.20}"
    )


def _cell(what: str, task: str, kind: str, **cell: Any) -> Attack:
    rows = [{"text": f"text {n}", "label": str(n % 4)} for n in range(24)]
    rows[6] |= {name: _quoted(value) if kind == "csv" else value for name, value in cell.items()}
    name, content = f"bad.{kind}", FORMATS[kind](rows)
    return Attack(
        "tables", what, fit(name, "--task", task), 3, ["ow 7", name, *cell],
        lambda place: place.write(name, content), without=["ow 6", "ow 8"],
    )  # fmt: skip


def _quoted(value: str) -> str:
    return f'"{value}"' if "," in value else value


def _columns() -> Iterator[Attack]:
    """Yield columns and fractions that the table does not have."""
    for setting in ("--text-column", "--label-column", "--text-pair-column"):
        for value in ("nothing", " ", "\x1b[31m", "x" * 5000, "text,nothing", "-1", "{0}"):
            command = fit("good.csv", setting, value)
            yield Attack(
                "tables", f"{setting} {_shown(value)}", command, (2, 3), [setting],
                lambda place: place.write("good.csv", csv_of(ROWS)),
            )  # fmt: skip
    for count, what in ((1, "one row"), (2, "two rows"), (3, "three rows")):
        yield _file(what, "few.csv", csv_of(ROWS[:count]))
    for digit in "x9":
        rows = [*ROWS, {"text": "a", "label": digit * 5000}]
        yield _file(f"a class name of 5,000 times {digit}", "bad.csv", csv_of(rows), "5,000")
    yield _file("one class", "one.csv", csv_of([{**row, "label": "a"} for row in ROWS]), "a")


def _places() -> Iterator[Attack]:
    """Yield what is no regular file."""
    kinds: dict[str, Callable[[Place], Any]] = {
        "a folder": lambda place: (place.path / "bad.csv").mkdir(),
        "a named pipe": lambda place: os.mkfifo(place.path / "bad.csv"),
        "a broken link": lambda place: (place.path / "bad.csv").symlink_to("nowhere.csv"),
        "a link to itself": lambda place: (place.path / "bad.csv").symlink_to("bad.csv"),
        "a device": lambda place: (place.path / "bad.csv").symlink_to("/dev/zero"),
        "a missing file": lambda place: None,
    }
    for what, arrange in kinds.items():
        yield Attack("tables", what, fit("bad.csv"), 3, ["bad.csv"], arrange)


def attacks() -> Iterator[Attack]:
    """Yield the attacks of this group."""
    yield from _files()
    for what, content, names in _shapes():
        yield _file(what, "bad.csv", content, *names)
    yield from _cells()
    yield from _columns()
    yield from _places()
