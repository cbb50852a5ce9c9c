"""`kerasft blocks`: what trainable_blocks counts."""

import json

import pytest


def test_the_top_block_is_first_and_the_shares_sum_to_one(kerasft_line):
    done = kerasft_line("blocks", "package:kerasft/assets/resnet_glyphs", "--image-size", "32")
    assert done.exit_code == 0
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["N", "BLOCK", "LAYERS", "PARAMETERS", "OUTPUT", "WORK"]
    assert [line[1] for line in lines[1:]] == ["P4", "P3", "P2"]
    found = json.loads(
        kerasft_line("blocks", "package:kerasft/assets/resnet_glyphs", "--json").stdout
    )
    assert [row["block"] for row in found] == ["P2", "P3", "P4"]
    assert sum(row["parameters"] for row in found) == 1_230_784
    assert sum(row["work"] for row in found) == pytest.approx(1.0)


def test_tokens_have_no_number(kerasft_line, preset):
    done = kerasft_line("blocks", preset("bert"))
    assert "tokens x 16" in done.stdout


def test_an_unknown_preset_is_refused(kerasft_line):
    done = kerasft_line("blocks", "applications:Inception")
    assert done.exit_code == 2
    assert "InceptionV3" in done.output + done.stderr


def test_blocks_of_a_recipe_are_those_of_its_preset(kerasft_line):
    done = kerasft_line("blocks", "resnet_digits", "-q")
    assert done.exit_code == 0, done.output
    assert done.stdout.split() == ["P4", "P3", "P2"]


def test_a_recipe_without_a_preset_is_refused(kerasft_line):
    done = kerasft_line("blocks", "resnet_glyphs")
    assert done.exit_code == 2
    assert "builds its own backbone" in done.stderr


def test_blocks_need_no_weights(kerasft_line, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))  # nothing was downloaded
    done = kerasft_line("blocks", "applications:InceptionV3", "-q")
    assert done.exit_code == 0, done.output
    assert len(done.stdout.split()) > 2


def test_a_mistyped_folder_of_a_package_gets_its_near_name(kerasft_line):
    done = kerasft_line("blocks", "package:kerasft/assets/resnet_glyph")
    assert done.exit_code == 2
    assert "Did you mean 'assets/resnet_glyphs'?" in done.stderr
