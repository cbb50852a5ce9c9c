"""Scores of known inputs for the splits of a run, from the features of its model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from kerasft.calibration.feature_bank import bank_rows, fit_feature_bank
from kerasft.calibration.known import known_scores
from kerasft.data import Labels, Split
from kerasft.evaluation.load import Loaded
from kerasft.evaluation.own_data import load_own_data
from kerasft.evaluation.predict import predict_arrays
from kerasft.models import with_features
from kerasft.runs import Run
from kerasft.runs.calibration_file import SCORES

NO_HEAD = (
    "the model has no layer named `head` that reads feature vectors. Make its output layer by "
    "`kerasft.head`"
)
RENDERED = (
    "the training examples are rendered anew in every epoch, so there is no fixed set to compare "
    "with. Fit on a stored dataset"
)


@dataclass(frozen=True)
class KnownInputs:
    """Features and scores from which inputs are judged to be known.

    Attributes:
        arrays: Arrays of `kerasft.calibration.feature_bank.fit_feature_bank`.
        scores: Scores of the examples of every split by its name, shape (n,).
        reason: Why there are none; empty where there are.
    """

    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    scores: Mapping[str, np.ndarray] = field(default_factory=dict)
    reason: str = ""

    def stored(self) -> dict[str, np.ndarray]:
        """Return all arrays by the names under which a run stores them."""
        return {**self.arrays, **{f"{SCORES}{name}": array for name, array in self.scores.items()}}


def known_inputs_of(
    labels: Labels,
    y: np.ndarray,
    features: np.ndarray,
    found: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> KnownInputs:
    """Return the known inputs of a model.

    Args:
        labels: Task and class names.
        y: Targets of training examples, as in `Split.y`.
        features: Their features, shape (n, width).
        found: Outputs and features of the other splits by name, `validation` among them.
    """
    single = _has_single_classes(labels)
    parts = {name: (each, outputs if single else None) for name, (outputs, each) in found.items()}
    arrays = fit_feature_bank(features, y if single else None, *parts["validation"])
    scores = {
        name: keras.ops.convert_to_numpy(known_scores(arrays, *part))
        for name, part in parts.items()
    }
    return KnownInputs(arrays, scores)


def rows_to_remember(labels: Labels, y: np.ndarray) -> np.ndarray:
    """Return the positions of the training examples whose features are used.

    Args:
        labels: Task and class names.
        y: Targets of the training split, as in `Split.y`.
    """
    return bank_rows(len(y), y if _has_single_classes(labels) else None)


def _has_single_classes(labels: Labels) -> bool:
    return labels.kind.has_classes and not labels.kind.several


def find_known_inputs(run: Run, loaded: Loaded) -> KnownInputs:
    """Return the known inputs of a run that has none, from its model and its data.

    Args:
        run: Run.
        loaded: The same run in memory.

    Raises:
        DataError: The data have changed since the training, or cannot be read.
    """
    model = with_features(loaded.model)
    if model is None:
        return KnownInputs(reason=NO_HEAD)
    data = load_own_data(run, loaded)
    if not isinstance(data.train, Split):
        return KnownInputs(reason=RENDERED)
    splits = {"validation": data.validation, "test": data.test}

    def outputs_and_features(
        x: Any, rows: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        outputs, features = predict_arrays(model, x, loaded.config.batch_size, rows=rows)
        return outputs, features

    rows = rows_to_remember(loaded.labels, data.train.y)
    return known_inputs_of(
        loaded.labels,
        data.train.y[rows],
        outputs_and_features(data.train.x, rows)[1],
        {name: outputs_and_features(part.x) for name, part in splits.items() if part is not None},
    )
