"""Settings meet the same check and the same message everywhere."""

import copy
import dataclasses
import shutil

import pytest

import kerasft
from kerasft.config import (
    Config,
    ImageConfig,
    TextConfig,
    changed_settings,
    from_dict,
    to_dict,
    with_keywords,
)
from kerasft.dataset import Dataset
from kerasft.errors import SettingError
from kerasft.recipes import xception_food
from kerasft.setting_declaration import settings


@dataclasses.dataclass(frozen=True, kw_only=True)
class Custom(ImageConfig):
    epochs: int = 3
    zoom: float = kerasft.setting(0.1, "Largest zoom", group="data", minimum=0, below=1)
    plain: bool = False


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("dropout", 1.5, "`dropout` must be below 1. Received: dropout=1.5."),
        ("dropout", -0.1, "`dropout` must be at least 0. Received: dropout=-0.1."),
        ("epochs", 0, "`epochs` must be at least 1. Received: epochs=0."),
        ("epochs", 2.5, "`epochs` must be a whole number. Received: epochs=2.5."),
        ("epochs", True, "`epochs` must be a whole number. Received: epochs=True."),
        ("learning_rate", float("nan"), "`learning_rate` must be a number"),
        ("learning_rate", "high", "`learning_rate` must be a number or auto. Received"),
        ("seed", 10**10, "`seed` must be at most 2,147,483,647"),
        ("batch_size", 10**400, "`batch_size` must be a whole number"),
        ("optimizer", "adamm", "Received: optimizer='adamm'. Did you mean 'adam'?"),
        ("trainable_blocks", -2, "`trainable_blocks` must be at least -1"),
        ("pretrained", "yes", "`pretrained` must be true or false. Received: pretrained='yes'."),
        ("preset", 7, "`preset` must be text. Received: preset=7."),
        ("label_column", 7, "`label_column` must be text. Received: label_column=7."),
        ("zoom", 1, "`zoom` must be below 1"),
    ],
)
def test_a_bad_value_is_one_sentence_on_construction_and_replacement(setting, value, message):
    for make in (
        lambda: Custom(**{setting: value}),
        lambda: dataclasses.replace(Custom(), **{setting: value}),
        lambda: from_dict(Custom, {setting: value}),
    ):
        with pytest.raises(SettingError) as caught:
            make()
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)


def test_settings_without_effect_have_a_note():
    idle = TextConfig(trainable_blocks=0, layer_decay=0.8, pretrained_l2=0.1).notes()
    assert [note.split()[0] for note in idle] == ["`pretrained_l2`", "`layer_decay`"]
    (alone,) = TextConfig(trainable_blocks=1, unfreeze_every=2).notes()
    assert alone == "`unfreeze_every` has no effect with trainable_blocks=1."
    (twice,) = TextConfig(trainable_blocks=0, head_epochs=1, head_learning_rate=0.02).notes()
    assert "--head-epochs 0 --learning-rate 0.02" in twice
    (smooth,) = TextConfig(task="regression", label_smoothing=0.1).notes()
    assert "label_smoothing" in smooth
    assert TextConfig(trainable_blocks=2, layer_decay=0.8, head_epochs=1).notes() == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"validation_fraction": 0.5, "test_fraction": 0.4}, "must leave at least 0.2"),
        ({"class_weight": "balanced", "task": "regression"}, "only task=classification"),
        (
            {"pretrained": False, "trainable_blocks": 1},
            "`freeze_batch_norm` needs pretrained statistics",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(values, message):
    with pytest.raises(SettingError, match=message):
        Custom(**values)


def test_an_overridden_default_keeps_help_and_range():
    found = settings(Custom)
    assert found["epochs"].default == 3
    assert found["epochs"].help == settings(Config)["epochs"].help
    assert found["epochs"].minimum == 1
    assert found["zoom"].help == "Largest zoom"
    assert found["plain"].group == "recipe"


@pytest.mark.parametrize("kind", [ImageConfig, TextConfig])
def test_every_common_setting_has_help(kind):
    for name, setting in settings(kind).items():
        assert setting.help, name
        assert not setting.help.endswith("."), name


def test_settings_survive_a_dictionary():
    config = Custom(epochs=7, label_column="a,b")
    assert from_dict(Custom, to_dict(config)) == config


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(
        SettingError, match=r"Setting `dropuot` not found\. Did you mean 'dropout'\?"
    ):
        from_dict(Custom, {"dropuot": 0.1})


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("learning_rat", "learning_rate"),
        ("trainable_block", "trainable_blocks"),
        ("lr", "learning_rate"),
        ("num_train_epochs", "epochs"),
    ],
)
def test_an_unknown_keyword_is_refused_with_what_is_meant(name, near):
    message = rf"^Setting `{name}` not found\. Did you mean '{near}'"
    with pytest.raises(SettingError, match=message):
        Config(**{name: 1})
    with pytest.raises(SettingError, match=message):
        dataclasses.replace(Custom(), **{name: 1})


