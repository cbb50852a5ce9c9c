"""How a task answers with outputs of a model and a calibration: the hooks of every task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kerasft.calibration import Calibration
from kerasft.tasks.labels import Labels

if TYPE_CHECKING:
    import numpy as np

    from kerasft.calibration.options import CalibrationOptions, Fitted


class Answers:
    """The part of a task between the outputs of a model and what a user reads."""

    def fit_calibration(
        self, labels: Labels, y: np.ndarray, outputs: np.ndarray, options: CalibrationOptions
    ) -> Fitted:
        """Return the calibration that is fitted on outputs for the validation split.

        Args:
            labels: Meaning of the outputs.
            y: Targets, as in `Split.y`, shape (n,) or (n, outputs).
            outputs: Outputs of the model, shape (n, outputs).
            options: What the calibration aims at; all of them fit the task.
        """
        raise NotImplementedError

    def decide(
        self, labels: Labels, outputs: Any, calibration: Calibration, features: Any = None
    ) -> dict[str, Any]:
        """Return the answers to outputs of the model: tensors whose first dimension is n.

        It is written with `keras.ops`: `predict` and the graph of an exported model share it.

        Args:
            labels: Meaning of the outputs.
            outputs: Outputs of the model, shape (n, outputs).
            calibration: Calibration of the run.
            features: Inputs of the output layer, shape (n, width); needed by `calibration.known`.
        """
        raise NotImplementedError

    def row(self, labels: Labels, decided: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Return the row of `predict` for one example, from its part of `decide`."""
        raise NotImplementedError

    def truth_and_prediction(
        self, labels: Labels, y: Any, decided: Mapping[str, np.ndarray]
    ) -> tuple[Any, Any, float | None]:
        """Return truth, prediction, and probability of the prediction (None without one).

        Args:
            labels: Meaning of the outputs.
            y: Target of one example, as in `Split.y`.
            decided: Its part of `decide`.
        """
        raise NotImplementedError

    def predictions(self, decided: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the predictions in answers, as `score` takes them.

        Args:
            decided: Arrays of `decide`.
        """
        raise NotImplementedError

    def score(self, labels: Labels, y: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
        """Return the metrics of predictions, computed by scikit-learn.

        Args:
            labels: Meaning of the predictions.
            y: Targets, as in `Split.y`, shape (n,) or (n, outputs).
            predicted: Indices of classes or numbers, shape (n,), or booleans of shape (n, outputs)
                for several labels.
        """
        raise NotImplementedError

    def weighted_scores(
        self, y: np.ndarray, predicted: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        """Return the main metric of weighted examples, shape (samples,).

        Args:
            y: Targets, as in `Split.y`, shape (n,) or (n, outputs).
            predicted: Predictions, as in `score`.
            weights: Weight of each example, shape (samples, n).
        """
        raise NotImplementedError

    def measure_decided(
        self, labels: Labels, y: np.ndarray, decided: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Return the scores of calibrated answers.

        Args:
            labels: Meaning of the outputs.
            y: Targets, as in `Split.y`, shape (n,) or (n, outputs).
            decided: Arrays of `decide`.
        """
        raise NotImplementedError

    def served_outputs(
        self, labels: Labels, outputs: Any, calibration: Calibration, features: Any = None
    ) -> dict[str, Any]:
        """Return the named outputs of a served model, in a TensorFlow graph.

        See `decide` for the arguments.
        """
        raise NotImplementedError
