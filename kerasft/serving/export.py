"""Export of a run: a SavedModel that takes raw inputs, or a KerasHub preset."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import keras

from kerasft.display import status
from kerasft.errors import SettingError
from kerasft.evaluation.load import Loaded, load_model
from kerasft.models import merge_adapters
from kerasft.paths import check_folder_name
from kerasft.runs import Run, load_run, write_json
from kerasft.serving.preset import write_preset
from kerasft.serving.signatures import signatures

FORMATS = ("saved_model", "preset")


def export(
    run: Run | str | Path,
    *,
    models_dir: str | Path = "saved_models",
    name: str | None = None,
    format: str = "saved_model",
) -> Path:
    """Export a run as a SavedModel or a preset.

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

    A `preset` is the fine-tuned backbone, for `load_backbone` and KerasHub's `from_preset`.

    Args:
        run: Run, or its folder or name as in `load_run`.
        models_dir: Folder for exported models.
        name: Name of the model, under which a server serves the highest version. By default the
            name of the recipe, with that of the dataset appended if it is not the recipe's own.
        format: Export format: `saved_model` or `preset`.

    Returns:
        Path of the export: `models_dir/name/VERSION`, with the next free version number, or
        `models_dir/name-preset` for a preset.

    Raises:
        SettingError: The name is not a plain folder name, the format is unknown, or a SavedModel
            is exported with a backend other than TensorFlow.
        DamagedFileError: A file of the run is missing or has changed.

    Example:
        >>> path = kerasft.export("runs/resnet_digits/2026-01-31_12-00-00")
        >>> tf.saved_model.load(path).serve(tf.constant([image_bytes]))["prediction"]
    """
    run = load_run(run)
    name = name or _default_name(run)
    check_folder_name(name)
    if format not in FORMATS:
        raise SettingError(f"`format` must be one of {', '.join(FORMATS)}. Received: {format!r}.")
    if format == "saved_model" and keras.backend.backend() != "tensorflow":
        raise SettingError(
            f"Keras runs on {keras.backend.backend()}, but a SavedModel needs TensorFlow. Export "
            "this run with KERAS_BACKEND=tensorflow."
        )
    loaded = load_model(run)
    merge_adapters(loaded.model)
    status(f"writing the {'preset' if format == 'preset' else 'SavedModel'}")
    if format == "preset":
        return _install(
            Path(models_dir), f"{name}-preset", lambda folder: write_preset(loaded, folder)
        )
    parent = Path(models_dir) / name
    version = 1 + max((int(p.name) for p in parent.glob("*") if p.name.isdigit()), default=0)
    return _install(parent, str(version), lambda folder: _write_saved_model(run, loaded, folder))


def _default_name(run: Run) -> str:
    """Return the name of the recipe, with that of the dataset if it is not the recipe's own."""
    dataset = run.manifest.get("given", {}).get("dataset") or ""
    words = re.sub(r"[^A-Za-z0-9]+", "_", Path(dataset).stem).strip("_")
    return f"{run.recipe}_{words}" if words else run.recipe


def _install(parent: Path, name: str, write: Any) -> Path:
    """Write to a temporary folder and rename it, so that a server never sees half a version."""
    parent.mkdir(parents=True, exist_ok=True)
    target = parent / name
    if target.exists():
        raise SettingError(f"{target} exists already. Give another --name, or delete it.")
    temporary = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=parent))
    try:
        write(temporary / "content")
        (temporary / "content").rename(target)
    finally:
        shutil.rmtree(temporary)
        if not target.exists() and not any(parent.iterdir()):
            parent.rmdir()
    return target


def _write_saved_model(run: Run, loaded: Loaded, folder: Path) -> None:
    found, layers = signatures(loaded)
    archive = keras.export.ExportArchive()
    for layer in layers:
        archive.track(layer)
    for name, signature in found.items():
        archive.add_endpoint(name, signature.function, input_signature=signature.inputs)
    archive.write_out(str(folder), verbose=False)
    # TensorFlow Serving ignores files other than its own.
    about = {
        "recipe": run.recipe,
        "run": run.name,
        "preset": run.manifest["weights"]["preset"],
        "labels": loaded.labels.to_dict(),
        "versions": run.manifest["versions"],
    }
    write_json(folder / "kerasft.json", about)
