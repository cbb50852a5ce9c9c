"""Compile regions in another thread, while the graph that calls them is traced."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

_ahead: ContextVar[_Ahead | None] = ContextVar("compiled_ahead", default=None)


@dataclass
class _Ahead:
    """What is compiled ahead.

    Attributes:
        batches: Shapes of the batches, each once.
        pool: The thread that compiles.
        begun: Functions and numbers of rows.
    """

    batches: list[tuple[int, int]]
    pool: ThreadPoolExecutor
    begun: set[tuple[Any, int]] = field(default_factory=set)


@contextmanager
def compiling_ahead(batches: Iterable[tuple[int, int]]) -> Iterator[None]:
    """Let regions of graphs that are traced in the body be compiled for batches before they come.

    Tracing takes one core for seconds, and XLA compiles each region for every number of rows.

    Args:
        batches: Number of examples, and of tokens of each (0 without texts), of the batches in
            their order.

    Example:
        >>> with compiling_ahead([(32, 16), (32, 24)]):
        ...     model.fit(batches)
    """
    with ThreadPoolExecutor(1) as pool:
        token = _ahead.set(_Ahead(list(dict.fromkeys(batches)), pool))
        try:
            yield
        finally:
            _ahead.reset(token)
            pool.shutdown(cancel_futures=True)


def compile_ahead(
    function: Any, args: Sequence[Any], shape: Sequence[int | None], sizes: Sequence[int]
) -> None:
    """Compile the regions of a function for the batches of `compiling_ahead`, if it is open.

    Args:
        function: A `tf.function`, traced for `args`.
        args: Symbolic tensors whose unknown sizes are numbers of rows.
        shape: Static shape of what became rows: its first axis, where unknown, has the examples,
            further unknown ones have the tokens.
        sizes: Numbers of rows with padding, in ascending order.
    """
    ahead = _ahead.get()
    if ahead is None:
        return
    traced = function.get_concrete_function(*args)
    for examples, tokens in ahead.batches:
        rows = _rows(shape, examples, tokens)
        padded = next((size for size in sizes if size >= rows), sizes[-1])
        if rows and (traced, padded) not in ahead.begun:
            ahead.begun.add((traced, padded))
            # A region that cannot be compiled raises again in the step that needs it.
            ahead.pool.submit(_call_with_zeros, traced, padded)


def _rows(shape: Sequence[int | None], examples: int, tokens: int) -> int:
    first, *others = shape
    return (first or examples) * math.prod(tokens if size is None else size for size in others)


def _call_with_zeros(traced: Any, rows: int) -> None:
    import tensorflow as tf

    specs, _ = traced.structured_input_signature
    shapes = ([rows if size is None else size for size in spec.shape] for spec in specs)
    traced(*(tf.zeros(shape, spec.dtype) for shape, spec in zip(shapes, specs, strict=True)))
