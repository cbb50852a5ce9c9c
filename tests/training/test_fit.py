"""What a fit trains, keeps and records, on tiny real models."""

import csv
import json

import keras
import numpy as np
import pytest

import kerasft
from kerasft.errors import DivergedError, SettingError
from kerasft.models.freezing import changing_weights, frozen_below
from kerasft.recipes import minilm_tickets as text_recipe
from kerasft.recipes import resnet_digits as image_recipe
from kerasft.runs import write_json
from tests.training.small import fit, image_config, text_config


def test_a_partial_freeze_trains_exactly_what_the_table_announced(preset, photos, image_run):
    config = image_config(preset, photos)
    before = image_recipe.build_model(config, kerasft.load_data(config))
    after = kerasft.load_model(image_run).model
    changed = {
        b.path for b, a in zip(before.weights, after.weights, strict=True)
        if not np.array_equal(b.numpy(), a.numpy())
    }  # fmt: skip
    announced = {v.path for v in before.trainable_weights}
    assert changed == announced
    blocks = {row["name"]: row["trained_parameters"] for row in image_run.manifest["blocks"]}
    assert blocks["P2"] == blocks["P3"] == 0
    assert sum(blocks.values()) == sum(int(v.numpy().size) for v in before.trainable_weights)


def test_frozen_weights_are_bit_identical_after_training(preset, reviews, text_run):
    config = text_config(preset, reviews)
    before = text_recipe.build_model(config, kerasft.load_data(config))
    after = kerasft.load_model(text_run).model
    frozen = set(map(id, before.weights)) - set(map(id, changing_weights(before)))
    assert frozen
    for b, a in zip(before.weights, after.weights, strict=True):
        if id(b) in frozen:
            assert b.numpy().tobytes() == a.numpy().tobytes(), b.path


def test_phases_stand_in_one_continuous_history(image_run):
    history = image_run.history
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert [row["phase"] for row in history] == ["head", "main", "main"]
    assert {"loss", "penalty", "val_loss", "val_accuracy", "val_precision", "val_recall", "val_f1",
            "learning_rate", "seconds"} <= set(history[0])  # fmt: skip
    assert history[0]["learning_rate"] > history[1]["learning_rate"] * 2


def test_the_head_phase_leaves_the_backbone_alone(preset, photos):
    config = image_config(preset, photos)
    model = image_recipe.build_model(config, kerasft.load_data(config))
    flags = [v.path for v in model.trainable_weights]
    with frozen_below(model, 0):
        assert {v.path.split("/")[0] for v in model.trainable_weights} == {"head"}
    assert [v.path for v in model.trainable_weights] == flags


