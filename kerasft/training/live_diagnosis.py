"""Words while it trains: what is clearly wrong is said in the epoch in which it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from kerasft.config import Config, to_dict
from kerasft.data import Data, Split
from kerasft.insight import Facts, clearly_wrong, hopeless
from kerasft.training.run_record import Recorder


class HopelessError(Exception):
    """A training that cannot recover is ended; its best epoch is kept."""


class LiveDiagnosis(keras.callbacks.Callback):
    """Says what the rules of `kerasft diagnose` see already, each thing once.

    Args:
        config: With stop_when_hopeless a training that cannot recover is ended.
        data: Tells the loss of a constant answer.
        recorder: Its history is read; it must stand before this callback.
        log: Gets the lines.

    Raises:
        HopelessError: At the end of an epoch, where it is asked for.
    """

    def __init__(
        self, config: Config, data: Data, recorder: Recorder, log: Callable[[str], None]
    ) -> None:
        super().__init__()
        self.config, self.recorder, self.log = config, recorder, log
        self.told: set[str] = set()
        self.counts = {
            name: len(part)
            for name in ("train", "validation")
            if isinstance(part := getattr(data, name), Split)
        }
        self.audit, self.usual = dict(data.audit), to_dict(type(config)())

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Read the history so far."""
        facts = Facts(
            state="running", reason="", task=self.config.task, settings=to_dict(self.config),
            given={}, usual=self.usual, recipe="", rows=self.recorder.history, counts=self.counts,
            audit=self.audit, metrics={}, best_epoch=None,
        )  # fmt: skip
        finding = clearly_wrong(facts)
        # What has diverged has too high a rate: that need not be said again.
        if finding is not None and not self.told & {"diverged", finding.name}:
            self.told.add(finding.name)
            changes = finding.advice[0].changes.items()
            flags = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in changes)
            self.log(f"watch  {finding.title}: {finding.evidence} Try {flags}.")
        why = hopeless(facts) if self.config.stop_when_hopeless else ""
        if why:
            raise HopelessError(f"{why} (stop_when_hopeless)")
