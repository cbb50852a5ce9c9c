"""The context of a training: everything that its functions share, made once and handed down."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras

from kerasft.config import Config
from kerasft.data import Data, Split
from kerasft.distribution.devices import Devices
from kerasft.frozen.feature_cache import CachePlan, FeatureCache, PhaseInputs
from kerasft.models import choose_monitor
from kerasft.models.freezing import changing_weights
from kerasft.runs import Run
from kerasft.training.callbacks import BestWeights
from kerasft.training.compiled_models import CompiledModels
from kerasft.training.phases import Phase, plan_phases
from kerasft.training.recorder import Recorder

Log = Callable[..., None]


def no_log(line: str, **options: Any) -> None:
    """Discard a line."""


@dataclass(frozen=True)
class FitContext:
    """What the functions of one training share.

    Attributes:
        config: Settings, with numbers in place of every `auto`.
        data: Prepared data, as the recipe's `load_data` returns it.
        compiled_models: The model and what is compiled from it.
        phases: The phases of the training, in order.
        feature_cache: Frozen features, perhaps shared with other trainings.
        best_weights: Early stopping; it has the best epoch so far.
        recorder: History so far.
        log: Function that receives each line of the log.
        devices: Devices that share the steps of the training.
    """

    config: Config
    data: Data
    compiled_models: CompiledModels
    phases: tuple[Phase, ...]
    feature_cache: FeatureCache
    best_weights: BestWeights
    recorder: Recorder
    log: Log
    devices: Devices = field(default_factory=Devices)

    @property
    def model(self) -> keras.Model:
        """The whole model, which holds the weights."""
        return self.compiled_models.model

    @property
    def batch_size(self) -> int:
        """Examples per batch: fewer than those of the config where gradients are accumulated."""
        return self.config.batch_size // self.compiled_models.batches_per_step

    def in_run(self, run: Run, log: Log, devices: Devices) -> FitContext:
        """Return the same context for a training on devices that is recorded in a run."""
        return dataclasses.replace(self, recorder=Recorder(run), log=log, devices=devices)


def make_context(
    config: Config,
    data: Data,
    compiled_models: CompiledModels,
    *,
    run: Run | None = None,
    feature_cache: FeatureCache | None = None,
    log: Log = no_log,
) -> FitContext:
    """Make the context of a training; its phases are planned here, once.

    Args:
        config: Settings.
        data: Prepared data.
        compiled_models: The model as the recipe's `build_model` returns it.
        run: Run in which the training is recorded; None keeps the history in memory.
        feature_cache: Cache shared with other trainings; a new one by default.
        log: Function that receives each line of the log.

    Raises:
        SettingError: The phases cannot be planned, or the monitor is not known.
    """
    model = compiled_models.model
    return FitContext(
        config,
        data,
        compiled_models,
        tuple(plan_phases(config, model)),
        feature_cache if feature_cache is not None else FeatureCache(),
        BestWeights(changing_weights(model), *choose_monitor(config), config.patience),
        Recorder(run),
        log,
    )


def make_phase_inputs(context: FitContext) -> dict[str, PhaseInputs]:
    """Return the model that each phase trains and its inputs, by the name of the phase.

    Frozen features are computed here, where the feature cache saves work.
    """
    train, validation = context.data.train, context.data.validation
    whole = PhaseInputs(context.model, _x(train), _x(validation))
    found = {phase.name: whole for phase in context.phases}
    if not (isinstance(train, Split) and isinstance(validation, Split)):
        return found  # the recipe makes batches during training
    return found | context.feature_cache.phase_inputs(
        cache_plans(context),
        dataclasses.replace(context.config, batch_size=context.batch_size),
        (train, validation),
        context.log,
    )


def cache_plans(context: FitContext) -> list[CachePlan]:
    """Return the phases whose frozen features may be cached."""
    config = context.config
    if not config.cache:
        return []
    return [
        CachePlan(phase.name, phase.epochs, context.compiled_models.prefix(phase))
        for phase in context.phases
        if phase.blocks is not None or config.trainable_blocks != -1  # else nothing is frozen
    ]


def _x(split: Any) -> Any:
    return split.x if isinstance(split, Split) else None
