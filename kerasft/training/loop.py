"""The training itself, shared by a fit and by the trials of a search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from kerasft.config import Config
from kerasft.data import Data, stream
from kerasft.training.bench import Bench
from kerasft.training.callbacks import (
    EpochOrder,
    KeepBest,
    NanGuard,
    PlateauWarmUp,
    SeparatePenalty,
)
from kerasft.training.features import Features, View
from kerasft.training.phases import (
    Phase,
    frozen_below,
    make_batches,
    phase_schedule,
    plan_phases,
    steps_per_epoch,
)
from kerasft.training.record import Recorder
from kerasft.training.state import SaveState, TrainingState, load_state, reseed, seed_states
from kerasft.training.watch import HopelessError

_SHORT_STEP = 5e8  # multiplications of the steps that one call from Python runs
_AT_ONCE = 32
Watchers = Callable[[Phase, int], Sequence[keras.callbacks.Callback]]


def train(
    bench: Bench,
    config: Config,
    data: Data,
    keeper: KeepBest,
    recorder: Recorder,
    *,
    watchers: Watchers = lambda phase, epochs: (),
    features: Features | None = None,
    state: Path | None = None,
    state_every: float = 0.0,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, View]:
    """Trains all phases of a config; the model has its best weights at the end.

    Args:
        bench: With the model as the recipe's `build_model` gives it.
        config: The settings.
        data: As the recipe's `load_data` gives it.
        keeper: Early stopping; it knows the best epoch afterwards.
        recorder: Gets every epoch.
        watchers: Returns further callbacks for a phase and the number of epochs of all phases.
        features: Those of other trainings that this one may share; its own by default.
        state: A file in which the state is kept after every epoch. Where it is there already,
            the training goes on from it: its weights, optimizer, seeds, early stopping and
            order of examples are those of a training that never stopped. Schedules are laid
            out for `config.epochs`, whatever they were laid out for before.
        state_every: Seconds that pass at least from one state to the next.
        say: Gets a line about what is kept of frozen layers, how the lines of epochs read, and
            when a phase ends early.

    Returns:
        What each phase trained, by its name.
    """
    model = bench.model
    begun = load_state(state) if state is not None else None
    reseed(model, config.seed)
    if begun is not None:
        _put_back(begun, model, keeper, recorder)
        say(f"resume after epoch {begun.epoch}")
    phases = plan_phases(config, model)
    views = (features or Features()).views(bench, phases, config, data, say)
    say("       each line below: training/validation")
    try:
        for index, phase in enumerate(phases):
            if begun is None or begun.phase <= index:
                # Phases may have ended early: epochs are numbered as they were run.
                before = sum(row["phase"] != phase.name for row in recorder.history)
                last, total = before + phase.epochs, before + sum(x.epochs for x in phases[index:])
                going_on = begun if begun is not None and begun.phase == index else None
                recorder.phase = phase.name
                plateau = _plateau(config, data, phase, keeper)
                more = list(watchers(phase, total))
                if state is not None:
                    seeds, history = seed_states(model), recorder.history
                    more.append(
                        SaveState(state, index, seeds, keeper, history, plateau, state_every)
                    )
                with frozen_below(model, phase.blocks):
                    _fit_phase(
                        bench, config, data, phase, views[phase.name], keeper, recorder,
                        going_on, plateau,
                        (len(recorder.history), last), more,
                    )  # fmt: skip
                keeper.restore()
                if keeper.stopped_epoch is not None and keeper.stopped_epoch + 1 < last:
                    say(keeper.why_stopped(phase.name))
    except HopelessError as error:
        say(f"stop   {error}")
    finally:
        keeper.restore()
    return views


def _put_back(
    begun: TrainingState, model: keras.Model, keeper: KeepBest, recorder: Recorder
) -> None:
    """Gives a training what it knew when its state was saved; the optimizer comes later."""
    begun.restore("weights", keeper.variables)
    begun.restore("seeds", seed_states(model))
    begun.restore_keeper(keeper)
    recorder.history[:] = begun.history


def _fit_phase(
    bench: Bench,
    config: Config,
    data: Data,
    phase: Phase,
    view: View,
    keeper: KeepBest,
    recorder: Recorder,
    going_on: TrainingState | None,
    plateau: PlateauWarmUp | None,
    epochs: tuple[int, int],
    more: list[keras.callbacks.Callback],
) -> None:
    """Trains one phase from its first or next epoch to its last."""
    batches = make_batches(data.train, config, data.labels, training=True, x=view.train)
    validation = make_batches(
        data.validation, config, data.labels, training=False, x=view.validation
    )
    at_once = _steps_at_once(view, config, batches)
    part = bench.compiled(config, data, phase, view.model, steps_per_execution=at_once)
    _begin_phase(part, keeper, going_on, plateau)
    if keeper.stopped_epoch is not None:  # before it was interrupted
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
            keeper,
            recorder,
            *more,
        ],
    )


def _steps_at_once(view: View, config: Config, batches: Any) -> int:
    """Returns how many steps run without Python in between: several where a step is short."""
    if config.learning_rate_schedule == "plateau":  # its warm-up sets the rate of every step
        return 1
    step = 3 * config.batch_size * max(view.work, 1.0)
    return max(1, min(int(_SHORT_STEP // step), _AT_ONCE, len(batches)))


def _begin_phase(
    model: keras.Model, keeper: KeepBest, going_on: TrainingState | None, plateau: Any
) -> None:
    if going_on is None:
        keeper.begin_phase()
        return
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    going_on.restore("optimizer", model.optimizer.variables)
    if plateau is not None:
        plateau.goes_on_from(going_on.plateau)


def _plateau(config: Config, data: Data, phase: Phase, keeper: KeepBest) -> PlateauWarmUp | None:
    if config.learning_rate_schedule != "plateau":
        return None
    steps = steps_per_epoch(data.train, config.batch_size) * phase.epochs
    waits = max(config.patience // 2, 1) if config.patience else 2
    return PlateauWarmUp(
        phase.learning_rate, round(steps * config.warmup_fraction),
        monitor=keeper.monitor, mode=keeper.direction, patience=waits,
    )  # fmt: skip
