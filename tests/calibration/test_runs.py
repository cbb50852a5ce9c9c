"""Calibrations of runs: fitted by a fit, fitted again, and used by predict and evaluate."""

import json
from pathlib import Path

import numpy as np
import pytest

import kerasft
from kerasft.calibration import Calibration
from kerasft.calibration.summary import calibration_lines
from kerasft.errors import DamagedFileError, SettingError
from kerasft.evaluation.own_data import own_split
from kerasft.evaluation.run_answers import decide
from kerasft.runs import write_record
from kerasft.runs.calibration_file import read_calibration
from kerasft.runs.write import write_manifest


@pytest.fixture(scope="module")
def calibrated(image_run, tmp_path_factory):
    """A copy of a run whose few validation examples suffice for every part."""
    import shutil

    folder = tmp_path_factory.mktemp("calibrated")
    run = kerasft.load_run(shutil.copytree(image_run.path, folder / image_run.name))
    run.calibrate(coverage=0.5, known_coverage=0.5, max_error=0.7)
    return run


def test_a_fit_says_what_it_could_not_fit(image_run):
    record = image_run.calibration
    few = record["examples"]
    assert few < 9
    enough = int(100 * few / (few + 1)) / 100
    assert Calibration.from_dict(record["calibration"]) == read_calibration(image_run)
    assert record["notes"] == [
        f"Probabilities are not calibrated: at least 10 validation examples are needed, and there "
        f"are {few}.",
        f"Prediction sets are not fitted: at least 9 validation examples are needed, and there "
        f"are {few}.",
        "`known`, whether an input resembles the training examples, is not fitted: a coverage of "
        f"0.95 needs at least 19 validation examples, and there are {few}. Add validation "
        f"examples, or run: kerasft calibrate RUN --known-coverage {enough:g}.",
    ]
    assert "probabilities" not in dict(calibration_lines(record))
    assert "calibrated" not in image_run.metrics["test"]
    log = (image_run.path / "run.log").read_text()
    assert all(note in log for note in record["notes"])


def test_a_run_is_calibrated_again_without_training(calibrated, image_run):
    record = calibrated.calibration
    assert record["options"]["max_error"] == 0.7
    fitted = read_calibration(calibrated)
    assert fitted.sets.coverage == fitted.known.coverage == 0.5
    assert record["scores"]["accepted_error"] <= 0.7
    assert calibrated.weights.read_bytes() == image_run.weights.read_bytes()
    measured = {k: v for k, v in calibrated.metrics["test"].items() if k != "calibrated"}
    assert measured == image_run.metrics["test"]
    first = (calibrated.path / "calibration.json").read_bytes()
    calibrated.calibrate(coverage=0.5, known_coverage=0.5, max_error=0.7)
    assert (calibrated.path / "calibration.json").read_bytes() == first


def test_predict_answers_by_the_calibration(calibrated, photos):
    rows = calibrated.predict([photos])
    names = ["input", "prediction", "probability", "known", "known_score", "accepted",
             "prediction_set", "p(blue)", "p(green)", "p(red)"]  # fmt: skip
    assert list(rows[0]) == names
    fitted = read_calibration(calibrated)
    for row in rows:
        assert row["prediction"] in row["prediction_set"].split("|")
        assert row["known"] == (row["known_score"] >= fitted.known.threshold)
        assert row["accepted"] == (row["probability"] >= fitted.rejection)


def test_evaluate_measures_the_calibrated_answers(calibrated):
    found = calibrated.evaluate()["calibrated"]
    assert found == pytest.approx(calibrated.metrics["test"]["calibrated"], abs=1e-5)
    assert set(found) == {"log_loss", "calibration_error", "accepted", "accepted_error",
                          "set_coverage", "set_size", "known"}  # fmt: skip


def test_the_report_shows_what_is_fitted(calibrated, image_run, tmp_path):
    page = calibrated.report(tmp_path / "report.html").read_text()
    assert "<h2>Calibration</h2>" in page and "known inputs" in page and "set size" in page
    plain = image_run.report(tmp_path / "plain.html").read_text()
    assert all(note in plain for note in ("at least 9 validation", "at least 19 validation"))


def test_the_graph_answers_as_predict_does(calibrated, photos):
    tf = pytest.importorskip("tensorflow")
    loaded = kerasft.load_model(calibrated)
    features = np.random.default_rng(0).normal(size=(5, _width(loaded))).astype("float32")
    outputs = np.random.default_rng(1).dirichlet(np.ones(3), 5).astype("float32")
    labels, calibration = loaded.labels, loaded.calibration
    serve = tf.function(lambda o, f: labels.kind.served_outputs(labels, o, calibration, f))
    served = {name: value.numpy() for name, value in serve(outputs, features).items()}
    assert set(served) == {
        "prediction", "probability", "probabilities", "classes", "top_classes", "top_probabilities",
        "accepted", "prediction_set", "known", "known_score",
    }  # fmt: skip
    decided = labels.kind.decide(labels, outputs, calibration, features)
    for name in ("probabilities", "accepted", "prediction_set", "known", "known_score"):
        assert served[name] == pytest.approx(np.asarray(decided[name]), rel=1e-5, abs=1e-5)
    best = [labels.names[index] for index in outputs.argmax(axis=1)]
    assert [name.decode() for name in served["prediction"]] == best
    assert [name.decode() for name in served["top_classes"][:, 0]] == best


