"""Bad input: one sentence naming the thing and the way out, the documented exit code, no trace."""

import csv

import pytest
from click.testing import CliRunner
from PIL import Image

import kerasft.reachable_hosts
from kerasft.cli import main


@pytest.fixture
def folder(tmp_path):
    """Two classes of five pictures."""
    root = tmp_path / "photos"
    for index, name in enumerate(("cat", "dog")):
        (root / name).mkdir(parents=True)
        for count in range(5):
            color = (index * 90, count * 20, 7)
            Image.new("RGB", (20, 20), color).save(root / name / f"{count}.png")
    return root


def table(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return str(path)


def fails(tmp_path, *words, code):
    """Returns what the command says on stderr, after checking its manner."""
    command = ["fit", *map(str, words), "--runs-dir", str(tmp_path / "runs")]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "runs").exists()  # nothing half done is left behind
    return lines[0]


def test_a_missing_folder(tmp_path):
    message = fails(tmp_path, "resnet_digits", "--dataset", tmp_path / "nowhere", code=3)
    assert "nowhere" in message


def test_an_empty_class(tmp_path, folder):
    (folder / "bird").mkdir()
    message = fails(tmp_path, "resnet_digits", "--dataset", folder, code=3)
    assert "bird" in message


def test_one_class_only(tmp_path, folder):
    for path in (folder / "dog").iterdir():
        path.unlink()
    (folder / "dog").rmdir()
    message = fails(tmp_path, "resnet_digits", "--dataset", folder, code=3)
    assert "one class" in message
    assert "cat" in message


def test_a_corrupt_image(tmp_path, folder):
    (folder / "cat" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\n no image")
    message = fails(tmp_path, "resnet_digits", "--dataset", folder, code=3)
    assert "3.png" in message


def test_a_table_without_the_label_column(tmp_path, preset):
    path = table(tmp_path / "t.csv", [["text", "note"], *([f"text {i}", "x"] for i in range(9))])
    message = fails(tmp_path, "bert_imdb", "--preset", preset("bert"), "--dataset", path, code=3)
    assert "t.csv" in message
    assert "--label-column" in message
    assert "note" in message  # the columns that are there


def test_a_label_missing_in_row_17(tmp_path, preset):
    rows = [["text", "label"], *([f"text {i}", "ab"[i % 2]] for i in range(1, 31))]
    rows[17][1] = ""
    path = table(tmp_path / "t.csv", rows)
    message = fails(tmp_path, "bert_imdb", "--preset", preset("bert"), "--dataset", path, code=3)
    assert "row 17" in message.lower()
    assert "t.csv" in message


def test_a_target_that_is_no_number(tmp_path, preset):
    rows = [["text", "label"], *([f"text {i}", str(i)] for i in range(1, 31))]
    rows[5][1] = "much"
    path = table(tmp_path / "t.csv", rows)
    message = fails(
        tmp_path,
        "bert_imdb",
        "--preset",
        preset("bert"),
        "--dataset",
        path,
        "--task",
        "regression",
        code=3,
    )
    assert "row 5" in message.lower()
    assert "much" in message


def test_an_unknown_preset(tmp_path, folder):
    message = fails(
        tmp_path, "resnet_digits", "--dataset", folder, "--preset", "resnet_50_imagnet", code=2
    )
    assert "Did you mean 'resnet_50_imagenet'" in message


@pytest.mark.parametrize(
    ("recipe", "settings", "words"),
    [
        ("resnet_flowers", [], ["tf_flowers", "--data-dir"]),
        ("resnet_flowers", ["--dataset", "builtin:digits"], ["resnet_50_imagenet", "94 MB"]),
    ],
)
def test_no_network(recipe, settings, words, tmp_path, monkeypatch):
    def refuse(*_args, **_options):
        raise OSError(-2, "Name or service not known")

    monkeypatch.setattr(kerasft.reachable_hosts.socket, "create_connection", refuse)
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kaggle"))
    message = fails(tmp_path, recipe, "--data-dir", tmp_path / "tfds", *settings, code=1)
    assert "No network" in message
    assert all(word in message for word in words)


def test_too_many_blocks(tmp_path):
    message = fails(tmp_path, "resnet_digits", "--trainable-blocks", "7", code=2)
    assert "at most 3" in message


def test_a_mistyped_setting(tmp_path):
    result = CliRunner().invoke(main, ["fit", "resnet_digits", "--dropuot", "0.1"])
    assert result.exit_code == 2
    assert "--dropout" in result.stderr


def test_an_input_of_predict_that_is_not_there(tmp_path, preset, folder):
    command = ["fit", "resnet_digits", "--dataset", str(folder), "--preset", preset("resnet")]
    quick = ["--epochs", "1", "--head-epochs", "0", "--image-size", "16", "-q"]
    done = CliRunner().invoke(main, [*command, *quick, "--runs-dir", str(tmp_path / "runs")])
    assert done.exit_code == 0, done.output
    run = done.stdout.strip()
    result = CliRunner().invoke(main, ["predict", run, str(tmp_path / "nothing.png")])
    assert result.exit_code == 3
    assert "nothing.png" in result.stderr
