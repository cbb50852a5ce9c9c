"""The files of a folder of Hugging Face: config, weights, tokenizer or image processor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasft.data import Labels
from kerasft.errors import SettingError
from kerasft.evaluation.load import Loaded
from kerasft.modalities import modality_of
from kerasft.models.blocks import find_backbone
from kerasft.runs import write_json
from kerasft.serving.huggingface.family import Arrays, Family
from kerasft.serving.huggingface.image_families import IMAGE_FAMILIES
from kerasft.serving.huggingface.text_families import TEXT_FAMILIES

SENTENCES = "SentenceTransformer"  # class that loads a model of sentence-transformers

_FAMILIES = {**TEXT_FAMILIES, **IMAGE_FAMILIES}
# Poolings of texts in sentence-transformers, by the setting `pooling`.
_POOLINGS = {"mean": "mean_tokens", "first": "cls_token", "last": "lasttoken"}
_MODULES = ("Transformer", "Pooling", "Dense")  # of sentence-transformers
_LENGTHS = ("Transformer", "Pooling", "Normalize", "Dense")  # for vectors of one length


def write_folder(loaded: Loaded, folder: Path) -> str:
    """Write a folder that transformers loads, or sentence-transformers.

    transformers does not have a class for every pooling. A text model with another pooling becomes
    a model of sentence-transformers, whose embedding of a text is its logits.

    Args:
        loaded: Run in memory, in float32, with its adapters merged.
        folder: Path of a folder that does not exist yet.

    Returns:
        Name of the class that loads it: one of transformers, or `SentenceTransformer`.

    Raises:
        SettingError: Hugging Face has no such model.
    """
    backbone, modality = find_backbone(loaded.model), modality_of(loaded.config)
    family = _family(backbone)
    weight, bias = _calibrated(loaded, output_layer(loaded))
    pooling = modality.pooling(backbone, loaded.config)
    one_length = modality.feature_norm(loaded.config) == "rms"
    if one_length and pooling == family.pooling:
        raise SettingError(
            f"{family.classifier} has no vectors of one length, which feature_norm=rms makes. Fit "
            "with --pooling mean."
        )
    class_name = "" if one_length else _classifier(family, pooling, weight.shape)
    config = {
        "architectures": [class_name or family.base],
        "model_type": family.model_type,
        **family.config(backbone.get_config()),
        **_label_config(loaded.labels),
        "torch_dtype": "float32",
    }
    arrays = family.arrays(_weights(backbone))
    folder.mkdir()
    modality.save_for_transformers(loaded.config, loaded.model, folder)
    write_json(folder / "config.json", config)
    if class_name:
        _save(folder, {**arrays, **family.head(weight, bias)})
        return class_name
    _save(folder, arrays)
    if one_length:
        weight *= np.sqrt(weight.shape[1])  # theirs is 1
    names = _LENGTHS if one_length else _MODULES
    _write_modules(folder, loaded.config, (weight, bias), _POOLINGS[pooling], names)
    return SENTENCES


def _family(backbone: keras.Model) -> Family:
    name = type(backbone).__name__
    if name not in _FAMILIES:
        known = ", ".join(each.removesuffix("Backbone") for each in _FAMILIES)
        raise SettingError(
            f"A {name} cannot be exported to Hugging Face, only {known}. Use --format saved_model."
        )
    return _FAMILIES[name]


def _classifier(family: Family, pooling: str, shape: tuple[int, ...]) -> str:
    """Return the class of transformers that computes the same; empty if only sentences can."""
    outputs, width = shape
    if pooling == family.pooling and family.width_per_output * outputs <= width:
        return family.classifier
    if family not in TEXT_FAMILIES.values():
        raise SettingError(
            f"{family.classifier} has no pooling {pooling}. Fit with --pooling {family.pooling}."
        )
    return ""


def output_layer(loaded: Loaded) -> keras.Layer:
    """Return the output layer of a run, which gives its logits.

    Raises:
        SettingError: The model has other layers with weights.
    """
    model = loaded.model
    head = next((layer for layer in model.layers if layer.name == "head"), None)
    backbone = find_backbone(model)
    known = {id(v) for v in (*backbone.weights, *(head.weights if head else ()))}
    if head is None or any(id(v) not in known for v in model.weights):
        raise SettingError(
            "The model has layers that transformers does not have: expected a backbone and the "
            "layer of kerasft.head. Use --format saved_model."
        )
    return head


def _calibrated(loaded: Loaded, head: keras.Layer) -> tuple[np.ndarray, np.ndarray]:
    """Return weight (outputs, width) and bias of the output layer, calibrated."""
    scale, shift = loaded.labels.kind.calibrated_logits(loaded.labels, loaded.calibration)
    kernel, bias = (keras.ops.convert_to_numpy(v).astype("float64") for v in head.weights)
    weight = (kernel * scale).T
    return weight.astype("float32"), (bias * scale + shift).astype("float32")


def _label_config(labels: Labels) -> dict[str, Any]:
    """Return the names of the outputs; a number has the name of the task."""
    names = labels.names or (labels.task,)
    return {
        "problem_type": labels.kind.problem_type,
        "id2label": {str(index): name for index, name in enumerate(names)},
        "label2id": {name: index for index, name in enumerate(names)},
    }


def _weights(backbone: keras.Model) -> Arrays:
    """Return the weights of a backbone by path, without those of merged adapters."""
    return {
        variable.path: keras.ops.convert_to_numpy(variable).astype("float32")
        for variable in backbone.weights
        if not variable.name.startswith("lora_")
    }


def _save(folder: Path, arrays: Arrays) -> None:
    from safetensors.numpy import save_file

    whole = {name: np.array(value, order="C") for name, value in arrays.items()}
    save_file(whole, folder / "model.safetensors", metadata={"format": "pt"})


def _write_modules(
    folder: Path,
    config: Any,
    layer: tuple[np.ndarray, np.ndarray],
    pooling: str,
    names: Sequence[str],
) -> None:
    """Write what makes the folder a model of sentence-transformers."""
    weight, bias = layer
    outputs, width = weight.shape
    modules: list[dict[str, Any]] = [
        {
            "idx": index,
            "name": str(index),
            "path": f"{index}_{name}" if index else "",
            "type": f"sentence_transformers.models.{name}",
        }
        for index, name in enumerate(names)
    ]
    for module in modules[1:]:
        (folder / module["path"]).mkdir()
    write_json(folder / "modules.json", modules)
    sentence = {"max_seq_length": config.sequence_length, "do_lower_case": False}
    write_json(folder / "sentence_bert_config.json", sentence)
    write_json(
        folder / "1_Pooling" / "config.json",
        {
            "word_embedding_dimension": width,
            **{f"pooling_mode_{name}": name == pooling for name in _POOLINGS.values()},
        },
    )
    dense = folder / modules[-1]["path"]
    write_json(
        dense / "config.json",
        {
            "in_features": width,
            "out_features": outputs,
            "bias": True,
            "activation_function": "torch.nn.modules.linear.Identity",
        },
    )
    _save(dense, {"linear.weight": weight, "linear.bias": bias})
