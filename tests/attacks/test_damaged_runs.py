"""Files of a run that have changed are refused in Python too."""

import json

import pytest

import kerasft
from kerasft.errors import DamagedFileError


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
