"""The dataset is a value: equal configs read the same, however they were made."""

import dataclasses
import functools
import json
import shlex
from pathlib import Path

import click
import numpy as np
import pytest

import kerasft
from kerasft import Dataset, catalog
from kerasft.cli import main
from kerasft.cli.options import given_settings, setting_options
from kerasft.config import FORMAT, ImageConfig, TextConfig, changed_settings, from_record, to_dict
from kerasft.data import column_names, load_data, read_dataset
from kerasft.errors import ResumeError, SettingError
from kerasft.insight import fit_command
from kerasft.modalities import known_settings
from kerasft.recipes import deberta_entailment, minilm_urgency, resnet_digits, xception_food
from kerasft.runs.provenance import anchored
from kerasft.training.resume_checks import original_settings

RECIPES = [recipe.name for recipe in catalog.list_recipes()]
KINDS = ("folder", "table", "tfds", "builtin")


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The folder in which TFDS finds `pictures` and `mails`."""
    import tensorflow_datasets as tfds

    root = tmp_path_factory.mktemp("tfds")
    label = tfds.features.ClassLabel(names=["a", "b"])
    rows = {
        "pictures": (
            {"image": tfds.features.Image(shape=(8, 8, 3)), "label": label},
            [{"image": np.full((8, 8, 3), i, np.uint8), "label": i % 2} for i in range(4)],
        ),
        "mails": (
            {"text": tfds.features.Text(), "label": label},
            [{"text": f"mail {i}", "label": i % 2} for i in range(4)],
        ),
    }
    for name, (features, examples) in rows.items():
        tfds.dataset_builders.store_as_tfds_dataset(
            name=name, version="1.0.0", data_dir=root,
            features=tfds.features.FeaturesDict(features),
            split_datasets={"train": enumerate(examples), "test": enumerate(examples[:2])},
            disable_shuffling=True,
        )  # fmt: skip
    return str(root)


@pytest.fixture
def sources(stored, photos, prices, reviews):
    """By kind what a dataset can be: for images and for texts."""
    folder = str(Path(reviews).parent)
    return {
        "images": {
            "folder": photos,
            "table": prices,
            "tfds": Dataset("tfds:pictures", data_dir=stored),
            "builtin": "builtin:digits",
        },
        "texts": {
            "folder": folder,
            "table": reviews,
            "tfds": Dataset("tfds:mails", data_dir=stored),
            "builtin": "builtin:tickets",
        },
    }


@functools.cache
def plain(base, dataset):
    return contents(base(dataset=dataset))


def contents(config):
    return {
        split: (part.content_hashes, part.labels) for split, part in read_dataset(config).items()
    }


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_replaced_dataset_is_a_given_one_and_is_read_like_it(sources, name, kind):
    config = catalog.load_recipe(name).Config
    images = issubclass(config, ImageConfig)
    base = ImageConfig if images else TextConfig
    dataset = sources["images" if images else "texts"][kind]
    given, replaced = config(dataset=dataset), dataclasses.replace(config(), dataset=dataset)
    assert replaced == given
    assert to_dict(replaced) == to_dict(given)
    assert given.dataset == base(dataset=dataset).dataset  # nothing of the recipe's own
    given, replaced = (dataclasses.replace(c, task="classification") for c in (given, replaced))
    assert contents(replaced) == contents(given) == plain(base, dataset)


@pytest.mark.parametrize("name", RECIPES)
def test_settings_of_every_recipe_survive_their_flat_form(name):
    kind = catalog.load_recipe(name).Config
    flat = json.loads(json.dumps(to_dict(kind())))
    assert kind(**flat) == kind()
    assert flat["dataset"] == kind().dataset.source
    for config in (kind(), kind(dataset="x"), kind(train_split="a"), kind(dataset="x", seed=3)):
        assert kind(**changed_settings(config)) == config
    assert changed_settings(kind()) == {}
    assert changed_settings(kind(dataset="x")) == {"dataset": "x"}


def test_a_flat_name_replaces_one_part_and_a_dataset_the_whole():
    kind, own = deberta_entailment.Config, deberta_entailment.Config().dataset
    assert kind(text_column="body").dataset == dataclasses.replace(own, text="body")
    assert kind(dataset="x", text_column="body").dataset == Dataset("x", text="body")
    config = dataclasses.replace(kind(dataset="x", test_split="dev"), text_column="body")
    assert config.dataset == Dataset("x", text="body", test="dev")
    assert (config.text_column, config.text_pair_column, config.test_split) == ("body", None, "dev")
    assert dataclasses.replace(config, dataset="y").dataset == Dataset("y")


def test_a_recipe_reads_its_own_splits_and_no_other_data_by_them():
    assert xception_food.Config().dataset == Dataset(
        "tfds:food101", train="train", test="validation", validation_fraction=0.05
    )
    assert dataclasses.replace(xception_food.Config(), dataset="photos").test_split is None


def test_flat_names_are_those_of_the_modality():
    assert not hasattr(ImageConfig(), "text_column") and not hasattr(TextConfig(), "image_column")
    with pytest.raises(SettingError, match="Setting `image_column` not found"):
        TextConfig(image_column="picture")
    with pytest.raises(SettingError, match=r"text=.* is not a part of a dataset for ImageConfig"):
        ImageConfig(dataset=Dataset("x", text="body"))


def test_parts_are_checked_under_their_flat_names():
    with pytest.raises(SettingError, match=r"`validation_fraction` must be at most 0\.5"):
        TextConfig(dataset=Dataset("x", validation_fraction=0.7))
    with pytest.raises(SettingError, match=r"`dataset` must be text. Received: dataset=3"):
        TextConfig(dataset=3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        TextConfig().label_column = "x"


def test_a_recipe_with_flat_attributes_and_a_decorator_keeps_working():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Config(TextConfig):
        dataset: str = "mail.csv"
        train_split: str | None = "first"
        stamps: int = kerasft.setting(2, "Stamps", minimum=0)

    assert Config().dataset == Dataset("mail.csv", train="first")
    assert Config(dataset="x").dataset == Dataset("x")
    assert dataclasses.replace(Config(), stamps=3).stamps == 3
    with pytest.raises(SettingError, match="`stamps` must be at least 0"):
        Config(stamps=-1)


@pytest.mark.slow
def test_equal_configs_are_interchangeable_in_fit_export_and_resume(photos, preset, tmp_path):
    settings = {
        "preset": preset("vgg"), "image_size": 16, "epochs": 1, "head_epochs": 0,
        "trainable_blocks": 0, "batch_size": 16, "augmentation": "none", "label_smoothing": 0.0,
    }  # fmt: skip
    given = resnet_digits.Config(dataset=photos, **settings)
    replaced = dataclasses.replace(resnet_digits.Config(**settings), dataset=photos)
    assert given == replaced
    runs = [
        kerasft.fit(resnet_digits, config, runs_dir=tmp_path, name=name, progress=False)
        for name, config in (("given", given), ("replaced", replaced))
    ]
    first, second = runs
    prints = {run.manifest["data"]["fingerprint"] for run in runs}
    assert prints == {load_data(given).fingerprint, load_data(replaced).fingerprint}
    assert first.config == second.config and first.manifest["given"] == second.manifest["given"]
    assert first.metrics["test"] == second.metrics["test"]
    names = {kerasft.export(run, models_dir=tmp_path / run.name).parent.name for run in runs}
    assert len(names) == 1 and names.pop().startswith("resnet_digits_photos")
    for config in (given, replaced):
        assert original_settings(first, resnet_digits.Config, config) == given
    # The command line says what was given; Python compares what differs from the recipe.
    same = dataclasses.replace(given, epochs=10)
    assert original_settings(first, resnet_digits.Config, same) == given
    with pytest.raises(ResumeError, match="was started with epochs=1, not 10"):
        original_settings(first, resnet_digits.Config, same, ["epochs"])


@pytest.mark.parametrize(
    ("columns", "kept"), [("text,label,urgency", "urgency"), ("text,label", None)]
)
def test_an_old_record_names_the_recipes_own_columns_in_vain(tmp_path, columns, kept):
    path = tmp_path / "a.csv"
    path.write_text(f"{columns}\n{'x,' * columns.count(',')}3\n")
    values = {**to_dict(minilm_urgency.Config(dataset=str(path))), "label_column": "urgency"}
    config = from_record(minilm_urgency.Config, values, {}, column_names)
    assert config.dataset == Dataset(str(path), label=kept)
    config = from_record(minilm_urgency.Config, values, {"format": FORMAT}, column_names)
    assert config.label_column == "urgency"  # it was given


def test_an_old_record_of_single_texts_has_no_second_column():
    values = to_dict(deberta_entailment.Config())
    record = {"data": {"pairs": False}}
    config = from_record(deberta_entailment.Config, values, record, column_names)
    assert (config.text_column, config.text_pair_column) == ("sentence1", None)
    record["data"]["pairs"] = True
    config = from_record(deberta_entailment.Config, values, record, column_names)
    assert config == deberta_entailment.Config()


def printed(kind, config):
    """The settings that the command line reads from the printed command."""
    words = shlex.split(fit_command("minilm_urgency", changed_settings(config)))[3:]
    context = click.Command("fit", params=setting_options(kind)).make_context("fit", words)
    return kind(**given_settings(context, kind))


@pytest.mark.parametrize(
    "given",
    [
        {"dataset": "builtin:tickets"},
        {"label_column": None},
        {"dataset": "builtin:tickets", "text_column": "message", "seed": 3},
        {"dataset": "x.csv", "label_column": "urgency"},
        {"text_column": "message"},
    ],
)
def test_the_printed_command_reproduces_the_dataset(given):
    config = minilm_urgency.Config(**given)
    assert minilm_urgency.Config(**changed_settings(config)) == config
    assert None not in changed_settings(config).values()
    assert printed(minilm_urgency.Config, config) == config


def test_the_recipes_own_path_stays_as_it_is_without_its_columns(tmp_path, monkeypatch):
    class Config(TextConfig):
        dataset: str = "mail.csv"
        label_column: str = "urgency"

    monkeypatch.chdir(tmp_path)
    Path("mail.csv").write_text("text,label\nx,1\n")
    assert anchored(Config(dataset="mail.csv")).dataset == Dataset("mail.csv")


def test_resuming_compares_the_whole_dataset_from_python_and_the_command_line(tmp_path):
    kind, path = minilm_urgency.Config, tmp_path / "run"
    path.mkdir()
    (path / "config.json").write_text(json.dumps(to_dict(kind())))
    (path / "manifest.json").write_text(json.dumps({"format": FORMAT}))
    original = functools.partial(original_settings, kerasft.runs.Run(path), kind)
    own = kind(dataset=kind().dataset.source)
    assert own.label_column is None
    for held in (None, ["dataset"]):
        with pytest.raises(ResumeError, match="with label_column=urgency, not None"):
            original(own, held)
        assert original(kind(), held) == kind()
        assert original(kind(dataset=own.dataset.source, label_column="urgency"), held) == kind()


@pytest.mark.parametrize("names", ["a, b", "a,b"])
@pytest.mark.parametrize("present", [["a", "b"], ["a, b", "a,b"]])
def test_an_old_record_keeps_several_columns_that_the_data_have(names, present):
    class Config(TextConfig):
        dataset: Dataset = Dataset("own.csv", label=names, label_separator="|")
        task: str = "multilabel"

    values = {**to_dict(Config()), "dataset": "other.csv"}
    config = from_record(Config, values, {}, lambda dataset: present)
    assert config.dataset == Dataset("other.csv", label=names)
    assert from_record(Config, to_dict(Config()), {}, lambda dataset: []) == Config()
    values["label_separator"] = ";"
    config = from_record(Config, values, {}, lambda dataset: ["text"])
    assert config.dataset == Dataset("other.csv", label_separator=";")


def test_an_old_record_keeps_its_columns_where_the_data_cannot_be_opened(tmp_path, photos):
    missing = str(tmp_path / "gone.csv")
    assert column_names(Dataset(missing)) is None
    assert column_names(Dataset("tfds:gone", data_dir=str(tmp_path))) is None
    assert column_names(Dataset(photos)) == []
    values = {**to_dict(minilm_urgency.Config()), "dataset": missing}
    config = from_record(minilm_urgency.Config, values, {}, column_names)
    assert config.dataset == Dataset(missing, label="urgency")
    values["dataset"] = photos
    config = from_record(minilm_urgency.Config, values, {}, column_names)
    assert config.dataset == Dataset(photos)


def test_flat_attributes_of_an_older_recipe_may_be_declared():
    class Config(TextConfig):
        dataset: str = kerasft.setting("mail.csv", "Table of mails")
        label_column: str = kerasft.setting("topic", "Column of the topic")

    assert Config().dataset == Dataset("mail.csv", label="topic")
    assert Config(dataset="x").dataset == Dataset("x")
    assert to_dict(Config(label_column="y"))["label_column"] == "y"

    class Other(TextConfig):
        dataset: Dataset = kerasft.setting(Dataset("mail.csv", text="body"), "Mails")
        label_column: str = "topic"

    assert Other().dataset == Dataset("mail.csv", text="body", label="topic")


def test_a_declared_dataset_is_read_without_importing_the_recipe(tmp_path):
    path = tmp_path / "mails.py"
    path.write_text(
        "class Config(TextConfig):\n"
        '    dataset: Dataset = setting(Dataset("mail.csv", label="topic"), "Mails")\n'
        '    epochs: int = setting(3, "Epochs")\n'
    )
    defaults = catalog.recipe_defaults(catalog.find_recipe(path))
    assert defaults == {"dataset": "mail.csv", "epochs": 3}


def test_a_dataset_prints_as_the_call_that_makes_it():
    assert repr(Dataset("reviews.csv", label="stars")) == "Dataset('reviews.csv', label='stars')"
    assert repr(Dataset("x")) == "Dataset('x')"
    full = Dataset("x", test="dev", validation_fraction=0.1)
    assert eval(repr(full)) == full


def test_a_config_keeps_a_dataset_of_another_class():
    class Mails(Dataset):
        pass

    config = TextConfig(dataset=Mails("x"), label_column="topic")
    assert config.dataset == Mails("x", label="topic")
    assert type(dataclasses.replace(config, seed=3).dataset) is Mails


def test_a_dataset_has_no_names_of_splits_without_them():
    named = Dataset("x", text="body", train="a", validation="b", test="c", test_fraction=0.2)
    assert named.without_splits() == Dataset("x", text="body", test_fraction=0.2)


@pytest.mark.parametrize(("command", "labels"), [("predict", False), ("evaluate", True)])
def test_commands_on_other_data_have_an_option_for_every_column(command, labels):
    options = {option.name for option in main.get_command(None, command).params}
    columns = {name for name, item in known_settings().items() if item.role == "column"}
    assert columns >= {"text_column", "text_pair_column", "image_column", "label_column"}
    assert columns - options == (set() if labels else {"label_column"})


def test_a_class_has_flat_names_with_the_defaults_of_its_dataset():
    class Letters(TextConfig):
        dataset: str = "letters.csv"
        label_column: str = "kind"
        epochs: int = 3

    assert (Letters.label_column, Letters.text_column, Letters.epochs) == ("kind", None, 3)
    assert Letters().dataset == Letters.dataset == Dataset("letters.csv", label="kind")
    assert {item.name for item in dataclasses.fields(Letters)} >= {"dataset", "epochs"}
    assert Letters(epochs=5, label_column="other").epochs == 5
