"""The README against the code: its commands exist, its Python runs."""

import re
import shlex
from pathlib import Path

import click
import pytest

from kerasft import catalog, config
from kerasft.cli import main
from kerasft.errors import KerasftError

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    line.split("#")[0].strip()
    for kind, block in BLOCKS
    if kind == "bash"
    for line in block.splitlines()
    if line.startswith("kerasft ")
]
PYTHON = [block for kind, block in BLOCKS if kind == "python"]


def block(words):
    (found,) = [text for text in PYTHON if words in text]
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_command_and_its_options_exist(command):
    _, *words = shlex.split(command)
    group, context = main, click.Context(main)
    while isinstance(group, click.Group):
        context = click.Context(group, parent=context)
        named = group.get_command(context, words[0]) if words else None
        if named is None:  # `kerasft runs [RECIPE]` is `kerasft runs list [RECIPE]`
            assert "list" in group.commands and group is not main, command
            words.insert(0, "list")
        group = group.get_command(context, words.pop(0))
    options = {name for parameter in group.params for name in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= options


def test_every_recipe_is_in_the_table():
    named = set(re.findall(r"^\| [^|]*\| `(\w+)` \|", README, re.MULTILINE))
    assert {recipe.name for recipe in catalog.list_recipes()} == named


def test_every_setting_that_is_named_exists():
    known = set(config.settings(config.ImageConfig)) | set(config.settings(config.TextConfig))
    table = README.split("## Settings")[1].split("## From Python")[0]
    named = set(re.findall(r"`--([a-z0-9-]+)", table)) - {"help"}
    assert len(named) > 12
    assert {name.removeprefix("no-").replace("-", "_") for name in named} <= known


def test_exit_codes_are_those_of_the_errors():
    def kinds(base):
        return {base} | {k for child in base.__subclasses__() for k in kinds(child)}

    told = {int(code) for code in re.findall(r"^\| (\d) \|", README, re.MULTILINE)}
    assert {kind.exit_code for kind in kinds(KerasftError)} <= told


def test_the_plain_keras_example_runs_unchanged(capsys):
    names: dict = {}
    exec(compile(block("model.compile("), "README", "exec"), names)
    history = names["model"].history.history
    assert len(history["val_accuracy"]) == 3
    assert max(history["val_accuracy"]) > 0.9


def test_the_recipe_to_copy_keeps_the_contract(tmp_path):
    from PIL import Image

    from kerasft.testing import check_recipe, tiny_preset

    for index, name in enumerate(("robin", "wren")):
        (tmp_path / "birds" / name).mkdir(parents=True)
        for count in range(8):
            color = (index * 120, count * 20, 9)
            Image.new("RGB", (20, 20), color).save(tmp_path / "birds" / name / f"{count}.png")
    path = tmp_path / "my_recipe.py"
    path.write_text(block("Name the bird in a photograph"), encoding="utf-8")
    preset = tiny_preset("resnet", tmp_path / "preset")
    dataset = str(tmp_path / "birds")
    check_recipe(str(path), tmp_path, preset=preset, dataset=dataset, image_size=16)

    bad = tmp_path / "bad_recipe.py"
    freezing = next(line for line in path.read_text().splitlines() if "kerasft.freeze(" in line)
    bad.write_text(path.read_text().replace(freezing, ""), encoding="utf-8")
    with pytest.raises(KerasftError, match="leave the backbone frozen with trainable_blocks=0"):
        check_recipe(str(bad), tmp_path, preset=preset, dataset=dataset, image_size=16)
