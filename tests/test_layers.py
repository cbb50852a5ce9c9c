"""The rule between rooms: imports go down the table only."""

import ast
from pathlib import Path

import pytest

import kerasft

LOWEST = {
    "settings",
    "config",
    "errors",
    "network",
    "paths",
    "presets",
    "datasets",
    "catalog",
    "quiet",
    "words",
}
ALLOWED = {
    "settings": {"errors"},
    "config": {"errors", "settings"},
    "errors": set(),
    "words": set(),
    "quiet": set(),
    "network": {"errors"},
    "paths": set(),
    "presets": {"errors", "network", "paths"},
    "datasets": {"errors", "network", "paths"},
    "catalog": {"config", "errors", "paths"},
    "data": LOWEST,
    "models": LOWEST | {"data"},
    "runs": {"config", "errors"},
    "insight": {"config", "errors", "runs", "words"},
    "training": LOWEST | {"data", "models", "runs", "insight"},
    "serving": LOWEST | {"data", "models", "runs", "training"},
    "tuning": LOWEST | {"data", "models", "runs", "insight", "training"},
    "testing": LOWEST | {"data", "models", "runs", "training", "serving"},
    "cli": LOWEST | {"data", "models", "runs", "insight", "training", "tuning", "serving"},
    "__main__": {"cli"},
}
PACKAGE = Path(kerasft.__file__).parent


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        rooms |= {name.split(".")[1] for name in names if name.startswith("kerasft.")}
    return rooms


def rooms() -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts != ("__init__",):
            found.setdefault(parts[0], []).append(path)
    return found


def test_every_room_stands_in_the_table():
    assert set(rooms()) == set(ALLOWED)


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_room_imports_only_rooms_below(room):
    for path in rooms()[room]:
        above = imported_rooms(path) - ALLOWED[room] - {room}
        assert not above, f"{path.name} of {room} imports {sorted(above)}"


def test_recipes_import_kerasft_alone():
    from kerasft import catalog

    for recipe in catalog.list_recipes():
        assert not imported_rooms(Path(recipe.path)), recipe.name
