"""Answers of a run to prepared inputs, which can come in parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np

from kerasft.config import Config
from kerasft.data import Batches, Examples, prepare_inputs
from kerasft.display import Activity, progress
from kerasft.evaluation.load import Loaded
from kerasft.modalities import modality_of
from kerasft.signals import holding_signals


@dataclasses.dataclass
class RunAnswers:
    """Answers of a run to its inputs, part by part, without a compilation for each part.

    Args:
        loaded: Run in memory.
        bar: Activity that counts the examples.
    """

    loaded: Loaded
    bar: Activity
    _widths: np.ndarray | None = dataclasses.field(default=None, init=False)

    def of(self, x: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return the outputs for the prepared inputs of a part, and the arrays of `Task.decide`.

        Args:
            x: Inputs, as in `Split.x`; at least one.
        """
        known = self.loaded.calibration.known is not None
        model = self.loaded.model_with_features if known else None
        if model is None:
            outputs, features = self._outputs(self.loaded.model, x), None
        else:
            outputs, features = self._outputs(model, x)
        labels, calibration = self.loaded.labels, self.loaded.calibration
        return outputs, as_arrays(labels.kind.decide(labels, outputs, calibration, features))

    def _outputs(self, model: keras.Model, x: Any) -> Any:
        """Return the outputs of a model in the order of the inputs."""
        size = self.loaded.config.batch_size
        batches = Batches(x, batch_size=size, by_length=True, widths=self._widths)
        self._widths = batches.widths
        found = []
        for index in range(len(batches)):
            with holding_signals():
                # Not `model.predict`, which traces a pipeline for every part.
                found.append(model.predict_on_batch(batches.batch(index)[0]))
            self.bar.advance(min(size, batches.num_examples - index * size))
        inverse = np.argsort(batches.order)
        return keras.tree.map_structure(lambda *each: np.concatenate(each)[inverse], *found)


def part_size(config: Config) -> int:
    """Return the number of inputs that are prepared at once: whole batches, at least one.

    So only the last part has a smaller batch, which is another shape.
    """
    size = modality_of(config).part_size // config.batch_size * config.batch_size
    return max(size, config.batch_size)


def answer_parts(
    loaded: Loaded, config: Config, parts: Iterable[Examples], count: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return what `run_answers` returns for raw examples, which are prepared part by part.

    Args:
        loaded: Run in memory.
        config: Settings of the examples.
        parts: Parts of the examples, at least one.
        count: Number of examples, for the progress.
    """
    with progress("measuring", count) as bar:
        answers = RunAnswers(loaded, bar)
        found = [answers.of(prepare_inputs(config, part)) for part in parts]
    outputs, decided = zip(*found, strict=True)
    values = {name: np.concatenate([part[name] for part in decided]) for name in decided[0]}
    return np.concatenate(outputs), values


def run_answers(
    loaded: Loaded, x: Any, *, title: str = "measuring"
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the outputs of a run for prepared inputs, and the arrays of `Task.decide`.

    Args:
        loaded: Run in memory.
        x: Inputs, as in `Split.x`.
        title: Title of the progress bar.
    """
    count = len(next(iter(x.values()))) if isinstance(x, dict) else len(x)
    with progress(title, count) as bar:
        return RunAnswers(loaded, bar).of(x)


def decide(loaded: Loaded, x: Any, *, title: str = "predicting") -> list[dict[str, np.ndarray]]:
    """Return the answers of a run to prepared inputs, one dict of `Task.decide` per example.

    Args:
        loaded: Run in memory.
        x: Inputs, as in `Split.x`.
        title: Title of the progress bar.
    """
    return by_example(run_answers(loaded, x, title=title)[1])


def as_arrays(decided: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the values of `Task.decide` as arrays of NumPy."""
    return {name: keras.ops.convert_to_numpy(value) for name, value in decided.items()}


def by_example(decided: Mapping[str, Any]) -> list[dict[str, np.ndarray]]:
    """Return the answers of `Task.decide` as one dict per example."""
    arrays = as_arrays(decided)
    count = len(next(iter(arrays.values())))
    return [{name: array[n] for name, array in arrays.items()} for n in range(count)]
