"""The calibration of a run is replaced whole."""

import numpy as np
import pytest

from kerasft.errors import ResourceError
from kerasft.runs import Run, write_manifest
from kerasft.runs.calibration_file import write_calibration


@pytest.mark.parametrize("full", ["calibration.json", "calibration.npz"])
def test_a_full_disk_leaves_the_calibration(tmp_path, file_size_limit, full):
    run = Run(tmp_path)
    write_manifest(run, recipe={"name": "a"}, files={})
    write_calibration(run, {"notes": []}, {"scores": np.ones(3)})
    long = ["a note"] * 900 if full == "calibration.json" else []
    many = np.random.default_rng(0).random(900 if full == "calibration.npz" else 3)
    file_size_limit(4000)
    with pytest.raises(ResourceError, match=rf"/{full} cannot be written: File too large"):
        write_calibration(run, {"notes": long}, {"scores": many})
    file_size_limit(None)
    assert run.calibration == {"notes": []}
    assert np.load(run.verified("calibration.npz"))["scores"].tolist() == [1, 1, 1]
    names = {"manifest.json", "calibration.json", "calibration.npz"}
    assert {path.name for path in tmp_path.iterdir()} == names
