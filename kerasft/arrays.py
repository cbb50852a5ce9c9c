"""Large arrays, in memory or in temporary files."""

from __future__ import annotations

import math
import os
import tempfile

import numpy as np

from kerasft.errors import ResourceError

_SHARE = 0.25  # of free memory; an array that needs more is mapped from a file


def allocate(shape: tuple[int, ...], dtype: np.dtype, what: str, advice: str) -> np.ndarray:
    """Return an uninitialized array, in memory or mapped from a temporary file.

    The file is unlinked at once: its space is freed with the array, even if the process is killed.

    Args:
        shape: Shape of the array.
        dtype: Dtype of the array.
        what: Noun phrase for the contents, for the error message.
        advice: Imperative clause for the error message, on how to reduce the size.

    Raises:
        ResourceError: Neither memory nor the folder for temporary files has enough space.
    """
    size = math.prod(shape) * dtype.itemsize
    if size <= _SHARE * free_memory():
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile(prefix="kerasft-") as file:
        try:
            # Writing to a mapped sparse file on a full disk would kill the process (SIGBUS).
            if hasattr(os, "posix_fallocate"):  # not on macOS
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
        except OSError as error:
            raise ResourceError(
                f"{tempfile.gettempdir()} has no space for {size / 1e9:,.1f} GB of {what} "
                f"({error.strerror}): {advice}, or set TMPDIR to a larger folder."
            ) from error
        return np.memmap(file, dtype, "r+", shape=shape)


def free_memory() -> int:
    """Return the free memory in bytes."""
    names = [n for n in ("SC_AVPHYS_PAGES", "SC_PHYS_PAGES") if n in os.sysconf_names]
    return os.sysconf(names[0]) * os.sysconf("SC_PAGE_SIZE") if names else 1 << 32
