"""The frozen features that the output layer reads, computed once for all who ask."""

from __future__ import annotations

import functools
import itertools
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

Head = tuple[np.ndarray, np.ndarray]  # kernel and bias of the output layer
Features = tuple[np.ndarray, np.ndarray]  # positions of examples, and their feature vectors


class NoStartError(Exception):
    """Why the output layer cannot have the start of the settings, as a clause for the log."""


def assign_head(context: FitContext, values: Head | None) -> None:
    """Set the output layer to the values of the first process.

    Args:
        context: Context of a training that has not begun.
        values: Kernel, shape (width, outputs), and bias, shape (outputs,); None in a process that
            has not computed them.
    """
    head = context.model.get_layer("head")
    own = values if values is not None else (head.kernel.numpy(), head.bias.numpy())
    kernel, bias = context.devices.agree_on_arrays(own)
    head.kernel.assign(kernel)
    head.bias.assign(bias)


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
        """Whether the vectors that the output layer reads are computed already."""
        before = itertools.takewhile(lambda layer: layer.name != "head", self.inputs.model.layers)
        nothing = keras.layers.InputLayer, keras.layers.Dropout
        return all(isinstance(layer, nothing) for layer in before) and (
            self.inputs.model is not self.context.model
        )

    @functools.cached_property
    def alone(self) -> bool:
        """Whether a Dense layer `head` is all that the model has beyond its backbone."""
        model = self.context.model
        head = next((layer for layer in model.layers if layer.name == "head"), None)
        if not isinstance(head, keras.layers.Dense) or not head.use_bias:
            return False
        with frozen_below(model, 0):
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
