"""Milliseconds of a training step and of a forward pass of an image model, median of some.

The batch is random pixels, with the augmentation and the trained blocks of `efficientnet_pets`. The
sides run in separate processes, in turn. With `--profile` a side also has the kinds of operations
that take longest, by the profiler of TensorFlow.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

SIDES = {
    "keras": "layers and AdamW of Keras",
    "unfolded": "kerasft without folding",
    "kerasft": "kerasft",
}
OPERATIONS = 8  # kinds that are printed


def make(a: argparse.Namespace) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Returns functions that do a training step and a forward pass of one batch."""
    import keras
    import numpy as np
    import tensorflow as tf

    from kerasft.catalog import load_recipe
    from kerasft.data import Labels
    from kerasft.models.fast_layers import exported_graphs, own_graphs, speed_up_steps
    from kerasft.training.optimizers.adam import FusedAdam
    from tests.benchmarks.plain import stock_keras

    if a.side == "keras":
        stock_keras()
    folding = a.side == "kerasft"
    recipe = load_recipe("efficientnet_pets")
    config = recipe.Config(preset=a.preset, dataset="none", trainable_blocks=a.trainable_blocks)
    labels = Labels("classification", tuple("abcdefghij"))
    model = recipe.build_model(config, argparse.Namespace(labels=labels))
    optimizer = keras.optimizers.AdamW if a.side == "keras" else FusedAdam
    model.compile(optimizer(3e-4, weight_decay=0.01), "sparse_categorical_crossentropy")
    if a.side != "keras":
        speed_up_steps(model)
    pixels = np.random.default_rng(0).integers(0, 256, (a.batch_size, 224, 224, 3), "uint8")
    examples = tf.data.Dataset.from_tensor_slices((pixels, np.arange(a.batch_size) % 10))
    steps = iter(examples.batch(a.batch_size).repeat())  # of any size, as in a fit
    model.make_train_function()
    signature = [tf.TensorSpec([None, *pixels.shape[1:]], tf.uint8)]
    forward = tf.function(lambda x: model(x, training=False), signature, autograph=False)
    with contextlib.nullcontext() if folding else exported_graphs():
        model.train_function(steps)  # traced here
        with own_graphs():
            forward(pixels)
    return lambda: model.train_function(steps), lambda: forward(pixels)


def measure(run: Callable[[], Any], steps: int) -> float:
    """Returns the median milliseconds of a function."""
    times = []
    for _ in range(steps + 3):
        began = time.monotonic()
        run()
        times.append(1000 * (time.monotonic() - began))
    return statistics.median(times[3:])


def profile(run: Callable[[], Any], steps: int) -> list[tuple[str, float]]:
    """Returns the milliseconds of the largest kinds of operations in one call of a function."""
    import tensorflow as tf

    from tests.benchmarks.step_profile import STEPS, read_times

    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            for _ in range(steps):
                run()
        times = read_times(folder)
    found = collections.Counter({kind: time * STEPS / steps for kind, time in times.items()})
    return found.most_common(OPERATIONS)


def main() -> None:
    """Measures both sides in turn and prints the medians over all rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", required=True, help="preset of an image backbone")
    parser.add_argument("--trainable-blocks", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--profile", action="store_true", help="one operation at a time")
    parser.add_argument("--side", choices=tuple(SIDES), help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.side:
        import tensorflow as tf

        if a.profile:
            tf.config.threading.set_inter_op_parallelism_threads(1)
        step, forward = make(a)
        found: dict[str, Any] = {
            "step": measure(step, a.steps), "forward": measure(forward, a.steps)
        }  # fmt: skip
        print(json.dumps({**found, "operations": profile(step, a.steps) if a.profile else []}))
        return
    times: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    for _ in range(a.rounds):
        for side in SIDES:
            line = [sys.executable, "-m", "tests.benchmarks.image_step", *sys.argv[1:]]
            done = subprocess.run([*line, "--side", side], capture_output=True, text=True)
            if done.returncode:
                sys.exit(done.stderr)
            times[side].append(json.loads(done.stdout.splitlines()[-1]))
    for side, words in SIDES.items():
        for part in ("step", "forward"):
            each = [round(one[part]) for one in times[side]]
            print(f"{words:26} {part:8} {statistics.median(each):6.0f} ms {each}")
        for kind, milliseconds in times[side][0]["operations"]:
            print(f"    {kind:45} {milliseconds:6.0f} ms")


if __name__ == "__main__":
    main()
