"""The exported model that a path names, and what is said where there is none."""

import pytest

from kerasft.errors import SettingError
from kerasft.serving.find import need_export


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    """A folder with an exported model, a preset, an empty folder and a run."""
    monkeypatch.chdir(tmp_path)
    for name in ("digits/1", "digits-preset", "empty"):
        (tmp_path / "saved_models" / name).mkdir(parents=True)
    (tmp_path / "runs" / "digits" / "a").mkdir(parents=True)
    for name in ("manifest.json", "config.json"):
        (tmp_path / "runs" / "digits" / "a" / name).touch()
    (tmp_path / "saved_models" / "digits" / "1" / "proof.json").touch()
    (tmp_path / "saved_models" / "digits-preset" / "config.json").touch()


def test_an_exported_model_is_found():
    assert need_export("saved_models/digits") == need_export("saved_models/digits/1")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "saved_models/digit",
            r"digit' not found\. Did you mean 'saved_models/digits'\?",
        ),
        ("digits", r"not found\. Did you mean 'saved_models/digits'\?"),
        ("saved_models/digits/7", r"not found\. Did you mean 'saved_models/digits/1'\?"),
        ("other/flowers", r"not found\. Export a run"),
        ("saved_models/digits-preset", "is a preset, which has no proof"),
        ("", "Exported model '' not found"),
        ("runs/digits/a", r"is a run, .* kerasft export runs/digits/a\."),
        ("saved_models/empty", "has no exported model"),
    ],
)
def test_another_path_is_refused_with_a_hint(path, message):
    with pytest.raises(SettingError, match=message):
        need_export(path)
