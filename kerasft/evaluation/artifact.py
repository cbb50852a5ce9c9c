"""Exported models that predict and are evaluated like runs."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasft.calibration import Calibration
from kerasft.config import BEFORE, Config, from_dict
from kerasft.data import Examples, Labels
from kerasft.data.predict_inputs import OnError
from kerasft.display import Activity, progress
from kerasft.errors import DamagedFileError, DataError, SettingError
from kerasft.evaluation.artifact_manifest import MANIFEST, damaged, read_manifest
from kerasft.evaluation.runtime import (
    PREPARED,
    RUNTIMES,
    Runtime,
    open_prepared,
    open_saved_model,
    require,
)
from kerasft.modalities import MODALITIES, Input, Modality
from kerasft.runs import find_export
from kerasft.setting_declaration import settings

TOKENIZER = "tokenizer"  # folder of the tokenizer of a graph that takes tokens
BATCH_SIZE = 32  # inputs of one call
COLUMNS = ("probabilities", "prediction_set", "labels")  # outputs with a column per class


@dataclass(frozen=True, repr=False)
class Artifact:
    """An exported model, whose files are read on access.

    Attributes:
        path: Folder of the version, with the graph and its manifest.
    """

    path: Path

    @functools.cached_property
    def manifest(self) -> dict[str, Any]:
        """What the export recorded.

        Raises:
            SettingError: The export was made by version 0.1 of kerasft.
            DamagedFileError: The file is damaged.
        """
        return read_manifest(self.path)

    @functools.cached_property
    def labels(self) -> Labels:
        """Task and class names."""
        return Labels.from_dict(self.manifest["labels"])

    @functools.cached_property
    def calibration(self) -> Calibration:
        """Calibration in the graph; only the graph has the arrays of `known`."""
        return Calibration.from_dict(self.manifest["calibration"])

    @property
    def modality(self) -> Modality:
        """What the model reads: images or texts."""
        return MODALITIES[self.manifest["modality"]]

    @property
    def pairs(self) -> bool:
        """Whether the model reads pairs of texts."""
        return bool(self.manifest["pairs"])

    @property
    def config(self) -> Config:
        """Settings of reading and of the loss, as in the run.

        Raises:
            DamagedFileError: A setting in the manifest has no valid value.
        """
        kind = self.modality.config_class
        known = settings(kind)
        recorded = {**BEFORE, **self.manifest["settings"]}
        values = {n: v for n, v in recorded.items() if n in known}
        try:
            config = from_dict(kind, values)
        except SettingError as error:
            raise damaged(self.path, f"of `settings`, {str(error).rstrip('.')}") from error
        tokenizer = self.path / TOKENIZER
        return dataclasses.replace(config, preset=str(tokenizer)) if tokenizer.is_dir() else config

    def answers(
        self, inputs: Iterable[tuple[Any, ...]], bar: Activity, batch_size: int = BATCH_SIZE
    ) -> dict[str, np.ndarray]:
        """Return the outputs of the model for raw inputs, by name; empty without inputs.

        Args:
            inputs: Inputs of `Modality.raw_inputs`, read batch by batch.
            bar: Activity that counts them.
            batch_size: Number of inputs of one call.
        """
        found: dict[str, list[np.ndarray]] = {}
        rest = iter(inputs)
        while part := list(itertools.islice(rest, batch_size)):
            for name, values in self.answer(part).items():
                found.setdefault(name, []).append(values)
            bar.advance(len(part))
        return {name: np.concatenate(parts) for name, parts in found.items()}

    def decide(
        self, inputs: Iterable[tuple[Any, ...]], bar: Activity, batch_size: int = BATCH_SIZE
    ) -> dict[str, np.ndarray]:
        """Return the values of `Task.decide` for raw inputs, and `error`; see `answers`.

        The graph returns the names of classes instead of the best index; a SavedModel always
        returns `accepted`. Its classes can be in another order than those of the manifest.

        Raises:
            DamagedFileError: The graph has another task or other classes than the manifest.
        """
        found = self.answers(inputs, bar, batch_size)
        self._check_task(found)
        if "classes" in found:
            found |= self._in_order(found)
        if "probability" in found:
            found["best"] = np.array([self._index(name.decode()) for name in found["prediction"]])
        if self.calibration.rejection is None:
            found.pop("accepted", None)
        return found

    def decide_examples(
        self, examples: Examples, batch_size: int = BATCH_SIZE
    ) -> dict[str, np.ndarray]:
        """Return the arrays of `Task.decide` for examples.

        Args:
            examples: Raw examples.
            batch_size: Number of examples of one call.

        Raises:
            DataError: An example cannot be read.
        """
        inputs = map(self.modality.raw_inputs, examples.inputs, examples.origins)
        with progress("predicting", len(examples)) as bar:
            found = self.decide(inputs, bar, batch_size)
        for origin, error in zip(examples.origins, found.pop("error"), strict=True):
            if error:
                raise DataError(f"{origin}: {error.decode()}")
        return found

    def _check_task(self, found: Mapping[str, np.ndarray]) -> None:
        task = self.labels.kind
        fits = ("classes" in found, "labels" in found) == (task.has_classes, task.several)
        if found and not fits:
            raise damaged(
                self.path, f"`labels.task` is {self.labels.task!r}, but the model has another task"
            )

    def _in_order(self, found: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs with a column per class, in the order of the manifest."""
        answered = found["classes"][found["error"] == b""]
        if not len(answered):
            return {}
        order = [self._index(name.decode()) for name in answered[0]]
        if sorted(order) != list(range(len(self.labels.names))):
            raise self._other_classes(f"{len(set(order))} of its classes")
        inverse = np.argsort(order)
        return {name: found[name][:, inverse] for name in COLUMNS if name in found}

    def _index(self, name: str) -> int:
        """Return the index of a predicted class; -1 for the empty name, of an unreadable input."""
        if name and name not in self._indices:
            raise self._other_classes(f"{name!r:.80}")
        return self._indices[name] if name else -1

    @functools.cached_property
    def _indices(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.labels.names)}

    def _other_classes(self, predicted: str) -> DamagedFileError:
        return DamagedFileError(
            f"{self.path} predicts {predicted}, but {MANIFEST} names other classes. Restore the "
            "folder or export again."
        )

    @functools.cached_property
    def answer(self) -> Runtime:
        """Function from the raw inputs of one call to outputs by name, among them `error`.

        Raises:
            SettingError: The package of the runtime is not installed, or there is none.
            DamagedFileError: The model cannot be loaded, or takes other inputs than the manifest
                names.
        """
        self.check_runtime()
        kind = self.manifest["kind"]
        if kind in PREPARED:
            return open_prepared(self.path, self.config)
        return open_saved_model(self.path, self.modality, self.manifest["inputs"])

    def check_runtime(self) -> None:
        """Check that the model can answer here, before data are read for it.

        Raises:
            SettingError: The package of its runtime is not installed, or only other libraries than
                kerasft run such a model.
        """
        kind = self.manifest["kind"]
        if kind in PREPARED:
            require(RUNTIMES[kind], kind)
        elif kind != "saved_model":
            raise SettingError(
                f"{self.path} is a folder of Hugging Face, which kerasft does not run: load it by "
                "transformers or sentence-transformers as its README.md shows. To predict, "
                "evaluate or benchmark here, give the run or a SavedModel of it."
            )


