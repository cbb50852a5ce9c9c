"""The state of a training, saved after epochs, from which it resumes bit-for-bit.

Keras' BackupAndRestore restarts the epoch with other seeds and resets early stopping. This state
has the weights, the optimizer, every seed generator, the best epoch so far with its weights, and
the history. It is one file, replaced atomically: a process killed at any moment leaves the old or
the new state. The file holds its own checksum, so that state and checksum cannot get out of step.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from safetensors import SafetensorError, safe_open

from kerasft.errors import DamagedFileError
from kerasft.models.blocks import flatten_layers
from kerasft.runs.weights import write_tensors
from kerasft.training.callbacks import BestWeights, PlateauWarmUp
from kerasft.training.context import FitContext

_TIMES_COST = 50  # a state is saved after this many times its cost
_CHECKSUM = "sha256"  # its entry in the metadata; states of kerasft 0.1.0 have none
_ENTRIES = ({"state"}, {"state", _CHECKSUM})


def seed_states(model: keras.Model) -> list[Any]:
    """Return the state of every seed generator in a model: dropout, augmentation."""
    found = {}
    for layer in flatten_layers(model):
        for variable in layer.variables:
            if variable.name == "seed_generator_state":
                found[id(variable)] = variable
    return list(found.values())


def reseed(model: keras.Model, seed: int) -> None:
    """Set the seed generators of a model to states that depend only on `seed` and their order.

    By default their first states come from Python's global generator, in the order in which
    layers are created.
    """
    for index, state in enumerate(seed_states(model)):
        first = np.random.SeedSequence([seed, index]).generate_state(1)[0]
        state.assign(np.array([first % (2**31), 0], dtype=state.dtype))


@dataclass(frozen=True)
class TrainingState:
    """The state of a training after an epoch.

    Attributes:
        phase: Index of the phase.
        epoch: Number of epochs finished, of all phases.
        history: One record per epoch.
        best_weights: State of early stopping.
        plateau: State of `PlateauWarmUp`, empty for other schedules.
        arrays: Values of variables, by group and position.
        batches_per_step: Batches whose gradients were accumulated for a step of the optimizer.
    """

    phase: int
    epoch: int
    history: list[dict[str, Any]]
    best_weights: dict[str, Any]
    plateau: dict[str, float]
    arrays: dict[str, np.ndarray]
    batches_per_step: int = 1

    def group(self, name: str) -> list[np.ndarray]:
        """Return the arrays of a group, in order.

        Args:
            name: `weights`, `seeds`, `optimizer`, `gradients` (accumulated ones) or `best`.
        """
        return [self.arrays[key] for key in sorted(self.arrays) if key.startswith(f"{name}.")]

    def restore(self, group: str, variables: list[Any]) -> None:
        """Set variables to the values of a group.

        Raises:
            DamagedFileError: The state belongs to another model.
        """
        values = self.group(group)
        shapes = [tuple(value.shape) for value in values]
        if shapes != [tuple(variable.shape) for variable in variables]:
            raise DamagedFileError(
                f"The saved state of epoch {self.epoch} belongs to another model: the shapes of "
                f"its {group} differ. Delete it to train from the first epoch."
            )
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    def restore_optimizer(self, optimizer: Any, batches_per_step: int) -> None:
        """Restore an optimizer, which may now accumulate the gradients of more batches."""
        lasting, gradients = _optimizer_variables(optimizer)
        self.restore("optimizer", lasting)
        if batches_per_step == self.batches_per_step:
            self.restore("gradients", gradients)
            return
        for variable in lasting:
            if variable.name == "iteration":  # of batches
                variable.assign(variable // self.batches_per_step * batches_per_step)

    def restore_best(self, best_weights: BestWeights) -> None:
        """Restore early stopping."""
        saved = self.best_weights
        best_weights.best = _pair(saved["best"])
        # Older states have none: the patience then counted from the best epoch of all phases.
        best_weights.best_of_phase = _pair(saved.get("best_of_phase", saved["best"]))
        best_weights.best_epoch, best_weights.waited = saved["best_epoch"], saved["waited"]
        best_weights.stopped_epoch = saved["stopped_epoch"]
        is_now = best_weights.best_epoch is not None and best_weights.best_epoch == self.epoch - 1
        best_weights.best_values = self.group("weights" if is_now else "best")


def _pair(values: list[float] | None) -> tuple[float, float] | None:
    return None if values is None else (values[0], values[1])


def save_state(path: Path, state: TrainingState) -> None:
    """Write the state of a training, with a checksum."""
    facts = {
        "phase": state.phase,
        "epoch": state.epoch,
        "history": state.history,
        "keeper": state.best_weights,  # its key since version 0.1
        "plateau": state.plateau,
    }
    if state.batches_per_step > 1:
        facts["batches_per_step"] = state.batches_per_step
    metadata = {"state": json.dumps(facts)}
    write_tensors(path, state.arrays, {**metadata, _CHECKSUM: _checksum(state.arrays, metadata)})


def _checksum(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> str:
    """Return the SHA-256 of names, types, shapes and bytes of arrays, and of other metadata."""
    digest = hashlib.sha256(json.dumps(dict(metadata), sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(json.dumps([name, str(array.dtype), array.shape]).encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def load_state(path: Path) -> TrainingState | None:
    """Read the state of a training; return None where no epoch has ended.

    Raises:
        DamagedFileError: The file is damaged.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = dict(file.metadata())
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if set(metadata) not in _ENTRIES:  # a damaged name must not hide the checksum
            raise ValueError("unknown metadata")
        if metadata.pop(_CHECKSUM, None) not in (None, _checksum(arrays, metadata)):
            raise ValueError("checksum mismatch")
        facts = json.loads(metadata["state"])
        return TrainingState(arrays=arrays, best_weights=facts.pop("keeper"), **facts)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise DamagedFileError(
            f"{path} is damaged: {error}. Delete it to train from the first epoch."
        ) from error


