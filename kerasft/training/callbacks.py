"""Keras callbacks of every training, in the order in which they run."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from kerasft.errors import DivergedError
from kerasft.formatting import counted


class EpochOrder(keras.callbacks.Callback):
    """Sets the epoch of the batches, which determines their order.

    Keras notifies batches of the end of epochs only, and once too often when a `fit` begins.

    Args:
        batches: Batches of the training split; those without `epoch` are left alone.
        history: Records of the epochs so far.
    """

    def __init__(self, batches: Any, history: list[Any]) -> None:
        super().__init__()
        self.batches, self.history = batches, history

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Set the epoch."""
        if hasattr(self.batches, "epoch"):
            self.batches.epoch = len(self.history)


class SeparatePenalty(keras.callbacks.Callback):
    """Separates the L1 and L2 penalties from `loss` and `val_loss`; adds the learning rate.

    After it `loss` is the data loss and `penalty` a value of its own, so that later callbacks do
    not depend on penalties. It changes the logs and must come before them. The learning rate is
    that of the middle of the epoch.

    Args:
        schedule: Function of the step, or a number where a callback sets the rate.
    """

    def __init__(self, schedule: Any) -> None:
        super().__init__()
        self.schedule = schedule
        self.first_step = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Store the first step of the epoch."""
        self.first_step = int(self.model.optimizer.iterations.numpy())

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Rewrite the logs of the epoch."""
        if logs is None:
            return
        for prefix in ("", "val_"):
            if f"{prefix}data_loss" in logs:
                data_loss, row_loss = (logs.pop(f"{prefix}{n}_loss") for n in ("data", "row"))
                if not prefix:  # validation has no penalty
                    # Smaller differences are rounding errors of the sums.
                    penalty = logs["loss"] - row_loss
                    logs["penalty"] = penalty if penalty > 1e-6 * abs(row_loss) else 0.0
                logs[f"{prefix}loss"] = data_loss
        if callable(self.schedule):
            middle = (self.first_step + int(self.model.optimizer.iterations.numpy())) // 2
            logs["learning_rate"] = float(keras.ops.convert_to_numpy(self.schedule(middle)))
        else:
            logs["learning_rate"] = learning_rate(self.model)


def learning_rate(model: keras.Model) -> float:
    """Return the present learning rate of a compiled model, read from the device."""
    return float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))


