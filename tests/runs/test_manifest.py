"""The manifest of a run is compared with its shape."""

import pytest

from kerasft.config import ImageConfig
from kerasft.errors import DamagedFileError
from kerasft.runs import Run, write_json
from kerasft.runs.json_shape import shape_problem
from kerasft.runs.provenance import describe_weights


@pytest.mark.parametrize(
    ("value", "shape", "problem"),
    [
        ({"a": 1}, {"a": int}, ""),
        ({"a": 1}, {"a": float}, ""),
        ({"a": True}, {"a": float}, "`a` is True, but a number is expected"),
        ({"a": 1}, {"a": str}, "`a` is 1, but a text is expected"),
        ({}, {"a": str}, "`a` is missing"),
        ({}, {"a?": str}, ""),
        ({"b": 1}, {"a?": str}, "`b` is unknown"),
        ({"b": 1}, {"*": int}, ""),
        ({"b": {"c": []}}, {"*": {"c": str}}, "`b.c` is [], but a text is expected"),
        ({"a": [1, "x"]}, {"a": [int]}, "`a[1]` is 'x', but a whole number is expected"),
        ({"a": None}, {"a": (str, None)}, ""),
        ({"a": 1}, {"a": (str, None)}, "`a` is 1, but a text is expected"),
        ({"a": "z"}, {"a": frozenset({"x", "y"})}, "`a` is 'z', but one of x, y is expected"),
    ],
)
def test_the_first_field_of_another_shape_is_named(value, shape, problem):
    assert shape_problem(value, shape) == problem


@pytest.mark.parametrize("field", ["recipe", "data", "files", "seconds", "versions", "weights"])
def test_a_manifest_with_a_field_of_another_kind_is_damaged(tmp_path, field):
    write_json(tmp_path / "manifest.json", {"recipe": {"name": "a"}, field: ["x"]})
    with pytest.raises(DamagedFileError, match=rf"manifest\.json is damaged: `{field}` is \['x'\]"):
        _ = Run(tmp_path).manifest
    assert Run(tmp_path).state == "damaged"


def test_the_manifest_of_a_run_without_a_preset_is_read(tmp_path):
    weights = describe_weights(ImageConfig(dataset="photos", preset=""))
    write_json(tmp_path / "manifest.json", {"state": "done", "weights": weights})
    assert Run(tmp_path).state == "done"
