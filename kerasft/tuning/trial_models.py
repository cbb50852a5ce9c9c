"""Data, backbones and compiled models that the trials of a process share.

Loading a backbone takes a second, tracing a training step several, and every new graph stays in
memory. Trials whose models differ only in numbers (learning rate, dropout, penalties, decay, batch
size, epochs) run the same graph: these numbers are mutable scalars, and weights are copied from a
new model.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import keras

from kerasft.config import Config, ConfigType
from kerasft.data import Data, load_recipe_data
from kerasft.errors import DataError
from kerasft.frozen.feature_cache import FeatureCache
from kerasft.models import BackboneCache, MutableDropout, MutableL1L2, building
from kerasft.models.blocks import flatten_layers
from kerasft.models.keras_attributes import has_mark
from kerasft.models.layer_config import layer_config
from kerasft.models.recipe_model import build_recipe_model
from kerasft.seeds import set_seed
from kerasft.setting_declaration import settings
from kerasft.training.compiled_models import CompiledModels
from kerasft.training.precision_choice import choose_precision

_COLLECT_EVERY = 4  # discarded models; a garbage collection takes 0.2 s
_MOST_STRUCTURES = 8  # compiled models that are kept, each with its graphs
_TRAININGS = 5  # expected number that share a frozen feature; more only increase the gain


class TrialModels:
    """Data and models for the trials of one recipe in one process.

    Args:
        recipe: A recipe module.
        seed: Seed of the splits, the same for all trials and executions.

    Attributes:
        feature_cache: Frozen features, for all trials.
    """

    def __init__(self, recipe: ModuleType, seed: int) -> None:
        self.recipe, self.seed = recipe, seed
        self._backbones = BackboneCache()
        self._data: tuple[str, int | None, Data] | None = None
        self._compiled: dict[str, CompiledModels] = {}
        self._discarded = 0  # models whose weights were copied
        self.feature_cache = FeatureCache(trainings=_TRAININGS)

    @property
    def num_compiled(self) -> int:
        """Number of compiled models that are kept."""
        return len(self._compiled)

    def data(self, config: Config) -> Data:
        """Return the data of a config, loaded once for settings that prepare the same data."""
        key, size = json.dumps(_affecting(config, "data"), sort_keys=True), config.batch_size
        if self._data is None or self._data[0] != key or self._data[1] not in (None, size):
            data = load_recipe_data(self.recipe, replace(config, seed=self.seed))
            if data.train is None or data.validation is None:
                raise DataError("A search needs a training and a validation split.")
            rendered = isinstance(data.train, keras.utils.PyDataset)  # its batches are made already
            self._data = key, size if rendered else None, data
        return self._data[2]

    def choose_precision(
        self, config: ConfigType, data: Data, log: Callable[[str], None], trials: int
    ) -> ConfigType:
        """Return the settings with precision=auto replaced by the fastest format for all trials."""
        with building(config, self._backbones):
            return choose_precision(self.recipe, config, data, log, trainings=trials)

    def compiled_models(self, config: Config, data: Data) -> CompiledModels:
        """Return a model as `build_model` returns it, compiled once for its structure."""
        set_seed(config.seed)
        with building(config, self._backbones):
            fresh = build_recipe_model(self.recipe, config, data)
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
            self._discarded += 1
            if self._discarded % _COLLECT_EVERY == 0:
                gc.collect()  # Keras' graphs have reference cycles
        self._compiled[key] = compiled_models  # the most recently used is last
        return compiled_models


def _affecting(config: Config, *kinds: str) -> dict[str, Any]:
    """Return the settings that affect one of these things, by name."""
    found = settings(config).items()
    return {name: item.read(config) for name, item in found if item.affects in kinds}


def structure(model: keras.Model, config: Config) -> str | None:
    """Return a key that is equal for models that can run the same graph.

    None where there is no such key: for a model that is not Functional, and on backends that fix
    the values of mutable scalars in their graphs.
    """
    if keras.backend.backend() != "tensorflow" or not hasattr(model, "operations"):
        return None
    inside = [*model.operations, *flatten_layers(model)[1:]]
    parts = [_describe(operation) for operation in inside]
    # A backbone with adapters is used once: if a layer equals itself alone, so does the model.
    if config.lora_rank and any(has_mark(operation) for operation in inside):
        return None
    # What a training graph depends on, apart from the model in it.
    training = _affecting(config, "data", "graph")
    present = [
        [tuple(v.shape), bool(v.trainable), type(v.regularizer).__name__] for v in model.weights
    ]
    decays = config.weight_decay > 0
    return json.dumps([parts, training, present, decays], sort_keys=True, default=repr)


def _describe(operation: Any) -> list[Any]:
    """Return what determines the graph of an operation: class, configuration and constants."""
    config: dict[str, Any] = {}
    if isinstance(operation, keras.Model):
        config = {"inputs": len(operation.inputs)}  # its layers are described one by one
    elif isinstance(operation, keras.layers.Layer):
        config = layer_config(operation)
    if isinstance(operation, MutableDropout):
        config.pop("rate")
    if isinstance(getattr(operation, "kernel_regularizer", None), MutableL1L2):
        config["kernel_regularizer"] = "mutable"
    constants = [
        value
        for node in operation._inbound_nodes[:1]
        for value in keras.tree.flatten([node.arguments.args, node.arguments.kwargs])
        if not isinstance(value, keras.KerasTensor)
    ]
    trainable = getattr(operation, "trainable", None)
    return [type(operation).__name__, config, constants, trainable]
