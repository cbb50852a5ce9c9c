"""evaluate, predict and export: what reaches the Python API, and what is printed."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from kerasft.errors import DataError
from kerasft.runs import write_json

ROWS = [
    {"input": "a, b", "prediction": "letter", "probability": 0.75, "p(letter)": 0.75},
    {"input": "straße", "prediction": "parcel", "probability": np.float32(0.5), "p(letter)": 0.5},
]


@pytest.fixture
def run(make_run):
    return make_run()


def test_evaluate_prints_metrics_classes_and_confusions(run, kerasft_line, api, metrics):
    api("evaluate", metrics)
    result = kerasft_line("evaluate", "latest")
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0] == "runs/mail/first on its test split"
    assert lines[3] == "accuracy 0.9"  # the main metric stands first
    assert "letter 1 0.8 0.9 6" in lines
    at = lines.index("Confusion matrix (rows: truth, columns: predicted)")
    assert lines[at + 1 :] == ["letter parcel", "letter 5 1", "parcel 0 4"]
    assert api.calls == [
        ("evaluate", (Path("runs/mail/first"),), {"dataset": None, "split": "test", "columns": {}})
    ]


def test_evaluate_prints_the_interval_of_the_main_metric(run, kerasft_line, api, metrics):
    api("evaluate", {**metrics, "confidence_interval": {"accuracy": [0.59584, 0.98213]}})
    lines = kerasft_line("evaluate", "latest").stdout.splitlines()
    assert lines[2].endswith("95% INTERVAL")
    assert lines[3].split() == ["accuracy", "0.9", "0.5958", "to", "0.9821"]
    assert lines[4].split() == ["f1", "0.85"]


def test_short_names_of_classes_have_a_confusion_matrix(run, kerasft_line, api, metrics):
    table = [{**row, "name": str(index)} for index, row in enumerate(metrics["per_class"])]
    api("evaluate", {**metrics, "per_class": table})
    lines = kerasft_line("evaluate", "latest").stdout.splitlines()
    assert [line.split() for line in lines[-3:]] == [["0", "1"], ["0", "5", "1"], ["1", "0", "4"]]


def test_names_of_a_confusion_matrix_are_cut_only_where_the_terminal_is_narrow(
    run, kerasft_line, api, metrics, monkeypatch
):
    names = [f"a rather long kind, number {index}" for index in range(6)]
    matrix = [[1234 if i == j else 0 for j in range(6)] for i in range(6)]
    table = [{"name": n, "precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 50} for n in names]
    api("evaluate", {**metrics, "per_class": table, "confusion_matrix": matrix})
    assert all(kerasft_line("evaluate", "latest").stdout.count(name) == 3 for name in names)
    monkeypatch.setattr("kerasft.cli.score_tables.terminal_width", lambda: 100)
    narrow = kerasft_line("evaluate", "latest").stdout
    assert "Most frequent confusions" not in narrow  # there are none
    assert "Confusion matrix" not in narrow  # cut names would be equal
    table = [
        {**row, "name": f"{letter}: {row['name']}"}
        for row, letter in zip(table, "abcdef", strict=True)
    ]
    api("evaluate", {**metrics, "per_class": table, "confusion_matrix": matrix})
    heading = kerasft_line("evaluate", "latest").stdout.split("predicted)\n")[1].splitlines()[0]
    assert heading.split("  ")[-1] == "f: a rath"


def test_evaluate_says_that_examples_were_trained_on(make_run, kerasft_line, api, metrics):
    make_run(modality="texts")
    api("evaluate", {**metrics, "examples": 60, "seen": {"train": 42, "validation": 0}})
    result = kerasft_line("evaluate", "latest", "--dataset", "new.csv")
    assert result.exit_code == 0, result.output
    assert result.stderr.startswith("note   42 of 60 texts were trained on: ")
    assert "chose the best epoch" not in result.stderr


def test_many_classes_are_shown_by_their_most_frequent_confusions(run, kerasft_line, api, metrics):
    names = [f"kind {index}" for index in range(30)]
    matrix = [[50 if i == j else 0 for j in range(30)] for i in range(30)]
    matrix[3][7], matrix[7][3] = 9, 4
    table = [{"name": n, "precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 50} for n in names]
    api("evaluate", {**metrics, "per_class": table, "confusion_matrix": matrix})
    lines = kerasft_line("evaluate", "latest").stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if "Most frequent" in line)
    assert lines[at + 2].split() == ["kind", "3", "kind", "7", "9"]
    assert lines[at + 3].split() == ["kind", "7", "kind", "3", "4"]


def test_evaluate_on_another_split_or_other_data(run, kerasft_line, api, metrics):
    api("evaluate", metrics)
    kerasft_line("evaluate", "latest", "--split", "validation")
    words = ["--dataset", "new.csv", "--text-column", "body", "--label-column", "topic"]
    result = kerasft_line("evaluate", "latest", *words)
    assert result.stdout.startswith("runs/mail/first on new.csv\n")
    columns = {"text_column": "body", "label_column": "topic"}
    assert [call[2] for call in api.calls] == [
        {"dataset": None, "split": "validation", "columns": {}},
        {"dataset": "new.csv", "split": "test", "columns": columns},
    ]


def test_evaluate_for_programs(run, kerasft_line, api, metrics):
    api("evaluate", {**metrics, "loss": float("nan")})
    found = json.loads(kerasft_line("evaluate", "latest", "--json").stdout)
    assert (found["run"], found["split"]) == ("runs/mail/first", "test")
    assert found["metrics"] == {**metrics, "loss": None}
    assert kerasft_line("evaluate", "latest", "-q").stdout == "0.9\n"


def test_predict_prints_csv(run, kerasft_line, api):
    api("predict", ROWS)
    result = kerasft_line("predict", "latest", "a, b", "straße")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["input"] for row in rows] == ["a, b", "straße"]
    assert list(rows[0]) == ["input", "prediction", "probability", "p(letter)"]
    ((name, (path, inputs), options),) = api.calls
    assert (name, path, inputs) == ("predict", Path("runs/mail/first"), ["a, b", "straße"])
    assert options["columns"] == {}


def test_predict_prints_json(run, kerasft_line, api):
    api("predict", ROWS)
    assert json.loads(kerasft_line("predict", "latest", "x", "--json").stdout) == ROWS


def on_a_terminal(monkeypatch, columns=80):
    """Makes standard output a terminal, as far as the command asks."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("kerasft.cli.predict.on_terminal", lambda: True)


