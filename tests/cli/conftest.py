"""A recipe, a run folder, and a stand-in for the Python API: only the shell is tested here."""

from pathlib import Path

import pytest
from click.testing import CliRunner

import kerasft
from kerasft.cli import main, startup
from kerasft.runs import create_run, write_history, write_json, write_manifest

RECIPE = '''"""Sort the mail.

Two kinds.
"""
from dataclasses import dataclass
import kerasft

@dataclass(frozen=True, kw_only=True)
class Config(kerasft.TextConfig):
    dataset: str = "mail.csv"
    preset: str = "package:mail/model"
    train_split: str | None = "first"
    stamps: int = kerasft.setting(2, "Stamps on a letter", group="recipe", minimum=0)

def load_data(config): ...
def build_model(config, data): ...
'''
METRICS = {
    "loss": 0.25,
    "examples": 10,
    "accuracy": 0.9,
    "precision": 0.875,
    "recall": 0.8,
    "f1": 0.85,
    "per_class": [
        {"name": "letter", "precision": 1.0, "recall": 0.8, "f1": 0.9, "support": 6},
        {"name": "parcel", "precision": 0.75, "recall": 0.8, "f1": 0.8, "support": 4},
    ],
    "confusion_matrix": [[5, 1], [0, 4]],
}


@pytest.fixture
def kerasft_line(tmp_path, monkeypatch):
    """Runs a command line in an empty folder and returns click's result."""
    monkeypatch.chdir(tmp_path)

    def run(*words, **kwargs):
        words = [str(word) for word in words]
        return CliRunner().invoke(main, words, prog_name="kerasft", **kwargs)

    return run


@pytest.fixture
def recipe_file(tmp_path):
    path = tmp_path / "mail.py"
    path.write_text(RECIPE, encoding="utf-8")
    return path


def _make_run(name="first", recipe="mail", created="2026-01-31T12:00:00+00:00", **manifest):
    """Writes a run folder below ./runs, as a fit would leave it."""
    run = create_run(Path("runs"), recipe, name)
    write_json(run.path / "config.json", {"text_column": None})
    write_json(run.path / "labels.json", {"task": "classification", "names": ["letter", "parcel"]})
    write_json(run.path / "metrics.json", {"test": METRICS})
    write_manifest(
        run,
        recipe={"name": recipe},
        created=created,
        data={"dataset": "mail.csv"},
        **{"state": "done", "seconds": 12.3, **manifest},
    )
    write_history(run, [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}])
    return run


@pytest.fixture
def make_run(kerasft_line):
    """Returns the function that writes a run folder below ./runs of the test's own folder."""
    return _make_run


@pytest.fixture
def metrics():
    return METRICS


@pytest.fixture
def api(monkeypatch):
    """Replaces functions of the Python API; each call is noted with its arguments."""
    monkeypatch.setattr(startup, "start_keras", lambda: None)
    calls = []

    def replace(name, answer):
        def call(*args, **kwargs):
            calls.append((name, args, kwargs))
            if isinstance(answer, BaseException):
                raise answer
            return answer(*args, **kwargs) if callable(answer) else answer

        # Not setattr: that would read, and so import, what is replaced.
        monkeypatch.setitem(vars(kerasft), name, call)

    replace.calls = calls
    return replace
