"""The phases of a fit: the head first on a frozen backbone, then what the recipe left trainable."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras

from kerasft.config import Config
from kerasft.data import Batches, Data, Labels, Split, class_weights, text_lengths
from kerasft.errors import DataError, SettingError
from kerasft.models import DataLoss, find_blocks, make_loss, make_metrics, regularize_backbone
from kerasft.models.blocks import flatten_layers, hold_still
from kerasft.training.optimizers import make_optimizer, make_schedule


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs with one set of trained weights and one learning rate.

    Attributes:
        name: `head` or `main`.
        epochs: Passes over the training split.
        learning_rate: Its peak rate.
        backbone: Whether the backbone's trainable blocks are trained.
    """

    name: str
    epochs: int
    learning_rate: float
    backbone: bool


def plan_phases(config: Config) -> list[Phase]:
    """Returns the phases that the settings ask for.

    A head phase before a main phase that trains the head alone would be the same phase twice:
    with trainable_blocks=0 its epochs are left out.
    """
    if isinstance(config.learning_rate, str):
        raise SettingError(
            "`learning_rate=auto` is found by `kerasft fit` and `kerasft.fit` alone: give a number."
        )
    main = Phase("main", config.epochs, config.learning_rate, True)
    if config.head_epochs == 0 or config.trainable_blocks == 0:
        return [main]
    return [Phase("head", config.head_epochs, config.head_learning_rate, False), main]


@contextlib.contextmanager
def frozen_backbone(model: keras.Model, frozen: bool) -> Iterator[None]:
    """Freezes the whole backbone for a while and gives back the freezing that was there before.

    Args:
        model: A model with a backbone inside.
        frozen: False leaves everything as it is.
    """
    layers = [
        inner for block in find_blocks(model) for x in block.layers for inner in flatten_layers(x)
    ]
    before = [layer.trainable for layer in layers]
    # Those of single weights too: a layer's flag would overwrite them.
    flags = [(v, v.trainable) for layer in layers for v in layer.weights]
    try:
        if frozen:
            for layer in layers:
                layer.trainable = False
                hold_still(layer, True)
        yield
    finally:
        # Parents stand before their children, whose flags they would overwrite.
        for layer, flag in zip(layers, before, strict=True):
            if layer.trainable != flag:
                layer.trainable = flag
                hold_still(layer, False)
        for variable, flag in flags:
            if variable.trainable != flag:
                variable.trainable = flag


def changing_weights(model: keras.Model) -> list[Any]:
    """Returns the weights that training may change, statistics of BatchNormalization included.

    Everything but the own weights of frozen layers: what must be kept of a fine-tuned model
    whose preset can be loaded again.
    """
    frozen = {
        id(variable)
        for layer in flatten_layers(model)
        if not layer.trainable
        for variable in layer.weights
    }
    return [variable for variable in model.weights if id(variable) not in frozen]


def make_batches(
    split: Any, config: Config, labels: Labels, *, training: bool, x: Any = None
) -> Any:
    """Returns the batches of a split: shuffled and weighted for training.

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
        return split
    weights = None
    if training and config.class_weight == "balanced":
        weights = class_weights(split.y, labels.num_outputs)[split.y].astype("float32")
    return Batches(
        split.x if x is None else x,
        split.y,
        batch_size=config.batch_size,
        seed=config.seed,
        shuffle=training,
        by_length=not training,
        sample_weight=weights,
        lengths=text_lengths(split.x),
    )


def steps_per_epoch(split: Split | Any, batch_size: int) -> int:
    """Returns the number of batches in one pass."""
    if isinstance(split, keras.utils.PyDataset):
        return int(split.num_batches or 0)
    return math.ceil(len(split.y) / batch_size)


def phase_schedule(config: Config, data: Data, phase: Phase) -> Any:
    """Returns the learning rate of a phase as a function of its step, or a plain number."""
    total_steps = steps_per_epoch(data.train, config.batch_size) * phase.epochs
    return make_schedule(
        config.learning_rate_schedule, phase.learning_rate, total_steps, config.warmup_fraction
    )


def compile_model(
    model: keras.Model, config: Config, data: Data, *, phase: Phase | None = None
) -> None:
    """Compiles a model with the optimizer, schedule, loss and metrics of its settings.

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
    if config.backbone_l1 or config.backbone_l2:
        regularize_backbone(model, l1=config.backbone_l1, l2=config.backbone_l2)
    compile_part(model, config, data, phase or plan_phases(config)[-1])


def compile_part(
    model: keras.Model, config: Config, data: Data, phase: Phase, *, steps_per_execution: int = 1
) -> None:
    """Compiles a model, or a part of one whose backbone is regularized already, for a phase.

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
