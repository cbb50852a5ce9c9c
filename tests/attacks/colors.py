"""A recipe without a preset whose fit takes a second, and its pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

RECIPE = '''"""Three colors by a small dense network."""
from dataclasses import dataclass

import keras
import kerasft
from kerasft import Dataset


@dataclass(frozen=True, kw_only=True)
class Config(kerasft.ImageConfig):
    dataset: Dataset = Dataset("photos")
    preset: str = ""
    image_size: int = 8
    epochs: int = 5
    head_epochs: int = 0
    batch_size: int = 4
    patience: int = 0
    learning_rate: float = 1e-2


def build_model(config, data):
    inputs = keras.Input((config.image_size, config.image_size, 3), name="image")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    x = keras.layers.Dense(8, activation="relu")(x)
    return keras.Model(inputs, kerasft.head(x, config, data.labels))
'''


def write_colors(folder: Path) -> None:
    """Write `colors.py` and twelve pictures of each of three colors."""
    rng = np.random.default_rng(0)
    for index, name in enumerate(("blue", "green", "red")):
        (folder / "photos" / name).mkdir(parents=True)
        for count in range(12):
            pixels = rng.integers(0, 90, (8, 8, 3), dtype=np.uint8)
            pixels[..., 2 - index] += 60
            Image.fromarray(pixels).save(folder / "photos" / name / f"{count}.png")
    (folder / "colors.py").write_text(RECIPE, encoding="utf-8")
