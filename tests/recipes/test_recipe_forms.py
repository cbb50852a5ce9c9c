"""A recipe may say everything explicitly, as those before 0.2 do, or leave it to its config."""

import re

import keras
import pytest

import kerasft
from kerasft import catalog
from kerasft.config import ImageConfig, TextConfig
from kerasft.data import load_recipe_data
from kerasft.presets.keras_hub_presets import builtin_presets
from kerasft.presets.resolve import APPLICATIONS
from kerasft.testing import check_recipe

RECIPES = sorted(catalog.list_recipes(), key=lambda recipe: recipe.name)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_docstring_states_the_size_of_the_preset_as_an_error_does(recipe):
    preset = catalog.recipe_defaults(recipe).get("preset") or ""
    text = " ".join(recipe.docstring.split())
    stated = re.search(r"\(([\d.]+) million parameters(?:, about ([\d,]+) MB)?", text)
    known = builtin_presets().get(preset)
    millions = known and known["params"] / 1e6
    if preset.startswith("applications:"):
        millions = APPLICATIONS[preset.removeprefix("applications:")][1]
    if millions is None:  # nothing is downloaded
        assert stated is None
        return
    number, megabytes = stated.groups()
    decimals = len(number.partition(".")[2])
    assert float(number) == round(millions, decimals)
    assert megabytes in (None, f"{millions * 4:,.0f}")


EXPLICIT = '''"""Name the color of a photograph."""

from dataclasses import dataclass

import kerasft


@dataclass(frozen=True, kw_only=True)
class Config(kerasft.ImageConfig):
    trainable_blocks: int = 1


def load_data(config):
    return kerasft.load_data(config)


def build_model(config, data):
    import keras

    backbone = kerasft.load_backbone(config.preset, pretrained=config.pretrained)
    kerasft.freeze(backbone, config.trainable_blocks, freeze_batch_norm=config.freeze_batch_norm)
    inputs, features = kerasft.image_features(backbone, config)
    return keras.Model(inputs, kerasft.head(features, config, data.labels))
'''


def test_a_recipe_with_load_data_and_explicit_arguments_keeps_working(preset, photos, tmp_path):
    path = tmp_path / "colors.py"
    path.write_text(EXPLICIT)
    check_recipe(str(path), tmp_path, dataset=photos, preset=preset("resnet"), image_size=16)


def test_a_load_data_of_its_own_is_called():
    own = kerasft.Data(None, None, None, kerasft.Labels("classification", ("cat", "dog")))

    class Recipe:
        load_data = staticmethod(lambda config: {3: own}[config])

    assert load_recipe_data(Recipe, 3) is own


@pytest.mark.parametrize("family", ["resnet", "bert"])
def test_a_config_says_what_explicit_arguments_say(family, preset):
    kind = ImageConfig if family == "resnet" else TextConfig
    size = {"image_size": 16} if family == "resnet" else {"sequence_length": 16}
    config = kind(preset=preset(family), trainable_blocks=1, **size)
    explicit = kerasft.load_backbone(preset(family))
    kerasft.freeze(explicit, 1, freeze_batch_norm=getattr(config, "freeze_batch_norm", False))
    short = kerasft.load_backbone(config)
    kerasft.freeze(short, config)
    flags = [[v.trainable for v in model.weights] for model in (explicit, short)]
    assert flags[0] == flags[1] and set(flags[0]) == {True, False}
    old = kerasft.image_features if family == "resnet" else kerasft.text_features
    models = [keras.Model(*old(explicit, config)), keras.Model(*kerasft.features(short, config))]
    assert models[0].output.shape == models[1].output.shape
