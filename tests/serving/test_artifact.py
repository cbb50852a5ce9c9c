"""Exported models in the place of runs: predict and evaluate."""

import json
import shutil

import pytest
from click.testing import CliRunner

import kerasft
from kerasft.cli import main
from kerasft.errors import DamagedFileError, DataError, SettingError
from kerasft.modalities import TEXTS


@pytest.mark.parametrize("kind", ["images", "texts"])
def test_an_export_predicts_as_its_run(kind, artifact, image_run, text_run, photos):
    run = {"images": image_run, "texts": text_run}[kind]
    files = [f"{photos}/blue/0.png", f"{photos}/red/1.png"]
    inputs = {"images": files, "texts": ["a good film", "bad"]}[kind]
    assert kerasft.predict(artifact(kind).parent, inputs) == kerasft.predict(run, inputs)


def test_the_prediction_of_an_export_is_that_of_its_graph(artifact, text_run, tmp_path):
    folder = shutil.copytree(artifact("texts"), tmp_path / "m" / "1")
    manifest = json.loads((folder / "manifest.json").read_text())
    names = manifest["labels"]["names"]
    for given in (names[::-1], ["x", "y"]):
        manifest["labels"]["names"] = given
        (folder / "manifest.json").write_text(json.dumps(manifest))
        if set(given) == set(names):
            (row,) = kerasft.predict(folder, ["a good film"])
            (expected,) = kerasft.predict(text_run, ["a good film"])
            assert row["prediction"] == expected["prediction"]
        else:
            with pytest.raises(DamagedFileError, match="names other classes"):
                kerasft.predict(folder, ["a good film"])


def test_an_export_answers_part_by_part(artifact, monkeypatch):
    texts = ["good film", "bad film", "the movie is good"] * 7
    whole = kerasft.predict(artifact("texts"), texts)
    monkeypatch.setattr(TEXTS, "part_size", 1)
    found = kerasft.predict(artifact("texts"), iter(texts), stream=True)
    for row, expected in zip(found, whole, strict=True):
        assert row["input"] == expected["input"]
        assert row["probability"] == pytest.approx(expected["probability"], abs=1e-6)


def test_an_export_reports_bad_inputs_as_its_run(artifact, photos, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"\x89PNG bad")
    (tmp_path / "other.png").write_bytes(b"hello")
    failed = []
    inputs = [f"{photos}/blue/0.png", str(tmp_path / "bad.png"), str(tmp_path / "other.png")]
    (row,) = kerasft.predict(artifact("images"), inputs, on_error=failed.append)
    assert row["input"] == inputs[0]
    assert sorted(str(error).split("/")[-1][:5] for error in failed) == ["bad.p", "other"]
    with pytest.raises(DataError, match=r"bad\.png"):
        kerasft.predict(artifact("images"), inputs[:2])


def test_an_export_is_evaluated_as_its_run(artifact, text_run, reviews):
    expected = kerasft.evaluate(text_run, dataset=reviews)
    found = kerasft.evaluate(artifact("texts"), dataset=reviews)
    assert found["accuracy"] == expected["accuracy"]
    assert found["confusion_matrix"] == expected["confusion_matrix"]
    assert found["confidence_interval"] == expected["confidence_interval"]
    assert found["calibrated"] == pytest.approx(expected["calibrated"], abs=1e-5)
    with pytest.raises(SettingError, match="has no data"):
        kerasft.evaluate(artifact("texts"))


@pytest.mark.slow
def test_the_faults_of_a_graph_show_in_its_evaluation(artifact, faulty, photos):
    right = kerasft.evaluate(artifact("images"), dataset=photos)
    swapped = kerasft.evaluate(faulty("labels"), dataset=photos)
    resized = kerasft.evaluate(faulty("resize"), dataset=photos)
    # The names of classes 0 and 2 are swapped; the rows of their true class are not.
    assert swapped["confusion_matrix"] == [row[::-1] for row in right["confusion_matrix"]]
    assert swapped["accuracy"] < right["accuracy"]
    assert swapped["calibrated"]["log_loss"] > right["calibrated"]["log_loss"] + 0.1
    assert resized["calibrated"]["log_loss"] != pytest.approx(right["calibrated"]["log_loss"])


def test_the_command_line_takes_an_export_as_a_run(artifact, reviews):
    folder = str(artifact("texts"))
    done = CliRunner().invoke(main, ["predict", folder, "a good film", "-q"])
    assert done.exit_code == 0, done.output
    assert done.output.strip() in ("good", "bad")
    done = CliRunner().invoke(main, ["evaluate", folder, "--dataset", reviews, "--json"])
    assert done.exit_code == 0, done.output
    assert "accuracy" in json.loads(done.stdout)["metrics"]
    done = CliRunner().invoke(main, ["show", folder])
    assert done.exit_code == 2
    assert "is an exported model, but a run is expected" in done.output


def test_a_graph_without_its_folder_is_refused(tmp_path):
    path = tmp_path / "model.onnx"
    path.touch()
    with pytest.raises(SettingError, match=r"has no manifest\.json"):
        kerasft.predict(path, ["a good film"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("inputs", ["bytes"], "`inputs` is bytes, but the model takes text"),
        ("inputs", [], "`inputs` is "),
        ("labels.task", "multilabel", "`labels.task` is 'multilabel'"),
        ("labels.task", "regression", "`labels.task` is 'regression'"),
        ("labels.names", ["a", "b"], "predicts"),
    ],
)
def test_a_valid_value_of_another_model_is_named(artifact, tmp_path, field, value, reason):
    folder = shutil.copytree(artifact("texts"), tmp_path / "1")
    manifest = json.loads((folder / "manifest.json").read_text())
    outer, _, last = field.rpartition(".")
    (manifest[outer] if outer else manifest)[last] = value
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DamagedFileError, match=reason):
        kerasft.predict(folder, ["a good film"])
