"""Fine-tuning: recipe and settings in, a run folder out."""

from __future__ import annotations

import contextlib
import datetime
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

import keras

from kerasft.catalog import load_recipe
from kerasft.config import Config, to_dict
from kerasft.data import Data
from kerasft.errors import DataError, SettingError
from kerasft.insight import plot_curves
from kerasft.models import DIRECTIONS, block_rows, block_table, default_monitor
from kerasft.runs import Run, create_run, save_weights, write_history, write_json, write_manifest
from kerasft.training.callbacks import KeepBest, NanGuard, PlateauWarmUp, SeparatePenalty
from kerasft.training.evaluation import measure, predict_arrays
from kerasft.training.phases import (
    Phase,
    changing_weights,
    compile_model,
    frozen_backbone,
    make_batches,
    phase_schedule,
    plan_phases,
    steps_per_epoch,
)
from kerasft.training.progress import Progress, number
from kerasft.training.provenance import describe_recipe, describe_weights, precision, versions


def fit(
    recipe: ModuleType | str,
    config: Config | None = None,
    *,
    runs_dir: str | Path = "runs",
    name: str | None = None,
    progress: bool = True,
) -> Run:
    """Fine-tunes a recipe and records everything in a run folder.

    Loads the data, builds the model, trains its phases with early stopping on the validation
    split, restores the best epoch, and measures validation and test once.

    Args:
        recipe: A recipe module, its name, or the path of its file.
        config: The recipe's settings; its defaults where None is given.
        runs_dir: Where runs are kept.
        name: Name of the run folder; the present time by default.
        progress: Whether to write progress to stderr.

    Returns:
        The run: its path, history and metrics.

    Raises:
        SettingError: A setting is out of range, or the preset is not known.
        DataError: The data cannot be used.
        NetworkError: Something must be downloaded and cannot be.
        DivergedError: The loss became NaN.

    Example:
        >>> from kerasft.recipes import resnet_digits
        >>> run = kerasft.fit(resnet_digits, resnet_digits.Config(epochs=3))
        >>> run.metrics["test"]["accuracy"]
    """
    began = time.monotonic()
    module = load_recipe(recipe) if isinstance(recipe, str) else recipe
    config = config if config is not None else module.Config()
    monitor = config.monitor or default_monitor(config.task)
    if monitor.removeprefix("val_") not in DIRECTIONS:
        raise SettingError(
            f"`monitor` must be val_ and one of {', '.join(DIRECTIONS)}. "
            f"Received: monitor={monitor!r}."
        )
    keras.utils.set_random_seed(config.seed)
    with precision(config.precision):
        data = module.load_data(config)
        if data.train is None or data.validation is None:
            raise DataError("A fit needs a training and a validation split.")
        model = module.build_model(config, data)
        run = create_run(runs_dir, describe_recipe(module)["name"], name)
        write = _log_writer(run, sys.stderr if progress else None)
        _open_record(run, module, config, data, model)
        _announce(write, run, config, data, model)
        with _record_failure(run, model):
            keeper = _train(run, config, data, model, monitor, write, progress)
        _close_record(run, config, data, model, keeper, monitor, began)
    return run


def _log_writer(run: Run, stream: TextIO | None) -> Callable[..., None]:
    def write(line: str, *, log_only: bool = False) -> None:
        with open(run.path / "run.log", "a", encoding="utf-8") as log:
            log.write(line + "\n")
        if stream is not None and not log_only:
            print(line, file=stream, flush=True)

    return write


def _open_record(
    run: Run, module: ModuleType, config: Config, data: Data, model: keras.Model
) -> None:
    write_json(run.path / "config.json", to_dict(config))
    write_json(run.path / "labels.json", data.labels.to_dict())
    write_manifest(
        run,
        recipe=describe_recipe(module),
        state="running",
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        seed=config.seed,
        versions=versions(),
        data={
            "dataset": config.dataset,
            "fingerprint": data.fingerprint,
            "examples": {
                split: len(part.y)
                for split in ("train", "validation", "test")
                if (part := getattr(data, split)) is not None and hasattr(part, "y")
            },
            "notes": list(data.notes),
        },
        weights=describe_weights(config),
        blocks=block_rows(model),
    )
    write_history(run, [])


def _announce(
    write: Callable[..., None], run: Run, config: Config, data: Data, model: keras.Model
) -> None:
    counts = ", ".join(f"{n:,} {s}" for s, n in run.manifest["data"]["examples"].items())
    kinds = f" in {len(data.labels.names)} classes" if data.labels.names else ""
    write(f"data   {config.dataset}: {counts}{kinds}")
    for note in data.notes:
        write(f"note   {note}")
    source = config.preset or "built by the recipe"
    write(f"model  {source}{'' if config.pretrained else ' (random weights)'}")
    for line in block_table(model).splitlines():
        write(f"       {line}")
    for phase in plan_phases(config):
        write(
            f"phase  {phase.name}: {phase.epochs} epochs, {config.optimizer} at "
            f"{number(phase.learning_rate)} ({config.learning_rate_schedule}), "
            f"batches of {config.batch_size}"
        )


