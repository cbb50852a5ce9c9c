"""Fits on data ten times as large as the memory that they may use: peak memory and throughput.

Synthetic images or texts are prepared in files, because they need `--times` the memory limit. A fit
on a hundredth of them says what TensorFlow and the model need. The others may use the limit more,
and are ended above that. Every fit is a process of its own:

- cold: prepares the files and trains
- warm: uses the files
- in memory: the same fit without a limit

The model for images costs nearly nothing, so that an epoch takes as long as reading its images.

Warm fits and fits in memory take turns. Memory is anonymous memory (RssAnon of Linux, read every
20 ms): pages of mapped files are not in it, as the system frees them on demand. RLIMIT_DATA does
not fit TensorFlow: it counts the stacks and reserves of its threads, which are never used.

    python -m tests.benchmarks.larger_than_memory
    python -m tests.benchmarks.larger_than_memory --kind texts
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

# TensorFlow reads it at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_SIDE = 160  # pixels
_TOKENS = 128  # of a text, as many as the small preset takes
_PART = 500  # images that a process writes at once
_EVERY = 0.02  # seconds between two looks at the memory
_EPOCHS = 4
_SHARE = 0.01  # of the data in the fit whose memory is the base


class Watch:
    """Watches the anonymous memory of this process in a thread; ends the process above a limit."""

    def __init__(self, most: float) -> None:
        self.most, self.peak = most, 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY):
            status = Path("/proc/self/status").read_text()
            used = int(status.partition("RssAnon:")[2].split()[0]) * 1024
            self.peak = max(self.peak, used)
            if self.most and used > self.most:
                print(f"{used / 1e6:,.0f} MB are above the limit", file=sys.stderr, flush=True)
                os._exit(1)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


def write_images(folder: Path, first: int) -> None:
    """Writes images of noise, each different, whose class is their main color."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(first)
    for number in range(first, first + _PART):
        pixels = rng.integers(0, 100, (10, 10, 3), dtype=np.uint8)
        pixels[..., number % 2] += 100
        image = Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
        image.save(folder / "ab"[number % 2] / f"{number}.jpg", quality=80)


def make_images(folder: Path, size: float) -> dict[str, Any]:
    """Makes images that need `size` bytes when they are decoded; returns the settings of a fit."""
    starts = range(0, int(size / (_SIDE**2 * 3)), _PART)
    for name in "ab":
        (folder / "images" / name).mkdir(parents=True)
    with ProcessPoolExecutor() as pool:
        list(pool.map(write_images, [folder / "images"] * len(starts), starts))
    recipe = str(Path(__file__).with_name("mean_colors.py"))
    return {"recipe": recipe, "dataset": str(folder / "images"), "image_size": _SIDE}


def make_texts(folder: Path, size: float) -> dict[str, Any]:
    """Makes a table of texts whose tokens need `size` bytes; returns the settings of a fit."""
    from kerasft.testing import tiny_preset

    preset = tiny_preset("bert", folder / "preset")
    (vocabulary,) = Path(preset).rglob("vocabulary.txt")
    words = [word for word in vocabulary.read_text().split() if word.isalpha()]
    draw = random.Random(0)
    with open(folder / "texts.csv", "w", encoding="utf-8") as file:
        file.write("text,label\n")
        for number in range(int(size / (_TOKENS * 3 * 4))):
            text = " ".join(draw.choices(words, k=_TOKENS))
            file.write(f"{text},{'ab'[number % 2]}\n")
    return {
        "recipe": "minilm_tickets", "dataset": str(folder / "texts.csv"), "label_column": "label",
        "preset": preset, "sequence_length": _TOKENS, "trainable_blocks": 0, "head_epochs": 0,
        "patience": 0,
    }  # fmt: skip


def fit(settings: dict[str, Any], most: float) -> dict[str, Any]:
    """Fits in this process; returns the peak of its memory and seconds of the epochs."""
    import kerasft

    began = time.perf_counter()
    with Watch(most) as watch, tempfile.TemporaryDirectory() as runs:
        recipe = settings.pop("recipe")
        run = kerasft.fit(recipe, runs_dir=runs, progress=False, cache=False, **settings)
        epochs = [row["seconds"] for row in run.history]
        losses = [row["val_loss"] for row in run.history]
    seconds = time.perf_counter() - began
    return {"peak": watch.peak, "seconds": seconds, "epochs": epochs, "losses": losses}


def in_process(settings: dict[str, Any], cache: Path, most: float = 0) -> dict[str, Any]:
    """Fits in another process, which is ended above `most` bytes (0: never)."""
    words = json.dumps({"settings": settings, "most": most})
    command = [sys.executable, "-m", "tests.benchmarks.larger_than_memory", "--fit", words]
    environment = {**os.environ, "KERASFT_CACHE": str(cache)}
    found = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=True)
    result: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return result


def measure(settings: dict[str, Any], cache: Path, limit: float, repeats: int) -> Iterator[Any]:
    """Yields the name of every fit and what it measured."""
    common = {**settings, "epochs": _EPOCHS}
    base = in_process({**common, "fraction": _SHARE}, cache)
    yield "1% in memory", base
    mapped, most = {**common, "memory_gigabytes": limit / 1e9}, base["peak"] + limit
    yield "cold", in_process(mapped, cache, most)
    for _ in range(repeats):
        yield "warm", in_process(mapped, cache, most)
        yield "in memory", in_process({**common, "memory_gigabytes": 1000}, cache)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kind", choices=["images", "texts"], default="images")
    parser.add_argument("--limit-mb", type=float, default=200, help="memory of the data")
    parser.add_argument("--times", type=float, default=10, help="data over that memory")
    parser.add_argument("--repeats", type=int, default=3, help="warm fits and fits in memory")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    parser.add_argument("--fit", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fit:
        print(json.dumps(fit(**json.loads(options.fit))))
        return
    limit, found = options.limit_mb * 1e6, dict[str, list[dict[str, Any]]]()
    make = {"images": make_images, "texts": make_texts}[options.kind]
    with tempfile.TemporaryDirectory() as name:
        settings = make(Path(name), limit * options.times)
        for what, row in measure(settings, Path(name) / "cache", limit, options.repeats):
            found.setdefault(what, []).append(row)
            above = (row["peak"] - found["1% in memory"][0]["peak"]) / 1e6
            print(
                f"{what:12}  peak {row['peak'] / 1e6:,.0f} MB ({above:+,.0f} MB)  "
                f"{row['seconds']:,.0f} s  epochs {', '.join(f'{s:.1f}' for s in row['epochs'])} s",
                flush=True,
            )
    assert len({tuple(row["losses"]) for what in ("cold", "warm") for row in found[what]}) == 1
    assert found["warm"][0]["losses"] == found["in memory"][0]["losses"]
    warm, memory = (
        statistics.median(min(row["epochs"][1:]) for row in found[what])
        for what in ("warm", "in memory")
    )
    print(f"an epoch of a warm fit takes {warm / memory:.2f} times that in memory")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
