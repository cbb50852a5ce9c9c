"""Arrays of frozen features: their size, and their computation for all examples of a split."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import keras
import ml_dtypes
import numpy as np

from kerasft.config import Config
from kerasft.data import Batches, Ragged, Split, allocate, stream, text_lengths
from kerasft.display import progress
from kerasft.distribution.devices import Devices
from kerasft.frozen.prefix import Part
from kerasft.models.graph import nodes
from kerasft.signals import holding_signals

# Examples computed at once, whatever the batch size: the same bits for every trial. Fewer for
# images of many positions, as attention takes memory quadratic in them.
_ROWS, _SQUARES = 64, 2**24
_ADVICE = "try --no-cache"


def _lengths(tensor: Any, split: Split) -> Any:
    """Return the lengths of the examples where the tensor has one row per token."""
    return text_lengths(split.x) if None in tensor.shape[1:] else None


def bytes_needed(tensor: Any, split: Split, config: Config) -> int:
    """Return the size of the features of a split for one tensor."""
    lengths = _lengths(tensor, split)
    rows = len(split.y) if lengths is None else int(lengths.sum())
    return rows * math.prod(_row_shape(tensor)) * dtype_of(tensor, config).itemsize


def _row_shape(tensor: Any) -> tuple[int, ...]:
    """Return the shape of one example, or of one token where the length varies."""
    return tuple(size for size in tensor.shape[1:] if size is not None)


def dtype_of(tensor: Any, config: Config) -> np.dtype:
    """Return the dtype in which the features of a tensor are cached."""
    halved = config.cache_precision == "bfloat16" and tensor.dtype == "float32"
    return np.dtype(ml_dtypes.bfloat16 if halved or tensor.dtype == "bfloat16" else tensor.dtype)


def bytes_used(array: Any) -> int:
    """Return the size of an array or a `Ragged` one."""
    return int(values_of(array).nbytes)


def values_of(array: Any) -> Any:
    """Return the values of an array or a `Ragged` one."""
    return array.values if isinstance(array, Ragged) else array


def rows_at_once(model: keras.Model) -> int:
    """Return the number of examples whose features are computed in one batch."""
    shapes = [tensor.shape for node in nodes(model) for tensor in node.outputs]
    positions = max((shape[1] or 1 for shape in shapes if len(shape) == 3), default=1)
    return int(max(1, min(_ROWS, _SQUARES // positions**2)))


def compute_features(
    part: Part,
    x: dict[str, Any],
    given: Any,
    tensors: list[Any],
    config: Config,
    devices: Devices | None = None,
) -> list[Any]:
    """Compute tensors for all examples of a split.

    Args:
        part: Part of the model from `x` to the tensors.
        x: Its inputs.
        given: `Split.x`, which has the lengths of texts.
        tensors: Outputs of the part; rows of tokens are stored without padding.
        config: Its cache_precision is used.
        devices: Where several processes share the work, each computes every nth batch, and they
            exchange the results. All of them must call this.

    Returns:
        An array per tensor, `Ragged` where the length varies.
    """
    lengths, rows = text_lengths(given), rows_at_once(part.model)
    batches = Batches(x, batch_size=rows, by_length=True, lengths=lengths)
    computed = [_allocate(tensor, batches.num_examples, given, config) for tensor in tensors]
    devices = devices or Devices()
    indices = devices.own_share(len(batches))
    if devices.exchanges:
        for array in computed:
            values_of(array)[...] = 0
    with progress("computing frozen features", len(indices) * rows) as bar:
        for index, outputs in zip(indices, _outputs(part, batches, indices), strict=True):
            chosen = batches.order[index * rows : (index + 1) * rows]
            for array, output in zip(computed, outputs, strict=True):
                if isinstance(array, Ragged):
                    array.put(chosen, output)
                else:
                    array[chosen] = output
            bar.advance(len(chosen))
    devices.exchange([values_of(array) for array in computed])
    return computed


def _allocate(tensor: Any, examples: int, given: Any, config: Config) -> Any:
    """Return an empty array for a tensor of all examples of a split."""
    varies = None in tensor.shape[1:]
    lengths = text_lengths(given) if varies else None
    rows = examples if lengths is None else int(lengths.sum())
    shape = (rows, *_row_shape(tensor))
    return as_features(
        allocate(shape, dtype_of(tensor, config), "features", _ADVICE), tensor, given
    )


def as_features(values: np.ndarray, tensor: Any, given: Any) -> Any:
    """Return the values of a tensor for all examples as an array, `Ragged` where lengths vary.

    Args:
        values: Rows of all examples, or of all their tokens end to end.
        tensor: The tensor.
        given: `Split.x`, which has the lengths of texts.
    """
    if None not in tensor.shape[1:]:
        return values
    mask, lengths = given["padding_mask"], text_lengths(given)
    assert lengths is not None  # the cache has refused other inputs
    left = mask[:, -1].sum() > mask[:, 0].sum()
    return Ragged(values, lengths, longest=mask.shape[1], left=left)


def _outputs(part: Part, batches: Batches, indices: range) -> Iterator[list[np.ndarray]]:
    """Yield the outputs of a part batch by batch; `predict` would concatenate them.

    Args:
        part: The part.
        batches: Its inputs.
        indices: Batches to compute, on TensorFlow all.
    """
    if keras.backend.backend() != "tensorflow":
        for index in indices:
            yield keras.tree.flatten(part.model.predict_on_batch(batches.batch(index)[0]))
        return
    fed = stream(batches)
    # One signature for all widths: Keras' predict function would be traced for each.
    with holding_signals():
        forward = part.function.get_concrete_function(fed.element_spec[0])
    for (x,) in fed:
        yield [output.numpy() for output in forward(x)]
