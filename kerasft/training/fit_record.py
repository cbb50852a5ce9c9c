"""The record of a fit in its run folder: opened, announced, closed."""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
import time
import traceback
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

from kerasft.calibration.options import CalibrationOptions
from kerasft.calibration.summary import calibration_lines
from kerasft.catalog import recipe_source
from kerasft.config import FORMAT, Config, changed_settings, to_dict
from kerasft.data import Data
from kerasft.data.examples import SPLITS
from kerasft.display import status
from kerasft.distribution.devices import Devices
from kerasft.errors import DivergedError, LostProcessError
from kerasft.evaluation.calibrate import SplitOutputs, measure_test, record_calibration
from kerasft.evaluation.metrics import measure
from kerasft.evaluation.seen_examples import save_fingerprints
from kerasft.evaluation.stored_predictions import save_predictions
from kerasft.formatting import counted, epoch_text, number
from kerasft.frozen.feature_cache import PhaseInputs
from kerasft.insight import plot_curves
from kerasft.modalities import modality_of, settled
from kerasft.models import block_rows, block_table
from kerasft.runs import (
    RECIPE,
    Run,
    open_to_append,
    remove_temporary_files,
    resume_command,
    seal,
    write_history,
    write_json,
    write_manifest,
    write_recipe,
)
from kerasft.runs.provenance import (
    anchored,
    current_time,
    describe_recipe,
    describe_weights,
    versions,
)
from kerasft.runs.weights import save_weights
from kerasft.training.context import FitContext, Log
from kerasft.training.final_outputs import final_outputs
from kerasft.training.resume_checks import check_unfinished


def open_record(
    run: Run, module: ModuleType, context: FitContext, *, requested: Config | None = None
) -> None:
    """Write what is known before training: settings, labels, versions, data, blocks.

    The manifest is written last: a folder with one is a run that can be resumed.

    Args:
        run: Run to write to.
        module: A recipe module.
        context: Context of the training.
        requested: Settings of the call, before a format was chosen by timing.
    """
    config, data, source = anchored(context.config), context.data, recipe_source(module)
    write_json(run.path / "config.json", to_dict(config))
    write_json(run.path / "labels.json", data.labels.to_dict())
    if data.dropped:
        rows = [{"origin": one.origin, "reason": one.reason} for one in data.dropped]
        write_json(run.path / "dropped.json", rows)
    write_history(run, [])
    files = {} if source is None else {RECIPE: write_recipe(run, source)}
    write_manifest(
        run,
        format=FORMAT,
        recipe=describe_recipe(module),
        state="running",
        created=current_time(),
        seed=config.seed,
        versions=versions(),
        modality=modality_of(config).name,
        data={
            "dataset": config.dataset.source,
            "pairs": data.pairs,
            "fingerprint": data.fingerprint,
            "examples": _examples(data),
            "notes": list(data.notes),
            "audit": dict(data.audit),
        },
        given=_given(config, requested or config),
        learning_rates={phase.name: phase.learning_rate for phase in context.phases},
        range_test=requested is not None and isinstance(requested.learning_rate, str),
        usual=to_dict(type(config)()),
        weights=describe_weights(config),
        blocks=block_rows(context.model),
        files=files,
        **_devices_record(context.devices),
    )


def _given(config: Config, requested: Config) -> dict[str, Any]:
    """Return the settings that the recipe does not have by default or by `auto`."""
    defaults, call = to_dict(type(config)()), to_dict(requested)

    def is_by_auto(name: str, value: Any) -> bool:
        auto: dict[str, Any] = {name: "auto"}
        chosen = to_dict(settled(dataclasses.replace(config, **auto)))
        return bool(call[name] == "auto" or value == chosen[name])

    return {
        name: value
        for name, value in changed_settings(config).items()
        if defaults[name] != "auto" or not is_by_auto(name, value)
    }


def reopen_record(run: Run, devices: Devices) -> None:
    """Mark a resumed run as running, and remove the temporary files of a killed process.

    Raises:
        SettingError: Another process has finished it meanwhile.
    """
    check_unfinished(run)
    remove_temporary_files(run.path)
    record = _devices_record(devices)
    if "devices" in run.manifest:  # now perhaps one
        record.setdefault("devices", None)
    write_manifest(run, state="running", reason=None, failure=None, **record)


def _devices_record(devices: Devices) -> dict[str, Any]:
    """Return the entry of several devices in the manifest."""
    found = devices.describe()
    return {"devices": found} if found else {}


def _examples(data: Data) -> dict[str, int]:
    """Return the number of examples of every split whose number is fixed."""
    parts = {split: getattr(data, split) for split in SPLITS}
    return {split: len(part.y) for split, part in parts.items() if hasattr(part, "y")}


def data_lines(config: Config, data: Data) -> list[str]:
    """Return the log lines about the data: counts, classes, notes."""
    counts = ", ".join(f"{count:,} {split}" for split, count in _examples(data).items())
    kinds = f" in {len(data.labels.names)} classes" if data.labels.names else ""
    lines = [f"data   {config.dataset}: {counts}{kinds}"]
    return lines + [f"note   {note}" for note in (*data.notes, *config.notes())]


