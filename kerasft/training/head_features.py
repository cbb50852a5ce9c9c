"""The frozen features that the output layer reads, computed once for all who ask."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np

from kerasft.data import Split, text_lengths
from kerasft.evaluation.known_inputs import rows_to_remember
from kerasft.evaluation.predict import predict_arrays
from kerasft.frozen.feature_cache import PhaseInputs
from kerasft.models import with_features
from kerasft.models.freezing import frozen_below
from kerasft.training.context import FitContext

Features = tuple[np.ndarray, np.ndarray]  # positions of examples, and their feature vectors


class HeadFeatures:
    """Features of some thousands of examples of each split at most, before the first phase.

    Args:
        context: Context of a training that has not begun.
        inputs: Model and inputs of its first phase.
    """

    def __init__(self, context: FitContext, inputs: PhaseInputs) -> None:
        self.context, self.inputs = context, inputs

    @functools.cached_property
    def model(self) -> keras.Model | None:
        """The model of the phase with the features as a second output; None without a head."""
        return with_features(self.inputs.model)

    @property
    def cached(self) -> bool:
        """Whether the frozen part is computed already, so that the features take a moment."""
        return self.inputs.model is not self.context.model

    @functools.cached_property
    def alone(self) -> bool:
        """Whether the phase trains a Dense layer `head` and nothing else."""
        model = self.context.model
        head = next((layer for layer in model.layers if layer.name == "head"), None)
        if not isinstance(head, keras.layers.Dense) or not head.use_bias:
            return False
        with frozen_below(model, self.context.phases[0].blocks):
            trained = {id(variable) for variable in model.trainable_variables}
        return trained == {id(head.kernel), id(head.bias)}

    @functools.cached_property
    def train(self) -> Features:
        """Positions and features of training examples."""
        return self._of(self.context.data.train, self.inputs.train)

    @functools.cached_property
    def validation(self) -> Features:
        """Positions and features of validation examples."""
        return self._of(self.context.data.validation, self.inputs.validation)

    def _of(self, split: Split | Any, x: Any) -> Features:
        rows = rows_to_remember(self.context.data.labels, split.y)
        _, features = predict_arrays(
            self.model,
            x,
            self.context.batch_size,
            lengths=text_lengths(split.x),
            rows=rows,
            title="computing features of the output layer",
        )
        return rows, np.asarray(features, np.float64)
