"""Live diagnosis: a clear problem is reported as soon as the epochs show it."""

from __future__ import annotations

from typing import Any

import keras

from kerasft.config import to_dict
from kerasft.data import Split
from kerasft.insight import Facts, clearly_wrong, why_unrecoverable
from kerasft.insight.commands import fit_options
from kerasft.insight.diagnosis import find
from kerasft.modalities import modality_of
from kerasft.training.context import FitContext


class UnrecoverableError(Exception):
    """Ends a training that cannot recover; its best epoch is restored."""


class LiveDiagnosis(keras.callbacks.Callback):
    """Logs the findings of `kerasft diagnose` during training, each one once.

    Args:
        context: Context of the training. Its recorder must come before this callback.

    Raises:
        UnrecoverableError: The training cannot recover, and the setting stop_when_hopeless is on.
    """

    def __init__(self, context: FitContext) -> None:
        super().__init__()
        self.context = context
        self.reported: set[str] = set()
        self.counts = {
            name: len(part)
            for name in ("train", "validation")
            if isinstance(part := getattr(context.data, name), Split)
        }
        run = context.recorder.run  # its manifest has the probe by now, also where a fit is resumed
        self.probe = dict(run.manifest.get("linear_probe") or {}) if run is not None else {}
        self.audit, self.defaults = dict(context.data.audit), to_dict(type(context.config)())

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Diagnose the history so far."""
        facts = self._facts()
        finding = clearly_wrong(facts)
        # A diverged training has too high a rate: one report is enough.
        if finding is not None and not self.reported & {"diverged", finding.name}:
            self.reported.add(finding.name)
            options = fit_options(finding.advice[0].changes)
            self.context.log(f"watch  {finding.title}: {finding.evidence} Try {options}.")
        why = why_unrecoverable(facts) if self.context.config.stop_when_hopeless else ""
        if why:
            raise UnrecoverableError(f"{why} (stop_when_hopeless)")

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Withdraw a report that `kerasft diagnose` will not repeat."""
        if self.reported and not self.reported & {f.name for f in find(self._facts()) if f.fault}:
            self.context.log("watch  The training recovered: ignore the warning above.")

    def _facts(self) -> Facts:
        config = self.context.config
        return Facts(
            state="running", reason="", task=config.task, settings=to_dict(config),
            changed={}, defaults=self.defaults, recipe="", rows=self.context.recorder.history,
            counts=self.counts, audit=self.audit, metrics={}, best_epoch=None,
            length_setting=modality_of(config).length_setting,
            classes=max(self.context.data.labels.num_outputs, 2),
            probe=self.probe,
        )  # fmt: skip
