"""Examples that cannot be read: an error of a check, left out and listed with `drop_bad`."""

import json
from pathlib import Path

import numpy as np
import pytest

import kerasft
from kerasft.errors import BadExamplesError, DataError
from tests.checks.conftest import texts
from tests.conftest import write_table

QUICK = {"image_size": 16, "batch_size": 8, "epochs": 1, "head_epochs": 0, "trainable_blocks": 0}


@pytest.fixture
def broken(pets):
    """Pictures of which three cannot be decoded, in two splits."""
    (pets / "train/cat/1.png").write_bytes(b"not a picture")
    content = (pets / "train/dog/2.png").read_bytes()
    (pets / "train/dog/2.png").write_bytes(content[: len(content) // 2])
    (pets / "test/dog/3.png").write_bytes(b"")
    return pets


ORIGINS = ["train/cat/1.png", "train/dog/2.png", "test/dog/3.png"]


def load(root, **settings):
    return kerasft.load_data(kerasft.ImageConfig(dataset=str(root), image_size=16, **settings))


def test_bad_images_are_left_out_and_the_others_stay_in_their_split(broken):
    with pytest.raises(DataError, match=r"(?s)2 examples cannot be used.*`drop_bad`"):
        load(broken)
    data = load(broken, drop_bad=True)
    assert [one.origin for one in data.dropped] == ORIGINS
    assert [len(part) for part in (data.train, data.validation, data.test)] == [14, 16, 15]
    note = "3 examples cannot be read and are left out, for example train/cat/1.png."
    assert data.notes[0] == note
    assert data.audit["dropped"] == 3
    for part in (data.train, data.validation, data.test):
        assert len(part.x) == len(part.y) == len(part.examples)
        names = [data.labels.names[index] for index in part.y]
        assert names == part.examples.labels


def test_a_repaired_file_changes_the_fingerprint(broken):
    before = load(broken, drop_bad=True).fingerprint
    (broken / "test/dog/3.png").write_bytes((broken / "test/dog/4.png").read_bytes())
    assert load(broken, drop_bad=True).fingerprint != before


def test_a_file_that_cannot_be_opened_is_left_out(pets, monkeypatch):
    (pets / "train/cat/1.png").chmod(0)
    opened = Path.open

    def refused(path, *args, **kwargs):  # as for any user but root
        if path.stat().st_mode & 0o400 == 0:
            raise PermissionError(13, "Permission denied")
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refused)
    assert [one.origin for one in load(pets, drop_bad=True).dropped] == ["train/cat/1.png"]


def test_a_class_that_vanishes_is_an_error(pets):
    for path in (pets / "train/cat").iterdir():
        path.write_bytes(b"nothing")
    with pytest.raises(DataError, match="No training example of the class 'cat' can be read"):
        load(pets, drop_bad=True)


def test_a_split_without_a_readable_example_is_an_error(pets):
    for path in (pets / "test").rglob("*.png"):
        path.write_bytes(b"nothing")
    with pytest.raises(BadExamplesError, match="16 examples cannot be used"):
        load(pets, drop_bad=True)


def read_rows(tmp_path, rows, preset, **settings):
    names = ("text", "label", "split")
    table = write_table(tmp_path / "a.csv", [dict(zip(names, row, strict=True)) for row in rows])
    settings = {"preset": preset("bert"), "trainable_blocks": 1, **settings}
    return kerasft.load_data(kerasft.TextConfig(dataset=table, **settings))


def test_rows_without_a_text_or_a_label_are_left_out(tmp_path, preset):
    rows = texts()
    rows[3], rows[20] = ("", "dog", "train"), ("no label", " ", "validation")
    with pytest.raises(DataError, match="Row 21"):
        read_rows(tmp_path, rows, preset)
    data = read_rows(tmp_path, rows, preset, drop_bad=True)
    assert sorted(one.origin for one in data.dropped) == ["row 21 of a.csv", "row 4 of a.csv"]
    assert [len(part) for part in (data.train, data.validation, data.test)] == [15, 15, 16]
    assert "row 5 of a.csv" in data.train.examples.origins
    assert data.train.examples.inputs[3] == rows[4][0]


def test_a_class_of_bad_rows_alone_is_an_error(tmp_path, preset):
    rows = [*texts(), ("", "bird", "train"), (" ", "bird", "train")]
    with pytest.raises(DataError, match=r"'bird' can be read: Row 49 of a\.csv has no text"):
        read_rows(tmp_path, rows, preset, drop_bad=True)


def test_the_error_of_a_fit_names_the_check_and_the_setting(broken):
    config = kerasft.ImageConfig(dataset=str(broken), image_size=32)
    with pytest.raises(DataError, match=r"(?s)2 examples .*use `drop_bad`; kerasft check RECIPE"):
        kerasft.load_data(config)


def test_a_check_goes_on_and_names_the_setting(broken):
    found = kerasft.check("resnet_digits", dataset=str(broken), timing=False, progress=False)
    error = found.findings[0]
    assert (error.name, error.level, error.count) == ("unreadable", "error", 3)
    assert error.changes == {"drop_bad": True}
    assert "is not an image" in error.examples[0]
    assert found.plan.examples == {"train": 14, "validation": 16, "test": 15}
    dropped = kerasft.check(
        "resnet_digits", dataset=str(broken), timing=False, progress=False, drop_bad=True
    )
    assert dropped.ok
    assert [x.level for x in dropped.findings if x.name == "unreadable"] == ["note"]


def test_a_run_lists_what_was_left_out_and_is_evaluated_without_it(broken, preset, tmp_path):
    run = kerasft.fit(
        "resnet_digits", dataset=str(broken), preset=preset("resnet"), drop_bad=True, **QUICK,
        runs_dir=tmp_path / "runs", progress=False,
    )  # fmt: skip
    rows = json.loads((run.path / "dropped.json").read_text())
    assert [row["origin"] for row in rows] == ORIGINS
    assert "is not an image" in rows[0]["reason"]
    assert "dropped.json" in run.manifest["files"]
    assert run.manifest["data"]["examples"] == {"train": 14, "validation": 16, "test": 15}
    metrics = run.evaluate()
    assert metrics["examples"] == 15
    assert np.isclose(metrics["loss"], run.metrics["test"]["loss"], rtol=1e-4)
    with pytest.raises(BadExamplesError):  # of other data, nothing is left out silently
        run.evaluate(dataset=str(broken.parent / broken.name / "train"))
