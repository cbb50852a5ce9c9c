"""Peak memory and time of `kerasft predict` on tables of short texts of growing length.

A tiny text model is fitted on `builtin:tickets`, and each table, whose texts are those of the same
dataset with a number, is predicted in a process of its own: CSV to CSV. With `--evaluate`, the
model is evaluated on the tables instead.

    python -m tests.benchmarks.predict_memory --rows 10000,100000,1000000
    python -m tests.benchmarks.predict_memory --rows 10000,100000 --evaluate
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

# TensorFlow reads it at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def fit_tiny_run(folder: Path) -> Path:
    """Fits a model of two small blocks for one epoch, and returns its run folder."""
    import kerasft
    from kerasft.testing import tiny_preset

    preset = tiny_preset("bert", folder / "preset")
    run = kerasft.fit(
        "minilm_tickets", preset=preset, sequence_length=32, trainable_blocks=0, head_epochs=0,
        epochs=1, runs_dir=str(folder / "runs"), progress=False,
    )  # fmt: skip
    return Path(run.path)


def tickets() -> list[tuple[str, str]]:
    """Returns the texts of the dataset with their classes."""
    from kerasft.config import TextConfig
    from kerasft.data import read_dataset

    examples = read_dataset(TextConfig(dataset="builtin:tickets", label_column="intent"))["train"]
    return list(zip(map(str, examples.inputs), map(str, examples.labels or ()), strict=True))


def write_rows(path: Path, rows: Sequence[tuple[str, str]], count: int) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "intent"])
        numbered = zip(range(count), itertools.cycle(rows), strict=False)
        writer.writerows((number, f"{text} {number}", name) for number, (text, name) in numbered)


def measure(*words: str) -> dict[str, float]:
    """Returns the seconds and the peak memory in MB of a command of kerasft."""
    command = [sys.executable, "-m", "kerasft", *words, "--quiet"]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed with status {status}")
    seconds = time.perf_counter() - began
    peak = usage.ru_maxrss / 1024  # in KiB on Linux
    return {"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "peak_mb": peak}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", default="10000,100000", help="numbers of rows, in this order")
    parser.add_argument("--evaluate", action="store_true", help="evaluate instead of predict")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    options = parser.parse_args()
    table = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run, rows, texts = str(fit_tiny_run(folder)), tickets(), str(folder / "texts.csv")
        words = ["predict", run, texts, "-o", str(folder / "predictions.csv")]
        if options.evaluate:
            words = ["evaluate", run, "--dataset", texts]
        for count in map(int, options.rows.split(",")):
            write_rows(folder / "texts.csv", rows, count)
            found = measure(*words)
            table.append({"rows": count, **found})
            print(
                f"{count:>9,} rows  peak {found['peak_mb']:,.0f} MB  {found['seconds']:,.1f} s  "
                f"CPU {found['cpu']:,.1f} s  {found['seconds'] / count * 1e6:,.0f} µs a row",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
