"""Fine-tuning: from a recipe and its settings to a run folder."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

import keras

from kerasft.catalog import recipe_module
from kerasft.config import Config, ConfigType, to_dict, with_keywords
from kerasft.data import Data, Split, load_recipe_data
from kerasft.display import progress as show_bar
from kerasft.display import shows_progress, status
from kerasft.distribution.devices import Devices, check_batch, open_devices
from kerasft.errors import DataError
from kerasft.frozen.feature_cache import FeatureCache, PhaseInputs
from kerasft.insight import LearningRateCurve, plot_rates
from kerasft.modalities import settled
from kerasft.models import choose_monitor
from kerasft.models.dtype_policy import precision
from kerasft.runs import (
    Run,
    check_name,
    check_writable,
    create_run,
    empty_folder,
    naming_resume_command,
    write_manifest,
)
from kerasft.runs.provenance import describe_recipe, versions
from kerasft.seeds import set_seed
from kerasft.training.compiled_models import CompiledModels
from kerasft.training.context import FitContext, Log, make_context
from kerasft.training.fit_record import (
    BestWeightsFile,
    announce,
    close_record,
    open_record,
    record_failure,
    reopen_record,
)
from kerasft.training.learning_rate_finder import find_rates, use_found
from kerasft.training.live_diagnosis import LiveDiagnosis
from kerasft.training.loop import train
from kerasft.training.out_of_memory import train_in_memory
from kerasft.training.phases import Phase
from kerasft.training.precision_choice import build_in_precision, choose_precision
from kerasft.training.progress import Progress
from kerasft.training.recorder import log_writer
from kerasft.training.resume_checks import (
    STATE,
    check_unchanged,
    find_unfinished,
    original_settings,
    training_in,
)
from kerasft.training.speed import measure_speeds, speed_line
from kerasft.training.tracking import open_tracker, tensorboard, tracked


@shows_progress
def fit(  # noqa: PLR0913 (public)
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
    devices: int | str | None = None,
    fixed: Sequence[str] | None = None,
    **settings: Any,
) -> Run:
    """Fine-tune a recipe and record everything in a run folder.

    Loads the data, builds the model, trains its phases with early stopping on the validation
    split, restores the best epoch, and measures validation and test once. If memory runs out, it
    goes on with batches of half the size, whose gradients are accumulated.

    Args:
        recipe: A recipe module, its name, or the path of its file.
        config: Settings of the recipe; its defaults where None.
        runs_dir: Folder of all runs.
        name: Name of the run folder; a timestamp by default.
        progress: Whether to write progress to stderr.
        data: Data of the recipe for these settings; loaded where None.
        callbacks: Further Keras callbacks. They receive the epochs of all phases, with the values
            that are recorded.
        track: `mlflow` or `wandb` to create a run of that tool too (the extra of that name).
        resume: Whether to resume the run `name`, or the recipe's latest interrupted run, with its
            original settings. A training saves its state at the end of epochs, in at most a
            fiftieth of its time, and when it is interrupted. Resumed from there, it is bit-for-bit
            identical to an uninterrupted run (CPU): weights, optimizer, schedule, order of
            examples, dropout, early stopping.
        devices: Number of devices that share every batch, or `all`; one by default. Where
            environment variables say that this is one of several processes (SLURM_*,
            KERAS_DISTRIBUTION_*, JAX_*, TF_CONFIG), they share it with all devices of each, and
            only the first process writes.
        fixed: Names of settings in which a resumed run must equal `config`; by default those
            that differ from the recipe's defaults.
        **settings: Settings by name, which replace those of `config`. `dataset` can be a table in
            memory, as for `Dataset`.

    Returns:
        The run: its path, history and metrics.

    Raises:
        SettingError: A setting is unknown or out of range, or the preset or the tracker is not
            found.
        DataError: The data cannot be used.
        NetworkError: A download failed, or the tracker's server does not respond.
        DivergedError: The loss became infinite or NaN.
        ResourceError: The disk is full, not even a batch of one example fits into memory, or
            another process of this training ended.
        ResumeError: The recipe, the settings, the preset, the data or the backend changed since
            the run began.

    Example:
        >>> run = kerasft.fit("resnet_digits", dataset="photos/", learning_rate=3e-4)
        >>> run.metrics["test"]["accuracy"]
    """
    began = time.monotonic()
    shared = open_devices(devices)
    module = recipe_module(recipe)
    described = describe_recipe(module)
    unfinished = find_unfinished(runs_dir, described["name"], name) if resume else None
    folder = shared.own_folder(runs_dir)
    config = with_keywords(module.Config, config, settings, signature(fit).parameters)
    config = _settle(config, unfinished, [*(fixed or ()), *settings])
    _check_folder(folder / described["name"], name, unfinished, shared)
    track = None if shared.ranks.rank else track
    open_tracker(track, described["name"])
    choose_monitor(config)  # an unknown one is refused before the data are loaded
    set_seed(config.seed)
    named = naming_resume_command(described, runs_dir, name, config.dataset.source)
    with named, shared.detecting_lost_processes():
        data = _check_splits(load_recipe_data(module, config) if data is None else data)
        if unfinished is not None:
            unfinished = Run(shared.own_copy(unfinished.path, runs_dir))
            check_unchanged(unfinished, described, config, data)
            began -= sum(row["seconds"] for row in unfinished.history)
        chosen, requested = list[str](), config
        config, model = _build(module, requested, data, shared, chosen.append)
        with precision(config.precision):
            # Made before the run: settings that are refused here leave no folder.
            context, curves = _prepare(config, data, model, chosen.append, shared)
            run = unfinished or create_run(folder, described["name"], name)
            context = context.in_run(run, log_writer(run), shared)
            with training_in(run):
                _begin_record(run, module, context, None if unfinished else requested, chosen)
                with record_failure(run, context.log), tracked(track, run, context.config) as more:
                    _fit_in(run, context, curves, [*callbacks, *more], began)
                (run.path / STATE).unlink(missing_ok=True)
        shared.agree("end", lambda: "done")  # the others wait for the first one, which writes
    shared.end_together()
    return run


def _settle(config: ConfigType, unfinished: Run | None, fixed: Sequence[str]) -> ConfigType:
    """Return the settings of a new run, or the original ones of a run to resume."""
    if unfinished is None:
        return settled(config)
    return original_settings(unfinished, type(config), config, fixed)


def _check_folder(folder: Path, name: str | None, unfinished: Run | None, shared: Devices) -> None:
    """Refuse a name that is taken, and a folder that cannot be written."""
    if unfinished is None:
        check_name(folder.parent, folder.name, name)
    elif not shared.ranks.rank:
        folder = unfinished.path
    check_writable(folder)


def _begin_record(
    run: Run, module: ModuleType, context: FitContext, new: Config | None, chosen: Sequence[str]
) -> None:
    """Open the record, for a new run with its requested settings, and announce what was chosen."""
    lines = _begin_in(run, resumed=new is None)
    if new is None:
        reopen_record(run, context.devices)
    else:
        open_record(run, module, context, requested=new)
    announce(context, [*chosen, *lines])


def _begin_in(run: Run, *, resumed: bool) -> list[str]:
    """Empty the folder of a new run; return the line about a fit that was killed at its start."""
    if resumed and not (run.path / STATE).exists():
        return ["resume from the beginning: no state of an epoch was saved"]
    if not resumed and empty_folder(run):
        return [f"note   {run.path} is replaced: its fit was killed before it began to train"]
    return []


def _check_splits(data: Data) -> Data:
    """Return the data of a fit, which must have a training and a validation split."""
    if data.train is None or data.validation is None:
        raise DataError("A fit needs a training and a validation split.")
    return data


def _build(
    module: ModuleType, config: ConfigType, data: Data, devices: Devices, log: Log
) -> tuple[ConfigType, keras.Model]:
    """Return the settings with the chosen number format, and the model."""
    check_batch(config.batch_size, devices.number)
    if devices.ranks.number > 1:
        recipe, same = describe_recipe(module)["sha256"], {**to_dict(config), **versions()}
        devices.check_same({**same, "data": data.fingerprint, "recipe": recipe})
    if devices.number > 1:  # several processes would choose by different times

        def choose() -> str:
            share = dataclasses.replace(config, batch_size=config.batch_size // devices.number)
            return choose_precision(module, share, data, log).precision

        config = dataclasses.replace(config, precision=devices.agree("precision", choose))
    with devices.scope():
        config, model = build_in_precision(module, config, data, log)
    model = devices.on_one_device(model)
    sizes: tuple[int, ...] = ()
    if isinstance(data.train, Split):
        full = min(config.batch_size, len(data.train))
        sizes = (full, len(data.train) % full or full)
    devices.check(model, sizes)
    return config, model


def _prepare(
    config: Config, data: Data, model: keras.Model, log: Log, devices: Devices
) -> tuple[FitContext, list[LearningRateCurve]]:
    """Return the context of a fit, and the curves of its learning rates where they are found."""
    compiled_models, feature_cache = CompiledModels(model), FeatureCache(devices=devices)
    curves: list[LearningRateCurve] = []
    if isinstance(config.learning_rate, str):
        with devices.scope():
            curves = find_rates(compiled_models, config, data, feature_cache=feature_cache, log=log)
        config = _agreed_rates(use_found(config, curves), devices)
    return make_context(config, data, compiled_models, feature_cache=feature_cache), curves


def _agreed_rates(config: ConfigType, devices: Devices) -> ConfigType:
    """Return the settings with the learning rates that the first process found."""
    found = json.dumps([config.learning_rate, config.head_learning_rate])
    main, head = json.loads(devices.agree("learning rates", lambda: found))
    return dataclasses.replace(config, learning_rate=main, head_learning_rate=head)


def _fit_in(
    run: Run,
    context: FitContext,
    curves: list[LearningRateCurve],
    callbacks: Sequence[keras.callbacks.Callback],
    began: float,
) -> None:
    """Train, and close the record of a run; a lost process is recorded as an interruption."""
    with context.devices.detecting_lost_processes():
        if curves:
            plot_rates(curves, run.path / "rates.png")
        close_record(run, context, _train(run, context, callbacks), began)


def _train(
    run: Run, context: FitContext, callbacks: Sequence[keras.callbacks.Callback]
) -> PhaseInputs:
    """Train all phases; return the model and inputs of the last one."""

    def make_callbacks(phase: Phase, epochs: int) -> list[keras.callbacks.Callback]:
        line = Progress(context, phase.name, epochs, bar)
        return [*tensorboard(run), line, *callbacks, LiveDiagnosis(context)]

    def train_once() -> dict[str, PhaseInputs]:
        return train(
            context, make_callbacks=make_callbacks, state=run.path / STATE, keep_state=False,
            save_best=best.save, start_counts=True,
        )  # fmt: skip

    best = BestWeightsFile(run, context)
    try:
        with show_bar("preparing the training") as bar:
            inputs = train_in_memory(run, context, run.path / STATE, train_once)
    finally:
        best.save()
    status("measuring the throughput")
    speeds = measure_speeds(context, inputs)
    for name, speed in speeds.items():
        context.log(speed_line(name, speed))
    write_manifest(run, speed=speeds)
    return inputs["main"]
