"""Smaller batches where memory runs out, with as many examples per step of the optimizer."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from kerasft.data import Split
from kerasft.errors import OutOfMemoryError, first_line, is_out_of_memory
from kerasft.runs import Run, write_manifest
from kerasft.training.context import FitContext

Result = TypeVar("Result")


def train_in_memory(
    run: Run, context: FitContext, state: Path, train: Callable[[], Result]
) -> Result:
    """Train; if memory runs out, halve the batches and accumulate their gradients.

    The training goes on from its last state, without one from the beginning. The run records
    `batches_per_step`, with which a resumed training begins.

    Args:
        run: Run of the training.
        context: Its context.
        state: File of its state.
        train: Function that trains, from the state if there is one.

    Raises:
        OutOfMemoryError: Not even one example fits, or the recipe makes its own batches.
    """
    models, variables = context.compiled_models, context.best_weights.variables
    models.accumulate(run.manifest.get("batches_per_step", 1))
    first = [variable.numpy() for variable in variables]
    while True:
        try:
            return train()
        except Exception as error:  # classes of several libraries mean a lack of memory
            if not is_out_of_memory(error) or not context.devices.accumulates:
                raise
            size, smaller = context.batch_size, _smaller_size(context, error)
        gc.collect()  # not in the handler: the error holds the tensors of the failed step
        if not state.exists():
            for variable, value in zip(variables, first, strict=True):
                variable.assign(value)
        models.accumulate(context.config.batch_size // smaller)
        write_manifest(run, batches_per_step=models.batches_per_step)
        context.log(
            f"memory batches of {size} do not fit into memory: now batches of {smaller}, "
            f"{models.batches_per_step} for each step of the optimizer"
        )


def _smaller_size(context: FitContext, error: Exception) -> int:
    """Return at most half of the batch size, of which a step has a whole number of batches."""
    size, step = context.batch_size, context.config.batch_size
    if not isinstance(context.data.train, Split):
        raise OutOfMemoryError(
            f"Out of memory: {first_line(error)}. The recipe makes its own batches: try a smaller "
            "batch_size."
        ) from error
    if size == 1:
        raise OutOfMemoryError(
            f"Out of memory with batches of one example: {first_line(error)}. Use smaller inputs "
            "or fewer trainable_blocks."
        ) from error
    return max(number for number in range(1, size // 2 + 1) if step % number == 0)
