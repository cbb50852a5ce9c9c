"""Manifests of exported models that hold something else: one sentence that names the field."""

import copy
import json

import pytest
from click.testing import CliRunner

from kerasft.cli import main
from kerasft.errors import DamagedFileError
from kerasft.evaluation.artifact import Artifact
from tests.attacks.damage import CONTENTS

COMMANDS = {
    "predict": ["a text"],
    "evaluate": ["--dataset", "."],
    "benchmark": ["--dataset", "."],
    "verify": [],
}
MANIFEST = {
    "format": 1,
    "kind": "saved_model",
    "recipe": "minilm_tickets",
    "run": "mail",
    "modality": "texts",
    "inputs": ["text"],
    "pairs": False,
    "labels": {"task": "classification", "names": ["bad", "good"], "scale": None, "mean": 0},
    "calibration": {
        "temperature": 1.5,
        "thresholds": [],
        "rejection": None,
        "sets": {"coverage": 0.9, "kind": "adaptive", "limit": 0.8},
        "interval": None,
        "known": {"coverage": 0.95, "threshold": -3.5},
    },
    "settings": {"sequence_length": 16},
    "proof": {"test": "exact", "tolerance": 1e-5, "examples": 32},
    "files": {"saved_model.pb": {"sha256": "0", "bytes": 3}},
}
WRONG = [  # field, value; the message names the field
    ("kind", None),
    ("kind", 3),
    ("kind", "keras"),
    ("recipe", None),
    ("run", ["mail"]),
    ("modality", "sounds"),
    ("modality", {}),
    ("inputs", "text"),
    ("inputs", None),
    ("pairs", "no"),
    ("pairs", None),
    ("labels", None),
    ("labels", []),
    ("labels", 7),
    ("labels", {"task": "ordinal", "names": []}),
    ("labels.task", None),
    ("labels.task", "sorting"),
    ("labels.names", None),
    ("labels.names", "bad,good"),
    ("labels.names", {"bad": 0}),
    ("labels.names", []),
    ("labels.mean", "0"),
    ("labels.std", None),
    ("labels.scale", 5),
    ("labels.scale", ["1", "5"]),
    ("calibration", None),
    ("calibration", [1.5]),
    ("calibration.temperature", None),
    ("calibration.temperature", "warm"),
    ("calibration.temperature", True),
    ("calibration.thresholds", 0.5),
    ("calibration.rejection", "0.5"),
    ("calibration.sets", "adaptive"),
    ("calibration.sets.limit", None),
    ("calibration.sets.size", 3),
    ("calibration.interval", {"coverage": 0.9}),
    ("calibration.known", 0.95),
    ("calibration.known.threshold", [1]),
    ("settings", None),
    ("settings", ["sequence_length"]),
    ("settings.sequence_length", None),
    ("settings.sequence_length", "long"),
    ("settings.sequence_length", [16]),
    ("settings.sequence_length", -1),
    ("proof", None),
    ("proof.test", 1),
    ("proof.tolerance", "small"),
    ("files", None),
    ("files", ["saved_model.pb"]),
]


@pytest.fixture
def folder(tmp_path):
    """A folder that looks like an exported version."""
    path = tmp_path / "model" / "1"
    path.mkdir(parents=True)
    (path / "proof.json").touch()
    return path


def changed(field, value):
    """Returns the manifest as text, with another value in a field."""
    manifest = copy.deepcopy(MANIFEST)
    *outer, last = field.split(".")
    part = manifest
    for name in outer:
        part = part[name]
    part[last] = value
    return json.dumps(manifest)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_damaged_manifest_is_named(folder, command):
    for content in (*CONTENTS.values(), b'{"kind": "saved_model"}'):
        (folder / "manifest.json").write_bytes(content)
        done = CliRunner().invoke(main, [command, str(folder), *COMMANDS[command]])
        assert done.exit_code == 5, (content[:20], done.output)
        assert "manifest.json is damaged" in done.output, (content[:20], done.output)


def test_the_unchanged_manifest_is_read(folder):
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    artifact = Artifact(folder)
    assert artifact.labels.names == ("bad", "good")
    assert artifact.calibration.sets.limit == 0.8
    assert artifact.config.sequence_length == 16


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_wrong_value_is_named_with_its_field(folder, field, value):
    (folder / "manifest.json").write_text(changed(field, value))
    name = field.rpartition(".")[2]
    with pytest.raises(DamagedFileError, match=rf"manifest\.json is damaged: .*`.*{name}.*`"):
        _ = Artifact(folder).config


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_commands_name_a_wrong_value(folder, command):
    for field in ("labels", "labels.names", "calibration", "files"):
        (folder / "manifest.json").write_text(changed(field, None))
        done = CliRunner().invoke(main, [command, str(folder), *COMMANDS[command]])
        assert done.exit_code == 5, (field, done.output)
        assert f"manifest.json is damaged: `{field}` is None" in " ".join(done.output.split())


def test_serve_reads_no_record_of_a_format_that_it_leaves_out(folder):
    for content in (*CONTENTS.values(), changed("kind", [])):
        mode = "wb" if isinstance(content, bytes) else "w"
        with open(folder / "manifest.json", mode) as file:
            file.write(content)
        done = CliRunner().invoke(main, ["serve", str(folder.parent)])
        assert done.exit_code == 2, (content[:20], done.output)
        assert "Traceback" not in done.output
