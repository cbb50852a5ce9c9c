"""The phases of a fit: first the head alone, then the trainable blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kerasft.config import Config, least_epochs
from kerasft.data import Batches, Data, Labels, Split, class_weights, make_mix, text_lengths
from kerasft.errors import DataError, SettingError
from kerasft.modalities import head_epochs, modality_of
from kerasft.models import DataLoss, find_blocks, make_loss, make_metrics
from kerasft.models.fast_layers import speed_up_steps
from kerasft.setting_declaration import settings
from kerasft.training.average_weights import average_momentum
from kerasft.training.optimizers.schedules import make_optimizer, make_schedule, warmup_steps


@dataclass(frozen=True)
class Phase:
    """Consecutive epochs with the same trainable weights and one learning-rate schedule.

    Attributes:
        name: `head`, `top 1`, `top 2`, ... or `main`.
        epochs: Number of epochs.
        learning_rate: Peak learning rate, > 0.
        blocks: Number of top blocks of the backbone that are trained; None for all that the
            recipe left trainable.
    """

    name: str
    epochs: int
    learning_rate: float
    blocks: int | None = None


def plan_phases(config: Config, model: keras.Model) -> list[Phase]:
    """Return the phases of a fit with these settings.

    `head` trains the output layer alone, `main` everything that the recipe left trainable.
    Between them gradual unfreezing adds `top 1`, `top 2`, ..., each with one more block (Howard
    and Ruder 2018, arXiv 1801.06146). Each phase has its own warm-up and decay of the rate.

    Args:
        config: Its epochs, head_epochs, unfreeze_every and learning rates are used.
        model: Model whose trained blocks are counted for gradual unfreezing.

    Raises:
        SettingError: The learning rate is `auto`, or there are too few epochs to unfreeze all
            blocks.
    """
    if isinstance(config.learning_rate, str):
        raise SettingError(
            "`learning_rate` is auto, which only `kerasft fit` and `kerasft.fit` replace by a "
            "number. Find a learning rate with `kerasft find-lr`."
        )
    alone = head_epochs(config)
    head = [Phase("head", alone, head_rate(config), 0)] if alone else []
    top, every = [], config.unfreeze_every
    if every:
        trained = sum(block.trained_parameters > 0 for block in find_blocks(model))
        top = [Phase(f"top {n}", every, config.learning_rate, n) for n in range(1, trained)]
    if config.epochs < (least := least_epochs(every, len(top) + 1)):
        raise SettingError(
            f"`epochs` is {config.epochs}, but unfreeze_every={every} needs at least {least} to "
            f"unfreeze all {len(top) + 1} blocks. Use --epochs {least} or a smaller unfreeze_every."
        )
    epochs = config.epochs - every * len(top)
    return [*head, *top, Phase("main", epochs, config.learning_rate)]


def head_rate(config: Config) -> float:
    """Return the peak rate of the head phase, at most the main rate after class means.

    Args:
        config: Its learning rates are used; they must be numbers.
    """
    rates = (config.head_learning_rate, config.learning_rate)
    return min(rates) if modality_of(config).head_start(config) == "class_means" else rates[0]


def make_batches(
    split: Any,
    config: Config,
    labels: Labels,
    *,
    training: bool,
    x: Any = None,
    parts: int = 1,
) -> Any:
    """Return the batches of a split, shuffled and weighted for training.

    A split that is a `keras.utils.PyDataset` (a recipe that renders its images) is returned
    unchanged.

    Args:
        split: Examples.
        config: Its batch_size, class_weight, mixup, cutmix and seed are used.
        labels: Labels, for class weights.
        training: Whether to shuffle, weight and mix.
        x: Inputs in place of `split.x`, in the same order; batches do not depend on them.
        parts: Batches into which each batch of the config is cut.
    """
    if isinstance(split, keras.utils.PyDataset):
        for name, item in settings(config).items():
            if item.role in ("batches", "mixing") and item.read(config) != item.declared_default:
                raise SettingError(
                    f"`{name}` cannot be used: this recipe makes its own batches. Leave it out."
                )
        return split
    weights = training_weights(split, config, labels) if training else None
    mix, y = (make_mix(config) if training else None), split.y
    if mix is not None and y.ndim == 1:
        y = np.eye(labels.num_outputs, dtype="float32")[y]
    return Batches(
        split.x if x is None else x,
        y,
        batch_size=config.batch_size // parts,
        parts=parts,
        seed=config.seed,
        shuffle=training,
        by_length=not training,
        sample_weight=weights,
        lengths=text_lengths(split.x),
        mix=mix,
    )


def training_weights(split: Split, config: Config, labels: Labels) -> np.ndarray | None:
    """Return the weight of each training example, shape (n,); None where all are equal."""
    if config.class_weight != "balanced":
        return None
    weights: np.ndarray = class_weights(split.y, labels.num_outputs)[split.y].astype("float32")
    return weights


def steps_per_epoch(split: Split | Any, batch_size: int) -> int:
    """Return the number of batches in one pass."""
    if isinstance(split, keras.utils.PyDataset):
        return int(split.num_batches or 0)
    return math.ceil(len(split.y) / batch_size)


def phase_schedule(config: Config, data: Data, phase: Phase, batches: int = 1) -> Any:
    """Return the learning rate of a phase as a function of its step, or a plain number.

    With several batches per step, it is a function of the number of batches.
    """
    total_steps = steps_per_epoch(data.train, config.batch_size) * phase.epochs
    return make_schedule(
        config.learning_rate_schedule,
        phase.learning_rate,
        total_steps,
        warmup_steps(config, total_steps),
        batches,
    )


def phase_momentum(config: Config, data: Data) -> float:
    """Return the momentum of the average of the weights, 0 for none."""
    return average_momentum(config, steps_per_epoch(data.train, config.batch_size))


def compile_model(
    model: keras.Model, config: Config, data: Data, *, phase: Phase | None = None
) -> None:
    """Compile a model with the optimizer, schedule, loss and metrics of its settings.

    Use it before Keras' `fit`; `kerasft.fit` does the same for every phase. Freeze layers before
    compiling.

    Args:
        model: Model, as the recipe's `build_model` returns it.
        config: Settings.
        data: Data, as the recipe's `load_data` returns it; the schedule needs its number of steps.
        phase: Phase to compile for; the main phase by default.

    Example:
        >>> compile_model(model, config, data)
        >>> model.fit(data.train.x, data.train.y, batch_size=config.batch_size, epochs=3)
    """
    if data.train is None:
        raise DataError(
            "`data` has no training split. Expected one, as the schedule needs its number of steps."
        )
    compile_part(model, config, data, phase or plan_phases(config, model)[-1])


def compile_part(
    model: keras.Model,
    config: Config,
    data: Data,
    phase: Phase,
    *,
    batches_per_step: int = 1,
    steps_per_execution: int = 1,
) -> None:
    """Compile a model, or the tail of one, for a phase.

    Args:
        model: Model with the outputs of the whole.
        config: Settings.
        data: Prepared data, for the number of steps and the labels.
        phase: Phase with the learning rate.
        batches_per_step: Batches whose gradients are accumulated for a step of the optimizer.
        steps_per_execution: Steps that run without returning to Python, as in Keras.
    """
    if not model.trainable_variables:
        raise SettingError(
            "The model has no trainable weights: the recipe froze its head, too. Leave the head "
            "trainable in `build_model`."
        )
    loss = make_loss(config, data.labels)
    model.compile(
        optimizer=make_optimizer(
            config,
            phase_schedule(config, data, phase, batches_per_step),
            batches_per_step,
            phase_momentum(config, data),
        ),
        loss=loss,
        weighted_metrics=[*make_metrics(data.labels), DataLoss(loss)],
        steps_per_execution=steps_per_execution,
    )
    speed_up_steps(model)
