"""The calibration of a run in its folder: numbers as JSON, arrays as NPZ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kerasft.atomic_files import atomic_path
from kerasft.calibration import Calibration
from kerasft.runs.files import json_text, sha256
from kerasft.runs.predictions_file import read_arrays
from kerasft.runs.run import CALIBRATION, CALIBRATION_ARRAYS, Run
from kerasft.runs.write import write_manifest

SCORES = "scores_"  # prefix of the scores of known inputs, before the name of the split


def write_calibration(
    run: Run, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Write the record of a calibration and its arrays, with their checksums.

    A full disk leaves the calibration before it. Of an interruption while files are replaced, the
    run has none. Arrays that are already stored remain: it can be calibrated again without its
    data.

    Args:
        run: Run to write to.
        record: Record; `calibration` is that of `Calibration.to_dict`.
        arrays: Arrays of `known`, and the scores of known inputs of every split as
            `scores_SPLIT`; without them there is no file of arrays.
    """
    files = {k: v for k, v in run.manifest.get("files", {}).items() if k != CALIBRATION}
    record_path, path = run.path / CALIBRATION, run.path / CALIBRATION_ARRAYS
    with atomic_path(record_path) as temporary_record:
        temporary_record.write_text(json_text(record), encoding="utf-8")
        changed = {CALIBRATION: sha256(temporary_record)}
        with atomic_path(path) as temporary:
            with open(temporary, "wb") as file:
                np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
            checksum = sha256(temporary)
            if files.get(CALIBRATION_ARRAYS) != checksum:
                files.pop(CALIBRATION_ARRAYS, None)
            # Before a file changes: the checksum of the present one would not fit.
            write_manifest(run, files=files)
    if arrays:
        changed[CALIBRATION_ARRAYS] = checksum
    write_manifest(run, files={**files, **changed})
    if not arrays:
        path.unlink()


def read_calibration(run: Run) -> Calibration:
    """Return the calibration of a run: the state before fitting if it has none.

    Raises:
        DamagedFileError: A file of it is missing, damaged or changed.
    """
    record = run.calibration
    if not record:
        return Calibration()
    arrays = read_calibration_arrays(run)
    memory = {name: array for name, array in arrays.items() if not name.startswith(SCORES)}
    return Calibration.from_dict(record["calibration"], memory)


def read_calibration_arrays(run: Run) -> dict[str, np.ndarray]:
    """Return the arrays of the calibration of a run by name, none where it has none.

    Raises:
        DamagedFileError: The file is missing, damaged or changed.
    """
    if CALIBRATION_ARRAYS not in run.manifest.get("files", {}):
        return {}
    return read_arrays(run.verified(CALIBRATION_ARRAYS))
