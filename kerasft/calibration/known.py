"""Whether an input resembles what a model was trained on, from its features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Known:
    """The score of known inputs: cosine similarity to the nearest training examples.

    Attributes:
        coverage: Share of the validation examples that are known, in (0, 1).
        threshold: Least score of a known input.
        neighbors: Number of nearest training examples whose mean similarity is the score.
        memory: Features of training examples, of length 1, shape (examples, width).
    """

    coverage: float
    threshold: float
    neighbors: int
    memory: np.ndarray = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serializable dictionary without the arrays."""
        return {
            "coverage": self.coverage,
            "threshold": self.threshold,
            "neighbors": self.neighbors,
            "examples": len(self.memory),
        }

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays, by the names under which a file has them."""
        return {"memory": self.memory}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Known:
        """Return the value from the dictionary of `to_dict` and its arrays."""
        return cls(values["coverage"], values["threshold"], values["neighbors"], arrays["memory"])

    def scores(self, features: Any) -> Any:
        """Return the score of each input, higher for more similar ones, shape (n,).

        Args:
            features: Inputs of the output layer, shape (n, width).
        """
        from keras import ops

        directions = ops.normalize(ops.cast(features, "float32"), axis=-1)
        similarities = ops.matmul(directions, ops.transpose(ops.convert_to_tensor(self.memory)))
        nearest = ops.top_k(similarities, k=self.neighbors)[0]
        return ops.mean(nearest, axis=-1)
