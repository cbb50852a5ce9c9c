"""Whether an input resembles what a model was trained on, from its features and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_SMALLEST = 1e-37  # a normal float32, so that no processor flushes it to 0


@dataclass(frozen=True)
class Known:
    """Which inputs are known: those whose score reaches a threshold.

    Attributes:
        coverage: Share of the validation examples that are known, in (0, 1).
        threshold: Least score of a known input.
        arrays: Arrays of `kerasft.calibration.feature_bank.fit_feature_bank`.
    """

    coverage: float
    threshold: float
    arrays: Mapping[str, np.ndarray] = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serializable dictionary without the arrays."""
        return {"coverage": self.coverage, "threshold": self.threshold}

    def scores(self, features: Any, probabilities: Any = None) -> Any:
        """Return the scores of inputs; see `known_scores`."""
        return known_scores(self.arrays, features, probabilities)


def known_scores(arrays: Mapping[str, np.ndarray], features: Any, probabilities: Any = None) -> Any:
    """Return how much inputs resemble training examples, shape (n,); higher for more similar ones.

    Args:
        arrays: Arrays of `kerasft.calibration.feature_bank.fit_feature_bank`.
        features: Inputs of the output layer, shape (n, width).
        probabilities: Outputs of the model, shape (n, classes); None without single classes.
    """
    from keras import ops

    scores = [
        (part - float(location)) / float(scale)
        for part, location, scale in zip(
            score_parts(arrays, features, probabilities),
            arrays["location"],
            arrays["scale"],
            strict=True,
        )
    ]
    return ops.sum(ops.stack(scores), axis=0)


def score_parts(
    arrays: Mapping[str, np.ndarray], features: Any, probabilities: Any = None
) -> list[Any]:
    """Return the parts of the score, each of shape (n,).

    The first is the cosine similarity to the nearest example in the bank (Sun et al. 2022, arXiv
    2204.06507). With classes, the second is the relative Mahalanobis distance (Ren et al. 2021,
    arXiv 2106.09022), negated: how much better the nearest class explains the features than all
    classes together do. The last is the entropy of the probabilities, negated: where features are
    frozen, the output layer alone was learned from the examples.

    Args:
        arrays: Arrays of `kerasft.calibration.feature_bank.fit_feature_bank`, whose `location` and
            `scale` are not used.
        features: Inputs of the output layer, shape (n, width).
        probabilities: Outputs of the model, shape (n, classes); None without single classes.
    """
    from keras import ops

    given = {name: ops.convert_to_tensor(array.astype("float32")) for name, array in arrays.items()}
    units = ops.normalize(ops.cast(features, "float32"), axis=-1)
    parts = [ops.max(ops.matmul(units, ops.transpose(given["memory"])), axis=-1)]
    if "directions" in given:
        z = ops.matmul(units - given["mean"], given["directions"])
        lengths = ops.sum(ops.square(given["centers"]), axis=-1)
        nearest = ops.max(2 * ops.matmul(z, ops.transpose(given["centers"])) - lengths, axis=-1)
        parts.append(nearest - ops.sum(ops.square(z) * given["weights"], axis=-1))
    if probabilities is not None:
        p = ops.cast(probabilities, "float32")
        parts.append(ops.sum(p * ops.log(ops.maximum(p, _SMALLEST)), axis=-1))
    return parts
