"""A version of a model exported for Hugging Face: folder, proof, model card and manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kerasft.display import status
from kerasft.evaluation.load import Loaded
from kerasft.models import merge_adapters
from kerasft.runs import Run, write_json
from kerasft.serving.examples import input_names
from kerasft.serving.graph_proof import write_arrays
from kerasft.serving.huggingface.folder import write_folder
from kerasft.serving.huggingface.proof import KIND, folder_request, prove
from kerasft.serving.manifest import describe, publish_version
from kerasft.serving.proof import FILE
from kerasft.serving.verify import description_checksum
from kerasft.serving.versions import temporary_folder


def write_version(run: Run, loaded: Loaded, parent: Path, proof_data: Any) -> Path:
    """Write, prove and publish the next version of a folder of Hugging Face.

    Args:
        run: The run.
        loaded: The same run in memory.
        parent: Folder of the versions.
        proof_data: Inputs for the proof; None for the validation split of the run.

    Returns:
        Path of the version.

    Raises:
        SettingError: Hugging Face has no such model.
        DataError: There are no examples for the proof.
        ProofError: The logits of the folder differ from Python's.
        ResourceError: The disk is full.
    """
    names = input_names(loaded)
    request, arrays = folder_request(loaded, names, proof_data)
    merge_adapters(loaded.model)
    status("writing the folder of Hugging Face")
    with temporary_folder(parent, "version") as folder:
        class_name = write_folder(loaded, folder)
        described = {**describe(run, loaded, names), "kind": KIND, "class": class_name}
        write_arrays(folder, arrays)
        write_json(folder / FILE, {**request, "manifest": description_checksum(described)})
        record = prove(folder, loaded.labels)
        return publish_version(folder, parent, {**described, "proof": record})
