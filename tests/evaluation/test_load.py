"""Runs that are loaded, measured and used for prediction."""

import shutil

import numpy as np
import pytest

import kerasft
from kerasft.errors import DamagedFileError, ResumeError, SettingError
from kerasft.evaluation.predict import predict_arrays
from kerasft.models.freezing import changing_weights
from kerasft.recipes import resnet_digits as image_recipe
from kerasft.runs import write_record
from kerasft.tasks.intervals import share_interval
from tests.training.small import fit, image_config


def test_a_run_loaded_again_has_its_freezing_and_predictions(preset, photos, image_run):
    config = image_config(preset, photos)
    data = kerasft.load_data(config)
    loaded = kerasft.load_model(image_run)
    built = image_recipe.build_model(config, data)
    assert [v.path for v in loaded.model.trainable_weights] == [
        v.path for v in built.trainable_weights
    ]
    again = kerasft.load_model(image_run)
    first, second = (predict_arrays(m.model, data.test.x) for m in (loaded, again))
    rows = np.array([0, 2, 3])
    some = predict_arrays(loaded.model, data.test.x, rows=rows)
    np.testing.assert_allclose(some, first[rows], rtol=1e-5)
    assert np.array_equal(first, second)
    found, recorded = kerasft.evaluate(image_run), image_run.metrics["test"]
    assert found["accuracy"] == recorded["accuracy"]
    assert found["loss"] == pytest.approx(recorded["loss"], abs=1e-6)
    interval = share_interval(found["accuracy"], found["examples"])
    assert found["confidence_interval"] == {"accuracy": list(interval)}


def test_only_trained_weights_are_stored_beside_the_hash_of_the_preset(image_run):
    from safetensors.numpy import load_file

    assert image_run.manifest["weights"]["stored"] == "trained"
    assert image_run.manifest["weights"]["fingerprint"].startswith("sha256:")
    stored = load_file(image_run.path / "weights.safetensors")
    model = kerasft.load_model(image_run).model
    assert len(stored) == len(changing_weights(model)) < len(model.weights)


def test_all_weights_are_stored_of_a_random_backbone(preset, photos, tmp_path):
    config = image_config(
        preset, photos, pretrained=False, freeze_batch_norm=False, epochs=1, head_epochs=0
    )
    run = fit(image_recipe, config, tmp_path)
    assert run.manifest["weights"]["stored"] == "all"
    assert kerasft.evaluate(run)["accuracy"] == run.metrics["test"]["accuracy"]


def test_a_changed_weights_file_is_refused(image_run, copied_run):
    run = copied_run(image_run)
    path = run.path / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match="is damaged"):
        kerasft.load_model(run)


def test_a_changed_preset_is_refused(preset, image_run, copied_run, tmp_path):
    copy = shutil.copytree(preset("resnet"), tmp_path / "preset")
    run = copied_run(image_run)
    write_record(run, "config.json", {**run.config, "preset": str(copy)})
    kerasft.load_model(run)
    with open(copy / "config.json", "a", encoding="utf-8") as file:
        file.write("\n")
    with pytest.raises(ResumeError, match=r"have changed since .* was trained"):
        kerasft.load_model(run)


def test_predict_names_classes_with_their_probabilities(photos, image_run):
    rows = kerasft.predict(image_run, [photos])
    assert len(rows) == 36
    assert rows[0]["prediction"] in ("blue", "green", "red")
    each = [rows[0][f"p({name})"] for name in ("blue", "green", "red")]
    assert sum(each) == pytest.approx(1.0, abs=1e-5)
    assert rows[0]["probability"] == max(each)


def test_a_run_is_measured_on_other_data(photos, image_run):
    found = kerasft.evaluate(image_run, dataset=photos)
    assert found["examples"] == 36  # all of it, as it has no test split
    with pytest.raises(SettingError, match="`split` must be train, validation or test"):
        kerasft.evaluate(image_run, split="holdout")


def test_an_interrupted_fit_keeps_its_best_epoch(preset, photos, tmp_path, monkeypatch):
    from kerasft.training.progress import Progress

    def interrupt(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "on_epoch_end", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(image_recipe, image_config(preset, photos, head_epochs=0), tmp_path)
    (run,) = kerasft.list_runs(tmp_path / "runs")
    assert run.manifest["state"] == "interrupted"
    assert len(run.history) == 2
    assert kerasft.evaluate(run)["examples"] > 0
