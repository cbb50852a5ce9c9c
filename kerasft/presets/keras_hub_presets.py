"""KerasHub's names of presets, read without importing it."""

from __future__ import annotations

import ast
import functools
import importlib.util
from pathlib import Path
from typing import Any


@functools.cache
def builtin_presets() -> dict[str, dict[str, Any]]:
    """Return KerasHub's preset names with `kaggle_handle` and `params` (None if not stated).

    The import of KerasHub, which fills its registry, takes six seconds. Its tables are literals in
    `*_presets.py` and are parsed instead. Tables that are not literals are left out; without any,
    the dictionary is empty and every name is tried online.
    """
    package = importlib.util.find_spec("keras_hub")
    if package is None or not package.submodule_search_locations:
        return {}
    root = Path(next(iter(package.submodule_search_locations)))
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(root.glob("src/models/*/*_presets.py")):
        for statement in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(statement, ast.Assign):
                found |= _literal_presets(statement.value)
    return found


def _literal_presets(table: ast.expr) -> dict[str, dict[str, Any]]:
    try:
        entries = ast.literal_eval(table)
    except ValueError:
        return {}
    if not isinstance(entries, dict):
        return {}
    return {
        name: {
            "kaggle_handle": entry["kaggle_handle"],
            "params": entry.get("metadata", {}).get("params"),
        }
        for name, entry in entries.items()
        if isinstance(entry, dict) and "kaggle_handle" in entry
    }
