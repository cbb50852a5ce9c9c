"""A family of backbones that KerasHub and Hugging Face have: names of weights, and config."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasft.errors import SettingError

Arrays = dict[str, np.ndarray]

_LEAVES = {
    "kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias", "embeddings": "weight",
    "moving_mean": "running_mean", "moving_variance": "running_var", "class_token": "cls_token",
}  # fmt: skip


def _as_it_is(arrays: Arrays) -> Arrays:
    return arrays


def _linear(weight: np.ndarray, bias: np.ndarray) -> Arrays:
    return {"classifier.weight": weight, "classifier.bias": bias}


@dataclass(frozen=True)
class Family:
    """A family of backbones.

    Attributes:
        model_type: Name of the family in Hugging Face, which is also the prefix of its weights.
        base: Class of the backbone in transformers.
        layers: Name of a layer in Hugging Face, by a pattern of its path in KerasHub. `{0}` is the
            first group of the pattern.
        config: Function from the config of the backbone to that of Hugging Face.
        complete: Function from the arrays by name to those with what the family adds or moves.
        first_block: Number of the first block in the paths of KerasHub.
        classifier: Class of the backbone with an output layer in transformers; empty if none
            computes the same.
        pooling: Pooling of that class, as the setting `pooling` calls it.
        head: Function from the weight and the bias of the output layer to the arrays by name.
        width_per_output: Least width of the features for each output; 0 without such a limit.
    """

    model_type: str
    base: str
    layers: Mapping[str, str]
    config: Callable[[Mapping[str, Any]], dict[str, Any]]
    complete: Callable[[Arrays], Arrays] = _as_it_is
    first_block: int = 0
    classifier: str = ""
    pooling: str = ""
    head: Callable[[np.ndarray, np.ndarray], Arrays] = _linear
    width_per_output: int = 0

    def arrays(self, weights: Mapping[str, np.ndarray]) -> Arrays:
        """Return the weights of a backbone as in Hugging Face.

        Args:
            weights: Values by the path of the variable.

        Raises:
            SettingError: A weight has no name in Hugging Face.
        """
        found = {self._name(path): _as_in_torch(path, value) for path, value in weights.items()}
        return {f"{self.model_type}.{n}": v for n, v in self.complete(found).items()}

    def _name(self, path: str) -> str:
        layer, _, leaf = path.rpartition("/")
        for pattern, name in self.layers.items():
            if match := re.fullmatch(pattern, layer):
                numbers = [
                    str(int(part) - self.first_block) if part.isdigit() else part
                    for part in match.groups()
                ]
                return f"{name.format(*numbers)}.{_LEAVES[leaf]}"
        raise SettingError(
            f"The backbone has a weight {path}, which Hugging Face does not have. Use --format "
            "saved_model."
        )


def _as_in_torch(path: str, value: np.ndarray) -> np.ndarray:
    """Return a weight in the shape that PyTorch has for it."""
    if not path.endswith("kernel"):
        return value.reshape(-1) if path.endswith("bias") else value
    if value.ndim == 4:
        return value.transpose(3, 2, 0, 1)
    if value.ndim == 3:  # projections of attention, with an axis of heads
        outer = value.shape[0] if "attention_output" not in path else -1
        return value.reshape(outer, value.shape[-1] if outer == -1 else -1).T
    return value.T


def refuse(config: Mapping[str, Any], odd: Mapping[str, bool]) -> None:
    """Raise SettingError for settings of a backbone that Hugging Face does not have.

    Args:
        config: Config of the backbone.
        odd: Whether a setting has such a value, by its name.
    """
    for name, found in odd.items():
        if found:
            raise SettingError(
                f"transformers has no such model: the backbone has {name}={config[name]!r}. Use "
                "--format saved_model."
            )
