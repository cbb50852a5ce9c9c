"""Recipes are found by name and path, read without running them, and checked."""

import dataclasses
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import kerasft
from kerasft import catalog
from kerasft.errors import ResumeError, SettingError
from kerasft.setting_declaration import settings

HEADING = '''"""Sort the mail.

Two kinds.
"""
from dataclasses import dataclass
import kerasft

'''
CONFIG = """@dataclass(frozen=True, kw_only=True)
class Config(kerasft.TextConfig):
    dataset: str = "mail.csv"
    preset: str = "package:mail/model"
    share: float = kerasft.setting(0.5, "Share")
    computed: int = 2 * 3

"""
FUNCTIONS = """def load_data(config): ...
def build_model(config, data): ...
"""


def write(folder: Path, text: str, name: str = "mail.py") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_recipes_of_the_package_are_listed_by_name_with_their_summaries():
    names = [recipe.name for recipe in catalog.list_recipes()]
    assert names == sorted(names)
    assert "resnet_digits" in names and "__init__" not in names
    assert all(recipe.summary.endswith(".") for recipe in catalog.list_recipes())


def test_private_files_are_no_recipes(tmp_path, monkeypatch):
    for name in ("__init__.py", "_shared.py", "mail.py"):
        write(tmp_path, HEADING, name)
    monkeypatch.setattr(catalog, "recipes_folder", lambda: tmp_path)
    assert [recipe.name for recipe in catalog.list_recipes()] == ["mail"]


def test_a_file_with_a_syntax_error_is_listed_with_the_reason(tmp_path, monkeypatch):
    write(tmp_path, "x = (")
    monkeypatch.setattr(catalog, "recipes_folder", lambda: tmp_path)
    (recipe,) = catalog.list_recipes()
    assert recipe.summary == "(not valid Python in line 1)"


def test_reading_does_not_run_a_recipe(tmp_path):
    path = write(tmp_path, HEADING + CONFIG + "raise RuntimeError('run')")
    recipe = catalog.find_recipe(path)
    assert (recipe.name, recipe.summary) == ("mail", "Sort the mail.")
    assert recipe.docstring.endswith("Two kinds.")
    defaults = {"dataset": "mail.csv", "preset": "package:mail/model", "share": 0.5}
    assert catalog.recipe_defaults(recipe) == defaults


def test_load_by_path_and_by_name(tmp_path):
    module = catalog.load_recipe(write(tmp_path, HEADING + CONFIG + FUNCTIONS))
    assert module.Config().dataset == kerasft.Dataset("mail.csv")
    assert module.__name__.endswith(".mail")
    assert catalog.load_recipe("resnet_digits").__name__ == "kerasft.recipes.resnet_digits"


def test_the_decorator_above_a_config_makes_no_difference(tmp_path):
    decorator = "@dataclass(frozen=True, kw_only=True)\n"
    for text in (CONFIG, CONFIG.replace(decorator, "")):
        config = catalog.load_recipe(write(tmp_path, HEADING + text + FUNCTIONS)).Config
        assert (config().share, config(share=0.1).share, config().computed) == (0.5, 0.1, 6)
        assert settings(config)["share"].help == "Share"
        with pytest.raises(dataclasses.FrozenInstanceError):
            config().share = 0.1


def test_a_file_of_the_package_is_the_same_module_as_its_name():
    path = catalog.find_recipe("resnet_digits").path
    assert catalog.load_recipe(path) is catalog.load_recipe("resnet_digits")


def test_a_changed_file_is_loaded_anew(tmp_path):
    path = write(tmp_path, HEADING + CONFIG + FUNCTIONS)
    assert catalog.load_recipe(path).Config().dataset.source == "mail.csv"
    write(tmp_path, (HEADING + CONFIG + FUNCTIONS).replace("mail.csv", "post.csv"))
    assert catalog.load_recipe(path).Config().dataset.source == "post.csv"


def test_a_file_with_another_hash_is_not_run(tmp_path):
    path = write(tmp_path, HEADING + CONFIG + FUNCTIONS)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    module = catalog.load_recipe(path, sha256=digest)
    assert catalog.recipe_sha256(module) == digest
    write(tmp_path, "raise RuntimeError('run')")
    with pytest.raises(ResumeError, match=r"mail\.py has changed"):
        catalog.load_recipe(path, sha256=digest)


