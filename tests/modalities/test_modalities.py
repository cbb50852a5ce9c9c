"""The registry of modalities."""

import subprocess
import sys

import numpy as np
import pytest

from kerasft.config import Config, ImageConfig, TextConfig
from kerasft.data import Examples, prepare_inputs
from kerasft.errors import SettingError
from kerasft.modalities import IMAGES, TEXTS, features, modality_of, recorded_modality


def test_a_config_or_its_class_has_a_modality():
    assert modality_of(ImageConfig()) is IMAGES is modality_of(ImageConfig)
    assert modality_of(TextConfig(preset="x")) is TEXTS is modality_of(TextConfig)


def test_inputs_of_no_known_kind_are_refused():
    with pytest.raises(SettingError, match=r"are of Config, .*ImageConfig or TextConfig"):
        prepare_inputs(Config(), Examples(["a"], None, ["a"]))


def test_the_command_line_needs_no_numpy_to_ask_a_modality():
    heavy = {"numpy", "keras", "PIL", "kerasft.models"}
    code = f"import sys, kerasft.modalities; print(set(sys.modules) & {heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("pairs", [False, True])
def test_an_example_is_prepared_as_real_inputs_are(pairs, preset):
    image = ImageConfig(image_size=16)
    x = prepare_inputs(image, Examples([IMAGES.example(image)], None, ["an example"]))
    assert x.shape == (1, 16, 16, 3)
    text = TextConfig(preset=preset("bert"), sequence_length=16)
    x = prepare_inputs(text, Examples([TEXTS.example(text, pairs=pairs)], None, ["an example"]))
    assert x["token_ids"].shape[0] == 1


def test_features_of_no_known_kind_are_refused():
    with pytest.raises(SettingError, match=r"are of Config, .*ImageConfig or TextConfig"):
        features(None, Config())


def test_a_record_of_any_version_tells_its_modality():
    settings = {"text_column": None, "sequence_length": 64}
    assert recorded_modality({"modality": "images"}, settings) is IMAGES
    assert recorded_modality({}, settings) is TEXTS
    assert recorded_modality({}, {"image_column": None}) is IMAGES
    assert not recorded_modality({}, {"epochs": 1}).name
    assert not recorded_modality({"modality": ""}, settings).name


def test_what_is_shown_of_an_input():
    pixels = np.zeros((1, 8, 8, 3), np.uint8)
    assert set(IMAGES.excerpt("a.png", pixels, 0)) == {"picture"}
    assert TEXTS.excerpt(("a", "b"), {}, 0) == {"text": "a\tb"}
    assert TEXTS.excerpt("a" * 700, {}, 0) == {"text": "a" * 600}
    assert IMAGES.typed_example(pairs=False) == "image.png"
    assert TEXTS.typed_example(pairs=True) == r"$'a text\tthe second text'"
    assert TEXTS.served_examples(pairs=True) == ["'a text'", "'the second text'"]
