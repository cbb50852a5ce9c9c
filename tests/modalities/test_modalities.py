"""The registry of modalities."""

import subprocess
import sys

import pytest

from kerasft.config import Config, ImageConfig, TextConfig
from kerasft.data import Examples, prepare_inputs
from kerasft.errors import SettingError
from kerasft.modalities import IMAGES, TEXTS, modality_of
from kerasft.models import features


def test_a_config_or_its_class_has_a_modality():
    assert modality_of(ImageConfig()) is IMAGES is modality_of(ImageConfig)
    assert modality_of(TextConfig(preset="x")) is TEXTS is modality_of(TextConfig)


def test_inputs_of_no_known_kind_are_refused():
    with pytest.raises(SettingError, match=r"ImageConfig or a TextConfig\. Received: Config"):
        prepare_inputs(Config(), Examples(["a"], None, ["a"]))


def test_the_command_line_needs_no_numpy_to_ask_a_modality():
    code = "import sys, kerasft.modalities; print(set(sys.modules) & {'numpy', 'keras', 'PIL'})"
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


def test_every_modality_has_features_and_no_import_changes_a_modality():
    code = (
        "from kerasft.modalities import MODALITIES\n"
        "before = {name: dict(vars(each)) for name, each in MODALITIES.items()}\n"
        "from kerasft.models import heads\n"
        "assert before == {name: vars(each) for name, each in MODALITIES.items()}\n"
        "assert set(heads._FEATURES) == set(MODALITIES)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_features_of_no_known_kind_are_refused():
    with pytest.raises(SettingError, match=r"ImageConfig or a TextConfig\. Received: Config"):
        features(None, Config())
