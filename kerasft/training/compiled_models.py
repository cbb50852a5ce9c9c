"""A model with what is made of it once: its cuts, and its compiled graph for every phase."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kerasft.config import Config
from kerasft.data import Data
from kerasft.frozen.prefix import FrozenPrefix
from kerasft.models import MutableDropout, MutableL1L2, MutableScalar
from kerasft.models.blocks import flatten_layers
from kerasft.models.freezing import frozen_below
from kerasft.training.phases import Phase, compile_part, phase_schedule


class CompiledModels:
    """A model, for one training or for all those that differ from it in numbers alone.

    Args:
        model: As the recipe's `build_model` gives it.
        reused: Whether trainings follow that put their numbers into the same graphs.

    Attributes:
        model: It holds the weights that are trained.
    """

    def __init__(self, model: keras.Model, *, reused: bool = False) -> None:
        self.model, self.reused = model, reused
        self._cuts: dict[int | None, FrozenPrefix] = {}
        self._parts: dict[tuple[str, int], keras.Model] = {}
        self._decays: dict[int, MutableScalar] = {}
        self._scalars: dict[int, list[Any]] = {}
        self._penalties: list[tuple[int, MutableL1L2]] = [
            (index, variable.regularizer)
            for index, variable in enumerate(model.weights)
            if isinstance(variable.regularizer, MutableL1L2)
        ]

    def copy_from(self, fresh: keras.Model) -> None:
        """Set weights, dropout and penalties to those of a fresh model of the same structure."""
        for index, penalty in self._penalties:
            penalty.copy_from(fresh.weights[index].regularizer)
            self.model.weights[index].regularizer = penalty  # a kept backbone has the fresh one
        for own, new in zip(self.model.weights, fresh.weights, strict=True):
            if own is not new:  # a kept backbone is the same one in both
                own.assign(new)
        for own, new in zip(_dropouts(self.model), _dropouts(fresh), strict=True):
            own.scalar.set(float(new.scalar))

    def cut(self, phase: Phase) -> FrozenPrefix:
        """Return the cut of the model as it is frozen in a phase."""
        if phase.blocks not in self._cuts:
            with frozen_below(self.model, phase.blocks):
                self._cuts[phase.blocks] = FrozenPrefix(self.model)
        return self._cuts[phase.blocks]

    def compiled(
        self,
        config: Config,
        data: Data,
        phase: Phase,
        model: keras.Model,
        *,
        steps_per_execution: int = 1,
    ) -> keras.Model:
        """Return a model compiled for a phase, its optimizer as new.

        Args:
            config: The settings.
            data: As `compile_model` needs it.
            phase: Which the model is frozen for now.
            model: The whole, or the tail of its cut.
            steps_per_execution: As Keras has it.
        """
        part = self._parts.get((phase.name, id(model)))
        if part is not None:
            self._renew(part, config, phase_schedule(config, data, phase))
            return part
        part = model
        if self.reused and model is self.model:
            part = keras.Model(model.input, model.output)  # each phase has a graph of its own
        compile_part(part, config, data, phase, steps_per_execution=steps_per_execution)
        # Were its variables made within the first step, that would be traced a second time.
        part.optimizer.build(part.trainable_variables)
        if self.reused:
            self._scalars[id(part)] = [
                (variable, variable.numpy())
                for variable in part.optimizer.variables
                if not len(variable.shape)  # TensorFlow's shape of a scalar is true
            ]
            if config.weight_decay:
                self._decays[id(part)] = MutableScalar(config.weight_decay)
                _scaled(part.optimizer).weight_decay = self._decays[id(part)].variable
            self._parts[phase.name, id(model)] = part
        return part

    def _renew(self, part: keras.Model, config: Config, schedule: Any) -> None:
        """Set an optimizer to its beginning, with the numbers of a config."""
        for variable in part.optimizer.variables:
            if len(variable.shape):
                variable.assign(np.zeros(variable.shape, variable.dtype))
        for variable, value in self._scalars[id(part)]:
            variable.assign(value)
        if config.weight_decay:
            self._decays[id(part)].set(config.weight_decay)
        if not callable(schedule):
            _scaled(part.optimizer).learning_rate = schedule
            return
        _scaled(part.optimizer)._learning_rate.set(
            float(schedule.peak), float(schedule.warmup_steps), float(schedule.fall_steps)
        )


def _scaled(optimizer: Any) -> Any:
    """Return the optimizer itself where Keras has put one around it that scales the loss."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def _dropouts(model: keras.Model) -> list[MutableDropout]:
    return [layer for layer in flatten_layers(model) if isinstance(layer, MutableDropout)]
