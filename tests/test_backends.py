"""Training on another backend of Keras: the same recipe, and a run that TensorFlow can serve."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest

import kerasft

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs the extra jax"),
]

FIT = """
import json, sys
import keras, kerasft
assert keras.backend.backend() == "jax"
name, settings, folder, inputs = json.loads(sys.argv[1])
recipe = kerasft.load_recipe(name)
losses = {}
for cache in (False, True):
    config = recipe.Config(**settings, cache=cache, dropout=0.0)
    run = kerasft.fit(recipe, config, runs_dir=folder, name=str(cache), progress=False)
    losses[cache] = [row["loss"] for row in run.history]
try:
    kerasft.export(run, models_dir=folder)
except kerasft.SettingError as error:
    message = str(error)
print(json.dumps([losses[False], losses[True], message, kerasft.predict(run, inputs)]))
"""

AUGMENTED = """
import sys
import keras, numpy as np
from types import ModuleType, SimpleNamespace
from kerasft.models import augment
from kerasft.models.recipe_model import build_recipe_model
inputs = keras.Input((16, 16, 3))
pixels = augment(inputs, strength=sys.argv[1], random_erasing=0.5)
pixels = keras.layers.RandomShear(0.1, 0.1)(pixels)  # of a recipe
model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(pixels)))
recipe = ModuleType("recipe")
recipe.build_model = lambda config, data: model
build_recipe_model(recipe, None, SimpleNamespace(labels=SimpleNamespace(num_outputs=3)))
assert model.jit_compile  # of predictions
model.compile("sgd", "mse")
assert model.jit_compile
history = model.fit(np.ones((8, 16, 16, 3)), np.ones((8, 3)), batch_size=4, verbose=0)
assert np.isfinite(history.history["loss"]).all()
"""


def on_jax(program, argument):
    done = subprocess.run(
        [sys.executable, "-c", program, argument], capture_output=True, text=True, check=False,
        env={**os.environ, "KERAS_BACKEND": "jax"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("strength", ["light", "strong", "randaugment"])
def test_jax_compiles_steps_with_augmentation(strength):
    on_jax(AUGMENTED, strength)


@pytest.mark.parametrize("kind", ["texts", "images"])
def test_jax_trains_and_tensorflow_serves(kind, preset, reviews, photos, tmp_path):
    common = {"trainable_blocks": 1, "head_epochs": 1, "epochs": 3, "batch_size": 8, "patience": 0}
    texts = {"preset": preset("bert"), "dataset": reviews, "sequence_length": 16}
    images = {"preset": preset("resnet"), "dataset": photos, "image_size": 16,
              "augmentation": "none"}  # fmt: skip
    name, settings, inputs = {
        "texts": ("minilm_tickets", {**texts, **common}, ["a great movie", "bad"]),
        "images": ("resnet_digits", {**images, **common}, [f"{photos}/red/1.png"]),
    }[kind]
    words = json.dumps([name, settings, str(tmp_path), inputs])
    plain, kept, message, rows = json.loads(on_jax(FIT, words).splitlines()[-1])
    assert kept == pytest.approx(plain, rel=1e-4)
    assert "KERAS_BACKEND=tensorflow" in message
    run = tmp_path / name / "True"
    again = kerasft.predict(run, inputs)
    for here, there in zip(again, rows, strict=True):
        assert here["prediction"] == there["prediction"]
        assert here["probability"] == pytest.approx(there["probability"], abs=1e-4)
    assert (kerasft.export(run, models_dir=tmp_path / "models") / "saved_model.pb").exists()
