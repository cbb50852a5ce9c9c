"""What trials have in common is loaded, built and traced once in a process.

Loading a backbone takes a second, tracing a training step several, and every new graph stays in
memory. Trials whose models differ in numbers alone (learning rate, dropout, penalties, decay,
batch size, epochs) run the same graph: their numbers are dials (`kerasft.models.dials`), and
their weights start anew.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import keras
import numpy as np

from kerasft.config import Config, settings, to_dict
from kerasft.data import Data
from kerasft.errors import DataError
from kerasft.models import Dial, DialedDropout, DialedL1L2, kept_backbones, regularize_backbone
from kerasft.models.blocks import flatten_layers
from kerasft.training.phases import Phase, compile_model, phase_schedule

# What a training graph depends on, apart from the model in it.
_STRUCTURE = (
    "optimizer",
    "learning_rate_schedule",
    "momentum",
    "gradient_clip",
    "label_smoothing",
    "class_weight",
    "precision",
    "task",
    "target_transform",
)
_LARGEST_SHOP = 8  # kinds of model; each holds its graphs


@dataclass
class Bench:
    """A model with its compiled phases, for all trials of one structure.

    Attributes:
        model: The model of the first such trial; later ones put their numbers into it.
        parts: The model compiled for each phase, by its name.
    """

    model: keras.Model
    parts: dict[str, keras.Model] = field(default_factory=dict)
    _penalties: list[tuple[int, DialedL1L2]] = field(default_factory=list)
    _decays: dict[str, Dial] = field(default_factory=dict)
    _scalars: dict[str, list[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._penalties = [
            (index, variable.regularizer)
            for index, variable in enumerate(self.model.weights)
            if isinstance(variable.regularizer, DialedL1L2)
        ]

    def take_over(self, fresh: keras.Model) -> None:
        """Sets weights, dropout and penalties to those of a fresh model of the same structure."""
        for index, penalty in self._penalties:
            given = fresh.weights[index].regularizer
            penalty.set(float(given.l1), float(given.l2))
            self.model.weights[index].regularizer = penalty  # a kept backbone has the fresh one
        for own, new in zip(self.model.weights, fresh.weights, strict=True):
            if own is not new:  # a kept backbone is the same one in both
                own.assign(new)
        for own, new in zip(_dropouts(self.model), _dropouts(fresh), strict=True):
            own.dial.set(float(new.dial))

    def compiled(self, config: Config, data: Data, phase: Phase) -> keras.Model:
        """Returns the model compiled for a phase, its optimizer as new."""
        part = self.parts.get(phase.name)
        if part is None:
            part = keras.Model(self.model.input, self.model.output)
            compile_model(part, config, data, phase=phase)
            part.optimizer.build(part.trainable_variables)
            self._scalars[phase.name] = [
                (variable, variable.numpy())
                for variable in part.optimizer.variables
                if not variable.shape
            ]
            if config.weight_decay:
                self._decays[phase.name] = Dial(config.weight_decay)
                part.optimizer.weight_decay = self._decays[phase.name].variable
            self.parts[phase.name] = part
            return part
        for variable in part.optimizer.variables:
            if variable.shape:
                variable.assign(np.zeros(variable.shape, variable.dtype))
        for variable, value in self._scalars[phase.name]:
            variable.assign(value)
        if config.weight_decay:
            self._decays[phase.name].set(config.weight_decay)
        self._set_rate(part, phase_schedule(config, data, phase))
        return part

    @staticmethod
    def _set_rate(part: keras.Model, schedule: Any) -> None:
        if not callable(schedule):
            part.optimizer.learning_rate = schedule
            return
        part.optimizer._learning_rate.set(
            float(schedule.peak), float(schedule.warmup_steps), float(schedule.fall_steps)
        )


class Workshop:
    """Data and models for the trials of one recipe in one process.

    Args:
        recipe: The recipe's module.
        seed: Of the splits: the same for all trials and executions.
    """

    def __init__(self, recipe: ModuleType, seed: int) -> None:
        self.recipe, self.seed = recipe, seed
        self._backbones = kept_backbones()
        self._data: tuple[str, Data] | None = None
        self._benches: dict[str, Bench] = {}

    def data(self, config: Config) -> Data:
        """Returns the data of a config, loaded once for settings that prepare the same."""
        kept = {
            name: getattr(config, name)
            for name, item in settings(config).items()
            if item.group not in ("model", "training") or name in ("preset", "precision")
        }
        key = json.dumps(kept, sort_keys=True)
        if self._data is None or self._data[0] != key:
            data = self.recipe.load_data(replace(config, seed=self.seed))
            if data.train is None or data.validation is None:
                raise DataError("A search needs a training and a validation split.")
            self._data = key, data
        return self._data[1]

    def model(
        self, config: Config, data: Data
    ) -> tuple[keras.Model, Callable[[Phase], keras.Model] | None]:
        """Returns a model as `build_model` gives it, and what compiles it for a phase."""
        keras.utils.set_random_seed(config.seed)
        with self._backbones:
            fresh = self.recipe.build_model(config, data)
        regularize_backbone(fresh, l1=config.backbone_l1, l2=config.backbone_l2)
        key = structure(fresh, config)
        if key is None:
            return fresh, None
        bench = self._benches.pop(key, None)
        if bench is None:
            bench = Bench(fresh)
            while len(self._benches) >= _LARGEST_SHOP:
                del self._benches[next(iter(self._benches))]
        else:
            bench.take_over(fresh)
            del fresh
            gc.collect()  # Keras' graphs are full of cycles
        self._benches[key] = bench  # the one used last stands last
        return bench.model, lambda phase: bench.compiled(config, data, phase)


def structure(model: keras.Model, config: Config) -> str | None:
    """Returns what two models must have in common to run the same graph.

    None where that cannot be told: a model that is not Functional, or a backend that fixes the
    values of dials in its graphs.
    """
    if keras.backend.backend() != "tensorflow" or not hasattr(model, "operations"):
        return None
    parts = [_describe(operation) for operation in model.operations]
    parts += [_describe(layer) for layer in flatten_layers(model)[1:]]
    training = {name: to_dict(config)[name] for name in _STRUCTURE}
    present = [
        [tuple(v.shape), bool(v.trainable), isinstance(v.regularizer, DialedL1L2)]
        for v in model.weights
    ]
    decays = config.weight_decay > 0
    return json.dumps([parts, training, present, decays], sort_keys=True, default=repr)


def _describe(operation: Any) -> list[Any]:
    config: dict[str, Any] = {}
    if isinstance(operation, keras.Model):
        config = {"inputs": len(operation.inputs)}  # what is inside comes by itself
    elif isinstance(operation, keras.layers.Layer):
        config = dict(operation.get_config())
    config.pop("name", None)
    if isinstance(operation, DialedDropout):
        config.pop("rate")
    if isinstance(getattr(operation, "kernel_regularizer", None), DialedL1L2):
        config["kernel_regularizer"] = "dialed"
    constants = [
        value
        for node in operation._inbound_nodes[:1]
        for value in keras.tree.flatten([node.arguments.args, node.arguments.kwargs])
        if not isinstance(value, keras.KerasTensor)
    ]
    trainable = getattr(operation, "trainable", None)
    return [type(operation).__name__, config, constants, trainable]


def _dropouts(model: keras.Model) -> list[DialedDropout]:
    return [layer for layer in flatten_layers(model) if isinstance(layer, DialedDropout)]
