"""What many attacks copy or read, made once: a preset, a run and an exported model."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import make_text_run, preset_maker

Get = Callable[[str], Path]


def make_shared(filled: Callable[[str, Callable[[Path], Any]], Path]) -> Get:
    """Return a function that makes each thing when it is first asked for.

    Args:
        filled: Function that fills a folder once, such as the fixture `shared_folder`.
    """

    def text_run() -> Any:
        return make_text_run(filled)

    def export(folder: Path) -> None:
        text_run().export(models_dir=folder, name="texts")

    makers: dict[str, Callable[[], str | Path]] = {
        "bert": lambda: preset_maker(filled)("bert"),
        "text run": lambda: text_run().path,
        "export": lambda: filled("attacked-export", export) / "texts" / "1",
    }
    return functools.cache(lambda name: Path(makers[name]()))


def filled_in(root: Path) -> Callable[[str, Callable[[Path], Any]], Path]:
    """Return a function that fills folders of a root, each once."""

    def filled(name: str, make: Callable[[Path], Any]) -> Path:
        if not (root / name).exists():
            (root / name).mkdir()
            make(root / name)
        return root / name

    return filled
