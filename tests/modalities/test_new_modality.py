"""A new modality is a file and its registration; the rooms around it stay as they are."""

import json

import keras
import numpy as np
import pytest
from click.testing import CliRunner

import kerasft
from kerasft import catalog
from kerasft.cli import main
from kerasft.errors import DataError, SettingError
from kerasft.modalities import MODALITIES, known_settings
from tests.conftest import write_table
from tests.modalities.number_rows import Numbers

RECIPE = '''"""Tell points above a line from those below."""

import keras

import kerasft
from tests.modalities.number_rows import NumbersConfig


class Config(NumbersConfig):
    epochs: int = 10
    batch_size: int = 8
    learning_rate: float = 0.03


def build_model(config, data):
    backbone = kerasft.load_backbone(config)
    kerasft.freeze(backbone, config)
    inputs, features = kerasft.features(backbone, config)
    return keras.Model(inputs, kerasft.head(features, config, data.labels))
'''


@pytest.fixture(scope="module")
def registered():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODALITIES, "numbers", Numbers())
        yield


@pytest.fixture(scope="module")
def recipe(registered, tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "points.py"
    path.write_text(RECIPE, encoding="utf-8")
    return catalog.load_recipe(path)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """A table of points, and a backbone of two blocks for them."""
    folder = tmp_path_factory.mktemp("points")
    x, y = np.random.default_rng(0).uniform(-1, 1, (2, 120))
    rows = [
        {"x": round(a, 4), "y": round(b, 4), "label": "above" if b > a else "below"}
        for a, b in zip(x.tolist(), y.tolist(), strict=True)
    ]
    keras.utils.set_random_seed(0)
    inputs = keras.Input((2,))
    hidden = keras.layers.Dense(16, "relu", name="first")(inputs)
    backbone = keras.Model(inputs, keras.layers.Dense(8, "relu", name="second")(hidden))
    backbone.save(folder / "points.keras")
    table = write_table(folder / "points.csv", rows)
    return {"dataset": table, "preset": str(folder / "points.keras")}


@pytest.fixture(scope="module")
def run(recipe, settings, tmp_path_factory):
    config = recipe.Config(**settings)
    return kerasft.fit(recipe, config, runs_dir=tmp_path_factory.mktemp("runs"), progress=False)


def test_a_fit_learns_from_the_inputs(run):
    assert run.metrics["validation"]["accuracy"] > 0.8
    assert run.modality.name == run.manifest["modality"] == "numbers"
    assert not run.pairs
    assert [block["name"] for block in run.manifest["blocks"]][-1] == "head"
    assert len(run.manifest["blocks"]) == 3


def test_a_run_is_evaluated_and_predicts_from_other_columns(run, tmp_path):
    rows = [{"a": 0.9, "b": -0.9, "label": "below"}, {"a": -0.9, "b": 0.9, "label": "above"}]
    table, columns = write_table(tmp_path / "other.csv", rows), {"number_columns": "a,b"}
    assert kerasft.evaluate(run, dataset=table, columns=columns)["accuracy"] == 1
    found = kerasft.predict(run, [table], columns=columns)
    assert [row["prediction"] for row in found] == ["below", "above"]
    with pytest.raises(DataError, match="has no column 'x'"):
        kerasft.predict(run, [table])


def test_a_run_is_served(run, tmp_path):
    import tensorflow as tf

    path = kerasft.export(run, models_dir=tmp_path)
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    served = serve(numbers=tf.constant([[0.9, -0.9], [-0.9, 0.9]]))
    assert served["prediction"].numpy().tolist() == [b"below", b"above"]


@pytest.mark.slow
def test_a_graph_has_the_inputs_of_its_model(run, settings, tmp_path):
    path = kerasft.export(run, models_dir=tmp_path, format="onnx")
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["prepared_inputs"] == {"numbers": {"dtype": "float32", "shape": ["n", 2]}}
    expected = kerasft.predict(run, settings["dataset"])
    found = kerasft.predict(path, settings["dataset"])
    assert [row["prediction"] for row in found] == [row["prediction"] for row in expected]


def test_a_run_is_diagnosed_and_reported(run):
    assert kerasft.diagnose(run)["state"] == "done"
    assert kerasft.write_report(run).stat().st_size > 0


def test_the_command_line_lists_its_settings(recipe):
    shown = CliRunner().invoke(main, ["fit", recipe.__file__, "--help"])
    assert "--number-columns" in shown.output
    assert known_settings()["number_columns"].group == "numbers"
    refused = CliRunner().invoke(main, ["fit", recipe.__file__, "--image-size", "8"])
    assert "is a setting of recipes for images" in refused.output
    assert "points.py is a recipe for numbers" in refused.output


def test_pairs_of_texts_are_no_part_of_it(recipe):
    with pytest.raises(SettingError, match=r"text_pair=.* is not a part of a dataset"):
        recipe.Config(dataset=kerasft.Dataset("x.csv", text_pair="b"))
