"""Exports, loaded as a server would; one of images and one of texts in a fresh process."""

import dataclasses
import json
import math
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerasft
from kerasft.cli.export import export_command
from kerasft.errors import SettingError
from kerasft.modalities.image_decoding import resize_image
from kerasft.recipes import minilm_tickets as text_recipe
from kerasft.recipes import resnet_digits as image_recipe
from kerasft.recipes import roberta_paraphrases as pairs_recipe
from kerasft.runs import file_lock, write_manifest
from kerasft.runs.run import FIT_LOCK
from kerasft.serving.export import FORMATS
from kerasft.serving.quantized_score import QUANTIZED
from kerasft.serving.versions import publish_once, temporary_folder
from tests.conftest import write_table
from tests.serving import served
from tests.serving.served import answers


def served_alone(path, **inputs):
    """Returns the answers of an exported model in a process of its own."""
    command = [sys.executable, served.__file__, str(path), json.dumps(inputs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def quick(recipe, preset, dataset, tmp_path, **settings):
    small = {"epochs": 1, "head_epochs": 0, "batch_size": 8, "trainable_blocks": 2}
    config = recipe.Config(preset=preset, dataset=dataset, **{**small, **settings})
    return kerasft.fit(recipe, config, runs_dir=tmp_path / "runs", progress=False)


def test_the_command_line_has_the_formats_of_python():
    options = {option.name: option.type for option in export_command.params}
    assert tuple(options["format"].choices) == FORMATS
    assert tuple(options["quantize"].choices) == QUANTIZED


def test_images_as_bytes_are_served_as_python_predicts_them(image_run, photos, artifact):
    path = artifact("images")
    files = [f"{photos}/blue/{i}.png" for i in range(3)] + [f"{photos}/red/1.png"]
    found = served_alone(path, paths=files)
    rows = kerasft.predict(image_run, files)
    assert found["prediction"] == [row["prediction"] for row in rows]
    assert found["classes"][0] == ["blue", "green", "red"]
    expected = [[row[f"p({name})"] for name in found["classes"][0]] for row in rows]
    assert np.allclose(found["probabilities"], expected, atol=1e-5)
    assert np.allclose(found["probability"], [row["probability"] for row in rows], atol=1e-5)


@pytest.mark.parametrize("kind", ["images", "texts"])
def test_weights_are_stored_once(kind, artifact, image_run, text_run):
    run = {"images": image_run, "texts": text_run}[kind]
    stored = tf.train.list_variables(str(artifact(kind) / "variables" / "variables"))
    numbers = sum(math.prod(shape) for name, shape in stored if name.endswith("VARIABLE_VALUE"))
    assert numbers == pytest.approx(kerasft.load_model(run).model.count_params(), rel=0.01)


def test_the_next_export_is_the_next_version(image_run, tmp_path):
    (tmp_path / "m" / "3" / "assets").mkdir(parents=True)
    path = kerasft.export(image_run, models_dir=tmp_path, name="m")
    assert path == tmp_path / "m" / "4"
    assert sorted(p.name for p in path.parent.iterdir()) == ["3", "4"]


@pytest.mark.slow
def test_texts_are_served_as_python_predicts_them(text_run, tmp_path):
    run = text_run
    # In a process that has not tokenized anything before: the tokenizer must be built there.
    line = ["export", str(run.path), "--models-dir", str(tmp_path / "models"), "-q"]
    done = subprocess.run(
        [sys.executable, "-m", "kerasft", *line], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    path = done.stdout.strip()
    assert path == str(tmp_path / "models" / "minilm_tickets_reviews" / "1")
    texts = ["good film", "the awful movie is bad, not good!", "unknown Wörds 123"]
    found = served_alone(path, text=texts)
    rows = kerasft.predict(run, texts)
    assert found["prediction"] == [row["prediction"] for row in rows]
    expected = [[row["p(bad)"], row["p(good)"]] for row in rows]
    assert np.allclose(found["probabilities"], expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["bert", "gpt2", "t5"])
def test_pairs_of_texts_are_served(family, preset, tmp_path):
    rows = [
        {"first": f"a {a} cat", "second": f"the {b} dog", "label": "same" if a == b else "other"}
        for a in ("red", "green", "blue", "old")
        for b in ("red", "green", "blue", "old")
        for _ in range(2)
    ]
    table = write_table(tmp_path / "pairs.csv", rows)
    run = quick(
        text_recipe, preset(family), table, tmp_path, text_column="first",
        text_pair_column="second",
    )  # fmt: skip
    path = kerasft.export(run, models_dir=tmp_path / "models")
    found = answers(path, text=["a red cat"], text_pair=["the old dog"])
    expected = kerasft.predict(run, [write_table(tmp_path / "one.csv", rows[6:7])])
    assert len(found["prediction"]) == 1
    assert rows[6]["first"] == "a red cat"
    assert rows[6]["second"] == "the old dog"
    assert found["prediction"][0] == expected[0]["prediction"]


def test_other_data_may_have_other_columns(text_run, tmp_path):
    run = text_run
    rows = [{"title": "?", "body": text, "kind": kind} for text, kind in
            (("a great movie", "good"), ("bad", "bad"))]  # fmt: skip
    table = write_table(tmp_path / "other.csv", rows)
    columns = {"text_column": "body", "label_column": "kind"}
    found = kerasft.evaluate(run, dataset=table, columns=columns)
    texts = [row["body"] for row in rows]
    predicted = kerasft.predict(run, texts)
    right = [row["prediction"] == r["kind"] for row, r in zip(predicted, rows, strict=True)]
    assert found["accuracy"] == np.mean(right)
    assert kerasft.predict(run, [table], columns={"text_column": "body"})[1] == (
        {"input": "bad", "title": "?", "kind": "bad"} | predicted[1] | {"input": "bad"}
    )
    with pytest.raises(SettingError, match=r"not a column setting of this run.*'text_column'"):
        kerasft.predict(run, [table], columns={"text_colum": "body"})
    with pytest.raises(SettingError, match="needs `dataset`"):
        kerasft.evaluate(run, columns=columns)


@pytest.mark.slow
def test_a_recipe_of_pairs_with_single_texts_serves_single_texts(preset, reviews, tmp_path):
    run = quick(pairs_recipe, preset("bert"), reviews, tmp_path, sequence_length=16)
    assert run.config["text_pair_column"] is None  # of the recipe's own data only
    path = kerasft.export(run, models_dir=tmp_path / "models")
    text = "a great movie\tbad"  # one text with a tab
    found = answers(path, text=[text])
    assert found["probability"][0] == pytest.approx(
        kerasft.predict(run, [text])[0]["probability"], abs=1e-5
    )


@pytest.mark.slow
def test_regression_is_served_in_the_unit_of_the_target(preset, prices, tmp_path):
    run = quick(image_recipe, preset("resnet"), prices, tmp_path, task="regression", image_size=40)
    path = kerasft.export(run, models_dir=tmp_path / "models")
    files = [prices.replace("prices.csv", f"{i}.png") for i in range(3)]
    expected = [row["prediction"] for row in kerasft.predict(run, files)]
    assert np.allclose(answers(path, paths=files)["prediction"], expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("recipe", "name"),
    [pytest.param(image_recipe, "resnet", marks=pytest.mark.slow), (text_recipe, "bert")],
)
def test_a_tuned_backbone_is_saved_as_a_preset(recipe, name, preset, photos, tmp_path, text_run):
    if name == "resnet":
        small = {"trainable_blocks": 1, "image_size": 24, "resize": "pad"}
        run = quick(recipe, preset(name), photos, tmp_path, **small)
    else:
        run = text_run
    path = kerasft.export(run, models_dir=tmp_path / "models", format="preset")
    loaded = kerasft.load_model(run)
    tuned, original = (kerasft.load_backbone(str(p)) for p in (path, preset(name)))
    same = [
        np.array_equal(a.numpy(), b.numpy())
        for a, b in zip(tuned.weights, original.weights, strict=True)
    ]
    assert any(same)
    assert not all(same)
    if name == "resnet":
        prepares_pixels_as(run, path)
    # Built again on its own preprocessing, with the head of the run it is the run's model.
    config = dataclasses.replace(loaded.config, preset=str(path))
    data = kerasft.load_data(config)
    again = recipe.build_model(config, data)
    again.get_layer("head").set_weights(loaded.model.get_layer("head").get_weights())
    found = again.predict(data.test.x, verbose=0)
    expected = loaded.model.predict(kerasft.load_data(loaded.config).test.x, verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def prepares_pixels_as(run, path):
    """The converter of a preset must give what the run's own model has seen."""
    import keras_hub

    converter = keras_hub.layers.ImageConverter.from_preset(str(path))
    picture = np.random.default_rng(0).integers(0, 256, (60, 90, 3)).astype("uint8")
    own = resize_image(picture, run.config["image_size"], run.config["resize"])
    scaled = kerasft.load_model(run).model.get_layer("scaling")(np.asarray(own)[None])
    # The run rounds to whole pixels.
    np.testing.assert_allclose(
        np.asarray(converter(picture.astype("float32"))),
        np.asarray(scaled)[0],
        atol=np.max(converter.scale),
    )


def test_a_name_that_leaves_the_folder_is_refused(image_run, tmp_path):
    with pytest.raises(SettingError, match="plain folder name"):
        kerasft.export(image_run, models_dir=tmp_path, name="../elsewhere")


def test_a_failed_export_leaves_nothing(image_run, tmp_path, monkeypatch):
    def fail(*args, **options):
        raise OSError("no")

    # Keras makes an instance of a subclass.
    monkeypatch.setattr(type(keras.export.ExportArchive()), "write_out", fail)
    with pytest.raises(OSError, match="no"):
        kerasft.export(image_run, models_dir=tmp_path / "models", name="gone")
    assert not (tmp_path / "models").exists()


def test_a_failed_run_is_exported_only_by_force(image_run, copied_run, tmp_path):
    run = copied_run(image_run)
    write_manifest(run, state="failed")
    with pytest.raises(SettingError, match="is failed, but a finished run is expected"):
        run.export(models_dir=tmp_path, format="preset")
    assert run.export(models_dir=tmp_path, format="preset", force=True).is_dir()


def test_a_running_fit_is_waited_for(image_run, copied_run, tmp_path):
    run = copied_run(image_run)
    write_manifest(run, state="running")
    waits = pytest.raises(SettingError, match=r"is running, but .* Wait for its fit, or export")
    with file_lock(run.path / FIT_LOCK, "is training."), waits:
        run.export(models_dir=tmp_path)
    with pytest.raises(SettingError, match=r"is interrupted, but .* Resume it"):
        run.export(models_dir=tmp_path)


def test_a_preset_never_replaces_another(tmp_path):
    target = tmp_path / "m-preset"
    for content in ("first", "second"):
        with temporary_folder(tmp_path, target.name) as folder:
            folder.mkdir()
            (folder / "config.json").write_text(content)
            if content == "first":
                assert publish_once(folder, target) == target
            else:
                with pytest.raises(SettingError, match="m-preset exists already"):
                    publish_once(folder, target)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    assert (target / "config.json").read_text() == "first"
