"""A version of an exported model: SavedModel, proof, model card and manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from kerasft.display import status
from kerasft.evaluation.load import Loaded
from kerasft.modalities import modality_of
from kerasft.models import merge_adapters
from kerasft.runs import Run, write_json
from kerasft.serving import proof
from kerasft.serving.examples import input_names, proof_request
from kerasft.serving.manifest import describe, publish_version
from kerasft.serving.signatures import signatures
from kerasft.serving.verify import description_checksum, is_exact
from kerasft.serving.versions import temporary_folder


def write_version(run: Run, loaded: Loaded, parent: Path, proof_data: Any) -> Path:
    """Write, prove and publish the next version of an exported model.

    Args:
        run: The run.
        loaded: The same run in memory.
        parent: Folder of the versions.
        proof_data: Inputs for the proof; None for the validation split of the run.

    Returns:
        Path of the version.

    Raises:
        DataError: There are no examples for the proof.
        ProofError: The answers of the model differ from Python's.
        ResourceError: The disk is full.
    """
    names = input_names(loaded)
    request, origins = proof_request(loaded, names, proof_data)
    described = {**describe(run, loaded, names), "kind": "saved_model"}
    merge_adapters(loaded.model)
    status("writing the SavedModel")
    with temporary_folder(parent, "version") as folder:
        _write_graph(loaded, folder)
        write_json(folder / proof.FILE, {**request, "manifest": description_checksum(described)})
        record = proof.prove(
            folder,
            loaded.labels,
            modality_of(loaded.config).serving_imports,
            exact=is_exact(described),
            origins=origins,
        )
        return publish_version(folder, parent, {**described, "proof": record})


def _write_graph(loaded: Loaded, folder: Path) -> None:
    found, layers = signatures(loaded)
    archive = keras.export.ExportArchive()
    for layer in layers:
        archive.track(layer)
    for name, signature in found.items():
        archive.add_endpoint(name, signature.function, input_signature=signature.inputs)
    archive.write_out(str(folder), verbose=False)
