"""A version of a model exported as ONNX or LiteRT: graph, proof, model card and manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasft.data import Labels, prepare_inputs, select_rows
from kerasft.display import status
from kerasft.errors import SettingError
from kerasft.evaluation.artifact import TOKENIZER
from kerasft.evaluation.graph_file import NAMES
from kerasft.evaluation.load import Loaded
from kerasft.evaluation.own_data import own_split
from kerasft.evaluation.run_answers import run_answers
from kerasft.evaluation.runtime import load_graph, require
from kerasft.modalities import modality_of
from kerasft.models import merge_adapters
from kerasft.models.blocks import find_backbone
from kerasft.runs import Run, write_json, write_text
from kerasft.serving.examples import (
    by_name,
    data_name,
    exact_products,
    input_names,
    proof_examples,
    python_answers,
)
from kerasft.serving.graph import write_litert, write_onnx
from kerasft.serving.graph_proof import prove_graph, write_arrays
from kerasft.serving.manifest import describe, publish_version
from kerasft.serving.proof import FILE
from kerasft.serving.quantized_score import (
    Quantization,
    answers_of_graph,
    as_proof,
    check_model,
)
from kerasft.serving.verify import description_checksum, is_exact
from kerasft.serving.versions import temporary_folder

_SAMPLES = 100  # validation examples by which int8 scales activations
_PACKAGES = {"onnx": ("tf2onnx", "onnx", "onnxruntime"), "litert": ("ai_edge_litert",)}


def write_graph_version(
    run: Run,
    loaded: Loaded,
    parent: Path,
    kind: str,
    quantization: Quantization | None,
    proof_data: Any,
) -> Path:
    """Write, prove and publish the next version of a graph that takes prepared inputs.

    Args:
        run: The run.
        loaded: The same run in memory.
        parent: Folder of the versions.
        kind: `onnx` or `litert`.
        quantization: Number format of a smaller LiteRT graph; None for float32.
        proof_data: Inputs for the proof; None for the validation split of the run.

    Returns:
        Path of the version.

    Raises:
        SettingError: A package is not installed, a class name has a line break, or the model has no
            graph with such numbers.
        DataError: There are no examples for the proof.
        ProofError: The answers of a fresh process differ, or a quantized graph may be too much
            worse.
        ResourceError: The disk is full.
    """
    for package in _PACKAGES[kind]:
        require(package, kind)
    _check_names(loaded.labels)
    check_model(loaded.model, quantization)
    names = input_names(loaded)
    examples = proof_examples(loaded, proof_data)
    inputs = by_name(loaded.model, prepare_inputs(loaded.config, examples))
    part = None if quantization is None else own_split(run, loaded, "validation")
    with exact_products():
        answers = python_answers(loaded, examples)
        reference = {} if part is None else run_answers(loaded, part.x)[1]
    described = {
        **describe(run, loaded, names),
        "kind": kind,
        "prepared_inputs": _inputs(loaded.model, inputs),
    }
    split = {} if part is None else by_name(loaded.model, part.x)
    merge_adapters(loaded.model)
    status(f"writing the graph ({kind})")
    with temporary_folder(parent, "version") as folder:
        folder.mkdir()
        if kind == "onnx":
            write_onnx(loaded, folder)
        else:
            write_litert(loaded, folder, quantization, _samples(split))
        _write_assets(loaded, folder)
        write_arrays(folder, inputs)
        if quantization is not None and part is not None:
            graph = load_graph(folder)
            found = answers_of_graph(loaded.labels, graph, split)
            described["quantize"] = quantization.kind
            described["score_change"] = quantization.accept(loaded.labels, part.y, found, reference)
            answers = as_proof(answers_of_graph(loaded.labels, graph, inputs))
        request = {"data": data_name(proof_data), "answers": answers}
        write_json(folder / FILE, {**request, "manifest": description_checksum(described)})
        record = prove_graph(
            folder, loaded.labels, exact=is_exact(described), origins=examples.origins
        )
        return publish_version(folder, parent, {**described, "proof": record})


def _check_names(labels: Labels) -> None:
    for name in labels.names:
        if "\n" in name or "\r" in name:
            raise SettingError(
                f"The class name {name!r:.80} has a line break, but {NAMES} has one name per line. "
                "Rename the class and fit again, or export with --format saved_model."
            )


def _samples(inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return up to 100 examples from the whole range, one each; none without a split."""
    count = len(next(iter(inputs.values()), ()))
    rows = np.unique(np.linspace(0, count - 1, min(count, _SAMPLES)).round().astype(int))
    return [select_rows(inputs, rows[n : n + 1]) for n in range(len(rows))]


def _inputs(model: keras.Model, inputs: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return number format and shape of every input of the graph; n is the number of examples."""
    return {
        tensor.name: {
            "dtype": inputs[tensor.name].dtype.name,
            "shape": ["n", *(size or "length" for size in tensor.shape[1:])],
        }
        for tensor in model.inputs
    }


def _write_assets(loaded: Loaded, folder: Path) -> None:
    """Write the names of the classes, and the tokenizer of a model that reads tokens."""
    labels: Labels = loaded.labels
    if labels.names:
        write_text(folder / NAMES, "\n".join(labels.names) + "\n")
    if isinstance(loaded.model.input, dict):
        backbone = find_backbone(loaded.model)
        tokenizer = folder / TOKENIZER
        modality = modality_of(loaded.config)
        modality.save_preprocessor(loaded.config, loaded.model, backbone, tokenizer)
        # KerasHub finds the class of a tokenizer by the backbone of its preset.
        config = keras.saving.serialize_keras_object(backbone)
        (tokenizer / "config.json").write_text(json.dumps(config), encoding="utf-8")
