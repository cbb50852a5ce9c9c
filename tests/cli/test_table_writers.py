"""Tables of predictions that are written as they come."""

import csv
import io
import json

import pandas
import pyarrow.parquet as pq
import pytest

from kerasft.cli.table_writers import csv_rows, json_list, table_file
from kerasft.errors import DataError

PARTS = [
    [{"id": "7", "input": "x\u2028\n", "p(a)": 0.5}, {"id": "8", "input": "y", "p(a)": 1.0}],
    [{"input": "straße", "p(a)": 0.25}],
]
ROWS = [row for part in PARTS for row in part]


@pytest.mark.parametrize("ending", ["csv", "json", "jsonl", "parquet"])
def test_parts_become_one_table(tmp_path, ending):
    path = tmp_path / f"table.{ending}"
    with table_file(path) as write:
        for part in PARTS:
            assert not path.exists()
            write(part)
    if ending == "parquet":
        found = pandas.read_parquet(path).to_dict("records")
    elif ending == "csv":
        found = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
    else:
        text = path.read_text(encoding="utf-8")
        found = json.loads(
            text if ending == "json" else f"[{','.join(text.strip().split(chr(10)))}]"
        )
    assert [row["input"] for row in found] == [row["input"] for row in ROWS]
    assert [float(row["p(a)"]) for row in found] == [0.5, 1.0, 0.25]
    assert [row.get("id") or None for row in found][:2] == ["7", "8"]


def test_a_list_of_parts_is_formatted_like_the_whole():
    file = io.StringIO()
    with json_list(file) as write:
        for part in PARTS:
            write(part)
    assert file.getvalue() == json.dumps(ROWS, indent=2, ensure_ascii=False) + "\n"
    empty = io.StringIO()
    with json_list(empty):
        pass
    assert empty.getvalue() == "[]\n"


def test_a_column_that_comes_too_late_is_refused(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("before", encoding="utf-8")
    expected = pytest.raises(DataError, match=r"the column 'late', which .* Write a \.jsonl file")
    with expected, table_file(path) as write:
        write([{"input": "x"}])
        write([{"input": "y", "late": "z"}])
    assert path.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "parts",
    [
        [[3, None], [4, 2.5]],
        [[None], [None], [7]],
        [[2.5], [7]],
        [[2**60 + 1], [5]],
        [[None], ["x"]],
        [[["a"]], [[]], [None]],
    ],
)
def test_a_column_of_parquet_gets_the_type_of_all_its_cells(tmp_path, parts):
    path = tmp_path / "table.parquet"
    with table_file(path) as write:
        for part in parts:
            write([{"name": "x", "cell": cell} for cell in part])
    found = pq.read_table(path).to_pydict()
    cells = [cell for part in parts for cell in part]
    assert found == {"name": ["x"] * len(cells), "cell": cells}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([[1], [2, "many"]], "Row 3 has 'many' in the column 'cell', .* so far int64"),
        ([[1.5, "many"]], "Row 2 has 'many' in the column 'cell', .* so far double"),
        ([[2**60 + 1], [0.5]], f"The rows up to 1 do not fit .* {2**60 + 1}"),
        ([[1], [2**70]], f"Row 2 has {2**70} in the column 'cell'"),
        ([[0.5], [2**60 + 1]], f"Row 2 has {2**60 + 1} in the column 'cell', .* so far double"),
    ],
)
def test_parquet_refuses_cells_of_several_types(tmp_path, parts, message):
    expected = pytest.raises(DataError, match=f"{message}.*Write a .jsonl file")
    with expected, table_file(tmp_path / "table.parquet") as write:
        for part in parts:
            write([{"cell": cell} for cell in part])
    assert list(tmp_path.iterdir()) == []


def test_a_list_that_fails_is_not_closed():
    file = io.StringIO()
    with pytest.raises(DataError), json_list(file) as write:
        write([{"input": "x"}])
        raise DataError("bad.png is not an image.")
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(file.getvalue())


def test_the_header_is_that_of_the_first_rows():
    file = io.StringIO()
    with csv_rows(file) as write:
        write([{"input": "x"}, {"id": 1, "input": "y"}])
        write([{"input": "z"}])
    assert file.getvalue() == "input,id\nx,\ny,1\nz,\n"
