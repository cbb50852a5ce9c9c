"""A setting is declared once: all that the tool does with it follows from there."""

import ast
import dataclasses
from pathlib import Path

import keras
import pytest
from click.testing import CliRunner

import kerasft
from kerasft import catalog
from kerasft.cli import main
from kerasft.config import Config, ImageConfig, TextConfig
from kerasft.errors import SettingError
from kerasft.setting_conditions import when
from kerasft.setting_declaration import AFFECTS, Part, settings
from kerasft.setting_group import SettingGroup
from kerasft.tuning.space import make_space, space_line
from kerasft.tuning.trial_models import structure

RECIPE = '''"""Zoom into pictures."""
import kerasft
from kerasft.setting_conditions import when


class Config(kerasft.ImageConfig):
    zoom: float = kerasft.setting(
        0.1, "Largest zoom", minimum=0, below=1, affects="{affects}",
        idle_if=when(augmentation="none"), aliases=("max_scale",),
    )


def load_data(config): ...
def build_model(config, data): ...
'''
PACKAGE = Path(kerasft.__file__).parent
NAMES = {*settings(ImageConfig), *settings(TextConfig)}


@pytest.fixture
def own(tmp_path):
    """Returns a function that writes the recipe and loads it."""

    def load(affects="graph"):
        path = tmp_path / "zoom.py"
        path.write_text(RECIPE.format(affects=affects), encoding="utf-8")
        return catalog.load_recipe(path)

    return load


def test_a_setting_of_a_users_own_has_its_option_and_its_place_in_the_help(own):
    lines = CliRunner().invoke(main, ["fit", own().__file__, "--help-all"]).stdout.splitlines()
    option = next(number for number, line in enumerate(lines) if "--zoom NUMBER" in line)
    assert lines.index("Recipe settings:") < option < lines.index("Options:")
    text = " ".join(lines[option : option + 2])
    assert "Largest zoom" in text and "[default: 0.1; 0 <= x < 1]" in " ".join(text.split())


def test_a_setting_of_a_users_own_is_checked_and_searched(own):
    recipe = own()
    with pytest.raises(SettingError, match="`zoom` must be below 1"):
        recipe.Config(zoom=1)
    space = make_space(recipe, recipe.Config(), fixed=["learning_rate"], changes=["zoom=0..0.5"])
    assert [space_line(hp) for hp in space.space] == ["zoom=0..0.5"]


@pytest.mark.parametrize(("affects", "shared"), [("data", 2), ("graph", 2), ("number", 1)])
def test_a_setting_of_a_users_own_is_in_the_key_of_shared_graphs(own, affects, shared):
    config = own(affects).Config()
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(1, name="only")(inputs))
    configs = (config, dataclasses.replace(config, zoom=0.5))
    assert len({structure(model, one) for one in configs}) == shared


def test_a_setting_of_a_users_own_says_when_it_has_no_effect(own):
    kind = own().Config
    assert kind(augmentation="none").notes() == []
    (note,) = kind(augmentation="none", zoom=0.5).notes()
    assert note == "`zoom` has no effect with augmentation=none."


def test_a_setting_of_a_users_own_is_suggested_for_its_alias(own):
    recipe = own()
    with pytest.raises(SettingError, match=r"`max_scale` not found\. Did you mean 'zoom'\?"):
        recipe.Config(max_scale=0.2)
    result = CliRunner().invoke(main, ["fit", recipe.__file__, "--max-scale", "0.2"])
    assert "No such option '--max-scale'. Did you mean '--zoom'?" in result.stderr


@pytest.mark.parametrize("kind", [ImageConfig, TextConfig])
def test_an_alias_is_that_of_one_setting(kind):
    aliases = [alias for item in settings(kind).values() for alias in item.aliases]
    assert len(aliases) == len(set(aliases)) > 40
    assert not NAMES & set(aliases)
    assert all(alias.isidentifier() for alias in aliases)


def test_the_old_name_of_keywords_still_works():
    class Zoom(ImageConfig):
        zoom: float = kerasft.setting(0.1, "Largest zoom", words=("auto",))
        shift: float = kerasft.setting(0.1, "Largest shift", keywords=("auto",))

    config = Zoom(zoom="auto", shift="auto")
    assert (config.zoom, config.shift) == ("auto", "auto")
    with pytest.raises(SettingError, match="`zoom` must be a number or auto"):
        Zoom(zoom="none")


def test_what_cannot_be_compared_cannot_be_searched():
    fixed = {name for name in NAMES for kind in (ImageConfig, TextConfig)
             if name in settings(kind) and not settings(kind)[name].searchable}  # fmt: skip
    assert fixed >= {"dataset", "label_column", "test_split", "task", "seed", "monitor"}
    assert not fixed & {"learning_rate", "dropout", "image_size", "preset"}


def test_a_condition_has_values_alternatives_and_functions():
    config = TextConfig(trainable_blocks=1, lora_rank=4)
    assert when(trainable_blocks=1, lora_rank=bool)(config) == (
        "with trainable_blocks=1 and lora_rank=4"
    )
    assert when(trainable_blocks=(0, 2))(config) == ""
    with pytest.raises(SettingError, match="`affects` must be one of data, graph, number"):
        kerasft.setting(0, "x", affects="speed")


def groups():
    kinds = {base for kind in (ImageConfig, TextConfig) for base in kind.__mro__}
    leaves = {kind for kind in kinds if issubclass(kind, SettingGroup)}
    return leaves - {SettingGroup, Config, ImageConfig, TextConfig}


@pytest.mark.parametrize(
    "group", sorted(groups(), key=lambda kind: kind.__name__), ids=lambda kind: kind.__name__
)
def test_a_group_has_less_than_ten_settings_all_declared(group):
    own = [name for name, value in vars(group).items() if name in vars(group)["declared"]]
    assert 0 < len(own) < 10
    for name in own:
        assert vars(group)["declared"][name]["affects"] in AFFECTS
        assert isinstance(vars(group)[name], Part) or name in group.__annotations__


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_no_module_lists_names_of_settings(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            items = [
                item.elts[0] if isinstance(item, ast.Tuple) and item.elts else item
                for item in node.elts
            ]
            # Others are headings of tables, or metrics.
            named = [isinstance(item, ast.Constant) and item.value in NAMES for item in items]
            assert len(items) < 2 or not all(named), f"line {node.lineno}"


def test_a_condition_on_an_unknown_setting_is_refused():
    class Own(ImageConfig):
        zoom: float = kerasft.setting(0.1, "Zoom", idle_if=when(augmentatoin="none"))

    with pytest.raises(SettingError, match=r"`zoom` .* `augmentatoin` .*Did you mean"):
        settings(Own)
    with pytest.raises(SettingError, match="augmentatoin"):
        Own()


def test_an_unknown_role_is_refused():
    with pytest.raises(SettingError, match=r"`role` must be one of column, .*role='colum'"):
        kerasft.setting("", "x", role="colum")