def open_artifact(subject: Any) -> Artifact | None:
    """Return the exported model that a path names, ready to answer; None if it names none.

    Args:
        subject: Run, its folder or name, or a folder as in `find_export`.

    Raises:
        SettingError: The model cannot answer here; see `Artifact.check_runtime`.
        DamagedFileError: Its manifest is damaged.
    """
    path = find_export(subject) if isinstance(subject, (str, Path)) else None
    if path is None:
        return None
    artifact = Artifact(path)
    artifact.check_runtime()
    return artifact


def decide_by_artifact(
    artifact: Artifact, inputs: Sequence[Input], on_error: OnError, bar: Activity
) -> tuple[list[Input], list[dict[str, Any]]]:
    """Return the inputs that an exported model can read, and its answers to them.

    Args:
        artifact: The exported model.
        inputs: Inputs of a prediction.
        on_error: Function that is called with the error of every other input; None to raise the
            first one.
        bar: Activity that counts the inputs.

    Returns:
        The inputs, and for each the values of `Task.decide`.
    """
    readable: list[Input] = []

    def raw() -> Iterator[tuple[Any, ...]]:
        for item in inputs:
            try:
                values = artifact.modality.raw_inputs(item.value, item.origin)
            except DataError as error:
                _report(error, on_error)
            else:
                readable.append(item)
                yield values

    found = artifact.decide(raw(), bar)
    errors = [text.decode() for text in found.pop("error", ())]
    for item, text in zip(readable, errors, strict=True):
        if text:
            _report(DataError(f"{item.origin}: {text}"), on_error)
    good = [n for n, text in enumerate(errors) if not text]
    answers = [{name: values[n] for name, values in found.items()} for n in good]
    return [readable[n] for n in good], answers


def _report(error: DataError, on_error: OnError) -> None:
    if on_error is None:
        raise error
    on_error(error)
