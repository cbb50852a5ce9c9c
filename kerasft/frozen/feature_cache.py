"""A cache of frozen features: outputs of frozen layers, computed once per example.

For every phase of a training the frozen prefix of the model (`kerasft.frozen.prefix`) is computed
once for each example, and only the tail is trained. Phases of a fit and trials of a search that
share frozen layers share the features. A hash of the layers that compute them identifies features,
and higher features are computed from lower ones.
"""

from __future__ import annotations

import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

from kerasft.arrays import memory_limit
from kerasft.config import Config
from kerasft.data import Ragged, Split, make_mix, text_lengths
from kerasft.distribution.devices import Devices
from kerasft.formatting import duration
from kerasft.frozen.cache_decision import worthwhile
from kerasft.frozen.feature_arrays import (
    bytes_needed,
    bytes_used,
    compute_features,
)
from kerasft.frozen.feature_files import stored_features
from kerasft.frozen.prefix import FrozenPrefix, Part

Splits = tuple[Split, Split]  # for training and validation


@dataclass(frozen=True)
class PhaseInputs:
    """The model that a phase trains, and its inputs.

    Attributes:
        model: The whole model, or its tail.
        train: Inputs of the training split for that model, as `Split.x`.
        validation: The same of the validation split.
        work: Multiplications of a forward pass of one example.
    """

    model: keras.Model
    train: Any
    validation: Any
    work: float = math.inf


@dataclass(frozen=True)
class CachePlan:
    """A phase whose features may be cached.

    Attributes:
        name: Name of the phase.
        epochs: Its epochs.
        prefix: Frozen prefix of the model in the phase.
    """

    name: str
    epochs: int
    prefix: FrozenPrefix


@dataclass(frozen=True)
class _Chosen:
    """A plan whose features are cached: signatures, factor of work saved, parts for all splits."""

    plan: CachePlan
    signatures: dict[int, str]
    gain: float
    parts: dict[Any, Part] = field(default_factory=dict)

    def part(self, missing: list[Any], known: list[Any]) -> Part:
        """Return the part that computes tensors, the same one for every split."""
        key = tuple(map(id, missing)), tuple(map(id, known))  # the prefix holds the tensors
        if key not in self.parts:
            self.parts[key] = self.plan.prefix.part(missing, known)
        return self.parts[key]


@dataclass(frozen=True)
class _Cached:
    """Cached features.

    Attributes:
        array: The features.
        inputs: Inputs that they are of, whose id is part of their key.
        in_files: Whether they were to go into files; all processes of a training agree on it.
    """

    array: Any
    inputs: Any
    in_files: bool


