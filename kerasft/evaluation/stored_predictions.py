"""Stored predictions of a run: all outputs, and the examples with the highest loss."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kerasft.config import Config
from kerasft.data import Labels, Split
from kerasft.modalities import modality_of
from kerasft.models import make_loss
from kerasft.runs import Run, atomic_path, write_json

WORST = 16  # number of examples in worst.json


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
    rows, modality = [], modality_of(config)
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
                **modality.excerpt(split.examples.inputs[index], split.x, int(index)),
            }
        )
    return rows
