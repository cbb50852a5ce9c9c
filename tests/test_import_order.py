"""The rule between rooms: imports go down the table only.

A room imports from the rooms before it, never from those after it. The order is that of an
example on its way from a file to a served prediction:

    names                   formatting, errors, atomic_files, paths, pip_commands, offline,
                            reachable_hosts, tensorflow_log, seeds, keras_home, control_groups,
                            threads
    progress                display (all below report to it)
    a dataset as a value    setting_conditions, in_memory, data_finding, dataset
    settings                setting_types, setting_declaration, calibration, tasks,
                            setting_group, common_settings, config
    what is given           dataset_check, recipe_errors, catalog, presets, downloads
    the model               signals, models
    what differs by input   arrays, array_files, modalities (the data ask them; they ask the models)
    examples to arrays      data
    arrays to devices       distribution, frozen
    what a fit leaves       runs, evaluation, insight
    fitting                 training, checks, tuning, planning
    what uses all that      serving, testing, cli
"""

import ast
from pathlib import Path

import pytest

import kerasft

ORDER = (
    "formatting",
    "errors",
    "atomic_files",
    "paths",
    "pip_commands",
    "offline",
    "reachable_hosts",
    "tensorflow_log",
    "seeds",
    "keras_home",
    "control_groups",
    "threads",
    "display",
    "setting_conditions",
    "in_memory",
    "data_finding",
    "dataset",
    "setting_types",
    "setting_declaration",
    "calibration",
    "tasks",
    "setting_group",
    "common_settings",
    "config",
    "dataset_check",
    "recipe_errors",
    "catalog",
    "presets",
    "downloads",
    "signals",
    "models",
    "arrays",
    "array_files",
    "modalities",
    "data",
    "distribution",
    "frozen",
    "runs",
    "evaluation",
    "insight",
    "training",
    "checks",
    "tuning",
    "planning",
    "serving",
    "testing",
    "cli",
    "__main__",
)
# Stricter than the order: these never see each other.
FORBIDDEN = {
    "serving": {"insight", "training", "checks", "tuning"},
    "insight": {"data", "evaluation", "frozen", "modalities", "models", "presets"},
    "runs": {"data", "frozen", "models"},
    "cli": {"testing"},
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


def test_every_room_has_its_place():
    assert set(rooms()) == set(ORDER)


@pytest.mark.parametrize("room", ORDER)
def test_room_imports_only_earlier_rooms(room):
    allowed = set(ORDER[: ORDER.index(room) + 1]) - FORBIDDEN.get(room, set())
    for path in rooms()[room]:
        above = imported_rooms(path) - allowed
        assert not above, f"{path.name} of {room} imports {sorted(above)}"


def test_recipes_import_kerasft_alone():
    from kerasft import catalog

    for recipe in catalog.list_recipes():
        assert not imported_rooms(Path(recipe.path)), recipe.name