def announce(context: FitContext, chosen: Sequence[str]) -> None:
    """Log the data, the model and the phases of a fit, and what was chosen for it."""
    config = context.config
    for line in data_lines(config, context.data):
        context.log(line)
    source = config.preset or "built by the recipe"
    context.log(f"model  {source}{'' if config.pretrained else ' (random weights)'}")
    for line in block_table(context.model).splitlines():
        context.log(f"       {line}")
    for phase in context.phases:
        context.log(
            f"phase  {phase.name}: {counted(phase.epochs, 'epoch')}, {config.optimizer} at "
            f"{number(phase.learning_rate)} ({config.learning_rate_schedule}), "
            f"batches of {config.batch_size}"
        )
    for line in (*context.devices.lines(config.batch_size), *chosen):
        context.log(line)


class BestWeightsFile:
    """The best weights of a training so far, in its run: once for every best epoch.

    They are those that training changes, or all of a random backbone.
    """

    def __init__(self, run: Run, context: FitContext) -> None:
        self.run, self.context = run, context
        self._saved: int | None = None

    def save(self) -> None:
        """Write the best weights with their epoch, unless they are written already."""
        best_weights = self.context.best_weights
        variables, values = best_weights.variables, best_weights.best_values
        if best_weights.best_epoch is None or best_weights.best_epoch == self._saved:
            return
        if self.run.manifest["weights"]["stored"] == "all":
            best = dict(zip(map(id, variables), values, strict=True))
            variables = self.context.model.weights
            values = [best[id(v)] if id(v) in best else v.numpy() for v in variables]
        save_weights(
            self.run,
            variables,
            values,
            best_epoch=best_weights.best_epoch + 1,
            monitor=best_weights.monitor,
        )
        self._saved = best_weights.best_epoch


@contextlib.contextmanager
def record_failure(run: Run, log: Log) -> Iterator[None]:
    """Record why a training ended, whatever the reason, and raise the error again."""
    try:
        yield
    except BaseException as error:  # KeyboardInterrupt and SystemExit are reasons too
        stopped = isinstance(error, (KeyboardInterrupt, SystemExit, LostProcessError))
        with open_to_append(run.path / "run.log") as file:
            file.write(traceback.format_exc())
        if run.state != "done":  # else only the tracker failed
            state = "interrupted" if stopped else "failed"
            failure = "diverged" if isinstance(error, DivergedError) else None
            write_manifest(run, state=state, reason=str(error) or repr(error), failure=failure)
            if failure:
                log(f"stop   for a rate to try: kerasft diagnose {shlex.quote(str(run.path))}")
            if stopped:
                command = resume_command(run.path, run.manifest["recipe"], run.config["dataset"])
                log(f"stop   interrupted; resume with: {command}")
        raise


def close_record(run: Run, context: FitContext, inputs: PhaseInputs, began: float) -> None:
    """Measure validation and test with the best weights, and close the record.

    Args:
        run: The run.
        context: Context of the fit, which has ended.
        inputs: Model and inputs of the last phase: cached features are not computed again.
        began: Time at which the fit began (`time.monotonic`).
    """
    best_weights = context.best_weights
    best_epoch = epoch_text((best_weights.best_epoch or 0) + 1)
    context.log(f"best   epoch {best_epoch} ({best_weights.monitor}); weights restored")
    measure_record(run, context, inputs, began)


def measure_record(run: Run, context: FitContext, inputs: PhaseInputs, began: float) -> None:
    """Measure validation and test with the present weights, and close the record.

    Args:
        run: The run.
        context: Context of what is measured; its log receives the calibration.
        inputs: Model and inputs that are measured.
        began: Time at which the work began (`time.monotonic`).
    """
    config, data = context.config, context.data
    parts = {name: getattr(data, name) for name in ("validation", "test")}
    parts = {name: part for name, part in parts.items() if part is not None}
    outputs, known_inputs = final_outputs(context, inputs, parts)
    metrics = {
        name: measure(config, data.labels, part.y, outputs[name]) for name, part in parts.items()
    }
    splits = {name: SplitOutputs(part.y, outputs[name]) for name, part in parts.items()}
    calibration = record_calibration(run, data.labels, splits, known_inputs, CalibrationOptions())
    for name, text in calibration_lines(run.calibration):
        context.log(f"calib  {name}: {text}")
    for note in run.calibration["notes"]:
        context.log(f"note   {note}")
    if "test" in splits:
        metrics["test"] |= measure_test(data.labels, splits["test"], calibration, known_inputs)
    write_json(run.path / "metrics.json", metrics)
    pairs = {name: (part, outputs[name]) for name, part in parts.items()}
    save_predictions(run, config, data.labels, pairs, calibration)
    save_fingerprints(run, data)
    status("drawing the curves")
    plot_curves(run, run.path / "curves.png")
    seal(run)
    write_manifest(run, state="done", seconds=round(time.monotonic() - began, 1))
