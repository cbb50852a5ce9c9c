"""What many attacks copy or read, made once: presets, data, runs and an exported model."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kerasft
from kerasft.testing import tiny_preset
from tests.conftest import make_photos, make_reviews
from tests.training.small import fit, image_config, image_recipe, text_config, text_recipe

Get = Callable[[str], Path]


def make_shared(root: Path) -> Get:
    """Return a function that makes each thing in a folder when it is first asked for.

    Its names are those of the fixture `shared` in `conftest.py`.
    """

    @functools.cache
    def preset(family: str) -> str:
        return tiny_preset(family, root / f"preset-{family}" / family)

    @functools.cache
    def filled(name: str, make: Callable[[Path], Any]) -> Path:
        (root / name).mkdir()
        make(root / name)
        return root / name

    def fitted(name: str, recipe: Any, config: Any) -> Path:
        return fit(recipe, config, root / name).path

    makers: dict[str, Callable[[], Path]] = {
        "bert": lambda: Path(preset("bert")),
        "photos": lambda: filled("photos", make_photos),
        "image run": lambda: fitted(
            "images", image_recipe, image_config(preset, str(get("photos")))
        ),
        "text run": lambda: fitted(
            "texts",
            text_recipe,
            text_config(preset, str(filled("reviews", make_reviews) / "reviews.csv")),
        ),
        "export": lambda: kerasft.export(get("text run"), models_dir=root / "models", name="texts"),
    }

    @functools.cache
    def get(name: str) -> Path:
        return makers[name]()

    return get
