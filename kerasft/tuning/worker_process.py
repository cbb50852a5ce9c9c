"""A process that runs trials one after another, with models that they share.

Imported before Keras, so that the environment of TensorFlow can be set first.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

from kerasft.tensorflow_log import quiet_tensorflow

_trial_models: Any = None
_cancelled: Any = None


def prepare(cancelled: Any = None) -> None:
    """Prepare this process for trials.

    Args:
        cancelled: Event that stops a trial at its next batch.
    """
    global _cancelled
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the search handles interrupts
    _cancelled = cancelled


def import_packages() -> None:
    """Import Keras, which takes seconds."""
    with quiet_tensorflow():
        import kerasft.tuning.trial_models  # noqa: F401


def start(recipe: Mapping[str, Any], seed: int) -> None:
    """Load the recipe.

    Args:
        recipe: Description of the recipe (`describe_recipe`).
        seed: Seed of the splits.
    """
    global _trial_models
    source = recipe["source"] or recipe["name"]
    try:
        import_packages()
        from kerasft.catalog import load_recipe
        from kerasft.tuning.trial_models import TrialModels

        _trial_models = TrialModels(load_recipe(source, sha256=recipe["sha256"]), seed)
    except Exception as error:  # raised here, it would break the pool and look like a kill
        _trial_models = error


def run(job: Any) -> dict[str, Any]:
    """Run a trial with the shared models of this process."""
    if isinstance(_trial_models, Exception):
        raise _trial_models
    from kerasft.tuning.trial import run_trial

    return run_trial(_trial_models, job, _cancelled)
