"""Fine-tuning: recipe and settings in, a run folder out."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import keras

from kerasft.catalog import recipe_module
from kerasft.config import Config
from kerasft.data import Data
from kerasft.errors import DataError
from kerasft.frozen.feature_cache import FeatureCache, PhaseInputs
from kerasft.insight import plot_rates
from kerasft.models import choose_monitor
from kerasft.models.freezing import changing_weights
from kerasft.models.precision import precision
from kerasft.runs import Run, check_name, create_run, save_weights, write_manifest
from kerasft.runs.provenance import describe_recipe
from kerasft.training.callbacks import BestWeights
from kerasft.training.compiled_models import CompiledModels
from kerasft.training.learning_rate_finder import RateCurve, find_rates, use_found
from kerasft.training.live_diagnosis import LiveDiagnosis
from kerasft.training.loop import train
from kerasft.training.phases import Phase, plan_phases
from kerasft.training.precision import build_in_precision
from kerasft.training.progress import Progress
from kerasft.training.resume import (
    EVERY,
    STATE,
    begun_settings,
    check_unchanged,
    find_unfinished,
    training_in,
)
from kerasft.training.run_record import (
    Recorder,
    announce,
    close_record,
    log_writer,
    open_record,
    record_failure,
)
from kerasft.training.speed import measure_speeds, speed_line
from kerasft.training.tracking import open_tracker, tracked


def fit(
    recipe: ModuleType | str,
    config: Config | None = None,
    *,
    runs_dir: str | Path = "runs",
    name: str | None = None,
    progress: bool = True,
    data: Data | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    track: str | None = None,
    resume: bool = False,
) -> Run:
    """Fine-tune a recipe and records everything in a run folder.

    Loads the data, builds the model, trains its phases with early stopping on the validation
    split, restores the best epoch, and measures validation and test once.

    Args:
        recipe: A recipe module, its name, or the path of its file.
        config: The recipe's settings; its defaults where None is given.
        runs_dir: Where runs are kept.
        name: Name of the run folder; the present time by default.
        progress: Whether to write progress to stderr.
        data: What the recipe's `load_data` gave for these settings of the data, where it has
            been loaded already.
        callbacks: Further Keras callbacks; they see the epochs of both phases with what the record
            has of them.
        track: `mlflow` makes a run of MLflow too (extra `kerasft[mlflow]`).
        resume: Goes on with the run `name`, or the recipe's latest that was interrupted, with the
            settings that it was begun with. A training saves its state after the first epoch that
            ends a minute or more after the last state, and goes on from there as if it had never
            stopped: weights, optimizer, schedule, order of examples, dropout, early stopping.

    Returns:
        The run: its path, history and metrics.

    Raises:
        SettingError: A setting is out of range, the preset is not known, or the tracker not there.
        DataError: The data cannot be used.
        NetworkError: Something must be downloaded and cannot be, or a tracker's server is away.
        DivergedError: The loss became NaN.
        ResumeError: The recipe, the settings, the preset or the data are not what they were.

    Example:
        >>> from kerasft.recipes import resnet_digits
        >>> run = kerasft.fit(resnet_digits, resnet_digits.Config(epochs=3))
        >>> run.metrics["test"]["accuracy"]
    """
    began = time.monotonic()
    module = recipe_module(recipe)
    described = describe_recipe(module)
    begun, config = _begin(module, config, runs_dir, described["name"], name, resume=resume)
    open_tracker(track, described["name"])
    monitor = choose_monitor(config)
    keras.utils.set_random_seed(config.seed)
    data = module.load_data(config) if data is None else data
    if data.train is None or data.validation is None:
        raise DataError("A fit needs a training and a validation split.")
    if begun is not None:
        check_unchanged(begun, described, config, data)
        began -= sum(row["seconds"] for row in begun.history)
    chosen: list[str] = []
    config, model = build_in_precision(module, config, data, chosen.append)
    compiled_models, features = CompiledModels(model), FeatureCache()
    with precision(config.precision):
        curves: list[RateCurve] = []
        if isinstance(config.learning_rate, str):
            curves = find_rates(compiled_models, config, data, features=features, log=chosen.append)
            config = use_found(config, curves)
        plan_phases(config, model)  # what it refuses leaves no run behind
        run = begun or create_run(runs_dir, described["name"], name)
        write = log_writer(run, sys.stderr if progress else None)
        with training_in(run):
            if begun is None:
                open_record(run, module, config, data, model)
            else:
                write_manifest(run, state="running", reason=None)
            announce(write, run, config, data, model, chosen)
            with record_failure(run, write), tracked(track, run, config) as more:
                if curves:
                    plot_rates(curves, run.path / "rates.png")
                best_weights, view = _train(
                    run, config, data, compiled_models, features, monitor, write, progress,
                    [*callbacks, *more],
                )  # fmt: skip
                close_record(run, config, data, model, view, best_weights, write, began)
            (run.path / STATE).unlink(missing_ok=True)
    return run


def _begin(
    module: ModuleType,
    config: Config | None,
    runs_dir: str | Path,
    recipe: str,
    name: str | None,
    *,
    resume: bool,
) -> tuple[Run | None, Config]:
    """Return the run that is to go on, if any, and the settings."""
    if resume:
        begun = find_unfinished(runs_dir, recipe, name)
        return begun, begun_settings(begun, module.Config, config)
    check_name(runs_dir, recipe, name)
    return None, config if config is not None else module.Config()


def _train(
    run: Run,
    config: Config,
    data: Data,
    compiled_models: CompiledModels,
    features: FeatureCache,
    monitor: tuple[str, str],
    write: Callable[..., None],
    progress: bool,
    callbacks: Sequence[keras.callbacks.Callback],
) -> tuple[BestWeights, PhaseInputs]:
    """Train all phases; the model has the best weights at the end.

    Returns what kept them, and what the last phase trained.
    """
    best_weights = BestWeights(changing_weights(compiled_models.model), *monitor, config.patience)
    recorder = Recorder(run)

    def make_callbacks(phase: Phase, epochs: int) -> list[keras.callbacks.Callback]:
        line = Progress(
            phase.name,
            epochs,
            lambda text: write(text, log_only=True),
            lambda epoch: best_weights.best_epoch == epoch,
            sys.stderr if progress else None,
        )
        return [*tensorboard(run), line, *callbacks, LiveDiagnosis(config, data, recorder, write)]

    try:
        views = train(
            compiled_models, config, data, best_weights, recorder,
            make_callbacks=make_callbacks, features=features, log=write,
            state=run.path / STATE, state_every=EVERY,
        )  # fmt: skip
    finally:
        if best_weights.best_epoch is not None:
            _save(run, compiled_models.model)
    speeds = measure_speeds(compiled_models, views, config, data, recorder.history)
    for name, speed in speeds.items():
        write(speed_line(name, speed))
    write_manifest(run, speed=speeds)
    return best_weights, views["main"]


def _save(run: Run, model: keras.Model) -> None:
    stored = run.manifest["weights"]["stored"]
    save_weights(run, changing_weights(model) if stored == "trained" else model.weights)


def tensorboard(run: Run) -> list[keras.callbacks.Callback]:
    """Return the callback that writes TensorBoard's event files, where TensorFlow is there."""
    if keras.backend.backend() != "tensorflow":  # the event files are TensorFlow's
        return []
    return [keras.callbacks.TensorBoard(str(run.path / "tensorboard"), write_graph=False)]