class SaveState(keras.callbacks.Callback):
    """Saves the state at the end of epochs, where that is cheap; it must be the last callback.

    A state is saved if the last one took at most a fiftieth of the time since then. Every other
    one is a copy in memory until `save`, which an interrupted training calls.

    Args:
        path: File of the state.
        context: Context of the training.
        phase: Index of the phase.
        plateau: Callback of the schedule `plateau`, None for other schedules.
        save_best: Function that saves the best weights so far.
    """

    def __init__(
        self,
        path: Path,
        context: FitContext,
        phase: int,
        plateau: PlateauWarmUp | None,
        save_best: Callable[[], None],
    ) -> None:
        super().__init__()
        self.save_best = save_best
        self.unsaved: TrainingState | None = None
        self._cost, self._saved_at = 0.0, 0.0
        self.path, self.context, self.phase, self.plateau = path, context, phase, plateau
        self.seeds = seed_states(context.model)  # of the whole, also where a tail is trained

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save the state, or keep it in memory."""
        began = time.monotonic()
        self.unsaved = self._state(epoch + 1)
        if began - self._saved_at >= _TIMES_COST * self._cost:
            self.save()
            self._saved_at = time.monotonic()
            self._cost = self._saved_at - began

    def save(self) -> None:
        """Save the state of the last epoch, unless it is saved already."""
        if self.unsaved is None:
            return
        self.save_best()
        save_state(self.path, self.unsaved)
        self.unsaved = None

    def _state(self, epoch: int) -> TrainingState:
        best_weights = self.context.best_weights
        # The best weights are the present ones after a best epoch, and stored once.
        best = [] if best_weights.best_epoch == epoch - 1 else best_weights.best_values
        lasting, gradients = _optimizer_variables(self.model.optimizer)
        groups = {
            "weights": [variable.numpy() for variable in best_weights.variables],
            "seeds": [state.numpy() for state in self.seeds],
            "optimizer": [variable.numpy() for variable in lasting],
            "gradients": [variable.numpy() for variable in gradients],
            "best": best,
        }
        return TrainingState(
            phase=self.phase,
            epoch=epoch,
            history=list(self.context.recorder.history),
            best_weights=best_weights.state(),
            plateau=self.plateau.state() if self.plateau is not None else {},
            arrays=make_arrays(groups),
            batches_per_step=self.context.compiled_models.batches_per_step,
        )


def _optimizer_variables(optimizer: Any) -> tuple[list[Any], list[Any]]:
    """Return the variables of an optimizer, and separately its accumulated gradients."""
    gradients = [v for v in optimizer.variables if v.name.endswith("gradient_accumulator")]
    inside = {id(variable) for variable in gradients}
    return [v for v in optimizer.variables if id(v) not in inside], gradients


def make_arrays(groups: Mapping[str, Sequence[Any]]) -> dict[str, np.ndarray]:
    """Return arrays by group and position, as `TrainingState` names them."""
    return {
        f"{group}.{index:05d}": np.asarray(value, order="C")
        for group, values in groups.items()
        for index, value in enumerate(values)
    }
