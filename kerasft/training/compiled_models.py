"""A model with what is made from it once: its frozen prefixes and its compiled graphs."""

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
from kerasft.training.phases import Phase, compile_part, phase_momentum, phase_schedule


class CompiledModels:
    """A model compiled for each phase, for one training or several that differ only in numbers.

    Args:
        model: Model as the recipe's `build_model` returns it.
        reused: Whether later trainings run the same graphs with other numbers.

    Attributes:
        model: The whole model, which holds the weights.
        batches_per_step: Batches whose gradients are accumulated for a step of the optimizer.
    """

    def __init__(self, model: keras.Model, *, reused: bool = False) -> None:
        self.model, self.reused, self.batches_per_step = model, reused, 1
        self._prefixes: dict[int | None, FrozenPrefix] = {}
        self._parts: dict[tuple[str, int], keras.Model] = {}
        self._numbers: dict[int, dict[str, MutableScalar]] = {}
        self._scalars: dict[int, list[Any]] = {}
        self._penalties: list[tuple[int, MutableL1L2]] = [
            (index, variable.regularizer)
            for index, variable in enumerate(model.weights)
            if isinstance(variable.regularizer, MutableL1L2)
        ]

    def accumulate(self, batches_per_step: int) -> None:
        """Accumulate the gradients of so many batches; graphs of another number are discarded."""
        if batches_per_step != self.batches_per_step:
            self.batches_per_step = batches_per_step
            for compiled in (self._parts, self._scalars, self._numbers):
                compiled.clear()

    def copy_from(self, fresh: keras.Model) -> None:
        """Copy weights, dropout rates and penalties from a new model of the same structure."""
        for index, penalty in self._penalties:
            penalty.copy_from(fresh.weights[index].regularizer)
            self.model.weights[index].regularizer = penalty  # a cached backbone has the fresh one
        for own, new in zip(self.model.weights, fresh.weights, strict=True):
            if own is not new:  # a cached backbone is shared by both
                own.assign(new)
        for own, new in zip(_dropouts(self.model), _dropouts(fresh), strict=True):
            own.scalar.set(float(new.scalar))

    def prefix(self, phase: Phase) -> FrozenPrefix:
        """Return the frozen prefix of the model in a phase."""
        if phase.blocks not in self._prefixes:
            with frozen_below(self.model, phase.blocks):
                self._prefixes[phase.blocks] = FrozenPrefix(self.model)
        return self._prefixes[phase.blocks]

    def compiled(
        self,
        config: Config,
        data: Data,
        phase: Phase,
        model: keras.Model,
        *,
        steps_per_execution: int = 1,
    ) -> keras.Model:
        """Return a model compiled for a phase, with a reset optimizer.

        Args:
            config: Settings.
            data: Prepared data, for the number of steps and the labels.
            phase: Phase that the model is frozen for.
            model: The whole model, or the tail above its frozen prefix.
            steps_per_execution: Steps that run without returning to Python, as in Keras.
        """
        part = self._parts.get((phase.name, id(model)))
        numbers = {
            "weight_decay": config.weight_decay,
            "ema_momentum": phase_momentum(config, data),
        }
        if part is not None:
            self._reset(part, numbers, phase_schedule(config, data, phase))
            return part
        part = model
        if self.reused and model is self.model:
            part = keras.Model(model.input, model.output)  # each phase has a graph of its own
        compile_part(
            part, config, data, phase,
            batches_per_step=self.batches_per_step, steps_per_execution=steps_per_execution,
        )  # fmt: skip
        # Variables made within the first step would cause a second trace.
        part.optimizer.build(part.trainable_variables)
        if self.reused:
            self._scalars[id(part)] = [
                (variable, variable.numpy())
                for variable in part.optimizer.variables
                if not len(variable.shape)  # a TensorFlow shape of rank 0 is truthy
            ]
            self._numbers[id(part)] = {
                name: MutableScalar(value) for name, value in numbers.items() if value
            }
            for name, scalar in self._numbers[id(part)].items():
                setattr(_scaled(part.optimizer), name, scalar.variable)
            self._parts[phase.name, id(model)] = part
        return part

    def _reset(self, part: keras.Model, numbers: dict[str, float], schedule: Any) -> None:
        """Reset an optimizer and give it the numbers of a config."""
        for variable in part.optimizer.variables:
            if len(variable.shape):
                variable.assign(np.zeros(variable.shape, variable.dtype))
        for variable, value in self._scalars[id(part)]:
            variable.assign(value)
        for name, scalar in self._numbers[id(part)].items():
            scalar.set(numbers[name])
        if not callable(schedule):
            _scaled(part.optimizer).learning_rate = schedule
            return
        _scaled(part.optimizer)._learning_rate.set(
            float(schedule.peak), float(schedule.warmup_steps), float(schedule.fall_steps)
        )


def _scaled(optimizer: Any) -> Any:
    """Return the optimizer inside Keras' loss scaling, or the optimizer itself."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def _dropouts(model: keras.Model) -> list[MutableDropout]:
    return [layer for layer in flatten_layers(model) if isinstance(layer, MutableDropout)]
