"""The training itself, shared by a fit and by the trials of a search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from kerasft.config import Config
from kerasft.data import Data, stream
from kerasft.frozen.feature_cache import FeatureCache, PhaseInputs
from kerasft.models.freezing import frozen_below
from kerasft.training.callbacks import (
    BestWeights,
    EpochOrder,
    NanGuard,
    PlateauWarmUp,
    SeparatePenalty,
)
from kerasft.training.compiled_models import CompiledModels
from kerasft.training.live_diagnosis import HopelessError
from kerasft.training.phases import (
    Phase,
    make_batches,
    phase_schedule,
    plan_phases,
    steps_per_epoch,
)
from kerasft.training.run_record import Recorder
from kerasft.training.state import SaveState, TrainingState, load_state, reseed, seed_states

_SHORT_STEP = 5e8  # multiplications of the steps that one call from Python runs
_AT_ONCE = 32
MakeCallbacks = Callable[[Phase, int], Sequence[keras.callbacks.Callback]]


def train(
    compiled_models: CompiledModels,
    config: Config,
    data: Data,
    best_weights: BestWeights,
    recorder: Recorder,
    *,
    make_callbacks: MakeCallbacks = lambda phase, epochs: (),
    features: FeatureCache | None = None,
    state: Path | None = None,
    state_every: float = 0.0,
    log: Callable[[str], None] = lambda line: None,
) -> dict[str, PhaseInputs]:
    """Train all phases of a config; the model has its best weights at the end.

    Args:
        compiled_models: With the model as the recipe's `build_model` gives it.
        config: The settings.
        data: As the recipe's `load_data` gives it.
        best_weights: Early stopping; it knows the best epoch afterwards.
        recorder: Gets every epoch.
        make_callbacks: Returns more callbacks for a phase and the number of epochs of all phases.
        features: Those of other trainings that this one may share; its own by default.
        state: A file in which the state is kept after every epoch. Where it is there already,
            the training goes on from it: its weights, optimizer, seeds, early stopping and
            order of examples are those of a training that never stopped. Schedules are laid
            out for `config.epochs`, whatever they were laid out for before.
        state_every: Seconds that pass at least from one state to the next.
        log: Gets a line about what is kept of frozen layers, how the lines of epochs read, and
            when a phase ends early.

    Returns:
        What each phase trained, by its name.
    """
    model = compiled_models.model
    begun = load_state(state) if state is not None else None
    reseed(model, config.seed)
    if begun is not None:
        _put_back(begun, model, best_weights, recorder)
        log(f"resume after epoch {begun.epoch}")
    phases = plan_phases(config, model)
    views = (features or FeatureCache()).views(compiled_models, phases, config, data, log)
    log("       each line below: training/validation")
    try:
        for index, phase in enumerate(phases):
            if begun is None or begun.phase <= index:
                # Phases may have ended early: epochs are numbered as they were run.
                before = sum(row["phase"] != phase.name for row in recorder.history)
                last, total = before + phase.epochs, before + sum(x.epochs for x in phases[index:])
                going_on = begun if begun is not None and begun.phase == index else None
                recorder.phase = phase.name
                plateau = _plateau(config, data, phase, best_weights)
                more = list(make_callbacks(phase, total))
                if state is not None:
                    seeds, history = seed_states(model), recorder.history
                    more.append(
                        SaveState(state, index, seeds, best_weights, history, plateau, state_every)
                    )
                with frozen_below(model, phase.blocks):
                    _fit_phase(
                        compiled_models, config, data, phase, views[phase.name], best_weights,
                        recorder, going_on, plateau, (len(recorder.history), last), more,
                    )  # fmt: skip
                best_weights.restore()
                if best_weights.stopped_epoch is not None and best_weights.stopped_epoch + 1 < last:
                    log(best_weights.why_stopped(phase.name))
    except HopelessError as error:
        log(f"stop   {error}")
    finally:
        best_weights.restore()
    return views


def _put_back(
    begun: TrainingState, model: keras.Model, best_weights: BestWeights, recorder: Recorder
) -> None:
    """Give a training what it knew when its state was saved; the optimizer comes later."""
    begun.restore("weights", best_weights.variables)
    begun.restore("seeds", seed_states(model))
    begun.restore_best(best_weights)
    recorder.history[:] = begun.history


def _fit_phase(
    compiled_models: CompiledModels,
    config: Config,
    data: Data,
    phase: Phase,
    view: PhaseInputs,
    best_weights: BestWeights,
    recorder: Recorder,
    going_on: TrainingState | None,
    plateau: PlateauWarmUp | None,
    epochs: tuple[int, int],
    more: list[keras.callbacks.Callback],
) -> None:
    """Train one phase from its first or next epoch to its last."""
    batches = make_batches(data.train, config, data.labels, training=True, x=view.train)
    validation = make_batches(
        data.validation, config, data.labels, training=False, x=view.validation
    )
    at_once = _steps_at_once(view, config, batches)
    part = compiled_models.compiled(config, data, phase, view.model, steps_per_execution=at_once)
    _begin_phase(part, best_weights, going_on, plateau)
    if best_weights.stopped_epoch is not None:  # before it was interrupted
        return
    part.fit(
        stream(batches),
        validation_data=stream(validation),
        initial_epoch=epochs[0],
        epochs=epochs[1],
        shuffle=False,  # the batches are in a random order of their own
        verbose=0,
        callbacks=[
            EpochOrder(batches, recorder.history),
            SeparatePenalty(phase_schedule(config, data, phase)),
            NanGuard(),
            *([plateau] if plateau is not None else []),
            best_weights,
            recorder,
            *more,
        ],
    )


def _steps_at_once(view: PhaseInputs, config: Config, batches: Any) -> int:
    """Return how many steps run without Python in between: several where a step is short."""
    if config.learning_rate_schedule == "plateau":  # its warm-up sets the rate of every step
        return 1
    step = 3 * config.batch_size * max(view.work, 1.0)
    return max(1, min(int(_SHORT_STEP // step), _AT_ONCE, len(batches)))


def _begin_phase(
    model: keras.Model, best_weights: BestWeights, going_on: TrainingState | None, plateau: Any
) -> None:
    if going_on is None:
        best_weights.begin_phase()
        return
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    going_on.restore("optimizer", model.optimizer.variables)
    if plateau is not None:
        plateau.goes_on_from(going_on.plateau)


def _plateau(
    config: Config, data: Data, phase: Phase, best_weights: BestWeights
) -> PlateauWarmUp | None:
    if config.learning_rate_schedule != "plateau":
        return None
    steps = steps_per_epoch(data.train, config.batch_size) * phase.epochs
    waits = max(config.patience // 2, 1) if config.patience else 2
    return PlateauWarmUp(
        phase.learning_rate, round(steps * config.warmup_fraction),
        monitor=best_weights.monitor, mode=best_weights.direction, patience=waits,
    )  # fmt: skip
