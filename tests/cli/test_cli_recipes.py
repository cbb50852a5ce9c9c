"""list, show and copy."""

import json

from kerasft import catalog


def test_list_shows_every_recipe_with_what_it_needs(kerasft_line):
    result = kerasft_line("list")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["RECIPE", "OFFLINE", "SUMMARY", "DATASET", "PRESET"]
    digits = next(line for line in lines if line.startswith("resnet_digits"))
    assert digits.split()[1] == "yes" and "builtin:digits" in digits
    flowers = next(line for line in lines if line.startswith("resnet_flowers"))
    assert flowers.split()[1] == "no"


def test_list_for_programs(kerasft_line):
    names = [recipe.name for recipe in catalog.list_recipes()]
    assert [row["name"] for row in json.loads(kerasft_line("list", "--json").stdout)] == names
    assert kerasft_line("list", "-q").stdout.split() == names
    assert kerasft_line("--json", "list").stdout == kerasft_line("list", "--json").stdout


def test_show_tells_docstring_settings_and_next_command(kerasft_line, recipe_file):
    result = kerasft_line("show", recipe_file)
    assert result.exit_code == 0
    assert result.stdout.startswith("Sort the mail.\n\nTwo kinds.\n")
    for text in ("Recipe settings", "stamps   2        x >= 0", "0 <= x < 1", "kerasft fit "):
        assert text in result.stdout


def test_show_for_programs(kerasft_line, recipe_file):
    found = json.loads(kerasft_line("show", recipe_file, "--json").stdout)
    assert found["settings"]["stamps"] == 2 and found["settings"]["dropout"] == 0.2
    assert found["path"] == str(recipe_file)


def test_copy_writes_the_source_and_names_the_next_command(kerasft_line, tmp_path):
    result = kerasft_line("copy", "resnet_digits", "mine.py")
    assert result.exit_code == 0
    assert "kerasft fit mine.py" in result.stdout
    source = catalog.find_recipe("resnet_digits").path
    assert (tmp_path / "mine.py").read_bytes() == source.read_bytes()
    assert kerasft_line("show", "mine.py").exit_code == 0


def test_copy_replaces_a_file_only_with_its_option(kerasft_line, tmp_path):
    (tmp_path / "mine.py").write_text("mine")
    result = kerasft_line("copy", "resnet_digits", "mine.py")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: File mine.py already exists. Give another name, or replace it with --force.\n"
    )
    assert (tmp_path / "mine.py").read_text() == "mine"
    assert kerasft_line("copy", "resnet_digits", "mine.py", "--force", "-q").stdout == "mine.py\n"
    assert (tmp_path / "mine.py").read_text() != "mine"


def test_copy_refuses_what_could_not_be_used(kerasft_line, tmp_path):
    assert "must end in .py" in kerasft_line("copy", "resnet_digits", "mine").stderr
    assert "Folder none not found" in kerasft_line("copy", "resnet_digits", "none/a.py").stderr
    (tmp_path / "own").mkdir()
    assert kerasft_line("copy", "resnet_digits", "own", "-q").stdout == "own/resnet_digits.py\n"
