"""Optimizers and learning-rate schedules, from Keras' own."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasft.config import Config

# Biases, and the scales and shifts of normalization: decaying them pulls towards nothing useful.
UNDECAYED = ["bias", "gamma", "beta"]


@keras.saving.register_keras_serializable(package="kerasft")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly to a peak and hands over to another schedule.

    Keras has warm-up in `CosineDecay` alone.

    Args:
        after: The schedule that follows; its step 0 is the end of the warm-up.
        peak: The rate at the end of the warm-up.
        warmup_steps: Steps of the rise, at least 1. Step 0 already has peak / warmup_steps.
    """

    def __init__(self, after: Any, peak: float, warmup_steps: int) -> None:
        self.after, self.peak, self.warmup_steps = after, peak, warmup_steps

    def __call__(self, step: Any) -> Any:
        """Returns the rate of a step."""
        step = ops.cast(step, "float32")
        rising = self.peak * (step + 1) / self.warmup_steps
        following = self.after(ops.maximum(step - self.warmup_steps, 0.0))
        return ops.where(step < self.warmup_steps, rising, following)

    def get_config(self) -> dict[str, Any]:
        """Returns what rebuilds the schedule."""
        after = keras.saving.serialize_keras_object(self.after)
        return {"after": after, "peak": self.peak, "warmup_steps": self.warmup_steps}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> WarmUp:
        """Rebuilds the schedule."""
        after = keras.saving.deserialize_keras_object(config["after"])
        return cls(after, config["peak"], config["warmup_steps"])


class Constant(keras.optimizers.schedules.LearningRateSchedule):
    """The same rate at every step."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, step: Any) -> Any:
        """Returns the rate of a step."""
        return ops.full(ops.shape(step), self.rate, dtype="float32")

    def get_config(self) -> dict[str, Any]:
        """Returns what rebuilds the schedule."""
        return {"rate": self.rate}


keras.saving.register_keras_serializable(package="kerasft")(Constant)


def make_schedule(kind: str, peak: float, total_steps: int, warmup_fraction: float) -> Any:
    """Returns a learning-rate schedule over a phase.

    Args:
        kind: `constant`; `cosine` and `linear` fall to 0; `exponential` falls to 1 % of the
            peak; `step` is divided by 10 at half and again at three quarters of the phase;
            `plateau` stays, as a callback will lower it (see `PlateauWarmUp`).
        peak: The highest rate.
        total_steps: Steps of the phase, warm-up included.
        warmup_fraction: Share of them in which the rate rises from 0, in [0, 1).

    Returns:
        A Keras schedule, or the number `peak` for `plateau`.
    """
    if kind == "plateau":
        return peak
    warmup_steps = round(total_steps * warmup_fraction)
    rest = max(total_steps - warmup_steps, 1)
    schedules = keras.optimizers.schedules
    after = {
        "constant": lambda: Constant(peak),
        "cosine": lambda: schedules.CosineDecay(peak, rest),
        "linear": lambda: schedules.PolynomialDecay(peak, rest, end_learning_rate=0.0),
        "exponential": lambda: schedules.ExponentialDecay(peak, rest, decay_rate=0.01),
        "step": lambda: schedules.PiecewiseConstantDecay(
            [rest // 2, rest * 3 // 4], [peak, peak / 10, peak / 100]
        ),
    }[kind]()
    return WarmUp(after, peak, warmup_steps) if warmup_steps else after


def make_optimizer(config: Config, learning_rate: Any) -> Any:
    """Returns a new optimizer for one phase.

    Args:
        config: Its optimizer, momentum, weight_decay and gradient_clip are used. The decay leaves
            out bias and norm (Loshchilov and Hutter 2019, arXiv 1711.05101, as the BERT authors
            apply it).
        learning_rate: A schedule or a number.
    """
    options: dict[str, Any] = {"learning_rate": learning_rate}
    if config.weight_decay or config.optimizer == "adamw":  # AdamW's own default is 0.004
        options["weight_decay"] = config.weight_decay
    if config.gradient_clip:
        options["global_clipnorm"] = config.gradient_clip
    if config.optimizer == "sgd":
        options["momentum"] = config.momentum
    kinds = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "sgd": keras.optimizers.SGD,
        "rmsprop": keras.optimizers.RMSprop,
        "lion": keras.optimizers.Lion,
    }
    optimizer = kinds[config.optimizer](**options)
    if config.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=UNDECAYED)
    return optimizer
