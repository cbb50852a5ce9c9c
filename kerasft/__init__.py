"""Fine-tune pretrained Keras models: recipes, validation, diagnosis, export.

The packages are listed in docs/architecture.md, in the order of their imports; a test reads both.

Names are imported when they are used, so that the command line starts without TensorFlow.
"""

from __future__ import annotations

import ast
import importlib
import os
from pathlib import Path
from typing import Any

from kerasft.offline import go_offline, is_offline
from kerasft.tensorflow_log import quiet_tensorflow

__version__ = "0.2.0.dev0"

# TensorFlow leaves oneDNN off on AMD processors, where steps gain from it too; it reads the
# variable once, at its import. A user who has set it is left alone.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
if is_offline():
    go_offline()


def _read_stub() -> dict[str, str]:
    """Return the module of every public name, from the imports of `__init__.pyi`."""
    stub = ast.parse(Path(__file__).with_suffix(".pyi").read_bytes())
    return {
        alias.name: str(statement.module)
        for statement in stub.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }


_HOME_OF = _read_stub()
__all__ = sorted(["__version__", *_HOME_OF])


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'kerasft' has no attribute {name!r}")
    with quiet_tensorflow():  # many of them import Keras
        value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