class FeatureCache:
    """Cached features of this process, for all trainings that share them.

    Args:
        trainings: Expected number of trainings that share features; the first one computes them.
        devices: Devices of the training, whose processes share the computation.

    Attributes:
        linear_probes: Linear probes on cached features, by what they depend on.
    """

    def __init__(self, *, trainings: int = 1, devices: Devices | None = None) -> None:
        self.trainings, self.devices = trainings, devices or Devices()
        # By signature, number format and id of the inputs.
        self._arrays: OrderedDict[tuple[str, str, int], _Cached] = OrderedDict()
        self.linear_probes: dict[Any, Any] = {}

    @property
    def num_arrays(self) -> int:
        """Number of cached arrays: one per tensor and split."""
        return len(self._arrays)

    def phase_inputs(
        self,
        plans: Sequence[CachePlan],
        config: Config,
        splits: Splits,
        log: Callable[[str], None],
    ) -> dict[str, PhaseInputs]:
        """Return the tail and its cached inputs for each phase worth caching, by its name.

        Args:
            plans: Phases with frozen layers, in their order.
            config: Settings of the cache, of the data preparation and of augmentation are used.
            splits: Training and validation split.
            log: Receives a line for every plan.
        """
        found = {}
        # Free memory differs between processes, which must all do the same.
        memory = float(self.devices.agree("memory", lambda: repr(float(memory_for(config)))))
        cached, reasons = self._choose(plans, config, splits, memory)
        for name, reason in reasons.items():
            log(f"cache  {name}: not used: {reason}")
        # Later phases train more layers: their lower features serve the earlier phases.
        for chosen in reversed(cached):
            began, tail = time.monotonic(), chosen.plan.prefix.tail
            in_files = prefix_bytes(chosen.plan.prefix, config, splits) > memory
            train, validation = (
                self._inputs(chosen, split, config, in_files=in_files) for split in splits
            )
            found[chosen.plan.name] = PhaseInputs(tail.model, train, validation, tail.work)
            log(
                f"cache  {chosen.plan.name}: frozen features cached, {chosen.gain:.1f}x less "
                f"compute, {_size(train, validation)}{' in files' * in_files}, "
                f"ready in {duration(time.monotonic() - began)}"
            )
        return found

    def gains(self, plans: Sequence[CachePlan], config: Config, splits: Splits) -> dict[str, float]:
        """Return the factor of work saved by each phase worth caching, by its name.

        Nothing is computed; the arguments are those of `phase_inputs`.
        """
        return {
            chosen.plan.name: chosen.gain
            for chosen in self._choose(plans, config, splits, memory_for(config))[0]
        }

    def _choose(
        self, plans: Sequence[CachePlan], config: Config, splits: Splits, memory: float
    ) -> tuple[list[_Chosen], dict[str, str]]:
        """Return the plans whose features are cached, and why others are not, by their name."""
        possible, reasons = [], {}
        for plan in plans:
            signatures = {} if plan.prefix.reason else plan.prefix.sign()
            reason = plan.prefix.reason or _reason_against(plan.prefix, config, splits, memory)
            if reason:
                reasons[plan.name] = reason
            else:
                possible.append((plan, signatures))
        share = len(splits[1]) / len(splits[0])
        weighed = [(plan.prefix, plan.epochs * self.trainings) for plan, _ in possible]
        cached, gains = worthwhile(weighed, share)
        for index, (plan, _) in enumerate(possible):
            if index not in cached:
                reasons[plan.name] = f"too little gain ({gains[index]:.2f}x less compute)"
        return [_Chosen(*possible[index], gains[index]) for index in cached], reasons

    def _inputs(
        self, chosen: _Chosen, split: Split, config: Config, *, in_files: bool
    ) -> dict[str, Any]:
        """Return the inputs of the tail for a split; compute features that are not cached."""
        prefix = chosen.plan.prefix

        def key(tensor: Any) -> tuple[str, str, int]:
            return chosen.signatures[id(tensor)], config.cache_precision, id(split.x)

        missing = [tensor for tensor in prefix.boundary if key(tensor) not in self._arrays]
        if missing:
            known = [t for t in prefix.below(prefix.boundary) if key(t) in self._arrays]
            part = chosen.part(missing, known)
            inputs = self._read(part, split.x, key)

            def compute() -> list[Any]:
                # Files of an earlier fit may be found by one process and not by another.
                devices = None if in_files else self.devices
                return compute_features(part, inputs, split.x, missing, config, devices)

            signatures = [chosen.signatures[id(tensor)] for tensor in missing]
            if not prefix.is_portable:
                signatures.append(secrets.token_hex())  # no other process waits for the files
            computed = (
                stored_features(
                    missing, signatures, split, config, compute, keep=prefix.is_portable
                )
                if in_files
                else compute()
            )
            for tensor, array in zip(missing, computed, strict=True):
                self._arrays[key(tensor)] = _Cached(array, split.x, in_files)
        found = self._read(prefix.tail, split.x, key)
        self.shrink(config.cache_gigabytes * 1e9, config.disk_gigabytes * 1e9)
        return found

    def _read(self, part: Part, x: Any, key: Callable[[Any], Any]) -> dict[str, Any]:
        """Return the inputs of a part: those of the model, and cached features."""
        found = {
            name: x[whole] if isinstance(x, dict) else x for name, whole in part.inputs.items()
        }
        for name, tensor in part.features.items():
            self._arrays.move_to_end(key(tensor))
            found[name] = self._arrays[key(tensor)].array
        return found

    def shrink(self, limit: float, disk_limit: float = math.inf) -> None:
        """Drop the least recently used features until few enough bytes are cached.

        A training that uses dropped features keeps its reference to them.

        Args:
            limit: Bytes in memory, at most.
            disk_limit: Bytes in files, at most.
        """
        for most, in_files in ((limit, False), (disk_limit, True)):
            sizes = {
                key: bytes_used(cached.array)
                for key, cached in self._arrays.items()
                if cached.in_files == in_files
            }
            total = sum(sizes.values())
            for key, size in sizes.items():
                if total <= most:
                    break
                del self._arrays[key]
                self.linear_probes.clear()  # they may hold the array
                total -= size


def memory_for(config: Config) -> float:
    """Return the bytes of features above which they are mapped from files."""
    return min(config.cache_gigabytes * 1e9, memory_limit())


def prefix_bytes(prefix: FrozenPrefix, config: Config, splits: Splits) -> int:
    """Return the size of the features of a prefix."""
    return sum(
        bytes_needed(tensor, split, config) for tensor in prefix.boundary for split in splits
    )


def _reason_against(prefix: FrozenPrefix, config: Config, splits: Splits, memory: float) -> str:
    """Return why the features of a prefix cannot be cached, empty where they can."""
    if make_mix(config) is not None:
        return "training images are mixed anew in every epoch (mixup, cutmix)"
    if getattr(config, "word_dropout", 0):
        return "words of the training texts are masked anew in every epoch (word_dropout)"
    if any(None in tensor.shape[2:] for tensor in prefix.boundary):
        return "a frozen layer computes values for every pair of tokens (T5's position bias)"
    if any(None in tensor.shape[1:] for tensor in prefix.boundary):
        read = prefix.tail.inputs.values()
        if text_lengths(splits[0].x) is None or (read and "padding_mask" not in read):
            return "the inputs differ in length and have no padding_mask"
    needed = prefix_bytes(prefix, config, splits)
    if needed > max(memory, config.disk_gigabytes * 1e9):
        limit = f"disk_gigabytes={config.disk_gigabytes:g}"
        return f"it would need {needed / 1e9:.2g} GB ({limit})"
    return ""


def _size(*inputs: dict[str, Any]) -> str:
    total = sum(bytes_used(a) for x in inputs for a in x.values() if _is_feature(a))
    return f"{total / 1e6:,.0f} MB" if total >= 1e6 else f"{total / 1e3:,.0f} kB"


def _is_feature(array: Any) -> bool:
    return isinstance(array, Ragged) or array.dtype.kind not in "iu"