def test_the_run_folder_holds_the_whole_record(image_run):
    run, manifest = image_run, image_run.manifest
    assert manifest["state"] == "done"
    assert manifest["recipe"]["source"] == "resnet_digits"
    assert {"python", "keras", "tensorflow", "keras-hub"} <= set(manifest["versions"])
    assert manifest["seed"] == 0
    assert manifest["data"]["fingerprint"]
    assert run.labels["names"] == ["blue", "green", "red"]
    assert (run.path / "curves.png").read_bytes()[:4] == b"\x89PNG"
    assert list((run.path / "tensorboard").rglob("events*"))
    assert json.loads((run.path / "history.json").read_text()) == run.history
    with open(run.path / "history.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["val_loss"]) for row in rows] == [row["val_loss"] for row in run.history]
    assert "epoch 3/3 main" in (run.path / "run.log").read_text()


def test_metrics_have_each_class_and_the_confusion_matrix(image_run):
    test = image_run.metrics["test"]
    assert [row["name"] for row in test["per_class"]] == ["blue", "green", "red"]
    matrix = np.array(test["confusion_matrix"])
    assert matrix.shape == (3, 3)
    assert matrix.sum() == test["examples"]
    assert np.trace(matrix) / matrix.sum() == pytest.approx(test["accuracy"])


def test_colors_are_learned(preset, photos, tmp_path):
    config = image_config(preset, photos, epochs=6, learning_rate=3e-3, trainable_blocks=-1,
                          freeze_batch_norm=False)  # fmt: skip
    assert fit(image_recipe, config, tmp_path).metrics["test"]["accuracy"] >= 0.8


@pytest.mark.parametrize(
    "family", [pytest.param("resnet_v2", marks=pytest.mark.slow), "efficientnet"]
)
def test_an_augmented_image_family_with_balanced_weights_fits_and_reloads(
    family, preset, photos, tmp_path
):
    config = image_config(
        preset, photos, preset=preset(family), augmentation="strong", head_epochs=0, epochs=1,
        class_weight="balanced",
    )  # fmt: skip
    run = fit(image_recipe, config, tmp_path)
    assert kerasft.evaluate(run)["loss"] == pytest.approx(run.metrics["test"]["loss"], abs=1e-5)


@pytest.mark.parametrize("transform", [pytest.param("none", marks=pytest.mark.slow), "log"])
def test_regression_speaks_in_the_unit_of_the_target(transform, preset, prices, tmp_path):
    config = image_config(
        preset, prices, task="regression", target_transform=transform, head_epochs=0, epochs=12,
        learning_rate=3e-3, trainable_blocks=-1, freeze_batch_norm=False, patience=0,
    )  # fmt: skip
    run = fit(image_recipe, config, tmp_path)
    test = run.metrics["test"]
    assert test["rmse"] > 10  # in the unit, not in standard deviations
    assert test["mse"] == pytest.approx(test["rmse"] ** 2)
    assert test["r2"] > 0.3
    assert run.history[0]["loss"] < 10  # in standard deviations, whatever the unit
    mean = kerasft.load_model(run).labels.mean
    again = kerasft.evaluate(run)
    assert again["r2"] == pytest.approx(test["r2"], abs=1e-5)
    low, high = again["confidence_interval"]["rmse"]
    assert low < test["rmse"] < high
    if transform == "none":
        assert 5000 < mean < 15000
    else:
        assert 5000 < np.exp(mean) < 15000
        assert run.manifest["monitor"] == "val_loss"
        assert test["r2_log"] > 0.3
        assert again["r2_log"] == pytest.approx(test["r2_log"], abs=1e-5)


def test_the_same_seed_gives_the_same_run(preset, photos, tmp_path, image_run):
    again = fit(image_recipe, image_config(preset, photos), tmp_path)
    assert again.metrics == image_run.metrics


def test_early_stopping_restores_the_best_epoch(preset, photos, tmp_path):
    config = image_config(preset, photos, epochs=30, patience=2, learning_rate=0.1,
                          head_epochs=0, monitor="val_accuracy")  # fmt: skip
    run = fit(image_recipe, config, tmp_path)
    assert len(run.history) < 30
    best = run.history[run.manifest["best_epoch"] - 1]
    assert run.metrics["validation"]["accuracy"] == pytest.approx(best["val_accuracy"], abs=1e-6)
    assert run.metrics["validation"]["loss"] == pytest.approx(best["val_loss"], abs=1e-4)


def test_epochs_are_numbered_as_they_ran_after_a_phase_that_ended_early(preset, photos, tmp_path):
    config = image_config(preset, photos, head_epochs=8, head_learning_rate=1e-9, patience=2,
                          epochs=3, learning_rate=1e-2, monitor="val_loss")  # fmt: skip
    run = fit(image_recipe, config, tmp_path)
    phases = [row["phase"] for row in run.history]
    assert phases.count("head") < 8 and phases.count("main") == 3
    best = min(run.history, key=lambda row: row["val_loss"])
    assert run.manifest["best_epoch"] == best["epoch"] > phases.count("head")
    log = (run.path / "run.log").read_text()
    assert f"epoch {len(phases)}/{len(phases)} main" in log
    assert f"best   epoch {best['epoch']} " in log


def test_a_diverged_loss_is_reported_with_a_fix(preset, photos, tmp_path):
    config = image_config(
        preset, photos, learning_rate=100.0, optimizer="sgd", gradient_clip=0.0, head_epochs=0,
        epochs=30, patience=0, trainable_blocks=-1, freeze_batch_norm=True,
    )  # fmt: skip
    with pytest.raises(DivergedError, match=r"in epoch \d+.*Lower it first"):
        fit(image_recipe, config, tmp_path)
    (failed,) = kerasft.list_runs(tmp_path / "runs")
    assert (
        f"for a rate to try: kerasft diagnose {failed.path}\n"
        in (failed.path / "run.log").read_text()
    )
    (finding,) = kerasft.diagnose(failed)["findings"]
    assert finding["advice"][0]["changes"]["learning_rate"] < 1
    assert failed.manifest["state"] == "failed"
    assert "DivergedError" in (failed.path / "run.log").read_text()


def test_a_diagnosis_names_a_diverged_fit_by_its_record_or_the_message_of_older_ones(
    preset, photos, tmp_path
):
    def stop(epoch, logs):
        raise DivergedError("The training loss became nan in epoch 1, at a rate of 1.")

    with pytest.raises(DivergedError):
        kerasft.fit(
            image_recipe, image_config(preset, photos), runs_dir=tmp_path, progress=False,
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=stop)],
        )  # fmt: skip
    (run,) = kerasft.list_runs(tmp_path)

    def found(**changes):
        write_json(run.path / "manifest.json", {**run.manifest, **changes})
        return [finding["name"] for finding in kerasft.diagnose(run)["findings"]]

    assert run.manifest["failure"] == "diverged"
    assert found(reason="NaN in epoch 1.") == ["diverged"]
    assert "diverged" not in found(failure=None)
    older = {name: value for name, value in run.manifest.items() if name != "failure"}
    write_json(run.path / "manifest.json", older)
    assert found(reason="The training loss became nan in epoch 1.") == ["diverged"]


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["constant", "exponential", "linear", "step"])
def test_every_schedule_fits(schedule, preset, photos, tmp_path):
    config = image_config(
        preset, photos, learning_rate_schedule=schedule, epochs=3, warmup_fraction=0.0
    )
    rates = [row["learning_rate"] for row in fit(image_recipe, config, tmp_path).history[1:]]
    assert rates[0] >= rates[-1] > 0