def test_a_config_is_shown_by_its_recipe_and_what_is_not_a_default(tmp_path):
    assert repr(Custom()) == "Custom()"
    assert repr(Custom(dropout=0.5, label_column="kind")) == (
        "Custom(dataset=Dataset('', label='kind'), dropout=0.5)"
    )
    assert repr(xception_food.Config(epochs=2)) == "xception_food.Config(epochs=2)"
    file = shutil.copy(xception_food.__file__, tmp_path / "mine.py")
    assert repr(kerasft.load_recipe(file).Config(epochs=2)) == "mine.Config(epochs=2)"


def test_keywords_replace_settings_of_a_config():
    config = with_keywords(Custom, Custom(epochs=7), {"dropout": 0.1, "label_column": "kind"})
    assert config == Custom(epochs=7, dropout=0.1, label_column="kind")
    assert with_keywords(Custom, None, {}) == Custom()


def test_several_label_columns_among_keywords_mean_several_labels():
    columns = {"dataset": "tags.csv", "label_column": "a,b"}
    for config in (None, Custom(), Custom(epochs=7)):
        assert with_keywords(Custom, config, {"label_column": "a,b"}).task == "multilabel"
        assert with_keywords(Custom, config, columns).task == "multilabel"
        assert with_keywords(Custom, config, {"dataset": Dataset("x", label="a,b")}).task == (
            "multilabel"
        )
        assert with_keywords(Custom, config, {"label_column": "a"}).task == "classification"
    # A task that was given stays, as does that of one column whose name has a comma.
    assert with_keywords(Custom, Custom(task="ordinal"), columns).task == "ordinal"
    assert with_keywords(Custom, None, {**columns, "task": "ordinal"}).task == "ordinal"
    one = Custom(task="classification", label_column="a,b")
    assert with_keywords(Custom, one, {"epochs": 3}).task == "classification"


def test_a_mistyped_option_of_a_call_is_refused_with_the_nearest():
    with pytest.raises(SettingError, match=r"`progres` not found\. Did you mean 'progress'"):
        with_keywords(Custom, None, {"progres": False}, ["progress", "runs_dir"])
    with pytest.raises(SettingError, match=r"`config` is of type str, but must be a Config"):
        with_keywords(Custom, "photos/", {})


def test_numbers_of_numpy_are_welcome():
    import numpy as np

    config = Custom(epochs=np.int64(4), learning_rate=np.float32(0.5))
    assert type(config.epochs) is int
    assert type(config.learning_rate) is float


def test_splits_of_the_recipes_own_data_mean_nothing_elsewhere():
    assert xception_food.Config().test_split == "validation"
    assert xception_food.Config(dataset="photos").test_split is None
    given = xception_food.Config(dataset="photos", test_split="validation")
    assert given.test_split == "validation"
    assert from_dict(xception_food.Config, to_dict(given)) == given
    assert copy.deepcopy(given) == given
    assert changed_settings(xception_food.Config(dataset="photos")) == {"dataset": "photos"}
    assert changed_settings(given) == {"dataset": "photos", "test_split": "validation"}
