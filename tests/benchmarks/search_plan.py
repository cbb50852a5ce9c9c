"""The search loop with 1,000 trials on 100 workers that sleep, beside the prediction of its time.

    python -m tests.benchmarks.search_plan
    python -m tests.benchmarks.search_plan --trials 200 --workers 20

Everything but the training is real: proposals of KerasTuner, journal, ranking. First without
sleep, which gives the time of the scheduler for each trial.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import kerasft
from kerasft.planning.scheduling import Costs, Hyperband, Independent, simulate
from kerasft.runs.provenance import describe_recipe
from kerasft.tuning.journal import begin_journal
from kerasft.tuning.plan import make_plan
from kerasft.tuning.progress import Expected, SearchProgress
from kerasft.tuning.results import trial_folder
from kerasft.tuning.search import Searcher
from kerasft.tuning.search_options import SearchOptions

RECIPE = "resnet_digits"


class Sleepers:
    """Workers that sleep for every epoch that a trial would train."""

    def __init__(self, count: int, seconds_per_epoch: float) -> None:
        self.count, self.seconds = count, seconds_per_epoch
        self.epochs: dict[Path, int] = {}
        self.executor, self.draw = ThreadPoolExecutor(count), random.Random(0)

    def submit(self, job: Any) -> Future[dict[str, Any]]:
        self.epochs[job.folder] = job.settings["epochs"]
        before = self.epochs[job.continues] if job.continues else 0
        seconds = (job.settings["epochs"] - before) * self.seconds
        return self.executor.submit(self.run, seconds, self.draw.random())

    def run(self, seconds: float, score: float) -> dict[str, Any]:
        time.sleep(seconds)
        return {"state": "completed", "score": score, "val_loss": 1 - score, "seconds": seconds}

    def outcome(self, ended: Future[dict[str, Any]]) -> dict[str, Any]:
        return ended.result()


def search(tuner: str, trials: int, epochs: int, workers: Sleepers) -> tuple[int, float]:
    """Returns the number of trials, and the seconds that they took."""
    recipe = kerasft.load_recipe(RECIPE)
    config = recipe.Config(epochs=epochs, head_epochs=0, precision="float32")
    options = SearchOptions(tuner=tuner, max_trials=trials, max_epochs=epochs)
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        plan = make_plan(recipe, config, describe_recipe(recipe), options, None)
        begin_journal(folder, plan.header)
        progress = SearchProgress(
            lambda number: trial_folder(folder, number), {}, plan.header["objective"],
            Expected(trials, None, 0),
        )  # fmt: skip
        searcher = Searcher(folder, plan, max_trials=trials, deadline=None, progress=progress)
        began = time.monotonic()
        searcher.run(workers)  # type: ignore[arg-type]
        seconds = time.monotonic() - began
        searcher.close("done")
    return len(searcher.trials), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=5.0, help="of a trial of all epochs")
    options = parser.parse_args()
    print("tuner, trials, workers, scheduler of a trial, measured, predicted")
    for tuner, epochs in (("random", 10), ("hyperband", 243)):
        count, alone = search(tuner, options.trials, epochs, Sleepers(1, 0.0))
        costs = Costs((options.seconds / epochs,), 0.0, alone / count)
        found, seconds = search(
            tuner, options.trials, epochs, Sleepers(options.workers, options.seconds / epochs)
        )
        proposals = (
            Independent(options.trials - 1, epochs)
            if tuner == "random"
            else Hyperband(epochs, 0, options.trials - 1)
        )
        predicted = simulate(proposals, options.workers, costs, epochs)
        assert predicted.trials == found == count
        print(
            f"{tuner}, {found}, {options.workers}, {1000 * alone / count:.1f} ms, "
            f"{seconds:.1f} s, {predicted.seconds:.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
