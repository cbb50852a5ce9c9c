"""A search by `kerasft tune` and by stock KerasTuner side by side.

Both train the same models on the same examples for the same epochs in batches of one size,
without early stopping, each side in a process of its own, one after the other. KerasTuner is used
as its documentation shows it: a function that builds and compiles with Keras' AdamW, `search` on
arrays; texts are tokenized once and padded to the longest of the set.

With `--tuner grid` both walk the same grid of trainable_blocks and learning_rate. With `--tuner
random` each draws its own trials from one space (KerasTuner's sampler on both sides; kerasft
begins with the recipe's defaults). The time is reported until KerasTuner's final best validation
score was reached by either. Which trial that is is luck: trials drawn at random might have come in
any order, so the mean over all orders of those that were measured is reported too.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

SIDES = ("kerasft", "keras_tuner")
RATES = (3e-4, 1e-3, 1e-4, 3e-3, 2e-4, 5e-4, 2e-3, 5e-3, 1.5e-3, 7e-4)


def settings(
    recipe: Any, trials: int, blocks: list[int], epochs: int, seed: int
) -> tuple[Any, list[float]]:
    """Returns the settings common to all trials, and the learning rates of the grid."""
    rates = sorted(RATES[: trials // len(blocks)])
    config = recipe.Config(
        epochs=epochs, head_epochs=0, patience=0, trainable_blocks=blocks[0],
        learning_rate=rates[0], seed=seed, precision="float32", head_start="random",
    )  # fmt: skip
    return config, rates


def resident() -> float:
    """Returns the resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def watch(ended: Callable[[], int], rows: list[tuple[int, float, float]], began: float) -> None:
    """Notes time and memory whenever another trial has ended."""
    while True:
        count = ended()
        if not rows or count > rows[-1][0]:
            rows.append((count, time.monotonic() - began, resident()))
        time.sleep(0.1)


def search_kerasft(
    recipe: Any, config: Any, task: Any, rates: list[float], folder: Path, begin: Any
) -> list[float]:
    """Runs the search by `kerasft.tune`, and returns the scores."""
    import kerasft
    from kerasft.setting_declaration import settings

    journal = folder / recipe.__name__.rpartition(".")[2] / "grid" / "journal.jsonl"
    blocks = ",".join(map(str, task.blocks))
    learning_rate = "1e-5..1e-2:log" if task.tuner == "random" else ",".join(map(str, rates))

    def ended() -> int:
        return journal.read_text().count('"event": "end"') if journal.exists() else 0

    begin(ended)
    space = {"trainable_blocks": blocks, "learning_rate": learning_rate}
    if len(task.blocks) == 1:
        del space["trainable_blocks"]
    search = kerasft.tune(
        recipe,
        config,
        tuner=task.tuner,
        max_trials=task.trials if task.tuner == "random" else None,
        space=[f"{name}={values}" for name, values in space.items()],
        fixed=[name for name in settings(config) if name not in space],
        searches_dir=folder,
        name="grid",
        progress=False,
    )
    return [trial.score for trial in search.trials]


def search_keras_tuner(
    recipe: Any, config: Any, task: Any, rates: list[float], folder: Path, begin: Any
) -> list[float]:
    """Runs the search by KerasTuner, and returns the scores."""
    import keras
    import keras_tuner

    from kerasft.data import load_recipe_data
    from kerasft.models import choose_monitor
    from tests.benchmarks.plain import compile_stock, longest_only, stock_keras

    stock_keras()
    data = load_recipe_data(recipe, config)

    def build(hp: Any) -> Any:
        keras.utils.set_random_seed(config.seed)
        rate = (
            hp.Float("learning_rate", 1e-5, 1e-2, sampling="log")
            if task.tuner == "random"
            else hp.Choice("learning_rate", rates)
        )
        blocks = hp.Choice("trainable_blocks", task.blocks)
        chosen = dataclasses.replace(config, trainable_blocks=blocks, learning_rate=rate)
        model = recipe.build_model(chosen, data)
        compile_stock(model, chosen, data)
        return model

    kind = keras_tuner.RandomSearch if task.tuner == "random" else keras_tuner.GridSearch
    tuner = kind(
        build,
        objective=keras_tuner.Objective(*choose_monitor(config)),
        max_trials=task.trials,
        directory=folder,
        project_name="grid",
        overwrite=True,
        seed=config.seed,
    )
    begin(lambda: len(tuner.oracle.end_order))
    tuner.search(
        longest_only(data.train.x),
        data.train.y,
        batch_size=config.batch_size,
        validation_data=(longest_only(data.validation.x), data.validation.y),
        epochs=config.epochs,
        verbose=0,
    )
    return [tuner.oracle.trials[key].score for key in tuner.oracle.end_order]


