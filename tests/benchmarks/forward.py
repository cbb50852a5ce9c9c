"""How near to the machine's matrix products frozen texts are computed, and how little is padded.

Features of all blocks of all-MiniLM-L6-v2 are computed once for every text, tracing included, and
the work of real tokens is set against the peak (`kerasft.training.speed`). The padding is that
of three epochs of training batches.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def measure_forward(config: Any, data: Any) -> float:
    """Returns the share of the peak that computing the features of a dataset reached."""
    from kerasft.models.dtype_policy import precision
    from kerasft.recipes import minilm_tickets as recipe
    from kerasft.training.compiled_models import CompiledModels
    from kerasft.training.context import make_context, make_phase_inputs
    from kerasft.training.speed import measure_peak, units

    with precision(config.precision):
        context = make_context(config, data, CompiledModels(recipe.build_model(config, data)))
        prefix = context.compiled_models.prefix(context.phases[0])
        prefix.sign()
        began = time.monotonic()
        make_phase_inputs(context)
        seconds = time.monotonic() - began
        tokens = units(data.train) + units(data.validation)
        mean = tokens / (len(data.train) + len(data.validation))
        peak = measure_peak(prefix.products, round(64 * mean), config.precision)
    return tokens * (prefix.work - prefix.tail.work) / seconds / peak


def padding(config: Any, data: Any) -> float:
    """Returns real tokens over processed tokens in three epochs of training."""
    from kerasft.training.phases import make_batches

    batches = make_batches(data.train, config, data.labels, training=True)
    real = processed = 0
    for epoch in range(3):
        batches.epoch = epoch
        for index in range(len(batches)):
            mask = batches.batch(index)[0]["padding_mask"]
            real, processed = real + int((mask != 0).sum()), processed + mask.size
    return real / processed


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="builtin:tickets")
    parser.add_argument("--json", type=Path, help="where to write all numbers")
    arguments = parser.parse_args()

    from kerasft.data import load_recipe_data
    from kerasft.recipes import minilm_tickets as recipe

    found = {}
    for name in ("float32", "mixed_bfloat16"):
        config = recipe.Config(
            dataset=arguments.dataset, precision=name, trainable_blocks=0, head_epochs=0
        )
        data = load_recipe_data(recipe, config)
        found[f"forward_{name}"] = measure_forward(config, data)
        found["padding"] = padding(config, data)
    print(f"{arguments.dataset}, {len(data.train)} training texts")
    for name, value in found.items():
        print(f"{name:<24} {value:.3f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
