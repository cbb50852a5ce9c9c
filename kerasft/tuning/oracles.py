"""KerasTuner's oracles: they propose settings and receive scores; kerasft runs the trials.

KerasTuner's tuners discard results when they are killed, do not report failures, and rebuild
everything for every trial. Its oracles do not depend on that and are used unchanged.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras_tuner
from sklearn.exceptions import ConvergenceWarning

from kerasft.tuning.space import contains, rounded

TUNERS = ("random", "hyperband", "bayesian", "grid")
FACTOR = 3  # Hyperband continues one of three trials, for three times the epochs
_NEVER = 1_000_000  # failed trials are counted by the search, not by the oracle


@dataclass(frozen=True)
class Proposal:
    """Settings that an oracle proposes to try.

    Attributes:
        key: Id of the trial in the oracle.
        values: Settings.
        epochs: Epochs of the main phase, where the oracle decides them (Hyperband).
        continues: `key` of the trial to continue, None for a new one.
    """

    key: str
    values: dict[str, Any]
    epochs: int | None = None
    continues: str | None = None


class Oracle:
    """One of KerasTuner's oracles behind two calls, `ask` and `tell`.

    The same calls in the same order return the same proposals: a search is resumed by repeating
    the calls in its journal.

    Args:
        tuner: `random`, `hyperband`, `bayesian` or `grid`.
        space: Search space.
        direction: `max` or `min`, passed to KerasTuner explicitly, as its guess may be wrong.
        folder: Empty folder for files that KerasTuner writes; they are not used.
        seed: Seed of the proposals, >= 0. It is increased by 1, as 0 is no seed in KerasTuner.
        max_epochs: Epochs of Hyperband's highest rung.
    """

    def __init__(
        self,
        tuner: str,
        space: keras_tuner.HyperParameters,
        direction: str,
        folder: Path,
        *,
        seed: int = 0,
        max_epochs: int = 1,
    ) -> None:
        self.tuner, self.space = tuner, space
        options: dict[str, Any] = {
            "objective": keras_tuner.Objective("score", direction),
            "hyperparameters": space,
            "allow_new_entries": False,
            "tune_new_entries": True,
            "seed": seed + 1,
            "max_consecutive_failed_trials": _NEVER,
        }
        oracles = keras_tuner.oracles
        kinds = {
            "random": oracles.RandomSearchOracle,
            "hyperband": oracles.HyperbandOracle,
            "bayesian": oracles.BayesianOptimizationOracle,
            "grid": oracles.GridSearchOracle,
        }
        if tuner == "bayesian":
            # KerasTuner's 3 points per dimension would make a short search purely random.
            options["num_initial_points"] = len(space.space) + 2
        if tuner == "hyperband":
            options |= {"max_epochs": max_epochs, "factor": FACTOR}
        else:
            options["max_trials"] = None  # the search counts trials, its own trial 0 included
        self._oracle = kinds[tuner](**options)
        self._oracle.verbose = 0
        self._oracle._set_project_dir(str(folder), tuner)
        self._asked = 0

    def ask(self) -> Proposal | None:
        """Return the next proposal, or None where the oracle waits for a running trial.

        None without a running trial means that the space or the plan is exhausted.
        """
        self._asked += 1
        with warnings.catch_warnings():
            # The Gaussian process still proposes with a kernel at the end of its range.
            warnings.simplefilter("ignore", ConvergenceWarning)
            trial = self._oracle.create_trial(f"tuner{self._asked}")
        if trial.status != "RUNNING":
            return None
        if self.tuner == "grid":
            # The order of a grid does not depend on results. KerasTuner proposes only after a
            # trial has ended, so that all workers but one would wait.
            self._end(trial, None)
        values = trial.hyperparameters.values
        return Proposal(
            trial.trial_id,
            rounded(self.space, values),
            values.get("tuner/epochs"),
            values.get("tuner/trial_id"),
        )

    def tell(self, key: str, score: float | None) -> None:
        """Report the score of a proposal, or None where the trial failed."""
        if self.tuner != "grid":
            self._end(self._oracle.trials[key], score)

    def _end(self, trial: Any, score: float | None) -> None:
        if score is not None:
            self._oracle.update_trial(trial.trial_id, {"score": score})
        trial.status = "COMPLETED" if score is not None else "FAILED"
        self._oracle.end_trial(trial)

    def tell_defaults(self, values: dict[str, Any], score: float) -> None:
        """Report trial 0, which the oracle did not propose, to Bayesian optimization.

        Values outside the search space are not reported.
        """
        if self.tuner != "bayesian":
            return
        if not all(contains(hp, values[hp.name]) for hp in self.space.space):
            return
        hyperparameters = self.space.copy()
        hyperparameters.values = dict(values)
        trial = keras_tuner.engine.trial.Trial(hyperparameters, "defaults", "RUNNING")
        self._oracle.trials[trial.trial_id] = trial
        self._oracle.ongoing_trials["defaults"] = trial
        self._end(trial, score)


def hyperband_plan(max_epochs: int) -> list[list[tuple[int, int, int]]]:
    """Return Hyperband's brackets, each a list of rungs (trials, from epoch, to epoch).

    The numbers are those of KerasTuner's oracle for one iteration (a test compares them):
    Li and Jamieson 2018, JMLR 18, 1-52.

    Example:
        >>> hyperband_plan(4)
        [[(5, 0, 2), (2, 2, 4)], [(3, 0, 4)]]
    """
    brackets = 0
    epochs = float(max_epochs)
    while epochs >= 1:
        epochs /= FACTOR
        brackets += 1
    last_size = math.ceil(1 + math.log(max_epochs, FACTOR))
    plan = []
    for bracket in reversed(range(brackets)):
        rungs, before = [], 0
        for rung in range(bracket + 1):
            size = math.ceil(last_size / (bracket + 1) * FACTOR ** (bracket - rung))
            until = math.ceil(max_epochs / FACTOR ** (bracket - rung))
            rungs.append((size, before, until))
            before = until
        plan.append(rungs)
    return plan
