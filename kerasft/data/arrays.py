"""Large arrays: in memory, or in a temporary file that goes with them."""

from __future__ import annotations

import math
import os
import tempfile

import numpy as np

from kerasft.errors import ResourceError

_SHARE = 0.25  # of the free memory that an array may take; a larger one lies in a file


def allocate(shape: tuple[int, ...], dtype: np.dtype, what: str, advice: str) -> np.ndarray:
    """Return an array without values: in memory, or mapped from a temporary file.

    The file has no name any more and goes with the array, whatever ends the process.

    Args:
        shape: Its shape.
        dtype: Its number format.
        what: How a message calls what it holds.
        advice: What a person can do where there is no room.

    Raises:
        ResourceError: There is room neither in memory nor in the folder of temporary files.
    """
    size = math.prod(shape) * dtype.itemsize
    if size <= _SHARE * free_memory():
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile(prefix="kerasft-") as file:
        try:
            # A sparse file would end the process with a signal where the disk is full.
            if hasattr(os, "posix_fallocate"):  # not on macOS
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
        except OSError as error:
            raise ResourceError(
                f"There is no room for {size / 1e9:,.1f} GB of {what} in {tempfile.gettempdir()} "
                f"({error.strerror}): {advice}, or set TMPDIR to a larger folder."
            ) from error
        return np.memmap(file, dtype, "r+", shape=shape)


def free_memory() -> int:
    """Return the bytes of memory that are free."""
    names = [n for n in ("SC_AVPHYS_PAGES", "SC_PHYS_PAGES") if n in os.sysconf_names]
    return os.sysconf(names[0]) * os.sysconf("SC_PAGE_SIZE") if names else 1 << 32
