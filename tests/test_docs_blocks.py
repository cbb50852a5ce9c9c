"""Every command and every Python block of the documentation runs, on tiny data and presets."""

import csv
import re
import shlex
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from kerasft.cli import main
from tests.docs_pages import blocks, pages_with_blocks, written_pages

PAGES = pages_with_blocks()
# Pages whose blocks take a few seconds in all; the others are in the slow tier.
QUICK = {
    "README.md",
    "get-started/choose.md",
    "how-to/splits.md",
}
COMMANDS = sorted(
    {
        line
        for name, text in written_pages().items()
        for block in blocks(name, text)
        if block.kind == "bash"
        for line in block.commands
        if line.startswith("kerasft ")
    }
)
WORDS = {"good": "great film", "bad": "awful film", "odd": "strange movie"}


def write_table(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def write_images(folder, names, count=10):
    rng = np.random.default_rng(0)
    for index, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 90, (20, 20, 3), dtype=np.uint8)
            pixels[..., 2 - index] += 150
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with all data that pages name."""
    root = tmp_path_factory.mktemp("documentation")
    write_images(root / "photos", ("blue", "green", "red"))
    write_images(root / "few_birds", ("robin", "wren"), 8)
    files = sorted(path.relative_to(root) for path in (root / "photos").rglob("*.png"))
    Image.open(root / files[0]).save(root / "image.png")
    prices = [{"image": str(path), "price": 100 + 7 * n} for n, path in enumerate(files)]
    write_table(root / "houses.csv", prices)
    birds = [{"file": str(path), "species": path.parent.name} for path in files]
    write_table(root / "birds.csv", birds)
    texts = [(f"the {WORDS[label]} {n}", label) for n in range(16) for label in WORDS]
    write_table(root / "messages.csv", [{"text": text, "label": label} for text, label in texts])
    write_table(root / "mail.csv", [{"body": text, "topic": label} for text, label in texts])
    stars = [{"text": text, "stars": n % 5 + 1} for n, (text, _) in enumerate(texts)]
    write_table(root / "reviews.csv", stars)
    pairs = [{"first": a, "second": "a film", "label": label} for a, label in texts]
    write_table(root / "pairs.csv", pairs)
    kinds = ("billing", "shipping", "urgent")
    flags = [{name: n >> bit & 1 for bit, name in enumerate(kinds)} for n in range(len(texts))]
    rows = [{"text": text, **one} for (text, _), one in zip(texts, flags, strict=True)]
    write_table(root / "flags.csv", rows)
    tags = ["|".join(name for name in kinds if one[name]) for one in flags]
    rows = [{"text": text, "label": tag} for (text, _), tag in zip(texts, tags, strict=True)]
    write_table(root / "tags.csv", rows)
    return root


@pytest.fixture
def folder(data, tmp_path, monkeypatch):
    """An empty working folder in which the names of all data exist."""
    for path in data.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shrunk(words, preset):
    """Return a command line with a tiny backbone, tiny inputs and one epoch, where it sets none."""
    verb, subject = words[0], words[1] if len(words) > 1 else ""
    if (
        verb not in ("fit", "check", "tune", "find-lr")
        or subject.startswith("-")
        or "--resume" in words
    ):
        return words
    texts = subject.startswith("minilm")
    size = ["--sequence-length", "8"] if texts else ["--image-size", "16"]
    small = {"--preset": preset("bert" if texts else "vgg"), "--trainable-blocks": "1"}
    if verb == "find-lr":
        small["--steps"] = "20"
    elif not any("epoch" in word for word in words):
        small |= {"--epochs": "1", "--head-epochs": "0"}
    more = [word for name, value in small.items() if name not in words for word in (name, value)]
    return [*words, *more, *size]  # of an option that is given twice, the last counts


def invoke(line, preset):
    _, *words = shlex.split(line)
    result = CliRunner().invoke(main, shrunk(words, preset), prog_name="kerasft")
    assert result.exit_code == 0, f"{line}\n{result.output}{result.exception!r}"


def execute(block, tmp_path):
    """Execute a Python block; a recipe becomes a file, and test functions are called."""
    names = {"__name__": "documentation"}
    exec(compile(block.text, block.page, "exec"), names)
    if "build_model" in names:
        Path("my_recipe.py").write_text(block.text, encoding="utf-8")
    for name, value in names.items():
        if name.startswith("test_"):
            value(tmp_path / name)


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[] if page in QUICK else pytest.mark.slow) for page in sorted(PAGES)],
)
def test_the_blocks_of_a_page_run(page, folder, preset):
    for block in PAGES[page]:
        if block.reason:
            continue
        if block.kind == "python":
            execute(block, folder)
            continue
        for line in block.commands:
            assert line.startswith("kerasft "), f"{page}: mark or remove the line: {line}"
            invoke(line, preset)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_and_its_options_exist(line):
    # A recipe file is written by the page, so it does not exist here.
    words = [re.sub(r"^\w+\.py$", "resnet_digits", word) for word in shlex.split(line)[1:]]
    if words[1:2] == ["--like"]:  # the recipe is that of the run
        words.insert(1, "resnet_digits")
    group, context = main, click.Context(main)
    while isinstance(group, click.Group):
        context = click.Context(group, parent=context)
        named = group.get_command(context, words[0]) if words else None
        if named is None:  # `kerasft runs [RECIPE]` is `kerasft runs list [RECIPE]`
            assert "list" in group.commands and group is not main, line
            words.insert(0, "list")
        group = group.get_command(context, words.pop(0))
    parameters = group.get_params(click.Context(group, parent=context))
    options = {name for one in parameters for name in (*one.opts, *one.secondary_opts)}
    assert {word for word in words if re.match("--?[a-z]", word)} <= options


def test_every_quick_page_has_blocks():
    assert set(PAGES) >= QUICK
