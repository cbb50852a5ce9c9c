"""Properties that hold for any value, cell and command line."""

import csv
import json

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kerasft.cli import main
from kerasft.config import ImageConfig, TextConfig, from_dict, to_dict
from kerasft.data.tables import read_table
from kerasft.errors import KerasftError, SettingError
from kerasft.setting_declaration import settings as setting_names

# The same cases in every run: a new one must not fail a change that has nothing to do with it.
same = settings(
    derandomize=True,
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = (
    plain | st.lists(plain, max_size=3) | st.dictionaries(st.text(max_size=3), plain, max_size=2)
)
cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=12)


@pytest.mark.parametrize("kind", [ImageConfig, TextConfig])
@given(data=st.data(), value=values)
@same
def test_any_value_of_a_setting_is_refused_by_name_or_survives_json(kind, data, value):
    name = data.draw(st.sampled_from(sorted(set(setting_names(kind)) - {"dataset"})))
    try:
        config = kind(dataset="x.csv", **{name: value})
    except SettingError as error:
        assert name in str(error)
        assert max(map(len, str(error).split("\n"))) <= 600
    else:
        assert from_dict(kind, json.loads(json.dumps(to_dict(config)))) == config


@given(rows=st.lists(st.tuples(cells, cells), min_size=1, max_size=5))
@same
def test_any_cell_that_is_written_as_csv_is_read_back(rows, tmp_path):
    path = tmp_path / "cells.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows([("text", "label"), *rows])
    table = read_table(path)
    assert list(zip(*table.columns.values(), strict=True)) == rows


@given(content=st.binary(max_size=200))
@same
def test_any_bytes_are_a_table_or_an_error_that_names_the_file(content, tmp_path):
    for suffix in (".csv", ".json", ".parquet"):
        path = (tmp_path / "bytes").with_suffix(suffix)
        path.write_bytes(content)
        try:
            read_table(path)
        except KerasftError as error:
            assert path.name in str(error)


@given(
    words=st.lists(st.text(max_size=12) | st.sampled_from(["--epochs", "--name", "-q"]), max_size=4)
)
@same
def test_any_command_line_is_answered_by_a_documented_exit_code(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["fit", "resnet_digits", "--dropout", "2", *words])
    assert done.exit_code in (0, 2), done.output  # 0 for --help alone
    assert "Traceback" not in done.output
    assert "--debug" not in done.stderr