def run_side(side: str, task: Any) -> dict[str, Any]:
    """Runs one side in this process and measures it."""
    from kerasft.catalog import load_recipe

    recipe = load_recipe(task.recipe)
    config, rates = settings(recipe, task.trials, task.blocks, task.epochs, task.seed)
    rows: list[tuple[int, float, float]] = []

    def begin(ended: Callable[[], int]) -> None:
        arguments = (ended, rows, time.monotonic())
        threading.Thread(target=watch, args=arguments, daemon=True).start()

    function = {"kerasft": search_kerasft, "keras_tuner": search_keras_tuner}[side]
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        scores = function(recipe, config, task, rates, Path(folder), begin)
        seconds = time.monotonic() - began
        time.sleep(0.3)
        disk = sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file()) / 2**20
    peak = next(
        int(line.split()[1]) / 1024
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )
    return {"seconds": seconds, "peak": peak, "disk": disk, "rows": rows, "scores": scores}


def growth(rows: list[tuple[int, float, float]], structures: int) -> float:
    """Returns the MB a trial that memory grew by, after every kind of model was built once."""
    late = [row for row in rows if row[0] >= max(len(rows) // 2, structures)]
    (first, _, low), (last, _, high) = late[0], late[-1]
    return (high - low) / max(last - first, 1)


def reached(side: dict[str, Any], score: float) -> float:
    """Returns the seconds after which a side had a score at least as good; infinite if never."""
    ended = {count: seconds for count, seconds, _ in side["rows"]}
    good = [n for n, value in enumerate(side["scores"], start=1) if value >= score]
    later = [ended[count] for count in ended if good and count >= good[0]]
    return min(later, default=float("inf"))


def expected(side: dict[str, Any], score: float, *, fixed: bool) -> float:
    """Returns the mean seconds until a score at least as good, over all orders of the trials.

    Args:
        side: What was measured.
        score: To be reached; infinite seconds where no trial has it.
        fixed: Whether the first trial is no random one, and always comes first.
    """
    ended, scores = [seconds for _, seconds, _ in side["rows"][1:]], side["scores"]
    first, trials = ended[0], len(scores)
    each = (ended[-1] - first) / (trials - 1)
    if fixed and scores[0] >= score:
        return first
    good = sum(value >= score for value in scores)
    if not good:
        return float("inf")
    # Of n in a random order with m good ones the first good one is expected at (n + 1)/(m + 1).
    drawn = trials - fixed
    return first + each * ((drawn + 1) / (good + 1) + fixed - 1)


def main() -> None:
    """Measures both sides and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="resnet_digits")
    parser.add_argument("--trials", type=int, default=12, help="altogether, a multiple of blocks")
    parser.add_argument("--blocks", default="0,1,2", help="values of trainable_blocks")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--tuner", choices=("grid", "random"), default="grid")
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", choices=SIDES, help="measure one side alone")
    parser.add_argument("--json", type=Path, help="where to write all numbers")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    given = arguments.blocks
    arguments.blocks = [int(part) for part in given.split(",")]
    if arguments.side:
        print(json.dumps(run_side(arguments.side, arguments)))
        return
    every = []
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        results = {}
        for side in [arguments.only] if arguments.only else SIDES:
            command = [sys.executable, "-m", "tests.benchmarks.search_cost", "--side", side]
            command += ["--recipe", arguments.recipe, "--trials", str(arguments.trials)]
            command += [f"--blocks={given}", "--epochs", str(arguments.epochs)]
            command += ["--tuner", arguments.tuner, "--seed", str(seed)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(done.stderr)
            results[side] = json.loads(done.stdout.splitlines()[-1])
        show(results, seed, arguments, given)
        every.append(results)
    if arguments.json:
        arguments.json.write_text(json.dumps(every[0] if len(every) == 1 else every, indent=1))


def show(results: dict[str, Any], seed: int, arguments: Any, given: str) -> None:
    """Prints the table of a seed."""
    what = f"{arguments.recipe}, {arguments.trials} trials of {arguments.epochs} epochs"
    print(f"seed {seed}, {what}, trainable_blocks {given}, {platform.machine()}, ", end="")
    print(f"{os.cpu_count()} cores")
    print("side         seconds  peak MB  MB a trial  disk MB  best")
    for side, row in results.items():
        print(
            f"{side:<12} {row['seconds']:7.0f}  {row['peak']:7.0f}  "
            f"{growth(row['rows'], len(arguments.blocks)):10.1f}  {row['disk']:7.1f}  "
            f"{max(row['scores']):.4f}"
        )
    if len(results) == len(SIDES) and arguments.tuner == "random":
        best = max(results["keras_tuner"]["scores"])
        for side, row in results.items():
            mean = expected(row, best, fixed=side == "kerasft")
            print(
                f"{side}: {best:.4f} was reached after {reached(row, best):.0f} s, "
                f"over all orders after {mean:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
