"""Searches on Dask: random kills of workers, trials per minute, and what one worker costs.

    python -m tests.benchmarks.dask_search --kills 20 --trials 16   # the same scores as without
    python -m tests.benchmarks.dask_search --speed --trials 16      # workers of one core each
    python -m tests.benchmarks.dask_search --overhead --trials 6    # one worker beside none
    python -m tests.benchmarks.dask_search --processor --trials 8   # what Dask takes of the cores

Everything runs on loopback. A kill is SIGKILL for a worker drawn at random, at a random moment.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

import kerasft

SETTINGS = {"epochs": 3, "head_epochs": 1, "dataset": "builtin:digits", "seed": 0}


def search(folder: Path, name: str, trials: int, **engine: Any) -> Any:
    return kerasft.tune(
        "resnet_digits", kerasft.load_recipe("resnet_digits").Config(**SETTINGS),
        max_trials=trials, name=name, searches_dir=folder, progress=False, **engine,
    )  # fmt: skip


def scores(found: Any) -> list[tuple[Any, ...]]:
    return sorted(
        (str(t.values), t.state, t.score, t.outcome.get("val_loss")) for t in found.trials
    )


def kill_workers(client: Any, kills: int, seconds: float, done: threading.Event) -> None:
    """Kills workers at random moments, `seconds` apart on average."""
    draw = random.Random(0)
    while done.killed < kills:  # type: ignore[attr-defined]
        if done.wait(draw.uniform(0, 2 * seconds)):
            return
        pids = list(client.run(os.getpid, on_error="ignore").values())
        if pids:  # else all are starting
            os.kill(draw.choice(pids), signal.SIGKILL)
            done.killed += 1  # type: ignore[attr-defined]


def compare_with_kills(folder: Path, trials: int, kills: int, seconds: float) -> None:
    plain = search(folder, "plain", trials)
    done: Any = threading.Event()
    done.killed = 0
    with connect("local:2") as client:
        # Every kill here is from outside: none makes a trial suspect.
        client.run_on_scheduler(_allow_failures, kills)
        killer = threading.Thread(target=kill_workers, args=(client, kills, seconds, done))
        killer.start()
        killed = search(folder, "killed", trials, scheduler=client)
        done.set()
        killer.join()
    same = scores(plain) == scores(killed)
    numbers = [trial.number for trial in killed.trials]
    print(f"{done.killed} kills, {len(numbers)} trials, each once: {len(set(numbers)) == trials}")
    print(f"the same scores as without kills: {same}")
    raise SystemExit(0 if same else 1)


def connect(scheduler: str) -> Any:
    """Return the context of a client; imported here, as workers import this module without it."""
    from kerasft.tuning import dask_client

    return dask_client.connect(scheduler)


def _allow_failures(count: int, dask_scheduler: Any = None) -> None:
    dask_scheduler.allowed_failures = count


def measure_speed(folder: Path, trials: int) -> None:
    """Prints the trials per minute with one and two workers, each bound to a core."""
    rates = {}
    for count in (1, 2):
        with connect(f"local:{count}") as client:
            for core, address in enumerate(sorted(client.nthreads())):
                client.run(_bind, core, workers=[address])
            # Trials of one structure, of which a worker builds the first only.
            found = search(
                folder, f"timed{count}", trials, scheduler=client,
                fixed=[*SETTINGS, "trainable_blocks"],
            )  # fmt: skip
        # After the first trial of every worker, which imports TensorFlow and builds the model.
        ends = sorted(path.stat().st_mtime for path in found.path.glob("trials/*/manifest.json"))
        rates[count] = (trials - count) / (ends[-1] - ends[count - 1]) * 60
        print(f"{count} workers: {rates[count]:.2f} trials per minute", flush=True)
    print(f"ratio {rates[2] / rates[1]:.2f}")


def measure_overhead(folder: Path, trials: int, repeats: int) -> None:
    """Prints what an epoch and everything but the trials take on one worker, and without Dask."""
    found: dict[str, list[tuple[float, float]]] = {"none": [], "local:1": []}
    for repeat in range(repeats):
        for engine, times in found.items():
            command = [sys.executable, "-m", "tests.benchmarks.dask_search", "--one", engine]
            command += ["--trials", str(trials), "--folder", str(folder / f"{repeat}")]
            began = time.monotonic()
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            whole = time.monotonic() - began
            epoch, in_trials = json.loads(done.stdout.splitlines()[-1])
            times.append((epoch, whole - in_trials))
            print(f"{engine}: epoch {epoch:.2f} s, all but trials {times[-1][1]:.1f} s", flush=True)
    (epoch, rest), (shared, later) = (
        [statistics.median(column) for column in zip(*times, strict=True)]
        for times in found.values()
    )
    print(f"one worker: epochs {shared / epoch:.3f} times as long, the rest {later - rest:+.1f} s")


def measure_processor(folder: Path, trials: int) -> None:
    """Prints the share of the cores that scheduler, worker and search take while trials train.

    Epochs of a trial that uses all cores are longer by that share at most.
    """
    with connect("local:1") as client:
        processes = [psutil.Process(), *map(psutil.Process, client.run(os.getpid).values())]
        found: list[tuple[float, float]] = []
        done = threading.Event()

        def sample() -> None:
            while not done.wait(0.2):
                journals = list(folder.glob("resnet_digits/shared/journal.jsonl"))
                if journals and 1 <= journals[0].read_text().count('"end"') < trials:
                    used = sum(sum(process.cpu_times()[:2]) for process in processes)
                    found.append((time.monotonic(), used))

        sampling = threading.Thread(target=sample)
        sampling.start()
        search(folder, "shared", trials, scheduler=client, fixed=[*SETTINGS, "trainable_blocks"])
        done.set()
        sampling.join()
    (began, before), (ended, after) = found[0], found[-1]
    cores = len(os.sched_getaffinity(0))
    share = (after - before) / (ended - began) / cores
    print(f"{ended - began:.0f} s of trials: Dask and the search take {share:.2%} of {cores} cores")


def search_once(folder: Path, engine: str, trials: int) -> None:
    """Prints the median time of an epoch of a search, and the time in its trials."""
    scheduler = {} if engine == "none" else {"scheduler": engine}
    # Trials of one structure, of which the first alone compiles.
    found = search(
        folder, engine.replace(":", ""), trials, fixed=[*SETTINGS, "trainable_blocks"], **scheduler
    )
    paths = sorted(found.path.glob("trials/*"))
    last = [kerasft.Run(path).history[-1]["seconds"] for path in paths[1:]]
    print(json.dumps([statistics.median(last), sum(t.outcome["seconds"] for t in found.trials)]))


def _bind(core: int) -> None:
    """Bind the worker, and the processes that it will start, to one core."""
    os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=6.0, help="mean time between kills")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--overhead", action="store_true")
    parser.add_argument("--processor", action="store_true")
    parser.add_argument("--repeats", type=int, default=3, help="of --overhead")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        search_once(options.folder, options.one, options.trials)
        return
    with tempfile.TemporaryDirectory() as folder:
        if options.speed:
            measure_speed(Path(folder), options.trials)
        elif options.processor:
            measure_processor(Path(folder), options.trials)
        elif options.overhead:
            measure_overhead(Path(folder), options.trials, options.repeats)
        else:
            compare_with_kills(Path(folder), options.trials, options.kills, options.seconds)


if __name__ == "__main__":
    main()
