"""What a training needs to go on as if it had never stopped, saved after every epoch.

Keras' BackupAndRestore begins the epoch anew with other seeds and forgets early stopping; here
are the weights, the optimizer, every seed generator, the best epoch so far with its weights, and
the history. One file, replaced atomically: a process killed at any moment leaves the old or
the new one. The file holds its own checksum, so that state and checksum cannot get out of step.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from safetensors import SafetensorError, safe_open

from kerasft.errors import DamagedFileError
from kerasft.models.blocks import flatten_layers
from kerasft.runs import write_tensors
from kerasft.training.callbacks import BestWeights

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
    """Give every seed generator of a model a state that depends on `seed` and its place alone.

    Generators draw their first state from Python's global one, in the order in which layers
    happen to be made.
    """
    for index, state in enumerate(seed_states(model)):
        first = np.random.SeedSequence([seed, index]).generate_state(1)[0]
        state.assign(np.array([first % (2**31), 0], dtype=state.dtype))


@dataclass(frozen=True)
class TrainingState:
    """A training after a finished epoch.

    Attributes:
        phase: Index of its phase.
        epoch: Number of the next epoch, as phases number them.
        history: One record an epoch.
        best_weights: What early stopping knows.
        plateau: What `ReduceLROnPlateau` knows.
        arrays: Values of variables by group and position.
    """

    phase: int
    epoch: int
    history: list[dict[str, Any]]
    best_weights: dict[str, Any]
    plateau: dict[str, float]
    arrays: dict[str, np.ndarray]

    def group(self, name: str) -> list[np.ndarray]:
        """Return the arrays of `weights`, `seeds`, `optimizer` or `best`, in order."""
        return [self.arrays[key] for key in sorted(self.arrays) if key.startswith(f"{name}.")]

    def restore(self, group: str, variables: list[Any]) -> None:
        """Set variables to the values of a group.

        Raises:
            DamagedFileError: The state is of another model.
        """
        values = self.group(group)
        shapes = [tuple(value.shape) for value in values]
        if shapes != [tuple(variable.shape) for variable in variables]:
            raise DamagedFileError(
                f"The saved state of epoch {self.epoch} is of another model: its {group} do not "
                "fit."
            )
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    def restore_best(self, best_weights: BestWeights) -> None:
        """Give early stopping back what it knew."""
        known = self.best_weights
        best_weights.best = None if known["best"] is None else (known["best"][0], known["best"][1])
        best_weights.best_epoch, best_weights.waited = known["best_epoch"], known["waited"]
        best_weights.stopped_epoch = known["stopped_epoch"]
        is_now = best_weights.best_epoch is not None and best_weights.best_epoch == self.epoch - 1
        best_weights.best_values = self.group("weights" if is_now else "best")


def save_state(
    path: Path,
    *,
    phase: int,
    epoch: int,
    optimizer: Any,
    seeds: list[Any],
    best_weights: BestWeights,
    history: list[dict[str, Any]],
    plateau: dict[str, float],
) -> None:
    """Write the state after an epoch.

    Args:
        path: Where to.
        phase: Index of the phase.
        epoch: Number of the next epoch.
        optimizer: Of the phase.
        seeds: As `seed_states` gives them for the whole model.
        best_weights: Early stopping.
        history: All epochs so far.
        plateau: What `ReduceLROnPlateau` knows.
    """
    best = [] if best_weights.best_epoch == epoch - 1 else best_weights.best_values
    groups = {
        "weights": [variable.numpy() for variable in best_weights.variables],
        "seeds": [state.numpy() for state in seeds],
        "optimizer": [variable.numpy() for variable in optimizer.variables],
        "best": best,
    }
    arrays = {
        f"{group}.{index:05d}": np.asarray(value, order="C")
        for group, values in groups.items()
        for index, value in enumerate(values)
    }
    facts = {
        "phase": phase,
        "epoch": epoch,
        "history": history,
        "keeper": {
            "best": best_weights.best,
            "best_epoch": best_weights.best_epoch,
            "waited": best_weights.waited,
            "stopped_epoch": best_weights.stopped_epoch,
        },
        "plateau": plateau,
    }
    metadata = {"state": json.dumps(facts)}
    write_tensors(path, arrays, {**metadata, _CHECKSUM: _checksum(arrays, metadata)})


def _checksum(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> str:
    """Return the SHA-256 of names, types, shapes and bytes of arrays, and of other metadata."""
    digest = hashlib.sha256(json.dumps(dict(metadata), sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(json.dumps([name, str(array.dtype), array.shape]).encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def load_state(path: Path) -> TrainingState | None:
    """Read the state of a training, or None where it has not finished an epoch.

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
    """Saves the state at the ends of epochs; it must come last.

    Args:
        path: Where to.
        phase: Index of the phase.
        seeds: As `seed_states` gives them for the whole model, of which a tail may be trained.
        best_weights: Early stopping.
        history: The list to which the recorder adds.
        plateau: The callback that lowers the rate, where there is one.
        every: Seconds from one state to the next; what comes sooner is not saved.
    """

    def __init__(
        self,
        path: Path,
        phase: int,
        seeds: list[Any],
        best_weights: BestWeights,
        history: list[Any],
        plateau: Any,
        every: float = 0.0,
    ) -> None:
        super().__init__()
        self.every, self.saved = every, time.monotonic()
        self.path, self.phase, self.seeds, self.best_weights = path, phase, seeds, best_weights
        self.history, self.plateau = history, plateau

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the state."""
        if time.monotonic() - self.saved < self.every:
            return
        save_state(
            self.path,
            phase=self.phase,
            epoch=epoch + 1,
            optimizer=self.model.optimizer,
            seeds=self.seeds,
            best_weights=self.best_weights,
            history=self.history,
            plateau=self.plateau.known() if self.plateau is not None else {},
        )
        self.saved = time.monotonic()
