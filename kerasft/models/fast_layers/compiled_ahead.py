"""Compile regions in a second thread, while the graph that calls them is traced."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

# Values of an array above which a region is compiled when it is needed: compiling ahead calls it,
# with arrays of that size, and the step takes seconds anyway.
_MOST_VALUES = 2**26

_ahead: ContextVar[_Ahead | None] = ContextVar("compiled_ahead", default=None)


@dataclass
class _Ahead:
    """What is compiled ahead.

    Attributes:
        shapes: Shapes of the batches, each once.
        pool: The thread that compiles.
        begun: Functions and numbers of rows.
    """

    shapes: list[tuple[int, int]]
    pool: ThreadPoolExecutor
    begun: set[tuple[Any, int]] = field(default_factory=set)


@contextmanager
def compiling_ahead(shapes: Iterable[tuple[int, int]]) -> Iterator[None]:
    """Compile the regions of graphs traced in the body in a second thread, for batch shapes.

    Tracing uses one core for seconds, and XLA compiles each region for every number of rows.

    Args:
        shapes: Number of examples of each batch and of tokens of each example (0 without texts),
            in the order of the batches.

    Example:
        >>> with compiling_ahead([(32, 16), (32, 24)]):
        ...     model.fit(batches)
    """
    pool = ThreadPoolExecutor(1)
    token = _ahead.set(_Ahead(list(dict.fromkeys(shapes)), pool))
    try:
        yield
    finally:
        _ahead.reset(token)
        pool.shutdown(cancel_futures=True)


def compile_ahead(
    function: Any,
    args: Sequence[Any],
    row_shape: Sequence[int | None],
    padded: Callable[[int], int],
) -> None:
    """Compile the regions of a function for the shapes of `compiling_ahead`, if it is open.

    Args:
        function: A `tf.function`, traced for `args`.
        args: Symbolic tensors whose first size, where unknown, is the number of rows.
        row_shape: Static shape of what became rows: its first size, where unknown, is that of
            examples, further unknown ones are those of tokens.
        padded: Function that returns the number of rows with padding.
    """
    ahead = _ahead.get()
    if ahead is None or not row_shape:
        return
    traced = function.get_concrete_function(*args)
    for examples, tokens in ahead.shapes:
        if rows := _rows(row_shape, examples, tokens):
            _begin(ahead, traced, padded(rows))


def _begin(ahead: _Ahead, traced: Any, rows: int) -> None:
    """Let the thread compile the regions of a traced function, once, where arrays are small."""
    if (traced, rows) in ahead.begun or _most_values(traced, rows) > _MOST_VALUES:
        return
    ahead.begun.add((traced, rows))
    # A region that cannot be compiled raises again in the step that needs it.
    ahead.pool.submit(_call_with_zeros, traced, rows)


def _rows(row_shape: Sequence[int | None], examples: int, tokens: int) -> int:
    first, *others = row_shape
    return (first or examples) * math.prod(tokens if size is None else size for size in others)


def _most_values(traced: Any, rows: int) -> int:
    return max(math.prod(shape) for shape, _ in _inputs(traced, rows))


def _call_with_zeros(traced: Any, rows: int) -> None:
    import tensorflow as tf

    traced(*(tf.zeros(shape, dtype) for shape, dtype in _inputs(traced, rows)))


def _inputs(traced: Any, rows: int) -> list[tuple[list[int], Any]]:
    """Return shape and number format of the inputs of a traced function."""
    specs, _ = traced.structured_input_signature
    return [
        ([rows if n is None else n for n in spec.shape[:1]] + list(spec.shape[1:]), spec.dtype)
        for spec in specs
    ]
