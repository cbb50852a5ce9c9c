"""What frozen layers give is computed once and kept, where that saves work.

For every phase of a training the model is cut (`kerasft.frozen.prefix`); the tensors at the cut are
computed once for each example, and the tail is trained on them. Phases of a fit and trials of a
search that share frozen layers share what they gave: features are known by a hash of the layers
that compute them, and higher ones are computed from lower ones.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import ml_dtypes
import numpy as np

from kerasft.config import Config
from kerasft.data import Batches, Data, Ragged, Split, allocate, make_mix, stream, text_lengths
from kerasft.formatting import duration
from kerasft.frozen.gain import worthwhile
from kerasft.frozen.prefix import FrozenPrefix, Part
from kerasft.models.graph import nodes

# Examples computed at once, whatever the batch size: the same bits for every trial. Fewer where
# attention over many positions of a picture takes memory by their square.
_ROWS, _SQUARES = 64, 2**24
_ADVICE = "try --no-cache"


@dataclass(frozen=True)
class PhaseInputs:
    """What a phase trains, and on what.

    Attributes:
        model: The whole model, or its tail.
        train: The training split as that model takes it, as `Split.x`.
        validation: The same of the validation split.
        work: Multiplications forward for one example.
    """

    model: keras.Model
    train: Any
    validation: Any
    work: float = math.inf


class FeatureCache:
    """The features of this process, for all trainings that share them.

    Args:
        trainings: How many probably do; the first pays for all.
    """

    def __init__(self, *, trainings: int = 1) -> None:
        self.trainings = trainings
        # By signature, number format and split, which is kept too: its id stays its own.
        self._kept: OrderedDict[tuple[str, str, int], tuple[Any, Any]] = OrderedDict()

    def views(
        self,
        compiled_models: Any,
        phases: list[Any],
        config: Config,
        data: Data,
        log: Callable[[str], None],
    ) -> dict[str, PhaseInputs]:
        """Return what each phase trains, by its name.

        Args:
            compiled_models: With the model.
            phases: In their order.
            config: Its cache, cache_gigabytes, cache_precision and batch_size are used.
            data: Features of its training and validation splits are kept.
            log: Gets a line for every phase that has frozen layers.
        """
        found = {
            p.name: PhaseInputs(compiled_models.model, _x(data.train), _x(data.validation))
            for p in phases
        }
        if not config.cache:
            return found
        if not (isinstance(data.train, Split) and isinstance(data.validation, Split)):
            return found  # made while it trains
        splits = data.train, data.validation
        # In later phases more is trained: their features lie lower, and serve the earlier ones.
        for phase, cut, signatures, gain in self._choose(
            compiled_models, phases, config, splits, log
        )[::-1]:
            began = time.monotonic()
            train, validation = (self._inputs(cut, signatures, s, config) for s in splits)
            found[phase.name] = PhaseInputs(cut.tail.model, train, validation, cut.tail.work)
            log(
                f"cache  {phase.name}: outputs of frozen layers are kept: {gain:.1f} times less "
                f"work, {_size(train, validation)}, computed in "
                f"{duration(time.monotonic() - began)}"
            )
        return found

    def _choose(
        self,
        compiled_models: Any,
        phases: list[Any],
        config: Config,
        splits: tuple[Split, Split],
        log: Callable[[str], None],
    ) -> list[tuple[Any, FrozenPrefix, dict[int, str], float]]:
        """Return the phases whose features are kept: their cuts, signatures and gains.

        What is not kept is told, with the reason.
        """
        possible, against = [], {}
        for phase in phases:
            if phase.blocks is None and config.trainable_blocks == -1:
                continue  # nothing is frozen
            cut = compiled_models.cut(phase)
            signatures = {} if cut.reason else cut.sign()
            why = cut.reason or self._against(cut, config, splits)
            if why:
                against[phase.name] = why
            else:
                possible.append((phase, cut, signatures))
        share = len(splits[1]) / len(splits[0])
        planned = [(cut, phase.epochs * self.trainings) for phase, cut, _ in possible]
        kept, gains = worthwhile(planned, share)
        for index, (phase, _, _) in enumerate(possible):
            if index not in kept:
                why = f"it would save too little ({gains[index]:.2f} times less work)"
                against[phase.name] = why
        for name, why in against.items():
            log(f"cache  {name}: not used: {why}")
        return [(*possible[index], gains[index]) for index in kept]

    def _against(
        self,
        cut: FrozenPrefix,
        config: Config,
        splits: tuple[Split, Split],
    ) -> str:
        """Return why features of a phase cannot be kept, or nothing."""
        if make_mix(config) is not None:
            return "training images are mixed anew in every epoch (mixup, cutmix)"
        if getattr(config, "word_dropout", 0):
            return "words of the training texts are masked anew in every epoch (word_dropout)"
        if any(None in tensor.shape[2:] for tensor in cut.boundary):
            return "a frozen layer gives numbers for every pair of tokens (T5's position bias)"
        if any(None in tensor.shape[1:] for tensor in cut.boundary):
            read = cut.tail.inputs.values()
            if text_lengths(splits[0].x) is None or (read and "padding_mask" not in read):
                return "the inputs have different lengths, and no padding_mask tells them"
        needed = sum(_bytes(tensor, split, config) for tensor in cut.boundary for split in splits)
        if needed > config.cache_gigabytes * 1e9:
            limit = f"cache_gigabytes={config.cache_gigabytes:g}"
            return f"it would need {needed / 1e9:.2g} GB ({limit})"
        return ""

    def _inputs(
        self, cut: FrozenPrefix, signatures: dict[int, str], split: Split, config: Config
    ) -> dict[str, Any]:
        """Return what the tail reads of a split, features computed where they are not kept."""

        def key(tensor: Any) -> tuple[str, str, int]:
            return signatures[id(tensor)], config.cache_precision, id(split.x)

        missing = [tensor for tensor in cut.boundary if key(tensor) not in self._kept]
        if missing:
            known = [tensor for tensor in cut.below(cut.boundary) if key(tensor) in self._kept]
            part = cut.part(missing, known)
            made = _compute(part.model, self._read(part, split.x, key), split.x, missing, config)
            for tensor, array in zip(missing, made, strict=True):
                self._kept[key(tensor)] = array, split.x
        found = self._read(cut.tail, split.x, key)
        self._forget(config.cache_gigabytes * 1e9)
        return found

    def _read(self, part: Part, x: Any, key: Callable[[Any], Any]) -> dict[str, Any]:
        found = {
            name: x[theirs] if isinstance(x, dict) else x for name, theirs in part.inputs.items()
        }
        for name, tensor in part.features.items():
            self._kept.move_to_end(key(tensor))
            found[name] = self._kept[key(tensor)][0]
        return found

    def _forget(self, limit: float) -> None:
        """Drop what was used the longest ago; a view that reads it still has it."""
        while sum(_nbytes(array) for array, _ in self._kept.values()) > limit:
            self._kept.popitem(last=False)


def _x(split: Any) -> Any:
    return split.x if isinstance(split, Split) else None


def _lengths(tensor: Any, split: Split) -> Any:
    """Return the lengths of the examples where the tensor has one row a token."""
    return text_lengths(split.x) if None in tensor.shape[1:] else None


def _bytes(tensor: Any, split: Split, config: Config) -> int:
    lengths = _lengths(tensor, split)
    rows = len(split.y) if lengths is None else int(lengths.sum())
    each = math.prod(size for size in tensor.shape[1:] if size is not None)
    return rows * each * _dtype(tensor, config).itemsize


def _dtype(tensor: Any, config: Config) -> np.dtype:
    kept = config.cache_precision == "bfloat16" and tensor.dtype == "float32"
    return np.dtype(ml_dtypes.bfloat16 if kept or tensor.dtype == "bfloat16" else tensor.dtype)


def _nbytes(array: Any) -> int:
    return int(array.values.nbytes if isinstance(array, Ragged) else array.nbytes)


def _size(*inputs: dict[str, Any]) -> str:
    total = sum(_nbytes(a) for x in inputs for a in x.values() if _is_feature(a))
    return f"{total / 1e6:,.0f} MB" if total >= 1e6 else f"{total / 1e3:,.0f} kB"


def _is_feature(array: Any) -> bool:
    return isinstance(array, Ragged) or array.dtype.kind not in "iu"


def _rows(model: keras.Model) -> int:
    """Return how many examples are computed at once."""
    shapes = [tensor.shape for node in nodes(model) for tensor in node.outputs]
    positions = max((shape[1] or 1 for shape in shapes if len(shape) == 3), default=1)
    return int(max(1, min(_ROWS, _SQUARES // positions**2)))


def _compute(
    model: keras.Model, x: dict[str, Any], given: Any, tensors: list[Any], config: Config
) -> list[Any]:
    """Compute tensors for all examples of a split.

    Args:
        model: From `x` to the tensors.
        x: What it reads.
        given: `Split.x`, which knows the lengths of texts.
        tensors: What it computes; rows of tokens are kept without their padding.
        config: Its cache_precision is used.
    """
    lengths, rows = text_lengths(given), _rows(model)
    batches = Batches(x, batch_size=rows, by_length=True, lengths=lengths)
    made: list[Any] = []
    for tensor in tensors:
        each = tuple(size for size in tensor.shape[1:] if size is not None)
        if None not in tensor.shape[1:]:
            shape = batches.num_examples, *each
            made.append(allocate(shape, _dtype(tensor, config), "features", _ADVICE))
            continue
        assert lengths is not None  # else `_against` had refused
        shape = int(lengths.sum()), *each
        values = allocate(shape, _dtype(tensor, config), "features", _ADVICE)
        mask = given["padding_mask"]
        left = mask[:, -1].sum() > mask[:, 0].sum()
        made.append(Ragged(values, lengths, longest=mask.shape[1], left=left))
    begin = 0
    for outputs in _outputs(model, batches):
        chosen = batches.order[begin : begin + rows]
        begin += rows
        for array, output in zip(made, outputs, strict=True):
            if isinstance(array, Ragged):
                array.put(chosen, output)
            else:
                array[chosen] = output
    return made


def _outputs(model: keras.Model, batches: Batches) -> Iterator[list[np.ndarray]]:
    """Yield the outputs of a model for every batch; `predict` would put them end to end."""
    if keras.backend.backend() != "tensorflow":
        for index in range(len(batches)):
            yield keras.tree.flatten(model.predict_on_batch(batches.batch(index)[0]))
        return
    import tensorflow as tf

    fed = stream(batches)
    # One signature: for every other width Keras' predict function would be traced again.
    forward = tf.function(
        lambda x: keras.tree.flatten(model(x, training=False)),
        input_signature=[fed.element_spec[0]],
        autograph=False,
    ).get_concrete_function()
    for (x,) in fed:
        yield [output.numpy() for output in forward(x)]
