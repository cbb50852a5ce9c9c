"""The search loop: asks an oracle, runs trials, and writes every event to the journal."""

from __future__ import annotations

import contextlib
import itertools
import math
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any

from kerasft.errors import ResumeError
from kerasft.runs import write_text
from kerasft.tuning.dask_workers import DaskWorkers
from kerasft.tuning.journal import Journal
from kerasft.tuning.oracles import Oracle, Proposal, hyperband_plan
from kerasft.tuning.plan import Plan
from kerasft.tuning.progress import SearchProgress
from kerasft.tuning.results import Trial, ranked, trial_folder, trials_csv
from kerasft.tuning.trial_job import TrialJob
from kerasft.tuning.workers import Workers

BEST_WITH_WEIGHTS = 3  # number of best trials whose weights stay on the disk


class Searcher:
    """A running search.

    Args:
        folder: Search folder, locked by this process.
        plan: Plan of the search.
        max_trials: Number of trials after which no more are started; None for no limit.
        deadline: Time (`time.time`) after which no epoch is started; None for no limit.
        progress: Progress of the search.
    """

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        *,
        max_trials: int | None,
        deadline: float | None,
        progress: SearchProgress,
    ) -> None:
        self.folder, self.header, self.space = folder, plan.header, plan.space
        self.max_trials, self.deadline = max_trials, deadline
        self.progress = progress
        self.direction = plan.header["objective"]["direction"]
        self.sign = 1 if self.direction == "max" else -1
        self.trials: dict[int, Trial] = {}
        self.numbers: dict[str, int] = {}  # of trials, by the oracle's keys
        self.repeats: dict[int, list[str]] = {}  # keys of repeats of a running trial
        self.waiting: list[Trial] = []  # interrupted trials
        self.running: dict[Future[dict[str, Any]], Trial] = {}
        self.exhausted = False
        self._scratch = tempfile.TemporaryDirectory(prefix="kerasft-oracle-")
        self.oracle = Oracle(
            plan.tuner,
            plan.space,
            self.direction,
            Path(self._scratch.name),
            seed=plan.header["seed"],
            max_epochs=plan.header["max_epochs"],
        )
        self.journal = Journal(folder)

    def replay(self, events: Sequence[dict[str, Any]]) -> None:
        """Restore the oracle and the trials from the events of the journal."""
        for event in events:
            kind = event["event"]
            if kind in ("trial", "repeat") and event["key"] is not None:
                proposal = self.oracle.ask()
                now = None if proposal is None else (proposal.key, proposal.values)
                if now != (event["key"], event["values"]):
                    raise ResumeError(
                        f"{self.folder} cannot be resumed: KerasTuner proposes {now} where the "
                        f"journal has {event['values']} (another version?). Start a new search."
                    )
            if kind == "trial":
                self._add(event)
            elif kind == "repeat":
                self._note_repeat(event["key"], event["of"])
            elif kind == "end":
                self._finish(event)
        self.waiting = [trial for trial in self.trials.values() if trial.state == "running"]

    def run(self, workers: Workers | DaskWorkers) -> str:
        """Run trials until the search ends; return the reason, `done` or `budget`."""
        running, reason = self.running, "done"
        while True:
            number = workers.number
            self.progress.workers(number)
            while len(running) < max(1, number):  # without a worker, a trial waits for one
                trial = self.next_trial()
                if trial is None:
                    break
                if not self._can_finish(trial):
                    self.waiting.insert(0, trial)
                    reason = "budget"
                    break
                running[workers.submit(self._task(trial))] = trial
                self.progress.began(trial)
            if not running:
                return reason
            ended, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            self.progress.tick([trial.number for trial in running.values()])
            for future in ended:
                trial = running.pop(future)
                outcome = workers.outcome(future)
                if outcome["state"] == "stopped":  # at the deadline, or with its worker
                    if self.deadline is not None and time.time() > self.deadline:
                        reason = "budget"
                    self.waiting.insert(0, trial)
                else:
                    self.end_trial(trial, outcome)

    def record_ended(self, workers: Workers | DaskWorkers) -> None:
        """Record the trials that ended while the search did, which would be repeated otherwise."""
        for future, trial in self.running.items():
            # The error that ends the search is known; no other one must replace it.
            with contextlib.suppress(Exception):
                outcome = workers.outcome(future) if future.done() else {"state": "stopped"}
                if outcome["state"] != "stopped":
                    self.end_trial(trial, outcome)

    def next_trial(self) -> Trial | None:
        """Return the next trial: an interrupted one, trial 0 or a proposal; None without any."""
        if self.waiting:
            return self.waiting.pop(0)
        if self.max_trials is not None and len(self.trials) >= self.max_trials:
            return None
        if not self.trials:
            values = {hp.name: self.header["config"][hp.name] for hp in self.space.space}
            return self._begin(values, self.header["max_epochs"], None, None)
        while not self.exhausted:
            proposal = self.oracle.ask()
            if proposal is None:
                # Without a running trial the oracle has no more proposals.
                self.exhausted = all(t.state != "running" for t in self.trials.values())
                return None
            same = self._same(proposal)
            if same is None:
                continued = None if proposal.continues is None else self.numbers[proposal.continues]
                epochs = proposal.epochs or proposal.values.get("epochs", self.header["max_epochs"])
                return self._begin(proposal.values, epochs, proposal.key, continued)
            self.journal.write("repeat", key=proposal.key, values=proposal.values, of=same.number)
            self._note_repeat(proposal.key, same.number)
        return None

    def _begin(
        self, values: dict[str, Any], epochs: int, key: str | None, continues: int | None
    ) -> Trial:
        event = {
            "trial": len(self.trials), "key": key, "values": values, "epochs": epochs,
            "continues": continues,
        }  # fmt: skip
        self.journal.write("trial", **event)
        return self._add(event)

    def _add(self, event: dict[str, Any]) -> Trial:
        trial = Trial.from_event(event)
        self.trials[trial.number] = trial
        if trial.key is not None:
            self.numbers[trial.key] = trial.number
        return trial

    def _same(self, proposal: Proposal) -> Trial | None:
        """Return a trial with the same values that has not failed."""
        if self.header["tuner"] == "hyperband":
            return None  # its trials continue one another
        for trial in self.trials.values():
            if trial.values == proposal.values and trial.state != "failed":
                return trial
        return None

    def _note_repeat(self, key: str, of: int) -> None:
        if self.trials[of].state == "completed":
            self.oracle.tell(key, self.trials[of].score)
        else:
            self.repeats.setdefault(of, []).append(key)

    def _task(self, trial: Trial) -> TrialJob:
        best = ranked(list(self.trials.values()), self.direction)
        worst_saved = best[BEST_WITH_WEIGHTS - 1].score if len(best) >= BEST_WITH_WEIGHTS else None
        hyperband = self.header["tuner"] == "hyperband"
        continued = None if trial.continues is None else self.trials[trial.continues]
        folder = trial_folder(self.folder, trial.number)
        folder.mkdir(parents=True, exist_ok=True)
        return TrialJob(
            trial.number,
            folder,
            {**self.header["config"], **trial.values, "epochs": trial.epochs},
            executions=self.header["executions"],
            continues=trial_folder(self.folder, continued.number) if continued else None,
            continued_seconds=continued.outcome.get("training_seconds", 0.0) if continued else 0.0,
            deadline=self.deadline,
            keep_above=-math.inf if worst_saved is None else self.sign * worst_saved,
            keep_state=hyperband and trial.epochs < self.header["max_epochs"],
        )

    def _can_finish(self, trial: Trial) -> bool:
        if self.deadline is None:
            return True
        estimate = self.progress.estimate(trial, self.trials)
        return time.time() + (estimate or 0.0) < self.deadline

    def end_trial(self, trial: Trial, outcome: dict[str, Any]) -> None:
        """Record the outcome of a trial, and delete what is no longer needed."""
        event = {"trial": trial.number, **outcome}
        self.journal.write("end", **event)
        self._finish(event)
        if trial.continues is not None:
            self._drop_states(trial.continues)
        self._drop_outranked()
        self._keep_best_weights()
        self.progress.ended(trial, self.trials)

    def _finish(self, event: dict[str, Any]) -> None:
        trial = self.trials[event["trial"]]
        trial.end(event)
        if trial.key is not None:
            self.oracle.tell(trial.key, trial.score)
        elif trial.score is not None:
            self.oracle.tell_defaults(trial.values, trial.score)
        for key in self.repeats.pop(trial.number, []):
            self.oracle.tell(key, trial.score)

    def _keep_best_weights(self) -> None:
        for trial in ranked(list(self.trials.values()), self.direction)[BEST_WITH_WEIGHTS:]:
            (trial_folder(self.folder, trial.number) / "weights.safetensors").unlink(True)

    def _drop_outranked(self) -> None:
        """Delete the states of Hyperband's trials that will not be continued."""
        if self.header["tuner"] != "hyperband":
            return
        for bracket in hyperband_plan(self.header["max_epochs"]):
            for (_, _, until), (places, _, _) in itertools.pairwise(bracket):
                rung = [t for t in self.trials.values() if t.epochs == until]
                rung = [t for t in rung if self._first(t).epochs == bracket[0][2]]
                rung = ranked(rung, self.direction)
                for trial in rung[places:]:
                    if trial.score != rung[places - 1].score:  # KerasTuner may continue either
                        self._drop_states(trial.number)

    def _first(self, trial: Trial) -> Trial:
        while trial.continues is not None:
            trial = self.trials[trial.continues]
        return trial

    def _drop_states(self, number: int) -> None:
        for path in trial_folder(self.folder, number).glob("state-*.safetensors"):
            path.unlink()

    def close(self, reason: str | None) -> None:
        """Write the table of trials; delete the states of a finished search."""
        trials = list(self.trials.values())
        write_text(self.folder / "trials.csv", trials_csv(trials))
        if reason == "done":
            for trial in trials:
                self._drop_states(trial.number)
        self.journal.close()
        self._scratch.cleanup()
