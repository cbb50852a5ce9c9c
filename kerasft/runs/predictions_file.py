"""The predictions of a run in its folder."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kerasft.atomic_files import atomic_path
from kerasft.errors import DamagedFileError
from kerasft.runs.files import sha256
from kerasft.runs.run import Run
from kerasft.runs.write import write_manifest

PREDICTIONS = "predictions.npz"


def write_predictions(run: Run, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the predictions of a run, with their checksum.

    Args:
        run: Run to write to.
        arrays: `y_SPLIT` and `outputs_SPLIT` of every split.
    """
    path = run.path / PREDICTIONS
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    write_manifest(run, files={**run.manifest.get("files", {}), PREDICTIONS: sha256(path)})


def read_predictions(run: Run) -> dict[str, np.ndarray]:
    """Return the arrays of `write_predictions`, none if the run has no such file.

    Raises:
        DamagedFileError: The file is damaged or changed.
    """
    path = run.record_file(PREDICTIONS)
    return read_arrays(path) if path.exists() else {}


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of an NPZ file by name; arrays of Python objects are refused.

    Raises:
        DamagedFileError: The file is damaged.
    """
    if not path.is_file():  # a pipe would be waited for
        raise DamagedFileError(f"{path} is not a regular file. Restore the file or fit again.")
    try:
        # An open file: NumPy leaves one that it cannot read open.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DamagedFileError(
            f"{path} is damaged: {error}. Restore the file or fit again."
        ) from error
