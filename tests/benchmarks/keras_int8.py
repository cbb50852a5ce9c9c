"""`model.quantize("int8")` of Keras on a run: size, latency and score of its SavedModel.

    python -m tests.benchmarks.keras_int8 latest
    python -m tests.benchmarks.keras_int8 runs/minilm_tickets/banking --examples 500

Both SavedModels answer the same raw inputs in turn, in one process. The score is that of the first
`--examples` of the test split, evenly spaced, with the 95% interval of the difference.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import tempfile
import time
import warnings
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
from kerasft.serving.examples import input_names, raw_inputs_of
from kerasft.serving.signatures import signatures
from kerasft.serving.verdict import agreement, measure_loss

CALLS = 30


def export(loaded: Loaded, folder: Path) -> tuple[Any, float]:
    """Returns the SavedModel of a run in memory, loaded again, and its megabytes."""
    found, layers = signatures(loaded)
    archive = keras.export.ExportArchive()
    for layer in layers:
        archive.track(layer)
    signature = found["serve"]
    archive.add_endpoint("serve", signature.function, input_signature=signature.inputs)
    archive.write_out(str(folder), verbose=False)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return tf.saved_model.load(str(folder)), size / 1e6


def milliseconds(models: dict[str, Any], inputs: dict[str, Any]) -> dict[str, float]:
    """Returns the median time of a call of each model, called in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for call in range(CALLS + 3):
        for name, model in models.items():
            began = time.perf_counter()
            model.signatures["serving_default"](**inputs)
            if call >= 3:
                seconds[name].append(time.perf_counter() - began)
    return {name: 1000 * statistics.median(each) for name, each in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--examples", type=int, default=10_000)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", r".*does not have a `quantize` method")
    run = kerasft.load_run(arguments.run)
    loaded = in_float32(load_model(run))
    part = own_split(run, loaded, "test")
    count = min(arguments.examples, len(part.y))
    rows = np.unique(np.linspace(0, len(part.y) - 1, count).astype(int))
    x, y = select_rows(part.x, rows), part.y[rows]
    raw = raw_inputs_of(loaded, part.examples.select(rows[:32]))
    names = input_names(loaded)
    with tempfile.TemporaryDirectory() as parent:
        before = run_answers(loaded, x)[1]
        models, sizes = {}, {}
        models["float32"], sizes["float32"] = export(loaded, Path(parent, "float32"))
        loaded.model.quantize("int8")
        changed = dataclasses.replace(loaded)  # without what was traced before
        after = run_answers(changed, x)[1]
        models["int8"], sizes["int8"] = export(changed, Path(parent, "int8"))
        for batch in (1, 32):
            columns = zip(*raw[:batch], strict=True)
            inputs = {n: tf.constant(list(v)) for n, v in zip(names, columns, strict=True)}
            print(f"p50 of {batch}, ms:", milliseconds(models, inputs))
    print("MB:", sizes)
    loss = measure_loss(loaded.labels, y, after, before)
    print(f"{loss.metric} {loss.reference:.4f} float32, {loss.score:.4f} int8, {len(y)} examples")
    print(f"difference {loss.score - loss.reference:+.4f}, 95% interval {loss.interval}")
    print("agreement:", agreement(loaded.labels, after, before))


if __name__ == "__main__":
    main()
