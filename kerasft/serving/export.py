"""Export of a run: a SavedModel, a graph, a folder of Hugging Face, or a KerasHub preset."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras

from kerasft.display import status
from kerasft.errors import SettingError
from kerasft.evaluation.load import load_model
from kerasft.evaluation.runtime import PREPARED
from kerasft.models import merge_adapters
from kerasft.paths import check_folder_name
from kerasft.runs import Run, check_writable, how_to_resume, load_run
from kerasft.runs.manifest import read_manifest
from kerasft.serving.graph_version import write_graph_version
from kerasft.serving.huggingface.version import write_version as write_folder_version
from kerasft.serving.preset import write_preset
from kerasft.serving.quantized_score import Quantization
from kerasft.serving.saved_model import write_version
from kerasft.serving.versions import check_free, publish_once, temporary_folder

FORMATS = ("saved_model", *PREPARED, "huggingface", "preset")


def export(  # noqa: PLR0913 (public)
    run: Run | str | Path,
    *,
    models_dir: str | Path = "saved_models",
    name: str | None = None,
    format: str = "saved_model",
    quantize: str | None = None,
    margin: float | None = None,
    proof_data: Any = None,
    force: bool = False,
) -> Path:
    """Export a run as a SavedModel, an ONNX or LiteRT graph, a Hugging Face folder, or a preset.

    A `saved_model` includes the preprocessing. Its signature `serve` (also `serving_default`)
    takes `bytes`, encoded image files as strings of shape (n,) (JPEG, PNG, WebP, GIF or BMP; the
    EXIF orientation is applied), or `text`, UTF-8 strings of shape (n,), and `text_pair` for pairs.
    It returns `prediction` (class names, shape (n,)), `probability` of the prediction (shape (n,),
    not for multi-label), and `probabilities` and `classes` (shape (n, classes)). For regression it
    returns `prediction` as numbers in the unit of the target. An input that cannot be read has a
    message in `error`, and the others have their answers; `index` is the position in the request.

    `strict` fails for such an input instead. `features` returns the feature vectors of raw inputs,
    and `preprocessed` answers prepared tensors. A text model needs `import tensorflow_text` in the
    process that loads it.

    Before a version appears, a fresh process with TensorFlow alone answers up to 32 validation
    examples. If its answers differ from Python's, there is no version. The result, checksums and
    the record of the run are in `manifest.json`, a model card is in `README.md`, and the examples
    are in `proof.json`, or prepared in `proof.npz`: give `proof_data` if validation examples must
    not leave this machine.

    `onnx` and `litert` are graphs in float32 for onnxruntime and LiteRT. They take prepared inputs:
    pixels of the size of the model, or tokens. They return the numbers of the same answers;
    `prediction` is the index of a class. `labels.txt` has the names, `tokenizer/` the tokenizer of
    a text model. A fresh process with the runtime alone proves them. `predict`, `evaluate` and
    `verify` take the folder, and prepare raw inputs.

    `quantize` makes a LiteRT graph smaller: `float16` (weights), `dynamic` (weights in int8) or
    `int8` (weights and activations, scaled by 100 validation examples; not for texts). It is
    accepted if the 95% interval of the loss of its main metric on the validation split lies below
    `margin`. The difference and its interval are in manifest and model card. Few examples have a
    wide interval: equal predictions for 100 examples only bound the loss by 0.02.

    `huggingface` is a folder that transformers loads (`AutoModelForSequenceClassification`,
    `AutoModelForImageClassification`), for BERT, DistilBERT, RoBERTa, ViT and ResNet. Where
    transformers has no class with the pooling of a text model, sentence-transformers loads it: the
    embedding of a text is its logits. The fitted temperature is in the weights of the output layer.
    A fresh process computes the logits of validation examples, by transformers if it is installed,
    else by KerasHub or TensorFlow; none may differ by more than 1e-4.

    A `preset` is the fine-tuned backbone, for `load_backbone` and KerasHub's `from_preset`.

    Args:
        run: Run, or its folder or name as in `load_run`.
        models_dir: Folder for exported models.
        name: Name of the model, under which a server serves the highest version. By default the
            name of the recipe, with that of the dataset appended if it is not the recipe's own.
        format: Export format: `saved_model`, `onnx`, `litert`, `huggingface` or `preset`.
        quantize: `float16`, `dynamic` or `int8` for `litert`; None for float32.
        margin: Largest loss of the main metric that a quantized graph may have, in (0, 1]; of an
            error as a share of it. 0.01 by default.
        proof_data: Inputs for the proof, as for `predict`: a path or a text, several of them, or a
            table. By default the validation split of the run.
        force: Whether to export a run whose fit failed or was interrupted, with its best weights.

    Returns:
        Path of the export: `models_dir/name/VERSION`, with the next free version number;
        `models_dir/name-FORMAT/VERSION` for `onnx`, `litert` and `huggingface`, and
        `models_dir/name-litert-QUANTIZE/VERSION` for a quantized graph;
        `models_dir/name-preset` for a preset.

    Raises:
        SettingError: The run is not done, the name is not a plain folder name, the format is
            unknown, its packages are not installed, the backend is not TensorFlow (any format but
            `preset`), or Hugging Face has no such model.
        DataError: The dataset of the run is gone, and no `proof_data` is given.
        DamagedFileError: A file of the run is missing or has changed.
        ProofError: The answers of the exported model differ from Python's, or a quantized one may
            be worse by more than `margin`.
        ResourceError: The disk is full.

    Example:
        >>> path = kerasft.export("runs/resnet_digits/2026-01-31_12-00-00")
        >>> tf.saved_model.load(path).serve(tf.constant([image_bytes]))["prediction"]
    """
    run = load_run(run)
    name = name or _default_name(run)
    check_folder_name(name)
    if not force:
        _check_done(run)
    if format not in FORMATS:
        raise SettingError(f"`format` must be one of {', '.join(FORMATS)}. Received: {format!r}.")
    quantization = _quantization(format, quantize, margin)
    if format != "preset" and keras.backend.backend() != "tensorflow":
        raise SettingError(
            f"Keras runs on {keras.backend.backend()}, but the format {format} needs TensorFlow. "
            "Export this run with KERAS_BACKEND=tensorflow."
        )
    check_writable(Path(models_dir))
    loaded = load_model(run)
    if format in PREPARED:
        parent = Path(models_dir) / "-".join(filter(None, (name, format, quantize)))
        return write_graph_version(run, loaded, parent, format, quantization, proof_data)
    if format == "saved_model":
        return write_version(run, loaded, Path(models_dir) / name, proof_data)
    if format == "huggingface":
        parent = Path(models_dir) / f"{name}-{format}"
        return write_folder_version(run, loaded, parent, proof_data)
    target = Path(models_dir) / f"{name}-preset"
    check_free(target)
    merge_adapters(loaded.model)
    status("writing the preset")
    with temporary_folder(target.parent, target.name) as folder:
        write_preset(loaded, folder)
        return publish_once(folder, target)


def _check_done(run: Run) -> None:
    """Refuse a run whose fit has not ended or has failed.

    Raises:
        SettingError: It is not done.
        DamagedFileError: Its manifest cannot be read.
    """
    recipe = read_manifest(run.path / "manifest.json", "recipe", "state")["recipe"]
    state = run.state
    if state == "done":
        return
    fix = "Wait for its fit" if state == "running" else "Fit it again"
    if state == "interrupted":
        fix = how_to_resume(run.path, recipe, run.config["dataset"])
    raise SettingError(
        f"{run.path} is {state}, but a finished run is expected. {fix}, or export its best weights "
        "so far with `force`."
    )


def _quantization(format: str, quantize: str | None, margin: float | None) -> Quantization | None:
    """Return the number format of a smaller graph.

    Raises:
        SettingError: The format has no such graphs, or a value is out of range.
    """
    if quantize is None:
        if margin is not None:
            raise SettingError("`margin` needs `quantize`. Set a number format, such as float16.")
        return None
    if format != "litert":
        raise SettingError(
            f"`quantize` needs format='litert', as the runtimes of other formats are not faster "
            f"with fewer bits. Received: quantize={quantize!r} with format={format!r}."
        )
    return Quantization(quantize) if margin is None else Quantization(quantize, margin)


def _default_name(run: Run) -> str:
    """Return the name of the recipe, with that of the dataset if it is not the recipe's own."""
    dataset = run.manifest.get("given", {}).get("dataset") or ""
    words = re.sub(r"[^A-Za-z0-9]+", "_", Path(dataset).stem).strip("_")
    return f"{run.recipe}_{words}" if words else run.recipe
