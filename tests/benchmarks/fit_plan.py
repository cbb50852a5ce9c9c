"""Epochs of one and of two processes of one core each, beside the predictions of `kerasft plan`.

    python -m tests.benchmarks.fit_plan
    python -m tests.benchmarks.fit_plan --batch-size 32

The processes fit `resnet_digits` on JAX and meet on the loopback.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.distribution.fits import Way, fit

SETTINGS = {"epochs": 4, "head_epochs": 0, "augmentation": "none", "patience": 0}


def predict(settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the predictions for one process and for two, made on one core."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    command = ["taskset", "--cpu-list", "0", sys.executable, "-m", "kerasft", "plan", "--json"]
    done = subprocess.run(
        [*command, "resnet_digits", "--devices=2", *options],
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
    options = parser.parse_args()
    settings = {**SETTINGS, "batch_size": options.batch_size}
    with tempfile.TemporaryDirectory() as folder:
        for repeat in range(options.repeats):
            for scale in predict(settings):
                count = scale["devices"]
                seconds = measure(Path(folder, f"{count}-{repeat}"), count, settings)
                print(
                    f"{count} processes: {seconds:.2f} s an epoch, predicted "
                    f"{scale['epoch_seconds']:.2f} s ({scale['compute_seconds'] * 1e3:.0f} ms and "
                    f"{scale['communication_seconds'] * 1e3:.1f} ms a step)",
                    flush=True,
                )


if __name__ == "__main__":
    main()
