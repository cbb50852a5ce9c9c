"""What differs by input is asked of the modality: no other room asks for a config's class."""

import ast
from pathlib import Path

import pytest

import kerasft

PACKAGE = Path(kerasft.__file__).parent
SOURCES = [
    path
    for path in (*sorted(PACKAGE.rglob("*.py")), *sorted((PACKAGE.parent / "recipes").glob("*.py")))
    if PACKAGE / "modalities" not in path.parents
]


def questions(source):
    """Calls of isinstance and issubclass that name ImageConfig or TextConfig, and comparisons."""
    for node in ast.walk(ast.parse(source)):
        inside = {x.id for x in ast.walk(node) if isinstance(x, ast.Name)}
        inside |= {x.attr for x in ast.walk(node) if isinstance(x, ast.Attribute)}
        if isinstance(node, ast.Compare) and inside & {"IMAGES", "TEXTS"}:
            yield f"line {node.lineno}"
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id
        if called in ("isinstance", "issubclass") and inside & {"ImageConfig", "TextConfig"}:
            yield f"line {node.lineno}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE.parent)))
def test_no_room_asks_for_the_class_of_a_config(path):
    assert not list(questions(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "source",
    [
        "isinstance(config, ImageConfig)",
        "isinstance(config, (kerasft.TextConfig, int))",
        "issubclass(kind, TextConfig | ImageConfig)",
        "modality_of(config) is IMAGES",
        "modality is not modalities.TEXTS",
        "modality_of(config) in (IMAGES, TEXTS)",
        "modality_of(config).name == TEXTS.name",
    ],
)
def test_every_way_to_ask_is_found(source):
    assert list(questions(source))
    assert not list(questions("isinstance(config, Config)"))
