"""Preparation of splits in memory, or in files for data larger than memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from kerasft.array_files import stored_arrays
from kerasft.arrays import cache_folder, memory_limit
from kerasft.config import Config
from kerasft.data.examples import Examples
from kerasft.modalities import modality_of
from kerasft.modalities.padding import trim_texts

_FORMAT = 1  # raised when prepared inputs change with the same settings and versions


class Preparation:
    """Prepares the inputs of the splits of a dataset.

    Args:
        config: Config of images or texts (ImageConfig or TextConfig).
        parts: Examples of all splits, which decide whether the inputs fit into memory.
    """

    def __init__(self, config: Config, parts: Iterable[Examples]) -> None:
        self.config = config
        self.size = modality_of(config).prepared_bytes(config, sum(map(len, parts)))
        given = config.memory_gigabytes
        self.limit = memory_limit() if given is None else given * 1e9

    @property
    def note(self) -> list[str]:
        """Sentence about prepared inputs in files, if they are."""
        if self.size <= self.limit:
            return []
        return [
            f"Prepared {modality_of(self.config).name} of {_gigabytes(self.size)} are mapped from "
            f"files in {cache_folder()} (memory limit {_gigabytes(self.limit)})."
        ]

    def inputs(self, examples: Examples) -> Any:
        """Return the prepared inputs of examples: `Split.x`."""
        config, modality = self.config, modality_of(self.config)
        if self.size <= self.limit or not len(examples):
            return modality.prepare(config, examples)
        limit = config.disk_gigabytes * 1e9
        found = stored_arrays(
            _fingerprint(config, examples),
            modality.prepared_bytes(config, len(examples)),
            limit if self.size <= limit else 0,  # all splits are kept for later fits, or none
            lambda: modality.prepare(config, examples),
            workers=config.data_workers,
        )
        return trim_texts(found) if isinstance(found, dict) else found


def _fingerprint(config: Config, examples: Examples) -> str:
    """Return a hash of all that determines prepared inputs."""
    modality = modality_of(config)
    facts = [_FORMAT, modality.name, modality.preparation(config)]
    total = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for item, content in zip(examples.inputs, examples.content_hashes, strict=True):
        total.update(content.encode())
        # The hash of a text is that of its normal form, but spaces matter to some tokenizers.
        for text in item if isinstance(item, tuple) else (item,):
            if isinstance(text, str):
                total.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    return total.hexdigest()


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.2g} GB"