def test_recipes_work_in_a_checkout_that_is_not_installed(tmp_path):
    (tmp_path / "kerasft").mkdir()
    (tmp_path / "recipes").mkdir()
    # Finding a recipe needs these alone, and the standard library.
    names = (
        "__init__", "catalog", "config", "dataset", "errors", "formatting", "in_memory", "offline",
        "paths", "setting_conditions", "setting_declaration", "setting_group", "setting_types",
        "common_settings", "recipe_errors", "tensorflow_log",
    )  # fmt: skip
    for name in names:
        shutil.copy(Path(kerasft.__file__).parent / f"{name}.py", tmp_path / "kerasft")
    for name in ("calibration", "tasks"):
        shutil.copytree(Path(kerasft.__file__).parent / name, tmp_path / "kerasft" / name)
    shutil.copy(Path(kerasft.__file__).with_suffix(".pyi"), tmp_path / "kerasft")
    write(tmp_path / "recipes", "", "__init__.py")
    write(tmp_path / "recipes", HEADING + CONFIG + FUNCTIONS)
    program = (
        "from kerasft import catalog\n"
        "print(catalog.load_recipe('mail').__name__)\n"
        "from kerasft.recipes import mail\n"
    )
    # -S: what is installed on this machine is not seen.
    command = [sys.executable, "-S", "-c", program]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "kerasft.recipes.mail\n", done.stderr


def test_loading_leaves_no_files_beside_a_recipe(tmp_path):
    catalog.load_recipe(write(tmp_path, HEADING + CONFIG + FUNCTIONS))
    assert [path.name for path in tmp_path.iterdir()] == ["mail.py"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet_digts", "Did you mean 'resnet_digits'? List recipes: kerasft list."),
        ("zzz", "List recipes: kerasft list."),
        ("folder/recipe", "folder/recipe is neither the name of a recipe nor a .py file."),
        ("nowhere.py", "Recipe file nowhere.py not found."),
    ],
)
def test_an_unknown_recipe_is_refused_with_a_way_out(name, message):
    with pytest.raises(SettingError) as raised:
        catalog.find_recipe(name)
    assert message in str(raised.value)


def test_the_error_for_a_name_suggests_the_file_of_that_name(tmp_path, monkeypatch):
    write(tmp_path, HEADING, "zzz.py")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingError, match=r"Did you mean the file './zzz.py'\?"):
        catalog.find_recipe("zzz")


def test_a_mistyped_file_is_refused_with_the_near_one(tmp_path):
    write(tmp_path, HEADING)
    with pytest.raises(SettingError, match=r"Did you mean '.*/mail.py'\?"):
        catalog.find_recipe(tmp_path / "mial.py")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\ny = (", "mail.py is not valid Python: '(' was never closed in line 2."),
        ("import nosuch", "No module named 'nosuch' (line 1)."),
        ("x = 1\nx / 0", "ZeroDivisionError: division by zero (line 2)."),
        (HEADING + FUNCTIONS, "needs a class `Config` that inherits from kerasft.ImageConfig"),
        (HEADING + "Config = 3\n" + FUNCTIONS, "Received: 3."),
        (HEADING + CONFIG.replace("frozen=True, ", "") + FUNCTIONS, "non-frozen dataclass"),
        (HEADING + CONFIG, "needs a function `build_model(config, data)`."),
        (HEADING + CONFIG + FUNCTIONS + "load_data = 3", "must be a function of `config`."),
        (HEADING + CONFIG + FUNCTIONS + "search_space = 3", "must be a function of `hp`."),
    ],
)
def test_a_recipe_that_lacks_something_is_refused(tmp_path, text, message):
    with pytest.raises(SettingError) as raised:
        catalog.load_recipe(write(tmp_path, text))
    assert message in str(raised.value)


def test_a_recipe_that_failed_leaves_no_module_behind(tmp_path):
    before = set(sys.modules)
    with pytest.raises(SettingError):
        catalog.load_recipe(write(tmp_path, "x = 1 / 0"))
    assert not [name for name in set(sys.modules) - before if "mail" in name]