@contextlib.contextmanager
def _record_failure(run: Run, model: keras.Model) -> Iterator[None]:
    """Leaves the reason in the run, whatever ends the training; the error goes on."""
    try:
        yield
    except BaseException as error:  # KeyboardInterrupt and SystemExit are reasons too
        stopped = isinstance(error, (KeyboardInterrupt, SystemExit))
        with open(run.path / "run.log", "a", encoding="utf-8") as log:
            log.write(traceback.format_exc())
        write_manifest(
            run, state="interrupted" if stopped else "failed", reason=str(error) or repr(error)
        )
        raise


def _train(
    run: Run,
    config: Config,
    data: Data,
    model: keras.Model,
    monitor: str,
    write: Callable[..., None],
    progress: bool,
) -> KeepBest:
    """Trains all phases; the model has the best weights at the end."""
    phases = plan_phases(config)
    total = sum(phase.epochs for phase in phases)
    train = make_batches(data.train, config, data.labels, training=True)
    validation = make_batches(data.validation, config, data.labels, training=False)
    direction = DIRECTIONS[monitor.removeprefix("val_")]
    keeper = KeepBest(changing_weights(model), monitor, direction, config.patience)
    history: list[dict[str, Any]] = []
    first = 0
    try:
        for phase in phases:
            with frozen_backbone(model, not phase.backbone):
                compile_model(model, config, data, phase=phase)
                model.fit(
                    train,
                    validation_data=validation,
                    initial_epoch=first,
                    epochs=first + phase.epochs,
                    shuffle=False,  # the batches are in a random order of their own
                    verbose=0,
                    callbacks=[
                        SeparatePenalty(phase_schedule(config, data, phase)),
                        NanGuard(),
                        *_plateau(config, data, phase, monitor, direction),
                        keeper,
                        _Recorder(run, history, phase.name),
                        *_tensorboard(run),
                        Progress(
                            phase.name,
                            total,
                            lambda line: write(line, log_only=True),
                            lambda epoch: keeper.best_epoch == epoch,
                            sys.stderr if progress else None,
                        ),
                    ],
                )
            if keeper.stopped_epoch is not None:
                write(
                    f"phase  {phase.name} stopped after epoch {keeper.stopped_epoch + 1}: "
                    f"{config.patience} epochs without a better {monitor}"
                )
                keeper.stopped_epoch = None
            first += phase.epochs
    finally:
        keeper.restore()
        if keeper.best_epoch is not None:
            _save(run, config, model)
    return keeper


def _save(run: Run, config: Config, model: keras.Model) -> None:
    stored = run.manifest["weights"]["stored"]
    save_weights(run, changing_weights(model) if stored == "trained" else model.weights)


class _Recorder(keras.callbacks.Callback):
    """Adds each epoch to the run's history."""

    def __init__(self, run: Run, history: list[dict[str, Any]], phase: str) -> None:
        super().__init__()
        self.run, self.history, self.phase = run, history, phase
        self.began = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        values = {name: float(value) for name, value in (logs or {}).items()}
        seconds = round(time.monotonic() - self.began, 3)
        self.history.append(
            {"epoch": len(self.history) + 1, "phase": self.phase, **values, "seconds": seconds}
        )
        write_history(self.run, self.history)


def _plateau(
    config: Config, data: Data, phase: Phase, monitor: str, direction: str
) -> list[keras.callbacks.Callback]:
    if config.learning_rate_schedule != "plateau":
        return []
    steps = steps_per_epoch(data.train, config.batch_size) * phase.epochs
    warmup_steps = round(steps * config.warmup_fraction)
    waits = max(config.patience // 2, 1) if config.patience else 2
    return [
        PlateauWarmUp(phase.learning_rate, warmup_steps),
        keras.callbacks.ReduceLROnPlateau(
            monitor=monitor, mode=direction, factor=0.2, patience=waits
        ),
    ]


def _tensorboard(run: Run) -> list[keras.callbacks.Callback]:
    if keras.backend.backend() != "tensorflow":  # the event files are TensorFlow's
        return []
    return [keras.callbacks.TensorBoard(str(run.path / "tensorboard"), write_graph=False)]


def _close_record(
    run: Run,
    config: Config,
    data: Data,
    model: keras.Model,
    keeper: KeepBest,
    monitor: str,
    began: float,
) -> None:
    metrics = {}
    for split in ("validation", "test"):
        part = getattr(data, split)
        if part is not None:
            predictions = predict_arrays(model, part.x, config.batch_size)
            metrics[split] = measure(config, data.labels, part.y, predictions)
    write_json(run.path / "metrics.json", metrics)
    write_manifest(
        run,
        state="done",
        monitor=monitor,
        best_epoch=None if keeper.best_epoch is None else keeper.best_epoch + 1,
        seconds=round(time.monotonic() - began, 1),
    )
    plot_curves(run)
