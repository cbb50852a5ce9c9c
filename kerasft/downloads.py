"""Downloads that a fit needs, found before TensorFlow starts."""

from __future__ import annotations

from types import ModuleType

from kerasft.catalog import loads_preset, reads_dataset
from kerasft.config import Config
from kerasft.dataset_check import find_dataset_download
from kerasft.presets.resolve import find_download
from kerasft.reachable_hosts import Download


def find_downloads(module: ModuleType, config: Config) -> dict[str, Download]:
    """Return the downloads that a recipe needs: of its `dataset` and its `preset`.

    Raises:
        DataError: The dataset was not found.
        SettingError: The preset was not found.
    """
    found: dict[str, Download | None] = {}
    if reads_dataset(module):
        found["dataset"] = find_dataset_download(config.dataset.source, config.data_dir)
    if config.preset and loads_preset(module):
        found["preset"] = find_download(config.preset, pretrained=config.pretrained)
    return {name: download for name, download in found.items() if download is not None}
