"""The search space: declared by recipes, changed by the command line, checked before a trial."""

from types import SimpleNamespace

import keras_tuner
import pytest

from kerasft.errors import SettingError
from kerasft.recipes import resnet_digits
from kerasft.tuning.space import make_space, rounded, space_line


def lines(space):
    return [space_line(hp) for hp in space.space]


def recipe(declare):
    return SimpleNamespace(__name__="own", Config=resnet_digits.Config, search_space=declare)


@pytest.fixture
def config():
    return resnet_digits.Config()


def test_the_recipe_declares_and_given_settings_are_held(config):
    space = make_space(resnet_digits, config, fixed=["dropout"])
    assert lines(space) == ["learning_rate=0.0001..0.01:log", "trainable_blocks=-1,2,1"]


def test_the_command_line_replaces_and_adds(config):
    changes = [
        "dropout=0,0.1", "batch-size=16..64:16", "optimizer=adam,sgd", "freeze_batch_norm=no,yes",
        "kernel_l2=1e-5..1e-2:log", "head_epochs=0..3",
    ]  # fmt: skip
    space = make_space(resnet_digits, config, fixed=["learning_rate"], changes=changes)
    assert lines(space) == [
        "trainable_blocks=-1,2,1", "dropout=0.0,0.1", "batch_size=16..64:16",
        "optimizer=adam,sgd", "freeze_batch_norm=True,False", "kernel_l2=1e-05..0.01:log",
        "head_epochs=0..3",
    ]  # fmt: skip


def test_defaults_of_the_space_are_the_settings_where_they_lie_in_it(config):
    space = make_space(resnet_digits, config, changes=["batch_size=64,128"])
    assert {hp.name: hp.default for hp in space.space} == {
        "learning_rate": 1e-3, "trainable_blocks": -1, "dropout": 0.2, "batch_size": 64,
    }  # fmt: skip


def test_without_a_declaration_the_learning_rate_is_searched(config):
    own = SimpleNamespace(__name__="own", Config=resnet_digits.Config)
    assert lines(make_space(own, config)) == ["learning_rate=0.0001..0.01:log"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lerning_rate=1..2", "Did you mean 'learning_rate'?"),
        ("learning_rate", "must be NAME=LOW..HIGH"),
        ("learning_rate=3..2", "the lower end of the range must be below the upper one"),
        ("learning_rate=1e-5..1e-2:1e-12", "must divide the range into 1 to 10,000 steps"),
        ("epochs=4..12:0", "must divide the range into 1 to 10,000 steps"),
        ("epochs=4..12:20", "must divide the range into 1 to 10,000 steps"),
        ("epochs=4..12:-1", "must divide the range into 1 to 10,000 steps"),
        ("learning_rate=-1..2", "`learning_rate` must be at least 1e-09"),
        ("learning_rate=0..1:log", "`learning_rate` must be at least"),
        ("dropout=0..0.5:log", "does not support"),
        ("optimizer=adm,sgd", "Did you mean 'adam'?"),
        ("optimizer=a..b", "`optimizer` must be one of"),
        ("seed=1,2", "`seed` cannot be searched"),
        ("epochs=1.5..3", "`epochs` must be a whole number"),
        ("batch_size=a..b", "'a' is not a number"),
        ("freeze_batch_norm=maybe", "is true or false"),
    ],
)
def test_a_wrong_dimension_is_refused_in_a_sentence(config, text, message):
    with pytest.raises(SettingError) as raised:
        make_space(resnet_digits, config, changes=[text])
    assert message in str(raised.value)


def test_a_setting_is_held_or_searched_not_both(config):
    with pytest.raises(SettingError, match="Leave one of them out"):
        make_space(resnet_digits, config, fixed=["dropout"], changes=["dropout=0,0.1"])
    names = ["learning_rate", "trainable_blocks", "dropout"]
    with pytest.raises(SettingError, match="No setting is left to search"):
        make_space(resnet_digits, config, fixed=names)


def test_what_a_recipe_declares_is_checked_too(config):
    with pytest.raises(SettingError, match="has `learning_rat`, which is not a setting"):
        make_space(recipe(lambda hp: hp.Float("learning_rat", 0.1, 0.2)), config)
    with pytest.raises(SettingError, match="`dropout` must be below 1"):
        make_space(recipe(lambda hp: hp.Choice("dropout", [0.5, 1.0])), config)
    with pytest.raises(SettingError, match="own failed in search_space: "):
        make_space(recipe(lambda hp: hp.Choice("dropout", [0.5, 1])), config)


def test_proposals_have_four_figures_and_stay_inside():
    space = keras_tuner.HyperParameters()
    space.Float("learning_rate", 0.00012343, 0.01)
    values = {"learning_rate": 0.00012343, "tuner/epochs": 3}
    assert rounded(space, values) == {"learning_rate": 0.00012343}  # 0.0001234 lies outside
    assert rounded(space, {"learning_rate": 0.00345678}) == {"learning_rate": 0.003457}
