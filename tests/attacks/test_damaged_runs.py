"""Files of a run that hold something else: one sentence that names the file."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import kerasft
from kerasft.cli import main
from kerasft.errors import DamagedFileError

GOLDEN = Path(__file__).parent.parent / "golden" / "0.1.0" / "runs" / "minilm_tickets" / "text"
FILES = sorted(path.name for path in GOLDEN.iterdir())
CONTENTS = {
    "nothing": b"",
    "null": b"null",
    "a list": b"[1, 2]",
    "an empty object": b"{}",
    "a list of other objects": b'[{"a": 1}]',
    "100,000 brackets": b"[" * 100_000 + b"]" * 100_000,
    "no UTF-8": b"{\xff",
}
READ = {  # by each command
    "show": {"manifest.json", "config.json", "labels.json", "history.json", "metrics.json"},
    "diagnose": {"manifest.json", "config.json", "labels.json", "history.json", "metrics.json"},
}
READ["report"] = READ["diagnose"] | {"predictions.npz", "worst.json"}
# Of the right form: only the checksums of runs since 0.2 show that it is not the content.
PLAUSIBLE = {
    ("metrics.json", "an empty object"),
    ("config.json", "an empty object"),
    ("history.json", "a list of other objects"),
}


@pytest.fixture(params=FILES)
def damaged(request, tmp_path):
    """Returns a function that writes content into a file of a copied run, and returns its path."""
    run = Path(shutil.copytree(GOLDEN, tmp_path / "runs" / "minilm_tickets" / "text"))

    def damage(content):
        (run / request.param).write_bytes(content)
        return run / request.param

    return damage


@pytest.mark.parametrize(
    "command", ["show", "diagnose", pytest.param("report", marks=pytest.mark.slow)]
)
def test_a_damaged_file_is_named(damaged, command):
    for name, content in CONTENTS.items():
        file = damaged(content)
        done = CliRunner().invoke(main, [command, str(file.parent)])
        if file.name in READ[command] and (file.name, name) not in PLAUSIBLE:
            assert done.exit_code == 5, (name, done.output)
        assert done.exit_code in (0, 5), (name, done.output)
        assert done.exit_code == 0 or file.name in done.output, (name, done.output)


def test_the_other_runs_are_listed(damaged):
    other = damaged(b"").parent.with_name("other")
    shutil.copytree(GOLDEN, other)
    for content in CONTENTS.values():
        runs_dir = str(damaged(content).parent.parent.parent)
        done = CliRunner().invoke(main, ["runs", "--runs-dir", runs_dir])
        assert done.exit_code == 0, done.output
        assert "minilm_tickets/other" in done.output


@pytest.mark.parametrize(
    "name", ["config.json", "confusions.json", "history.json", "labels.json", "metrics.json"]
)
def test_a_changed_record_is_refused(image_run, copied_run, name):
    run = copied_run(image_run)
    path = run.path / name
    text = path.read_text(encoding="utf-8")
    digit = next(character for character in text if character.isdigit())
    path.write_text(text.replace(digit, str(9 - int(digit)), 1), encoding="utf-8")
    with pytest.raises(DamagedFileError, match=f"{name} is damaged: checksum"):
        run.report(run.path / "report.html")


def test_swapped_class_names_are_not_believed(image_run, copied_run):
    run = copied_run(image_run)
    path = run.path / "labels.json"
    labels = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**labels, "names": labels["names"][::-1]}), encoding="utf-8")
    with pytest.raises(DamagedFileError, match=r"labels\.json is damaged: checksum"):
        kerasft.load_model(run)
