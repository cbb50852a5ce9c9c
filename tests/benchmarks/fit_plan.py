"""Epochs of one and more processes, beside the predictions of `kerasft plan`.

    python -m tests.benchmarks.fit_plan                             # of one core each: 1 and 2
    python -m tests.benchmarks.fit_plan --per-core 2 --repeats 1    # of half a core: 1, 2 and 4

For half a core, processes that only count take what no process of the fit uses. The processes fit
`resnet_digits` on JAX and meet on the loopback.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.distribution.fits import Way, fit

SETTINGS = {"epochs": 4, "head_epochs": 0, "head_start": "random", "augmentation": "none",
            "patience": 0}  # fmt: skip


@contextlib.contextmanager
def busy(slots: range) -> Iterator[None]:
    """Runs a process that only counts in each of these slots; slots go around the cores."""
    cores = os.cpu_count() or 1
    line = [sys.executable, "-c", "while True: pass"]
    started = [
        subprocess.Popen(["taskset", "--cpu-list", str(slot % cores), *line]) for slot in slots
    ]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def predict(settings: dict[str, Any], processes: int) -> list[dict[str, Any]]:
    """Returns the predictions for one process and more, made on one core or its share."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    command = ["taskset", "--cpu-list", "0", sys.executable, "-m", "kerasft", "plan", "--json"]
    done = subprocess.run(
        [*command, "resnet_digits", f"--devices={processes}", *options],
        env={**os.environ, "KERAS_BACKEND": "jax"}, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    (main,) = json.loads(done.stdout)["phases"]
    scales: list[dict[str, Any]] = main["scales"]
    return scales


def measure(folder: Path, processes: int, settings: dict[str, Any]) -> float:
    """Returns the median time of an epoch after the first, which compiles."""
    run = fit(Way("jax", processes=processes), folder, "resnet_digits", settings, bound=True)
    return statistics.median(row["seconds"] for row in run.history[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--per-core", type=int, default=1, help="processes that share a core")
    options = parser.parse_args()
    settings = {**SETTINGS, "batch_size": options.batch_size}
    most = options.per_core * (os.cpu_count() or 1)
    slots = most if options.per_core > 1 else 0
    with tempfile.TemporaryDirectory() as folder:
        for repeat in range(options.repeats):
            with busy(range(1, slots)):
                predicted = predict(settings, most)
            for scale in predicted:
                count = scale["devices"]
                with busy(range(count, slots)):
                    seconds = measure(Path(folder, f"{count}-{repeat}"), count, settings)
                print(
                    f"{count} processes: {seconds:.2f} s an epoch, predicted "
                    f"{scale['epoch_seconds']:.2f} s ({scale['compute_seconds'] * 1e3:.0f} ms and "
                    f"{scale['communication_seconds'] * 1e3:.1f} ms a step)",
                    flush=True,
                )


if __name__ == "__main__":
    main()
