"""Settings from a file and from a run; the command that reproduces a run."""

import json
import shlex
from pathlib import Path

import pytest

from kerasft import catalog
from kerasft.config import changed_settings, to_dict
from kerasft.runs import RECIPE, sha256, write_json, write_manifest, write_recipe

TOML = """
epochs = 3
learning-rate = 1e-3

[text]
text_column = "body"
"""


@pytest.fixture
def fitted(kerasft_line, recipe_file, api, make_run):
    """Returns a function that runs a line of `fit` and returns the Config that it made."""
    api("fit", lambda *args, **kwargs: make_run(f"run{len(api.calls)}"))

    def fit(*words):
        result = kerasft_line("fit", *words)
        assert result.exit_code == 0, result.output
        return api.calls[-1][1][1]

    return fit


@pytest.fixture
def recorded(make_run, recipe_file):
    """A run of the recipe whose record names its file and the hash."""
    run = make_run()
    config = catalog.load_recipe(recipe_file).Config(
        stamps=4, dropout=0.4, dataset="other.csv", text_column="body"
    )
    write_json(run.path / "config.json", to_dict(config))
    recipe = {"name": "mail", "source": str(recipe_file), "sha256": sha256(recipe_file)}
    files = {RECIPE: write_recipe(run, recipe_file.read_bytes())}
    write_manifest(run, format=2, recipe=recipe, given=changed_settings(config), files=files)
    return run


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("my.toml", TOML),
        ("my.json", '{"epochs": 3, "learning_rate": 0.001, "text_column": "body"}'),
    ],
)
def test_settings_of_a_file_are_overridden_by_options(fitted, recipe_file, name, text, api):
    Path(name).write_text(text, encoding="utf-8")
    config = fitted(recipe_file, "--config", name, "--epochs", "5")
    assert changed_settings(config) == {
        "epochs": 5, "learning_rate": 1e-3, "text_column": "body"
    }  # fmt: skip
    assert sorted(api.calls[-1][2]["fixed"]) == ["epochs", "learning_rate", "text_column"]


def test_a_dataset_on_the_command_line_drops_the_columns_of_the_file(fitted, recipe_file):
    Path("my.json").write_text('{"dataset": "a.csv", "text_column": "body"}', encoding="utf-8")
    Path("b.csv").write_text("text,label\n", encoding="utf-8")
    assert fitted(recipe_file, "--config", "my.json").text_column == "body"
    config = fitted(recipe_file, "--config", "my.json", "--dataset", "b.csv")
    assert (config.dataset.source, config.text_column) == ("b.csv", None)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.toml", "epoch = 3", "Setting `epoch` of a.toml not found. Did you mean 'epochs'?"),
        ("a.toml", "epochs = ", "--config a.toml is not valid TOML"),
        ("a.json", "[3]", "--config a.json must be an object of settings. Received: [3]"),
        ("a.yaml", "epochs: 3", "--config must end in .json or .toml. Received: a.yaml."),
        ("a.json", None, "--config a.json cannot be read: No such file or directory."),
        ("a.json", '{"epochs": 0}', "--epochs must be at least 1."),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(kerasft_line, recipe_file, name, text, message):
    if text is not None:
        Path(name).write_text(text, encoding="utf-8")
    result = kerasft_line("fit", recipe_file, "--config", name)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_fit_like_a_run_has_its_recipe_and_settings(fitted, recorded):
    same = fitted("--like", "mail/first")
    assert to_dict(same) == recorded.config
    changed = fitted("--like", "mail/first", "--dropout", "0.1")
    assert to_dict(changed) == {**recorded.config, "dropout": 0.1}
    Path("b.csv").write_text("text,label\n", encoding="utf-8")
    moved = fitted("--like", "mail/first", "--dataset", "b.csv")
    assert (moved.dataset.source, moved.text_column, moved.stamps) == ("b.csv", None, 4)


def test_a_changed_recipe_is_fitted_only_by_name(fitted, recorded, kerasft_line, recipe_file):
    marker = Path("executed")
    with open(recipe_file, "a", encoding="utf-8") as file:
        file.write(f"\nopen({str(marker)!r}, 'w').close()\n")
    result = kerasft_line("fit", "--like", "mail/first")
    assert result.exit_code == 4
    assert f"kerasft fit {recipe_file} --like runs/mail/first" in result.stderr
    assert not marker.exists()
    assert fitted(recipe_file, "--like", "mail/first").stamps == 4


def test_like_and_resume_exclude_each_other(kerasft_line, recorded):
    result = kerasft_line("fit", "--like", "mail/first", "--resume")
    assert result.exit_code == 2
    assert "leave out --like" in result.stderr


def test_show_prints_the_command_that_reproduces_a_run(fitted, recorded, kerasft_line):
    lines = kerasft_line("show", "mail/first").stdout.splitlines()
    facts = dict(line.split(maxsplit=1) for line in lines if not line.startswith(" "))
    assert facts["run"] == "runs/mail/first"
    wanted = {"stamps 4", "dropout 0.4", "dataset other.csv", "text_column body"}
    assert set(facts["settings"].split(", ")) == wanted
    found = json.loads(kerasft_line("show", "mail/first", "--json").stdout)
    assert facts["reproduce"] == found["reproduce"]
    _, _, *words = shlex.split(found["reproduce"])
    assert to_dict(fitted(*words)) == recorded.config


def test_show_names_backend_and_devices_and_how_to_resume(recorded, kerasft_line):
    versions = {"kerasft": "1", "backend": "jax", "jax": "0.9", "tensorflow": "2"}
    devices = {"number": 2, "processes": 1, "kind": "several"}
    write_manifest(recorded, versions=versions, devices=devices, state="interrupted")
    shown = kerasft_line("show", "mail/first").stdout
    assert "reproduce  KERAS_BACKEND=jax kerasft fit " in shown
    assert " --devices 2\n" in shown
    assert ", jax 0.9, " in shown
    assert "KERAS_BACKEND=jax kerasft fit " in shown.partition("next")[2]
    assert "--resume --name first" in shown


def test_show_says_whether_the_file_of_the_recipe_has_changed(recorded, kerasft_line, recipe_file):
    assert f"recipe     mail ({recipe_file})\n" in kerasft_line("show", "mail/first").stdout
    recipe_file.write_text("broken", encoding="utf-8")
    assert "which has changed since)" in kerasft_line("show", "mail/first").stdout
    recipe_file.unlink()
    assert "which is missing now)" in kerasft_line("show", "mail/first").stdout


def test_show_prints_the_source_that_the_run_keeps(recorded, kerasft_line, recipe_file):
    before = recipe_file.read_text(encoding="utf-8")
    recipe_file.write_text("broken", encoding="utf-8")
    assert kerasft_line("show", "mail/first", "--recipe").stdout == before
    (recorded.path / "recipe.py").write_text("other", encoding="utf-8")
    assert kerasft_line("show", "mail/first", "--recipe").exit_code == 5


def test_a_run_without_a_copy_says_so(make_run, kerasft_line):
    make_run()
    result = kerasft_line("show", "mail/first", "--recipe")
    assert result.exit_code == 3
    assert "has no copy of its recipe" in result.stderr


def test_show_prints_the_source_of_a_recipe(kerasft_line):
    source = catalog.find_recipe("resnet_digits").path.read_text(encoding="utf-8")
    assert kerasft_line("show", "resnet_digits", "--recipe").stdout == source