def test_a_person_reads_one_line_per_input(run, kerasft_line, api, monkeypatch):
    rows = [
        {"input": "photos/1.png", "prediction": "letter", "probability": 0.548,
         "p(letter)": 0.548, "p(parcel)": 0.452},
        {"input": "a very long text " * 9, "prediction": "parcel", "probability": 0.999991,
         "p(letter)": 0.000009, "p(parcel)": 0.999991},
    ]  # fmt: skip
    api("predict", rows)
    on_a_terminal(monkeypatch)
    lines = kerasft_line("predict", "latest", "photos/1.png", "x").stdout.splitlines()
    assert lines[0].split("  ")[0] == "photos/1.png"
    assert lines[0].endswith("  letter  55 %  (parcel 45 %)")
    assert lines[1].endswith("…  parcel  >99 %") and len(lines[1]) < 80
    lines = kerasft_line("predict", "latest", "x", "y", "--top", "1").stdout.splitlines()
    assert lines[0].endswith("letter  55 %")


@pytest.mark.parametrize(
    ("labels", "row", "line"),
    [
        (
            {"task": "multilabel", "names": ["late", "rude", "wet"]},
            {"prediction": "late|rude", "p(late)": 0.7, "p(rude)": 0.9, "p(wet)": 0.2},
            "rude 90 %, late 70 %  (wet 20 %)",
        ),
        (
            {"task": "multilabel", "names": ["late", "wet"]},
            {"prediction": "", "p(late)": 0.001, "p(wet)": 0.2},
            "(no label)  (wet 20 %)",
        ),
        (
            {"task": "regression", "names": [], "mean": 9000.0, "std": 5200.0},
            {"prediction": 13412.3828},
            "13,410",
        ),
        (
            {"task": "regression", "names": [], "mean": 9.0, "std": 0.5, "transform": "log"},
            {"prediction": 0.0123456},
            "0.0123",
        ),
    ],
)  # fmt: skip
def test_every_task_has_its_line(run, kerasft_line, api, monkeypatch, labels, row, line):
    write_json(run.path / "labels.json", labels)
    api("predict", [{"input": "x", **row}])
    on_a_terminal(monkeypatch)
    assert kerasft_line("predict", "latest", "x").stdout == f"{line}\n"


def test_a_table_has_the_digits_that_are_worth_reading(run, kerasft_line, api):
    api("predict", [{"input": "x", "prediction": "letter", "probability": 0.123456,
                     "p(letter)": 0.123456, "p(parcel)": 1e-7}])  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(kerasft_line("predict", "latest", "x").stdout)))
    assert rows[0]["probability"] == rows[0]["p(letter)"] == "0.1235"
    assert kerasft_line("predict", "latest", "x", "-q").stdout == "letter\n"
    found = json.loads(kerasft_line("predict", "latest", "x", "--json", "--top", "1").stdout)
    wanted = {"input": "x", "prediction": "letter", "probability": 0.1235}
    assert found == [{**wanted, "top_1": "letter", "p_1": 0.1235}]


def test_a_dash_reads_lines_of_standard_input(run, kerasft_line, api):
    seen = []
    api("predict", lambda path, inputs, **_: seen.extend(inputs) or ROWS)
    kerasft_line("predict", "latest", "first", "-", input="a\n\nstraße\n")
    assert seen[0] == "first"
    assert (list(seen[1]), seen[1].name) == (["a\n", "\n", "straße\n"], "standard input")
    result = kerasft_line("predict", "latest", "-", input=b"\xff\xfe")
    assert (result.exit_code, "not UTF-8" in result.stderr) == (3, True)
    calls = len(api.calls)
    for nothing in ("", "\n \n"):
        result = kerasft_line("predict", "latest", "-", input=nothing)
        assert result.exit_code == 3
        assert result.stderr == "Error: Standard input is empty. Give one input per line.\n"
    assert len(api.calls) == calls


