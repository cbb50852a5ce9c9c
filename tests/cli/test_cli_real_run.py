"""A real run on pictures and one on texts, used from the command line as a person does."""

import csv
import datetime
import io
import json
import shutil

import pandas
import pytest
from click.testing import CliRunner

import kerasft
from kerasft.cli import main
from kerasft.errors import DataError
from kerasft.runs import write_manifest


def line(*words, code=0, **kwargs):
    """Returns the result of a command line, after a check of its exit code."""
    result = CliRunner().invoke(main, [str(word) for word in words], prog_name="kerasft", **kwargs)
    assert result.exit_code == code, result.output
    return result


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def pictures_run(image_run):
    return str(image_run.path)


@pytest.fixture
def texts_run(text_run):
    return str(text_run.path)


def test_one_corrupt_picture_does_not_lose_the_others(pictures_run, photos, tmp_path):
    shutil.copytree(f"{photos}/red", tmp_path / "red")
    (tmp_path / "red" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n no image")
    result = line("predict", pictures_run, tmp_path / "red", code=3)
    assert len(table(result.stdout)) == 12
    assert "Not predicted: 1 of 13 inputs" in result.stderr
    assert "bad.png" in result.stderr.splitlines()[-1]
    good = line("predict", pictures_run, f"{photos}/red")
    assert [row["prediction"] for row in table(result.stdout)] == [
        row["prediction"] for row in table(good.stdout)
    ]
    strict = line("predict", pictures_run, tmp_path / "red", "--strict", code=3)
    assert strict.stdout == "" and "bad.png" in strict.stderr


def test_paths_are_read_from_standard_input(pictures_run, photos):
    paths = f"{photos}/red/1.png\n\nnowhere.png\n"
    result = line("predict", pictures_run, "-", input=paths, code=3)
    assert [row["input"] for row in table(result.stdout)] == [f"{photos}/red/1.png"]
    assert "'nowhere.png' not found" in result.stderr
    assert "Line 2 of standard input is empty. Give the path of a file." in result.stderr


def test_texts_are_read_from_standard_input(texts_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("another\n", encoding="utf-8")
    result = line("predict", texts_run, "-", input="a good film\n\nnotes.txt\n", code=3)
    assert [row["input"] for row in table(result.stdout)] == ["a good film", "notes.txt"]
    assert result.stderr.endswith(
        "Not predicted: 1 of 3 inputs\n  Line 2 of standard input is empty. Give a text.\n"
    )


def test_the_other_columns_of_a_table_are_kept(texts_run, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("id,text,prediction\n7,good film,x\n8,,y\n9,bad film,z\n", encoding="utf-8")
    result = line("predict", texts_run, path, "a text", code=3)
    rows = table(result.stdout)
    assert [(row["id"], row["input"], row["prediction (table)"]) for row in rows] == [
        ("7", "good film", "x"), ("9", "bad film", "z"), ("", "a text", ""),
    ]  # fmt: skip
    assert list(rows[0])[:4] == ["id", "prediction (table)", "input", "prediction"]
    assert "Row 2 of new.csv has no text" in result.stderr


def test_columns_of_files_are_left_out_and_dates_are_text(texts_run, tmp_path):
    day = datetime.date(2026, 1, 31)
    frame = pandas.DataFrame({"day": [day], "scan": [b"bytes"], "text": ["good film"]})
    frame.to_parquet(tmp_path / "new.parquet")
    (row,) = json.loads(line("predict", texts_run, tmp_path / "new.parquet", "--json").stdout)
    assert list(row)[:3] == ["day", "input", "prediction"]
    assert row["day"] == "2026-01-31"


def test_a_frame_keeps_its_index_without_the_rows_that_cannot_be_read(texts_run):
    errors = []
    frame = pandas.DataFrame({"text": ["good film", None, "bad film"]}, index=[3, 4, 5])
    found = kerasft.predict(texts_run, frame, as_frame=True, on_error=errors.append)
    assert list(found.index) == [3, 5]
    assert found["input"].tolist() == ["good film", "bad film"]
    assert [isinstance(error, DataError) for error in errors] == [True]
    with pytest.raises(DataError, match="no text"):
        kerasft.predict(texts_run, frame)


def test_a_fit_like_a_run_gives_the_same_scores(pictures_run, tmp_path):
    found = json.loads(line("show", pictures_run, "--json").stdout)
    words = ["--like", pictures_run, "--momentum", "0.5", "--runs-dir", tmp_path]  # not used
    again = line("fit", *words, "--json")
    assert json.loads(again.stdout)["config"] == {**found["config"], "momentum": 0.5}
    assert json.loads(again.stdout)["metrics"] == found["metrics"]
    assert "--momentum has no effect with --optimizer adamw." in again.stderr


def test_the_recipe_of_a_run_is_restored_from_its_copy(image_run, copied_run, tmp_path):
    mine, run = tmp_path / "mine.py", copied_run(image_run)
    line("copy", "resnet_digits", mine)
    write_manifest(run, recipe={**run.manifest["recipe"], "source": str(mine)})
    with open(mine, "a", encoding="utf-8") as file:
        file.write("\n# edited\n")
    refused = line("evaluate", run.path, code=4)
    assert f"kerasft show {run.path} --recipe > FILE.py" in refused.stderr
    mine.write_text(line("show", run.path, "--recipe").stdout, encoding="utf-8")
    line("evaluate", run.path)
