"""Stored predictions of a run: all outputs, and the examples with the highest loss."""

from __future__ import annotations

import base64
import io
from typing import Any

import keras
import numpy as np

from kerasft.config import Config
from kerasft.data import Labels, Split
from kerasft.models import make_loss
from kerasft.runs import Run, atomic_path, write_json

WORST = 16  # number of examples in worst.json
_PIXELS = 112  # longer side of a stored picture


def save_predictions(
    run: Run, config: Config, labels: Labels, splits: dict[str, tuple[Split, np.ndarray]]
) -> None:
    """Write `predictions.npz` and `worst.json` into a run.

    `predictions.npz` contains `y_SPLIT`, and `outputs_SPLIT` as float32. `worst.json` lists the
    validation examples with the highest loss: `origin`, `truth`, `prediction`, `probability` (of
    the prediction), `loss`, and `text`, or `picture` as a base64-encoded PNG.

    Args:
        run: Run to write to.
        config: Settings; those of the loss, such as `label_smoothing`, are used.
        labels: Task and class names.
        splits: Split and outputs of the model, shape (n, outputs), by name of the split.
    """
    arrays = {}
    for name, (split, outputs) in splits.items():
        arrays[f"y_{name}"] = np.asarray(split.y)
        arrays[f"outputs_{name}"] = np.asarray(outputs, np.float32)
    with atomic_path(run.path / "predictions.npz") as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    if "validation" in splits:
        write_json(run.path / "worst.json", _worst(config, labels, *splits["validation"]))


def _worst(config: Config, labels: Labels, split: Split, outputs: np.ndarray) -> list[Any]:
    loss = make_loss(config, labels)(
        keras.ops.convert_to_tensor(split.y), keras.ops.convert_to_tensor(outputs)
    )
    losses = keras.ops.convert_to_numpy(loss)
    rows = []
    for index in np.argsort(-losses, kind="stable")[:WORST]:
        truth, prediction, probability = labels.kind.truth_and_prediction(
            labels, split.y[index], outputs[index]
        )
        rows.append(
            {
                "origin": split.examples.origins[index],
                "truth": truth,
                "prediction": prediction,
                "probability": probability,
                "loss": float(losses[index]),
                **_content(split, int(index)),
            }
        )
    return rows


def _content(split: Split, index: int) -> dict[str, str]:
    item = split.examples.inputs[index]
    if isinstance(split.x, dict):
        text = "\t".join(item) if isinstance(item, tuple) else str(item)
        return {"text": text[:600]}
    from PIL import Image

    image = Image.fromarray(np.asarray(split.x[index]))
    image.thumbnail((_PIXELS, _PIXELS))
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return {"picture": base64.b64encode(file.getvalue()).decode("ascii")}