def _width(loaded):
    return loaded.calibration.known.arrays["memory"].shape[1]


@pytest.mark.parametrize("name", ["calibration.json", "calibration.npz"])
def test_a_damaged_calibration_is_refused(image_run, copied_run, name):
    run = copied_run(image_run)
    run.calibrate(known_coverage=0.5)
    path = run.path / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DamagedFileError, match="checksum mismatch"):
        kerasft.load_model(run)


@pytest.mark.parametrize("recorded", [True, False], ids=["checksum", "older"])
def test_damaged_predictions_are_named(image_run, copied_run, recorded):
    run = copied_run(image_run)
    path = run.path / "predictions.npz"
    path.write_bytes(path.read_bytes()[:-100])
    if not recorded:
        files = {k: v for k, v in run.manifest["files"].items() if k != path.name}
        write_manifest(run, files=files)
    with pytest.raises(DamagedFileError, match=r"predictions\.npz is damaged"):
        run.calibrate()


def test_the_worst_examples_have_the_new_calibration(image_run, copied_run):
    run = copied_run(image_run)
    path = run.path / "worst.json"
    rows = json.loads(path.read_text())
    write_record(
        run, "worst.json", [{**row, "prediction": "?", "probability": 0.0} for row in rows]
    )
    run.calibrate(coverage=0.5)
    assert json.loads(path.read_text()) == rows


@pytest.mark.parametrize("name", ["calibration.npz", "calibration.json", "manifest.json"])
def test_an_interrupted_calibration_leaves_a_readable_run(image_run, copied_run, name, monkeypatch):
    run = copied_run(image_run)
    replace = Path.replace

    def interrupted(path, target):
        replace(path, target)
        if target.name == name:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run.calibrate(coverage=0.5)
    assert run.calibration == {}
    assert read_calibration(run) == Calibration()
    write_record(run, "config.json", {**run.config, "preset": "nowhere"})  # no data, no model
    assert run.calibrate(coverage=0.5, known_coverage=0.5)["calibration"]["known"]


def test_a_run_without_a_calibration_gets_one(image_run, copied_run):
    run = copied_run(image_run)
    files = {k: v for k, v in run.manifest["files"].items() if not k.startswith("calibration")}
    write_manifest(run, files=files)
    for path in run.path.glob("calibration.*"):
        path.unlink()
    assert run.calibration == {} and read_calibration(run) == Calibration()
    preset = run.config["preset"]
    write_record(run, "config.json", {**run.config, "preset": "nowhere"})
    (note,) = [each for each in run.calibrate(coverage=0.5)["notes"] if "`known`" in each]
    assert "the model or the data cannot be loaded" in note
    write_record(run, "config.json", {**run.config, "preset": preset})
    record = run.calibrate(coverage=0.5, known_coverage=0.5)
    again = image_run_record(image_run, copied_run, run)
    assert record["calibration"]["sets"] == again["sets"]
    assert record["calibration"]["known"]["threshold"] == pytest.approx(
        again["known"]["threshold"], abs=1e-2
    )


def image_run_record(image_run, copied_run, run):
    """Returns what is fitted from the scores that the fit has stored."""
    import shutil

    path = shutil.copytree(image_run.path, run.path.parent / "stored")
    return kerasft.load_run(path).calibrate(coverage=0.5, known_coverage=0.5)["calibration"]


def test_options_of_other_tasks_are_refused(image_run):
    with pytest.raises(SettingError, match=r"`min_recall` is not an option .*classification"):
        kerasft.calibrate(image_run, min_recall=0.9)
    with pytest.raises(SettingError, match="above 0 and below 1"):
        kerasft.calibrate(image_run, max_error=1.5)


def test_the_record_is_json(calibrated):
    found = json.loads((calibrated.path / "calibration.json").read_text())
    assert found == calibrated.calibration
    assert found["format"] == 1


def test_known_inputs_are_traced_once(calibrated, photos, monkeypatch):
    loaded = kerasft.load_model(calibrated)
    x = own_split(calibrated, loaded, "validation").x
    head, traced = loaded.model.get_layer("head"), []
    call = head.call
    monkeypatch.setattr(head, "call", lambda *x, **how: traced.append(x) or call(*x, **how))
    first = decide(loaded, x)
    assert traced
    traced.clear()
    assert [row["known"] for row in decide(loaded, x)] == [row["known"] for row in first]
    assert not traced


def test_a_damaged_record_is_refused_before_anything_is_written(image_run, copied_run):
    run = copied_run(image_run)
    (run.path / "metrics.json").write_text("{}")
    before = {path.name: path.read_bytes() for path in run.path.glob("*.*")}
    with pytest.raises(DamagedFileError, match=r"metrics\.json is damaged"):
        run.calibrate(coverage=0.8)
    assert {path.name: path.read_bytes() for path in run.path.glob("*.*")} == before


def test_a_report_needs_the_recorded_predictions(image_run, copied_run):
    run = copied_run(image_run)
    (run.path / "predictions.npz").unlink()
    with pytest.raises(DamagedFileError, match=r"predictions\.npz is missing"):
        run.report()
