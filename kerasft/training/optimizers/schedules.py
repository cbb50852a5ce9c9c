"""Optimizers and learning-rate schedules, from Keras' own."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from kerasft.config import Config
from kerasft.models import MutableScalar
from kerasft.training.optimizers.adam import FusedAdam
from kerasft.training.optimizers.layer_rates import SGD, Lion, RMSprop


@keras.saving.register_keras_serializable(package="kerasft")
class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate with a linear warm-up to its peak and a decay over the rest of a phase.

    Keras' schedules fix their numbers in the graph, and only `CosineDecay` has a warm-up. Here
    the numbers are mutable scalars, so that a search changes them without recompiling.

    Args:
        kind: `constant`; `cosine` and `linear` decay to 0; `exponential` decays to 1% of the
            peak; `step` is divided by 10 at half and again at three quarters of the decay.
        peak: Peak learning rate, > 0.
        warmup_steps: Steps of the warm-up, 0 for none. Step 0 has the rate peak / warmup_steps.
        fall_steps: Steps of the decay, at least 1.
        batches: Batches per step, > 1 for gradient accumulation: the optimizer counts them.
    """

    def __init__(
        self, kind: str, peak: float, warmup_steps: int, fall_steps: int, batches: int = 1
    ) -> None:
        self.kind, self.batches = kind, batches
        self.peak, self.warmup_steps = MutableScalar(peak), MutableScalar(warmup_steps)
        self.fall_steps = MutableScalar(fall_steps)

    def set(self, peak: float, warmup_steps: int, fall_steps: int) -> None:
        """Change the numbers."""
        self.peak.set(peak)
        self.warmup_steps.set(warmup_steps)
        self.fall_steps.set(fall_steps)

    def __call__(self, step: Any) -> Any:
        """Return the rate of a step."""
        step = ops.cast(step // self.batches, "float32")
        warmup = self.warmup_steps.read()
        rising = (step + 1) / ops.maximum(warmup, 1.0)
        done = ops.clip((step - warmup) / self.fall_steps.read(), 0.0, 1.0)
        return self.peak.read() * ops.where(step < warmup, rising, _fall(self.kind, done))

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the schedule."""
        return {
            "kind": self.kind,
            "peak": float(self.peak),
            "warmup_steps": int(float(self.warmup_steps)),
            "fall_steps": int(float(self.fall_steps)),
            "batches": self.batches,
        }


def _fall(kind: str, done: Any) -> Any:
    """Return the rate as a share of the peak, after the share `done` of the decay."""
    if kind == "cosine":
        return (1 + ops.cos(math.pi * done)) / 2
    if kind == "linear":
        return 1 - done
    if kind == "exponential":
        return ops.power(0.01, done)
    if kind == "step":
        return ops.where(done < 0.5, 1.0, ops.where(done < 0.75, 0.1, 0.01))
    return ops.ones_like(done)


def warmup_steps(config: Config, total_steps: int) -> int:
    """Return the number of warm-up steps of a phase.

    A fraction of a few steps is one step or none. So there are at least `min_warmup_steps`, unless
    that is more than a third of the phase.

    Args:
        config: Its warmup_fraction and min_warmup_steps are used.
        total_steps: Steps of the phase, warm-up included.
    """
    if not config.warmup_fraction:
        return 0
    least = min(config.min_warmup_steps, total_steps // 3)
    return max(round(total_steps * config.warmup_fraction), least)


def make_schedule(
    kind: str, peak: float, total_steps: int, warmup_steps: int, batches: int = 1
) -> Any:
    """Return a learning-rate schedule over a phase.

    Args:
        kind: A kind of `Schedule`, or `plateau`, whose rate a callback lowers (`PlateauWarmUp`).
        peak: Peak learning rate, > 0.
        total_steps: Steps of the phase, warm-up included.
        warmup_steps: Steps in which the rate rises, at least 0.
        batches: Batches per step, > 1 for gradient accumulation.

    Returns:
        A Keras schedule, or the number `peak` for `plateau`.
    """
    if kind == "plateau":
        return peak
    return Schedule(kind, peak, warmup_steps, max(total_steps - warmup_steps, 1), batches)


def make_optimizer(
    config: Config, learning_rate: Any, batches: int = 1, average_momentum: float = 0.0
) -> Any:
    """Return a new optimizer for one phase.

    Args:
        config: Its optimizer, momentum, weight_decay and gradient_clip are used. The decay excludes
            bias and norm (Loshchilov and Hutter 2019, arXiv 1711.05101, as the BERT authors
            apply it).
        learning_rate: Schedule or number.
        batches: Batches per step, > 1 for gradient accumulation.
        average_momentum: Momentum of the moving average of the weights, in [0, 1); 0 for none.
    """
    options: dict[str, Any] = {"learning_rate": learning_rate}
    if batches > 1:
        options["gradient_accumulation_steps"] = batches
    if config.weight_decay or config.optimizer == "adamw":  # AdamW's own default is 0.004
        options["weight_decay"] = config.weight_decay
    if config.gradient_clip:
        options["global_clipnorm"] = config.gradient_clip
    if average_momentum:
        options |= {"use_ema": True, "ema_momentum": average_momentum}
    if config.optimizer == "sgd":
        options["momentum"] = config.momentum
    kinds: dict[str, Any] = {
        "adam": FusedAdam,
        "adamw": FusedAdam,  # Adam whose default weight decay is not 0
        "sgd": SGD,
        "rmsprop": RMSprop,
        "lion": Lion,
    }
    optimizer = kinds[config.optimizer](**options)
    if config.weight_decay:
        # `ByDepth` excludes other vectors by their shape; those of attention have two dimensions.
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer
