"""What happens at the end of an epoch, as Keras callbacks, in this order."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from kerasft.errors import DivergedError


class EpochOrder(keras.callbacks.Callback):
    """Tells the batches which epoch begins: their order depends on it.

    Keras tells them of ends only, and of one too many when a `fit` begins.

    Args:
        batches: Its `epoch` is set, where it has one.
        history: The epochs so far.
    """

    def __init__(self, batches: Any, history: list[Any]) -> None:
        super().__init__()
        self.batches, self.history = batches, history

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Set the epoch."""
        if hasattr(self.batches, "epoch"):
            self.batches.epoch = len(self.history)


class SeparatePenalty(keras.callbacks.Callback):
    """Takes the L1 and L2 penalties out of `loss` and `val_loss`; adds the learning rate.

    After it `loss` is the data loss and `penalty` stands beside it, so that no callback that
    follows is steered by a penalty. It changes the logs and must come first. The learning rate
    is the one in the middle of the epoch.

    Args:
        schedule: A function of the step, or a number where a callback sets the rate.
    """

    def __init__(self, schedule: Any) -> None:
        super().__init__()
        self.schedule = schedule
        self.first_step = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the step with which the epoch begins."""
        self.first_step = int(self.model.optimizer.iterations)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Rewrite the logs of the epoch."""
        if logs is None:
            return
        for prefix in ("", "val_"):
            if f"{prefix}data_loss" in logs:
                data_loss = logs.pop(f"{prefix}data_loss")
                if not prefix:  # nothing is penalized where nothing is trained
                    # Differences below the rounding of the sums are no penalty.
                    penalty = logs["loss"] - data_loss
                    logs["penalty"] = penalty if penalty > 1e-6 * abs(data_loss) else 0.0
                logs[f"{prefix}loss"] = data_loss
        if callable(self.schedule):
            middle = (self.first_step + int(self.model.optimizer.iterations)) // 2
            logs["learning_rate"] = float(keras.ops.convert_to_numpy(self.schedule(middle)))
        else:
            logs["learning_rate"] = _learning_rate(self.model)


def _learning_rate(model: keras.Model) -> float:
    return float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))


class NanGuard(keras.callbacks.Callback):
    """Stops a training whose loss is no number any more.

    Looks every 20 steps and at the end of an epoch: reading the loss in every step would make
    the device wait for Python.
    """

    def __init__(self) -> None:
        super().__init__()
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the epoch for the message."""
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the loss so far now and then."""
        if batch % 20 == 0:
            self._look(logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the loss of the epoch."""
        self._look(logs)

    def _look(self, logs: dict[str, Any] | None) -> None:
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            rate = _learning_rate(self.model)
            raise DivergedError(
                f"The training loss became {loss} in epoch {self.epoch + 1}, at a learning rate "
                f"of {rate:.3g}. Lower it first: try --learning-rate {rate / 10:.1g}."
            )


class BestWeights(keras.callbacks.Callback):
    """Early stopping that keeps the best weights over several phases.

    Keras' EarlyStopping forgets at every `fit`, keeps copies of frozen weights too, and takes a
    first epoch without a number as the best. Ties are decided by the smaller val_loss.

    Args:
        variables: What training changes; only these are kept.
        monitor: Name in the logs.
        direction: `max` or `min`.
        patience: Epochs without a better value before a phase is stopped; 0 never stops.
    """

    def __init__(self, variables: list[Any], monitor: str, direction: str, patience: int) -> None:
        super().__init__()
        self.variables, self.monitor, self.patience = variables, monitor, patience
        self.direction = direction
        self.sign = 1 if direction == "max" else -1
        self.best: tuple[float, float] | None = None
        self.best_epoch: int | None = None
        self.best_values: list[np.ndarray] = []
        self.waited = 0
        self.stopped_epoch: int | None = None

    def begin_phase(self) -> None:
        """Give a new phase its full patience."""
        self.waited, self.stopped_epoch = 0, None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep the weights of a better epoch, or counts towards patience."""
        logs = logs or {}
        value = (self.sign * float(logs[self.monitor]), -float(logs.get("val_loss", 0.0)))
        # A tie with a smaller loss is kept, but only a better monitor buys more patience.
        better = self.best is None or value[0] > self.best[0]
        if math.isfinite(value[0]) and (self.best is None or value > self.best):
            self.best, self.best_epoch = value, epoch
            self.best_values = [variable.numpy().copy() for variable in self.variables]
        if better:
            self.waited = 0
            return
        self.waited += 1
        if self.patience and self.waited >= self.patience:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Restore the best weights so far."""
        self.restore()

    def why_stopped(self, phase: str) -> str:
        """Return a line that tells why a phase ended early."""
        better = "higher" if self.sign > 0 else "lower"
        return (
            f"phase  {phase} stopped after epoch {(self.stopped_epoch or 0) + 1}: "
            f"{self.patience} epochs without a {better} {self.monitor}"
        )

    def restore(self) -> None:
        """Set the variables to their best values, where an epoch gave some."""
        for variable, value in zip(self.variables, self.best_values, strict=False):
            variable.assign(value)


class PlateauWarmUp(keras.callbacks.ReduceLROnPlateau):
    """The schedule `plateau`: a linear warm-up, then a fifth of the rate where nothing gets better.

    Keras' ReduceLROnPlateau needs a plain number as the rate, so the warm-up is set here.

    Args:
        peak: The rate at the end of the warm-up.
        warmup_steps: Steps of the rise.
        options: As Keras has them: monitor, mode, patience.
    """

    def __init__(self, peak: float, warmup_steps: int, **options: Any) -> None:
        super().__init__(factor=0.2, **options)
        self.peak, self.warmup_steps, self.step = peak, warmup_steps, 0
        self._before: dict[str, float] = {}

    def known(self) -> dict[str, float]:
        """Return what must be known to go on."""
        return {"best": float(self.best), "wait": self.wait, "step": self.step}

    def goes_on_from(self, known: dict[str, float]) -> None:
        """Take up what `known` gave; Keras forgets it when a training begins."""
        self._before = known

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin anew, or goes on."""
        super().on_train_begin(logs)
        if self._before:
            self.best, self.wait = self._before["best"], int(self._before["wait"])
            self.step = int(self._before["step"])

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Set the rate of the step."""
        self.step += 1
        if self.step <= self.warmup_steps:
            self.model.optimizer.learning_rate = self.peak * self.step / self.warmup_steps
