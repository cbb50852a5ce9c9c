"""The plan of a fit: its size, its time, and what it needs of the machine."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from kerasft.checks.needs import Need, disk_needed, memory_needed
from kerasft.checks.phase_times import PhaseTime, Timed, time_phases
from kerasft.config import Config
from kerasft.data import Data
from kerasft.data.examples import SPLITS
from kerasft.models.dtype_policy import precision
from kerasft.reachable_hosts import Download
from kerasft.training.compiled_models import CompiledModels
from kerasft.training.context import FitContext, make_context
from kerasft.training.phases import steps_per_epoch
from kerasft.training.precision_choice import build_in_precision


@dataclass(frozen=True)
class ModelPlan:
    """The model of a fit and what training it takes.

    Attributes:
        parameters: Number of parameters.
        trained: Number of those that are trained in the main phase.
        phases: Measured times of the phases.
        memory: Estimate of the memory, without activations.
        disk: Estimate of the disk space.
    """

    parameters: int
    trained: int
    phases: tuple[PhaseTime, ...]
    memory: Need
    disk: Need

    @property
    def seconds(self) -> float:
        """Estimated time of all epochs and frozen features, without early stopping."""
        return sum(phase.seconds for phase in self.phases)


@dataclass(frozen=True)
class Plan:
    """The plan of a fit.

    Attributes:
        examples: Number of examples by split; empty where the data are not on this machine.
        steps_per_epoch: Number of training steps of an epoch, 0 without data.
        downloads: Downloads that the fit would make first.
        model: The model and its training; None without timing or with downloads.
    """

    examples: Mapping[str, int]
    steps_per_epoch: int
    downloads: tuple[Download, ...] = ()
    model: ModelPlan | None = None


def plan_data(config: Config, data: Data) -> Plan:
    """Return the plan of a fit without its model."""
    parts = {name: getattr(data, name) for name in SPLITS}
    counts = {name: len(part.y) for name, part in parts.items() if hasattr(part, "y")}
    return Plan(counts, steps_per_epoch(data.train, config.batch_size))


def plan_model(module: ModuleType, config: Config, data: Data, runs_dir: str | Path) -> ModelPlan:
    """Build the model of a recipe and time a few steps of each phase.

    Args:
        module: Recipe.
        config: Settings.
        data: Prepared data.
        runs_dir: Folder of runs, whose disk must have space.
    """
    context, timed = time_fit(module, config, data)
    memory = memory_needed(context, timed.optimizer_bytes, timed.feature_bytes)
    disk = disk_needed(context, timed.optimizer_bytes, runs_dir)
    model = context.model
    trained = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    return ModelPlan(model.count_params(), trained, timed.phases, memory, disk)


def time_fit(
    module: ModuleType, config: Config, data: Data, rows: Sequence[int] = ()
) -> tuple[FitContext, Timed]:
    """Build the model of a recipe and time a few steps of each phase.

    Args:
        module: Recipe.
        config: Settings.
        data: Prepared data.
        rows: Numbers of rows below the batch size, whose steps are timed too, as several devices
            run them.

    Returns:
        The context of the fit, and the times.
    """
    if isinstance(config.learning_rate, str):  # auto: the time does not depend on it
        config = dataclasses.replace(config, learning_rate=config.head_learning_rate)
    config, model = build_in_precision(module, config, data, lambda line: None)
    with precision(config.precision):
        context = make_context(config, data, CompiledModels(model))
        return context, time_phases(context, rows)
