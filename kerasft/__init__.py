"""Fine-tunes pretrained Keras models: recipes, honest validation, advice, export.

The rooms, from the lowest; each imports only from those above it (a test reads the imports):

    settings, config, errors, network, presets, ...    settings and names; standard library only
    data          sources -> splits -> arrays, prepared once -> batches
    models        backbones, blocks by depth, heads, objectives
    runs          the folder that a fit leaves behind
    insight       plots and words, from records alone
    training      phases, schedules, callbacks, fit, evaluate, predict
    tuning        search space, KerasTuner's oracles, trials that survive a kill
    serving       export with preprocessing in the graph
    cli           click commands over this API

Names are imported when they are used, so that the command line starts without TensorFlow.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from kerasft.quiet import quiet_start

if TYPE_CHECKING:
    from kerasft.catalog import list_recipes, load_recipe
    from kerasft.config import Config, ImageConfig, TextConfig
    from kerasft.data import Data, Examples, Labels, Split, load_data, load_glyphs, prepare_data
    from kerasft.errors import (
        DamagedFileError,
        DataError,
        DivergedError,
        KerasftError,
        NetworkError,
        NoTrialError,
        ResourceError,
        ResumeError,
        SettingError,
    )
    from kerasft.insight import compare, diagnose, write_report
    from kerasft.models import (
        block_table,
        describe_blocks,
        find_blocks,
        freeze,
        head,
        image_features,
        load_backbone,
        text_features,
    )
    from kerasft.runs import Run, list_runs, load_run
    from kerasft.serving import export
    from kerasft.settings import setting
    from kerasft.training import (
        climb_ladder,
        compile_model,
        evaluate,
        find_learning_rate,
        fit,
        load_model,
        predict,
    )
    from kerasft.tuning import Search, Trial, load_search, tune

__version__ = "0.1.0"

# TensorFlow leaves oneDNN off on AMD processors, where steps gain from it too; it reads the
# variable once, at its import. A user who has set it is left alone.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

_HOMES = {
    "kerasft.catalog": ("list_recipes", "load_recipe"),
    "kerasft.config": ("Config", "ImageConfig", "TextConfig"),
    "kerasft.data": (
        "Data",
        "Examples",
        "Labels",
        "Split",
        "load_data",
        "load_glyphs",
        "prepare_data",
    ),
    "kerasft.errors": (
        "DamagedFileError",
        "DataError",
        "DivergedError",
        "KerasftError",
        "NetworkError",
        "NoTrialError",
        "ResourceError",
        "ResumeError",
        "SettingError",
    ),
    "kerasft.insight": ("compare", "diagnose", "write_report"),
    "kerasft.models": (
        "block_table",
        "describe_blocks",
        "find_blocks",
        "freeze",
        "head",
        "image_features",
        "load_backbone",
        "text_features",
    ),
    "kerasft.runs": ("Run", "list_runs", "load_run"),
    "kerasft.serving": ("export",),
    "kerasft.settings": ("setting",),
    "kerasft.training": (
        "climb_ladder",
        "compile_model",
        "evaluate",
        "find_learning_rate",
        "fit",
        "load_model",
        "predict",
    ),
    "kerasft.tuning": ("Search", "Trial", "load_search", "tune"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
__all__ = sorted(["__version__", *_HOME_OF])


def __getattr__(name: str) -> Any:
    """Imports a public name on first use (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'kerasft' has no attribute {name!r}")
    with quiet_start():  # many of them import Keras
        value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