def test_a_plateau_lowers_the_rate(preset, photos, tmp_path):
    config = image_config(
        preset, photos, learning_rate_schedule="plateau", head_epochs=0, epochs=6,
        learning_rate=1e-9, warmup_fraction=0.0, patience=0, trainable_blocks=0,
        monitor="val_accuracy",
    )  # fmt: skip
    rates = [row["learning_rate"] for row in fit(image_recipe, config, tmp_path).history]
    assert rates[0] == pytest.approx(1e-9)
    assert rates == sorted(rates, reverse=True) and 0 < rates[-1] < rates[0]


def test_an_unknown_monitor_is_refused_before_anything_is_loaded(preset, photos, tmp_path):
    config = image_config(preset, photos, monitor="val_acuracy")
    with pytest.raises(SettingError, match=r"must be one of val_loss, val_accuracy.*Did you mean"):
        fit(image_recipe, config, tmp_path)
    assert not (tmp_path / "runs").exists()


def test_several_labels_fit_predict_and_reload(preset, tmp_path):
    from tests.conftest import write_table

    words = ("red", "green", "blue")
    rows = []
    for code in range(8):
        present = [word for index, word in enumerate(words) if code >> index & 1]
        for end in ("", " cat", " dog", " rose", " flower", " card"):
            rows.append({"text": " ".join(["the", *present]) + end, "label": "|".join(present)})
    config = text_config(
        preset, write_table(tmp_path / "colors.csv", rows), task="multilabel",
        label_separator="|", trainable_blocks=-1, head_epochs=0, epochs=12, learning_rate=5e-3,
        dropout=0.0,
    )  # fmt: skip
    run = fit(text_recipe, config, tmp_path)
    assert run.labels["names"] == ["blue", "green", "red"]
    assert run.metrics["test"]["f1"] > 0.8
    again = kerasft.evaluate(run)
    assert again["f1"] == run.metrics["test"]["f1"] and again["confidence_interval"] == {}
    row = kerasft.predict(run, ["the red blue cat"])[0]
    assert set(row["prediction"].split("|")) <= {"blue", "green", "red", ""}
    assert {"p(blue)", "p(green)", "p(red)"} <= set(row)


def test_what_was_trained_in_mixed_precision_is_loaded_in_float32(preset, photos, tmp_path):
    import keras

    config = image_config(preset, photos, precision="mixed_bfloat16", head_epochs=0, epochs=1)
    run = fit(image_recipe, config, tmp_path)
    model = kerasft.load_model(run).model
    assert {v.dtype for v in model.weights} == {"float32"}
    assert model.output.dtype == "float32"
    assert run.config["precision"] == "mixed_bfloat16"
    assert model.get_layer("backbone").output.dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"  # the caller's policy is as it was
    assert run.metrics["test"]["loss"] < 5