class NanGuard(keras.callbacks.Callback):
    """Stops a training whose loss is not finite.

    It checks every 20 steps and at the end of an epoch: reading the loss in every step would make
    the device wait for Python.

    Raises:
        DivergedError: The loss is infinite or NaN.
    """

    def __init__(self) -> None:
        super().__init__()
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Store the epoch for the message."""
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Check the loss so far, every 20 steps."""
        if batch % 20 == 0:
            self._check(logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Check the loss of the epoch."""
        self._check(logs)

    def _check(self, logs: dict[str, Any] | None) -> None:
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            rate = learning_rate(self.model)
            raise DivergedError(
                f"The training loss became {loss} in epoch {self.epoch + 1}, at a learning rate "
                f"of {rate:.3g}. Lower it first."
            )


class BestWeights(keras.callbacks.Callback):
    """Early stopping that stores the best weights over several phases.

    Keras' EarlyStopping resets at every `fit`, copies frozen weights too, and takes a first
    epoch with a NaN as the best. Ties are broken by validation loss, for the best epoch and for the
    patience alike: a monitored accuracy of 1 can only be tied while the loss still falls.

    Args:
        variables: Variables that training changes, which are stored.
        monitor: Name of the monitored value in the logs.
        direction: `max` or `min`.
        patience: Epochs of a phase without improvement in that phase, after which it is
            stopped; 0 never stops. The first epochs of a phase may be worse than the one before:
            its learning rate warms up from 0, and more layers change.
    """

    def __init__(self, variables: list[Any], monitor: str, direction: str, patience: int) -> None:
        super().__init__()
        self.variables, self.monitor, self.patience = variables, monitor, patience
        self.direction = direction
        self.sign = 1 if direction == "max" else -1
        self.best: tuple[float, float] | None = None
        self.best_of_phase: tuple[float, float] | None = None
        self.best_epoch: int | None = None
        self.best_values: list[np.ndarray] = []
        self.waited = 0
        self.stopped_epoch: int | None = None

    def begin_phase(self) -> None:
        """Reset the patience for a new phase."""
        self.best_of_phase, self.waited, self.stopped_epoch = None, 0, None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Store the weights of a better epoch; stop a phase that no longer improves."""
        logs = logs or {}
        value = (self.sign * float(logs[self.monitor]), -float(logs.get("val_loss", 0.0)))
        self._offer(value, epoch)
        if _better(value, self.best_of_phase):
            self.best_of_phase, self.waited = value, 0
            return
        self.waited += 1
        if self.patience and self.waited >= self.patience:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def offer_start(self, value: float, loss: float) -> None:
        """Make the present weights the best so far, as epoch 0 of a history that begins with 1.

        Args:
            value: Monitored value before the first epoch.
            loss: Validation loss then.
        """
        self._offer((self.sign * value, -loss), -1)

    def _offer(self, value: tuple[float, float], epoch: int) -> None:
        """Store the present weights if they are better than the best so far."""
        if _better(value, self.best):
            self.best, self.best_epoch = value, epoch
            self.best_values = [variable.numpy().copy() for variable in self.variables]

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Restore the best weights so far."""
        self.restore()

    def why_stopped(self, phase: str) -> str:
        """Return the log line of a phase that ended early."""
        better = "higher" if self.sign > 0 else "lower"
        return (
            f"phase  {phase} stopped after epoch {(self.stopped_epoch or 0) + 1}: "
            f"{counted(self.patience, 'epoch')} without a {better} {self.monitor}"
        )

    def state(self) -> dict[str, Any]:
        """Return the state of early stopping, without the weights."""
        names = ("best", "best_epoch", "best_of_phase", "waited", "stopped_epoch")
        return {name: getattr(self, name) for name in names}

    def restore(self) -> None:
        """Set the variables to their best values, if there are any yet."""
        for variable, value in zip(self.variables, self.best_values, strict=False):
            variable.assign(value)


def _better(value: tuple[float, float], best: tuple[float, float] | None) -> bool:
    """Return whether a score is finite and, with its negative loss, above the best so far.

    They are compared as float32, in which Keras has its metrics: the start was scored as float64.
    """
    if best is None or not math.isfinite(value[0]):
        return math.isfinite(value[0])
    return tuple(map(np.float32, value)) > tuple(map(np.float32, best))


class PlateauWarmUp(keras.callbacks.ReduceLROnPlateau):
    """The schedule `plateau`: a linear warm-up, then a fifth of the rate on each plateau.

    Keras' ReduceLROnPlateau needs a number as the rate, so the warm-up is done here.

    Args:
        peak: Learning rate at the end of the warm-up, > 0.
        warmup_steps: Steps of the warm-up.
        options: `monitor`, `mode` and `patience`, as in Keras.
    """

    def __init__(self, peak: float, warmup_steps: int, **options: Any) -> None:
        super().__init__(factor=0.2, **options)
        self.peak, self.warmup_steps, self.step = peak, warmup_steps, 0
        self._saved: dict[str, float] = {}

    def state(self) -> dict[str, float]:
        """Return the state, to resume from."""
        return {"best": float(self.best), "wait": self.wait, "step": self.step}

    def restore_state(self, saved: dict[str, float]) -> None:
        """Restore a state once the training begins, which resets Keras' own."""
        self._saved = saved

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Reset, or restore the saved state."""
        super().on_train_begin(logs)
        if self._saved:
            self.best, self.wait = self._saved["best"], int(self._saved["wait"])
            self.step = int(self._saved["step"])

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Set the rate of the step."""
        self.step += 1
        if self.step <= self.warmup_steps:
            self.model.optimizer.learning_rate = self.peak * self.step / self.warmup_steps
