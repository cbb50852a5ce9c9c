"""What trials have in common is loaded, built and traced once in a process.

Loading a backbone takes a second, tracing a training step several, and every new graph stays in
memory. Trials whose models differ in numbers alone (learning rate, dropout, penalties, decay,
batch size, epochs) run the same graph: these numbers are mutable scalars, and their weights start
anew.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import keras

from kerasft.config import Config, ConfigType, to_dict
from kerasft.data import Data
from kerasft.errors import DataError
from kerasft.frozen.feature_cache import FeatureCache
from kerasft.frozen.layer_config import layer_config
from kerasft.models import BackboneCache, MutableDropout, MutableL1L2, building
from kerasft.models.annotations import has_mark
from kerasft.models.blocks import flatten_layers
from kerasft.settings import settings
from kerasft.training.compiled_models import CompiledModels
from kerasft.training.precision import choose_precision

# What a training graph depends on, apart from the model in it.
_STRUCTURE = (
    "optimizer",
    "learning_rate_schedule",
    "momentum",
    "gradient_clip",
    "label_smoothing",
    "layer_decay",
    "loss",
    "mixup",
    "cutmix",
    "class_weight",
    "precision",
    "task",
    "target_transform",
)
_COLLECTED = 4  # models from one collection of garbage, 0.2 s, to the next
_MOST_STRUCTURES = 8  # kinds of model; each holds its graphs
_TRAININGS = 5  # that share what a frozen layer gives; more only make it pay more


class TrialModels:
    """Data and models for the trials of one recipe in one process.

    Args:
        recipe: The recipe's module.
        seed: Of the splits: the same for all trials and executions.

    Attributes:
        features: What frozen layers gave, for all trials.
    """

    def __init__(self, recipe: ModuleType, seed: int) -> None:
        self.recipe, self.seed = recipe, seed
        self._backbones = BackboneCache()
        self._data: tuple[str, Data] | None = None
        self._compiled: dict[str, CompiledModels] = {}
        self._left_behind = 0  # models whose weights a bench took over
        self.features = FeatureCache(trainings=_TRAININGS)

    def data(self, config: Config) -> Data:
        """Return the data of a config, loaded once for settings that prepare the same."""
        kept = {
            name: getattr(config, name)
            for name, item in settings(config).items()
            if item.group not in ("model", "training") or name == "preset"
        }
        key = json.dumps(kept, sort_keys=True)
        if self._data is None or self._data[0] != key:
            # No copy where none is needed: it does not know which columns were given.
            same = config.seed == self.seed
            data = self.recipe.load_data(config if same else replace(config, seed=self.seed))
            if data.train is None or data.validation is None:
                raise DataError("A search needs a training and a validation split.")
            self._data = key, data
        return self._data[1]

    def choose_precision(
        self, config: ConfigType, data: Data, log: Callable[[str], None]
    ) -> ConfigType:
        """Return the settings with precision=auto replaced by what is fastest here."""
        with building(config, self._backbones):
            return choose_precision(self.recipe, config, data, log)

    def compiled_models(self, config: Config, data: Data) -> CompiledModels:
        """Return a model as `build_model` gives it, on the bench of its structure."""
        keras.utils.set_random_seed(config.seed)
        with building(config, self._backbones):
            fresh = self.recipe.build_model(config, data)
        key = structure(fresh, config)
        if key is None:
            return CompiledModels(fresh)
        compiled_models = self._compiled.pop(key, None)
        if compiled_models is None:
            compiled_models = CompiledModels(fresh, reused=True)
            while len(self._compiled) >= _MOST_STRUCTURES:
                del self._compiled[next(iter(self._compiled))]
        else:
            compiled_models.copy_from(fresh)
            del fresh
            self._left_behind += 1
            if self._left_behind % _COLLECTED == 0:
                gc.collect()  # Keras' graphs are full of cycles
        self._compiled[key] = compiled_models  # the one used last stands last
        return compiled_models


def structure(model: keras.Model, config: Config) -> str | None:
    """Return what two models must have in common to run the same graph.

    None where that cannot be told: a model that is not Functional, or a backend that fixes the
    values of mutable scalars in its graphs.
    """
    if keras.backend.backend() != "tensorflow" or not hasattr(model, "operations"):
        return None
    inside = [*model.operations, *flatten_layers(model)[1:]]
    parts = [_describe(operation) for operation in inside]
    # A backbone with adapters is used once: where a layer of it is equal to itself alone, no other
    # model will be equal to this one.
    if config.lora_rank and any(has_mark(operation) for operation in inside):
        return None
    training = {name: to_dict(config).get(name) for name in _STRUCTURE}
    present = [
        [tuple(v.shape), bool(v.trainable), type(v.regularizer).__name__] for v in model.weights
    ]
    decays = config.weight_decay > 0
    return json.dumps([parts, training, present, decays], sort_keys=True, default=repr)


def _describe(operation: Any) -> list[Any]:
    config: dict[str, Any] = {}
    if isinstance(operation, keras.Model):
        config = {"inputs": len(operation.inputs)}  # what is inside comes by itself
    elif isinstance(operation, keras.layers.Layer):
        config = layer_config(operation)
    if isinstance(operation, MutableDropout):
        config.pop("rate")
    if isinstance(getattr(operation, "kernel_regularizer", None), MutableL1L2):
        config["kernel_regularizer"] = "dialed"
    constants = [
        value
        for node in operation._inbound_nodes[:1]
        for value in keras.tree.flatten([node.arguments.args, node.arguments.kwargs])
        if not isinstance(value, keras.KerasTensor)
    ]
    trainable = getattr(operation, "trainable", None)
    return [type(operation).__name__, config, constants, trainable]
