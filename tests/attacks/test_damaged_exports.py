"""Manifests of exported models that hold something else: one sentence that names the file."""

import pytest
from click.testing import CliRunner

from kerasft.cli import main
from tests.attacks.test_damaged_runs import CONTENTS


@pytest.mark.parametrize(
    "words", [["predict", "a text"], ["evaluate", "--dataset", "."], ["verify"]]
)
def test_a_damaged_manifest_is_named(tmp_path, words):
    folder = tmp_path / "model" / "1"
    folder.mkdir(parents=True)
    (folder / "proof.json").touch()  # an export
    for content in (*CONTENTS.values(), b'{"kind": "saved_model"}'):
        (folder / "manifest.json").write_bytes(content)
        done = CliRunner().invoke(main, [words[0], str(folder), *words[1:]])
        assert done.exit_code == 5, (content[:20], done.output)
        assert "manifest.json is damaged" in done.output, (content[:20], done.output)
