"""Errors in a user's recipe name its file, the function and the line."""

import pytest

import kerasft
from kerasft.catalog import load_recipe
from kerasft.data import load_recipe_data
from kerasft.errors import ResourceError, SettingError
from kerasft.models.recipe_model import build_recipe_model
from kerasft.recipe_errors import errors_in
from kerasft.tuning.space import make_space

HEADING = '''"""Sort digits."""

import sys
import keras
import kerasft


class Config(kerasft.ImageConfig):
    dataset: str = "builtin:digits"


'''
BUILD = "def build_model(config, data):\n    "
LINE = HEADING.count("\n") + 2  # of the first statement in a function


@pytest.fixture
def recipe(tmp_path):
    """Returns a function from a source to the recipe."""

    def make(source):
        (tmp_path / "own.py").write_text(HEADING + source, encoding="utf-8")
        return load_recipe(tmp_path / "own.py")

    return make


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("raise ValueError('boom here')", "ValueError: boom here"),
        ("sys.exit(0)", "SystemExit: 0"),
        ("return config.nothing", "AttributeError: "),
        ("return keras.layers.Dense('wide')(keras.Input((3,)))", "ValueError: "),
    ],
)
def test_an_error_in_build_model_names_the_line(recipe, statement, reason):
    made = recipe(BUILD + statement)
    with pytest.raises(SettingError) as caught:
        build_recipe_model(made, made.Config(), None)
    assert f"own.py failed in build_model (line {LINE}): {reason}" in str(caught.value)


@pytest.mark.parametrize("returned", ["None", "3", "keras.Sequential()", "keras.Input((3,))"])
def test_what_is_no_model_for_the_labels_is_refused(recipe, returned):
    labels = kerasft.Labels("classification", ("cat", "dog"))
    made = recipe(f"{BUILD}return {returned}")
    with pytest.raises(SettingError, match=r"outputs of shape \(None, 2\)"):
        build_recipe_model(made, made.Config(), kerasft.Data(None, None, None, labels))


def test_a_model_with_another_number_of_outputs_is_refused(recipe):
    made = recipe(f"{BUILD}x = keras.Input((3,))\n    return keras.Model(x, x)")
    labels = kerasft.Labels("classification", ("cat", "dog"))
    with pytest.raises(SettingError, match=r"Received: outputs of shape \(None, 3\)"):
        build_recipe_model(made, made.Config(), kerasft.Data(None, None, None, labels))


def test_load_data_must_return_data(recipe):
    made = recipe(f"def load_data(config):\n    pass\n{BUILD}pass")
    with pytest.raises(SettingError, match=r"must return a kerasft\.Data. Received: None"):
        load_recipe_data(made, made.Config())


def test_an_error_in_search_space_names_the_line(recipe):
    made = recipe(f"def search_space(hp):\n    hp.Float('x')\n{BUILD}pass")
    with pytest.raises(SettingError, match=rf"own\.py failed in search_space \(line {LINE}\)"):
        make_space(made, made.Config())


@pytest.mark.parametrize("statement", ["sys.exit(0)", "1 / 0"])
def test_a_recipe_that_fails_when_it_is_imported_names_the_line(recipe, statement):
    with pytest.raises(SettingError, match=rf"own\.py cannot be imported.*line {LINE}"):
        recipe(f"\n{statement}\n{BUILD}pass")


@pytest.mark.parametrize("error", [SystemExit(143), KeyboardInterrupt(), ResourceError("Full.")])
def test_signals_and_errors_of_kerasft_pass(recipe, error):
    made = recipe(f"{BUILD}return config()")

    def stop():
        raise error

    with pytest.raises(type(error)), errors_in(made, "build_model"):
        made.build_model(stop, None)
