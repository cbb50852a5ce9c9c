"""The training itself, shared by a fit and by the trials of a search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from kerasft.config import Config
from kerasft.data import Data
from kerasft.training.callbacks import (
    EpochOrder,
    KeepBest,
    NanGuard,
    PlateauWarmUp,
    SeparatePenalty,
)
from kerasft.training.phases import (
    Phase,
    compile_model,
    frozen_backbone,
    make_batches,
    phase_schedule,
    plan_phases,
    steps_per_epoch,
)
from kerasft.training.record import Recorder
from kerasft.training.state import SaveState, TrainingState, load_state, reseed, seed_states

Watchers = Callable[[Phase, int], Sequence[keras.callbacks.Callback]]


def train(
    model: keras.Model,
    config: Config,
    data: Data,
    keeper: KeepBest,
    recorder: Recorder,
    *,
    watchers: Watchers = lambda phase, epochs: (),
    compiled: Callable[[Phase], keras.Model] | None = None,
    state: Path | None = None,
    stopped: Callable[[str], None] = lambda line: None,
) -> None:
    """Trains all phases of a config; the model has its best weights at the end.

    Args:
        model: As the recipe's `build_model` gives it.
        config: The settings.
        data: As the recipe's `load_data` gives it.
        keeper: Early stopping; it knows the best epoch afterwards.
        recorder: Gets every epoch.
        watchers: Returns further callbacks for a phase and the number of epochs of all phases.
        compiled: Returns the model compiled for a phase; compiles it by default.
        state: A file in which the state is kept after every epoch. Where it is there already,
            the training goes on from it: its weights, optimizer, seeds, early stopping and
            order of examples are those of a training that never stopped. Schedules are laid
            out for `config.epochs`, whatever they were laid out for before.
        stopped: Gets a line when a phase ends early.
    """
    batches = make_batches(data.train, config, data.labels, training=True)
    validation = make_batches(data.validation, config, data.labels, training=False)
    compiled = compiled or (lambda phase: _compile(model, config, data, phase))
    begun = load_state(state) if state is not None else None
    reseed(model, config.seed)
    if begun is not None:
        begun.restore("weights", keeper.variables)
        begun.restore("seeds", seed_states(model))
        begun.restore_keeper(keeper)
        recorder.history[:] = begun.history
    phases = plan_phases(config)
    total, first = sum(phase.epochs for phase in phases), 0
    try:
        for index, phase in enumerate(phases):
            last = first + phase.epochs
            going_on = begun if begun is not None and begun.phase == index else None
            if begun is None or begun.phase <= index:
                recorder.phase = phase.name
                with frozen_backbone(model, not phase.backbone):
                    part = compiled(phase)
                    plateau = _plateau(config, data, phase, keeper)
                    _begin_phase(part, keeper, going_on, plateau)
                    if keeper.stopped_epoch is None:
                        part.fit(
                            batches,
                            validation_data=validation,
                            initial_epoch=first if going_on is None else going_on.epoch,
                            epochs=last,
                            shuffle=False,  # the batches are in a random order of their own
                            verbose=0,
                            callbacks=[
                                EpochOrder(batches, recorder.history),
                                SeparatePenalty(phase_schedule(config, data, phase)),
                                NanGuard(),
                                *([plateau] if plateau is not None else []),
                                keeper,
                                recorder,
                                *watchers(phase, total),
                                *_save(state, index, keeper, recorder, plateau),
                            ],
                        )
                keeper.restore()
                if keeper.stopped_epoch is not None:
                    stopped(keeper.why_stopped(phase.name))
            first = last
    finally:
        keeper.restore()


def _compile(model: keras.Model, config: Config, data: Data, phase: Phase) -> keras.Model:
    compile_model(model, config, data, phase=phase)
    return model


def _begin_phase(
    model: keras.Model, keeper: KeepBest, going_on: TrainingState | None, plateau: Any
) -> None:
    if going_on is None:
        keeper.begin_phase()
        return
    model.optimizer.build(model.trainable_variables)
    going_on.restore("optimizer", model.optimizer.variables)
    if plateau is not None:
        plateau.goes_on_from(going_on.plateau)


def _plateau(config: Config, data: Data, phase: Phase, keeper: KeepBest) -> Any:
    if config.learning_rate_schedule != "plateau":
        return None
    steps = steps_per_epoch(data.train, config.batch_size) * phase.epochs
    waits = max(config.patience // 2, 1) if config.patience else 2
    return PlateauWarmUp(
        phase.learning_rate, round(steps * config.warmup_fraction),
        monitor=keeper.monitor, mode=keeper.direction, patience=waits,
    )  # fmt: skip


def _save(
    state: Path | None, phase: int, keeper: KeepBest, recorder: Recorder, plateau: Any
) -> list[keras.callbacks.Callback]:
    return [] if state is None else [SaveState(state, phase, keeper, recorder.history, plateau)]