def test_inputs_that_cannot_be_read_are_listed_at_the_end(run, kerasft_line, api):
    def some(path, inputs, columns, on_error, stream):
        if on_error is None:
            raise DataError("bad.png is not an image.")
        on_error(DataError("bad.png is not an image."))
        return ROWS

    api("predict", some)
    result = kerasft_line("predict", "latest", "x")
    assert result.exit_code == 3
    assert len(result.stdout.splitlines()) == 3
    assert result.stderr == "Not predicted: 1 of 3 inputs\n  bad.png is not an image.\n"
    result = kerasft_line("predict", "latest", "x", "--strict")
    assert (result.exit_code, result.stdout) == (3, "")


@pytest.mark.parametrize("words", [("gone.csv",), ("gone.csv", "a text", "--strict")])
def test_a_path_that_does_not_exist_is_refused_before_the_run_is_loaded(
    run, kerasft_line, api, words
):
    api("predict", ROWS)
    result = kerasft_line("predict", "latest", *words)
    assert result.exit_code == 3
    assert result.stderr.startswith("Error: File 'gone.csv' not found.")
    assert not api.calls
    kerasft_line("predict", "latest", "gone.csv", "a text")
    assert len(api.calls) == 1


@pytest.mark.parametrize("ending", ["csv", "jsonl", "json", "parquet"])
def test_predict_writes_a_table_by_its_ending(run, kerasft_line, api, ending):
    import pandas

    api("predict", ROWS)
    path = f"table.{ending}"
    result = kerasft_line("predict", "latest", "x", "-o", path)
    assert result.stdout == f"2 predictions in {path}\n"
    read = {
        "csv": pandas.read_csv,
        "json": pandas.read_json,
        "jsonl": lambda name: pandas.read_json(name, lines=True),
        "parquet": pandas.read_parquet,
    }[ending]
    table = read(path)
    assert list(table.columns) == list(ROWS[0])
    assert table["input"].tolist() == ["a, b", "straße"]
    assert table["probability"].tolist() == [0.75, 0.5]


def test_the_path_of_a_table_without_rows_is_null(run, kerasft_line, api):
    api("predict", [])
    result = kerasft_line("predict", "latest", "x", "-o", "table.csv", "--json")
    assert json.loads(result.stdout) == {"path": None, "rows": 0}
    assert not Path("table.csv").exists()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("table.xlsx", "--output must end in .csv, .jsonl, .json, .parquet. Received: table.xlsx."),
        ("none/table.csv", "Folder none of --output none/table.csv not found. Create it first."),
    ],
)
def test_a_table_that_cannot_be_written_is_refused_before_work(
    run, kerasft_line, api, path, message
):
    api("predict", ROWS)
    result = kerasft_line("predict", "latest", "x", "-o", path)
    assert (result.exit_code, result.stderr) == (2, f"Error: {message}\n")
    assert not api.calls


def test_export_prints_the_folder_and_how_to_load_it(run, kerasft_line, api):
    api("export", Path("saved_models/mail/1"))
    result = kerasft_line("export", "latest")
    assert "exported  saved_models/mail/1" in result.stdout
    assert "tf.saved_model.load('saved_models/mail/1')" in result.stdout
    assert "tensorflow_text" in result.stdout
    assert "next      kerasft verify saved_models/mail/1\n" in result.stdout
    assert "          kerasft serve saved_models/mail\n" in result.stdout
    wanted = {"models_dir": "saved_models", "name": None, "format": "saved_model",
              "quantize": None, "margin": None, "proof_data": None, "force": False}  # fmt: skip
    assert api.calls == [("export", (Path("runs/mail/first"),), wanted)]


@pytest.mark.parametrize("format", ["onnx", "litert"])
def test_export_of_a_graph_prints_how_to_predict_and_verify(run, kerasft_line, api, format):
    folder = f"saved_models/mail-{format}/1"
    api("export", Path(folder))
    lines = kerasft_line("export", "latest", "--format", format).stdout.splitlines()
    assert lines[1].startswith(f"load      kerasft predict {folder} ")
    assert lines[2:] == [f"next      kerasft verify {folder}"]


def test_export_a_preset_elsewhere(run, kerasft_line, api):
    api("export", Path("models/mine-preset"))
    line = "export latest --models-dir models --name mine --format preset"
    assert "Backbone.from_preset('models/mine-preset')" in kerasft_line(*line.split()).stdout
    assert kerasft_line(*line.split(), "-q").stdout == "models/mine-preset\n"
    found = json.loads(kerasft_line(*line.split(), "--json").stdout)
    assert found == {"run": "runs/mail/first", "path": "models/mine-preset", "format": "preset"}
    wanted = {
        "models_dir": "models",
        "name": "mine",
        "format": "preset",
        "quantize": None,
        "margin": None,
        "force": False,
        "proof_data": None,
    }
    assert api.calls[0] == ("export", (Path("runs/mail/first"),), wanted)
