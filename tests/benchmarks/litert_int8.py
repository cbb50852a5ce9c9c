"""Full int8 LiteRT graphs of a text model, which `--quantize int8` refuses: what was tried.

    python -m tests.benchmarks.litert_int8 runs/minilm_tickets/banking --variant all

Variants: `all` operations; `mask`, with -30 in the place of -1e9 for masked scores of attention;
`dense`, with dense layers alone in int8; `dense+mask`. Activations are scaled by 100 validation
examples, and 300 others of the split, evenly spaced, are answered by graph and run.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import kerasft
from kerasft.data import select_rows
from kerasft.evaluation.load import Loaded, in_float32, load_model
from kerasft.evaluation.own_data import own_split
from kerasft.evaluation.run_answers import run_answers
from kerasft.serving.examples import by_name
from kerasft.serving.signatures import prepared_inputs

VARIANTS = ("all", "mask", "dense", "dense+mask")
EXAMPLES, SAMPLES, BATCH = 300, 100, 30
NOT_DENSE = [
    "ADD", "SUB", "MUL", "DIV", "SOFTMAX", "BATCH_MATMUL", "SQUARED_DIFFERENCE", "RSQRT", "SQRT",
    "MEAN", "SUM", "GELU", "TANH", "POW", "EXP", "LOG", "REDUCE_MAX", "SELECT_V2",
]  # fmt: skip


def save(loaded: Loaded, folder: Path) -> None:
    """Writes the model as a SavedModel from prepared inputs to its outputs."""
    specs = prepared_inputs(loaded.model)

    def outputs(*tensors: Any) -> dict[str, Any]:
        given = dict(zip(specs, tensors, strict=True))
        return {"outputs": loaded.model(given, training=False)}

    archive = keras.export.ExportArchive()
    archive.track(loaded.model)
    archive.add_endpoint("serve", outputs, input_signature=list(specs.values()))
    archive.write_out(str(folder), verbose=False)


def convert(folder: Path, samples: list[dict[str, Any]], *, dense: bool) -> bytes:
    """Returns a LiteRT graph in int8, of all operations or of dense layers alone."""

    def examples() -> Iterator[dict[str, Any]]:
        return iter(samples)

    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = examples
    if not dense:
        return converter.convert()
    options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=NOT_DENSE)
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter, debug_dataset=examples, debug_options=options
    )
    return debugger.get_nondebug_quantized_model()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--variant", choices=VARIANTS, default="all")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.variant.endswith("mask"):
        from keras.src.layers.activations import softmax

        softmax._large_negative_number = lambda dtype: -30.0
    run = kerasft.load_run(arguments.run)
    loaded = in_float32(load_model(run))
    part = own_split(run, loaded, "validation")
    rows = np.linspace(0, len(part.y) - 1, EXAMPLES + SAMPLES).astype(int)
    scaling = np.arange(len(rows)) % (1 + EXAMPLES // SAMPLES) == 0
    x, y = select_rows(part.x, rows[~scaling]), part.y[rows[~scaling]]
    named = by_name(loaded.model, part.x)
    samples = [select_rows(named, rows[n : n + 1]) for n in np.flatnonzero(scaling)]
    expected = run_answers(loaded, x)[1]["best"]
    with tempfile.TemporaryDirectory() as folder:
        save(loaded, Path(folder))
        graph = convert(Path(folder), samples, dense=arguments.variant.startswith("dense"))
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_content=graph).get_signature_runner()
    found, began = [], time.process_time()
    for start in range(0, len(y), BATCH):
        batch = select_rows(by_name(loaded.model, x), np.arange(start, min(start + BATCH, len(y))))
        found.append(runner(**batch)["outputs"].argmax(axis=1))
    best = np.concatenate(found)
    seconds = time.process_time() - began
    print(
        f"{arguments.variant}: {len(graph) / 1e6:.1f} MB, accuracy {(best == y).mean():.3f} "
        f"({(expected == y).mean():.3f} in float32), {100 * (best == expected).mean():.1f}% equal "
        f"predictions, {1000 * seconds / len(y):.1f} ms of processor time per text"
    )


if __name__ == "__main__":
    main()
