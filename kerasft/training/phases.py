"""The phases of a fit: the head first on a frozen backbone, then what the recipe left trainable."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kerasft.config import Config
from kerasft.data import Batches, Data, Labels, Split, class_weights, make_mix, text_lengths
from kerasft.errors import DataError, SettingError
from kerasft.models import DataLoss, find_blocks, make_loss, make_metrics
from kerasft.training.optimizers.schedules import make_optimizer, make_schedule


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs with one set of trained weights and one learning rate.

    Attributes:
        name: `head`, `top 1`, `top 2`, ... or `main`.
        epochs: Passes over the training split.
        learning_rate: Its peak rate.
        blocks: How many top blocks of the backbone are trained; None for those that the recipe
            left trainable.
    """

    name: str
    epochs: int
    learning_rate: float
    blocks: int | None = None


def plan_phases(config: Config, model: keras.Model) -> list[Phase]:
    """Return the phases that the settings ask for.

    `head` trains the output layer alone, `main` what the recipe left trainable. Between them
    gradual unfreezing has `top 1`, `top 2`, ..., with a block more in each (Howard and Ruder
    2018, arXiv 1801.06146); each phase has a warm-up and a fall of the rate of its own.

    Args:
        config: Its epochs, head_epochs, unfreeze_every and rates are used.
        model: Its trained blocks are counted where they are unfrozen one by one.

    Raises:
        SettingError: The rate is not found yet, or the epochs end before the last block.
    """
    if isinstance(config.learning_rate, str):
        raise SettingError(
            "`learning_rate=auto` is found by `kerasft fit` and `kerasft.fit` alone: give a number."
        )
    head = [Phase("head", config.head_epochs, config.head_learning_rate, 0)]
    top, every = [], config.unfreeze_every
    if every:
        trained = sum(block.trained_parameters > 0 for block in find_blocks(model))
        top = [Phase(f"top {n}", every, config.learning_rate, n) for n in range(1, trained)]
    epochs = config.epochs - every * len(top)
    if epochs < 1:
        raise SettingError(
            f"`epochs` must be at least {every * len(top) + 1}, so that all {len(top) + 1} blocks "
            f"are trained in the end. Received: epochs={config.epochs}, unfreeze_every={every}."
        )
    return [*head * bool(config.head_epochs), *top, Phase("main", epochs, config.learning_rate)]


def make_batches(
    split: Any, config: Config, labels: Labels, *, training: bool, x: Any = None
) -> Any:
    """Return the batches of a split: shuffled and weighted for training.

    A split that is a `keras.utils.PyDataset` already (a recipe that renders its images) is
    returned as it is.

    Args:
        split: Examples.
        config: Its batch_size, class_weight and seed are used.
        labels: For the weights of classes.
        training: Whether to shuffle and to weigh.
        x: What stands for `split.x`, example by example; the order stays that of `split.x`.
    """
    if isinstance(split, keras.utils.PyDataset):
        for name, idle in (("mixup", 0), ("cutmix", 0), ("class_weight", "none")):
            if getattr(config, name, idle) != idle:
                raise SettingError(f"`{name}` cannot be used: this recipe makes its own batches.")
        return split
    weights = None
    if training and config.class_weight == "balanced":
        weights = class_weights(split.y, labels.num_outputs)[split.y].astype("float32")
    mix, y = (make_mix(config) if training else None), split.y
    if mix is not None and y.ndim == 1:
        y = np.eye(labels.num_outputs, dtype="float32")[y]
    return Batches(
        split.x if x is None else x,
        y,
        batch_size=config.batch_size,
        seed=config.seed,
        shuffle=training,
        by_length=not training,
        sample_weight=weights,
        lengths=text_lengths(split.x),
        mix=mix,
    )


def steps_per_epoch(split: Split | Any, batch_size: int) -> int:
    """Return the number of batches in one pass."""
    if isinstance(split, keras.utils.PyDataset):
        return int(split.num_batches or 0)
    return math.ceil(len(split.y) / batch_size)


def phase_schedule(config: Config, data: Data, phase: Phase) -> Any:
    """Return the learning rate of a phase as a function of its step, or a plain number."""
    total_steps = steps_per_epoch(data.train, config.batch_size) * phase.epochs
    return make_schedule(
        config.learning_rate_schedule, phase.learning_rate, total_steps, config.warmup_fraction
    )


def compile_model(
    model: keras.Model, config: Config, data: Data, *, phase: Phase | None = None
) -> None:
    """Compile a model with the optimizer, schedule, loss and metrics of its settings.

    Use it before plain Keras `fit`; `kerasft.fit` does the same for every phase. Whatever is to
    be frozen must be frozen before.

    Args:
        model: As the recipe's `build_model` gives it.
        config: The settings.
        data: As the recipe's `load_data` gives it: the schedule needs the number of steps.
        phase: The main phase by default.

    Example:
        >>> compile_model(model, config, data)
        >>> model.fit(data.train.x, data.train.y, batch_size=config.batch_size, epochs=3)
    """
    if data.train is None:
        raise DataError("There are no training examples to compile the model for.")
    compile_part(model, config, data, phase or plan_phases(config, model)[-1])


def compile_part(
    model: keras.Model, config: Config, data: Data, phase: Phase, *, steps_per_execution: int = 1
) -> None:
    """Compile a model, or a part of one whose backbone is regularized already, for a phase.

    Args:
        model: With the output of the whole.
        config: The settings.
        data: For the number of steps and the labels.
        phase: Whose rate and schedule are used.
        steps_per_execution: As Keras has it: steps that run without Python in between.
    """
    if not model.trainable_variables:
        raise SettingError("Nothing of the model is trainable: the recipe froze its head too.")
    loss = make_loss(config, data.labels)
    model.compile(
        optimizer=make_optimizer(config, phase_schedule(config, data, phase)),
        loss=loss,
        metrics=make_metrics(data.labels),
        weighted_metrics=[DataLoss(loss)],
        steps_per_execution=steps_per_execution,
    )
