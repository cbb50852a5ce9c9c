"""Predictions and evaluations part by part."""

import itertools
from pathlib import Path

import numpy as np
import pandas
import pytest

import kerasft
from kerasft.data import Examples, prepare_inputs
from kerasft.display import Activity, showing
from kerasft.errors import DataError
from kerasft.evaluation.run_answers import RunAnswers
from kerasft.modalities import IMAGES, TEXTS


@pytest.fixture
def small_parts(monkeypatch):
    """Texts are prepared batch by batch."""
    monkeypatch.setattr(TEXTS, "part_size", 1)


def assert_same(rows, expected):
    assert len(rows) == len(expected)
    for row, other in zip(rows, expected, strict=True):
        assert row.keys() == other.keys()
        for name, cell in row.items():
            if isinstance(cell, float):
                np.testing.assert_allclose(cell, other[name], atol=1e-6)
            else:
                assert cell == other[name]


def test_parts_give_the_rows_of_the_whole(text_run, reviews, tmp_path, monkeypatch):
    frame = pandas.read_csv(reviews).assign(id=range(80))
    frame["text"] = frame["text"] + [" and more" * (n % 7) for n in range(80)]
    frame.loc[50, "text"] = ""
    frame.to_csv(tmp_path / "new.csv", index=False)
    inputs, errors = ["good film", str(tmp_path / "new.csv"), "bad film"], []
    whole = kerasft.predict(text_run, inputs, on_error=errors.append)
    monkeypatch.setattr(TEXTS, "part_size", 1)
    found = kerasft.predict(text_run, inputs, on_error=errors.append, stream=True)
    assert_same(list(found), whole)
    assert len(whole) == 81
    assert [str(error)[:30] for error in errors] == ["Row 51 of new.csv has no text "] * 2


def test_an_endless_iterator_is_predicted(text_run, small_parts):
    texts = itertools.cycle(["good film", "bad film"])
    found = kerasft.predict(text_run, texts, stream=True)
    rows = list(itertools.islice(found, 40))
    assert [row["input"] for row in rows] == ["good film", "bad film"] * 20
    found.close()


@pytest.mark.parametrize(
    ("name", "lines", "problem"),
    [
        ("new.csv", ["text", *["good film"] * 70, "a,b,c"], "not a valid table"),
        ("new.jsonl", [*['{"text": "good film"}'] * 70, '{"text": "good'], "not valid JSON"),
    ],
)
def test_a_damage_is_found_after_the_parts_before_it(
    text_run, small_parts, tmp_path, name, lines, problem
):
    (tmp_path / name).write_text("\n".join(lines), encoding="utf-8")
    found, read = text_run.predict(str(tmp_path / name), stream=True), []
    with pytest.raises(DataError, match=rf"{name} is {problem}"):
        read.extend(found)
    assert 8 <= len(read) <= 70


def test_frames_come_in_parts_with_the_index_of_the_input(text_run, small_parts):
    frame = pandas.DataFrame({"text": ["good film", "bad film"] * 20}, index=range(100, 140))
    parts = list(kerasft.predict(text_run, frame, as_frame=True, stream=True))
    assert len(parts) > 1
    whole = pandas.concat(parts)
    assert list(whole.index) == list(range(100, 140))
    assert whole["input"].tolist() == frame["text"].tolist()


@pytest.mark.slow
def test_images_come_in_parts(image_run, photos, monkeypatch):
    whole = image_run.predict(photos)
    monkeypatch.setattr(IMAGES, "part_size", 1)
    assert_same(list(image_run.predict(photos, stream=True)), whole)


def test_other_data_are_prepared_in_parts_and_have_the_same_scores(
    text_run, reviews, tmp_path, monkeypatch
):
    (tmp_path / "other.csv").write_text(Path(reviews).read_text(encoding="utf-8"))
    divided = pandas.read_csv(reviews).assign(split="test")  # is read as a whole
    divided.to_csv(tmp_path / "divided.csv", index=False)
    whole = text_run.evaluate(dataset=str(tmp_path / "other.csv"))
    prepared, prepare = [], TEXTS.prepare

    def count(config, examples):
        prepared.append(len(examples))
        return prepare(config, examples)

    monkeypatch.setattr(TEXTS, "prepare", count)
    monkeypatch.setattr(TEXTS, "part_size", 1)
    for name in ("other.csv", "divided.csv"):
        found = text_run.evaluate(dataset=str(tmp_path / name))
        assert prepared == [8] * 10
        prepared.clear()
        assert found.keys() == whole.keys()
        assert found["examples"] == whole["examples"] == 80
        assert found["seen"] == whole["seen"]
        np.testing.assert_allclose(found["loss"], whole["loss"], rtol=1e-5)
        assert found["accuracy"] == whole["accuracy"]


def test_a_label_of_no_class_is_named_before_any_prediction(text_run, tmp_path, monkeypatch):
    rows = ["text,label", *["good film,good"] * 20, "bad film,awful"]
    (tmp_path / "other.csv").write_text("\n".join(rows), encoding="utf-8")
    monkeypatch.setattr(TEXTS, "part_size", 1)
    monkeypatch.setattr(TEXTS, "prepare", None)
    with pytest.raises(DataError, match=r"row 21 of other\.csv has the label 'awful'"):
        text_run.evaluate(dataset=str(tmp_path / "other.csv"))


def test_texts_of_other_lengths_are_not_traced_again(text_run):
    loaded = kerasft.load_model(text_run)
    answers = RunAnswers(loaded, Activity("predicting", None))
    for words in (1, 4, 7, 2, 6, 3):
        texts = [" ".join(["film"] * words)] * 10
        answers.of(prepare_inputs(loaded.config, Examples(texts, None, texts)))
    known = loaded.calibration.known is not None
    model = loaded.model_with_features if known else loaded.model
    assert answers.bar.done == 60
    assert model.predict_function.experimental_get_tracing_count() == 3  # sizes, widths, any


def test_the_progress_has_the_number_of_rows(text_run, small_parts, reviews):
    with showing() as display:
        found = text_run.predict([reviews, "good film"], stream=True)
        next(found)
        (bar,) = display.activities
        assert (bar.text, bar.done, bar.total) == ("predicting", 8, 81)
        list(found)
        assert (bar.done, display.activities) == (81, [])
