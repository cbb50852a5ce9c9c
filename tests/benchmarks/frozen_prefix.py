"""What keeping the outputs of frozen layers saves: the same training with and without, in turn.

One process, the same data, seeds, order, batch size and number format; arms in turn. A time is that
of `kerasft.training.loop.train` from the built model to its best weights: cutting, computing what
is kept, tracing, every epoch and its validation. Reading the data and loading the backbone are
left out, which are the same for both.

The ideal of a text model of L equal blocks, of which k are trained for E epochs, with v times as
many validation as training examples (units: one block forward over the training split; backward
counts 2): without E * ((L + 2k) + v * L), with (1 + v) * (L - k) + E * (3k + v * k).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.plain import add_settings, read_settings

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def timed(recipe: Any, config: Any, data: Any) -> tuple[float, dict[str, Any]]:
    """Trains in a fresh model and returns the seconds and the last epoch."""
    import keras

    from kerasft.training.compiled_models import CompiledModels
    from kerasft.training.context import make_context
    from kerasft.training.loop import train

    keras.utils.set_random_seed(config.seed)
    model = recipe.build_model(config, data)
    context = make_context(config, data, CompiledModels(model))
    began = time.monotonic()
    train(context)
    return time.monotonic() - began, context.recorder.history[-1]


def ideal(blocks: int, trained: int, epochs: int, share: float) -> float:
    """Return the predicted speedup, from the counts of blocks."""
    without = epochs * ((blocks + 2 * trained) + share * blocks)
    kept = (1 + share) * (blocks - trained) + epochs * (3 + share) * trained
    return without / kept


def main() -> None:
    """Measures every number of trained blocks and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_settings(parser, "minilm_tickets", 5)
    parser.add_argument("--blocks", default="0,1,2", help="values of trainable_blocks")
    parser.add_argument("--repeats", type=int, default=2, help="of both arms, in turn")
    parser.add_argument("--json", type=Path, help="where to write all numbers")
    arguments = parser.parse_args()

    from kerasft.data import load_recipe_data
    from kerasft.models import find_blocks

    recipe, config = read_settings(arguments)
    data = load_recipe_data(recipe, config)
    share = len(data.validation) / len(data.train)
    print(
        f"{arguments.recipe}, {len(data.train)} examples, {arguments.epochs} epochs, "
        f"{platform.machine()}, {os.cpu_count()} cores"
    )
    print("trained  without s    with s  ratio  ideal  share of it  difference of val_loss")
    rows = []
    for trained in map(int, arguments.blocks.split(",")):
        times: dict[bool, list[float]] = {True: [], False: []}
        last = {}
        for _ in range(arguments.repeats):
            for cache in (False, True):
                one = dataclasses.replace(config, trainable_blocks=trained, cache=cache)
                seconds, last[cache] = timed(recipe, one, data)
                times[cache].append(seconds)
        model = recipe.build_model(dataclasses.replace(config, trainable_blocks=trained), data)
        best = ideal(len(find_blocks(model)), trained, arguments.epochs, share)
        without, kept = (statistics.median(times[cache]) for cache in (False, True))
        apart = abs(last[True]["val_loss"] - last[False]["val_loss"])
        print(
            f"{trained:>7}  {without:9.1f} {kept:9.1f}  {without / kept:5.2f}  {best:5.2f}  "
            f"{without / kept / best:11.2f}  {apart:.1e}",
            flush=True,
        )
        rows.append({"trained": trained, "times": times, "ideal": best, "val_loss": apart})
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
