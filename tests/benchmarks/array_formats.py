"""Random reads of images from files: NumPy's .npy, Arrow IPC and ArrayRecord.

Batches of 32 images of 224 by 224 pixels are read in shuffled order, three passes over each file.
The pages of a file are dropped from the cache of the system before the first pass.

    python -m tests.benchmarks.array_formats
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

_SHAPE = (224, 224, 3)
_ROW = int(np.prod(_SHAPE))

Read = Callable[[np.ndarray], np.ndarray]


def npy(images: np.ndarray, path: Path) -> Read:
    np.save(path, images)
    return np.load(path, mmap_mode="r").__getitem__


def arrow(images: np.ndarray, path: Path) -> Read:
    kind = pa.binary(_ROW)
    schema = pa.schema([("image", kind)])
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        for start in range(0, len(images), 100):
            part = np.ascontiguousarray(images[start : start + 100])
            cells = pa.FixedSizeBinaryArray.from_buffers(
                kind, len(part), [None, pa.py_buffer(part)]
            )
            writer.write(pa.record_batch([cells], schema=schema))
    table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()

    def read(chosen: np.ndarray) -> np.ndarray:
        cells = table.take(pa.array(chosen)).combine_chunks().column(0).chunk(0)
        values = np.frombuffer(cells.buffers()[1], np.uint8, len(cells) * _ROW)
        return values.reshape(-1, *_SHAPE)

    return read


def array_record(images: np.ndarray, path: Path) -> Read:
    from array_record.python.array_record_data_source import ArrayRecordDataSource
    from array_record.python.array_record_module import ArrayRecordWriter

    writer = ArrayRecordWriter(str(path), "group_size:1,uncompressed")
    for image in images:
        writer.write(image.tobytes())
    writer.close()
    source = ArrayRecordDataSource(str(path))

    def read(chosen: np.ndarray) -> np.ndarray:
        cells = source.__getitems__(chosen.tolist())
        return np.stack([np.frombuffer(cell, np.uint8).reshape(_SHAPE) for cell in cells])

    return read


def drop_pages(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=4000)
    count = parser.parse_args().images
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (count, *_SHAPE), dtype=np.uint8)
    orders = [rng.permutation(count) for _ in range(3)]
    with tempfile.TemporaryDirectory() as folder:
        for name, make in {"npy": npy, "arrow": arrow, "array_record": array_record}.items():
            path = Path(folder) / f"{name}.npy"
            read, speeds = make(images, path), []
            drop_pages(path)
            for order in orders:
                began = time.perf_counter()
                for start in range(0, count, 32):
                    chosen = order[start : start + 32]
                    assert read(chosen)[0, 0, 0, 0] == images[chosen[0], 0, 0, 0]
                speeds.append(f"{count / (time.perf_counter() - began):,.0f}")
            print(f"{name:12}  {', '.join(speeds)} images/s", flush=True)


if __name__ == "__main__":
    main()
