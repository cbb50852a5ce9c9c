"""Baselines: from a constant prediction to a full fine-tuning, while the score improves."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from kerasft.catalog import recipe_module
from kerasft.config import Config, with_keywords
from kerasft.data import Data, load_recipe_data
from kerasft.display import current, shows_progress
from kerasft.errors import SettingError
from kerasft.evaluation.metrics import measure
from kerasft.insight import compare, judged_by
from kerasft.runs import Run
from kerasft.training.fit import fit


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of a comparison of baselines.

    Attributes:
        name: What is trained, as a phrase.
        score: Validation accuracy, macro F1 (multi-label) or RMSE.
        test: The same metric on the test split, for information only.
        parameters: Number of trained parameters.
        seconds: Time of the whole fit.
        improved: Whether the score was better than that of the previous step.
        verdict: Gain over the previous step, as a phrase.
        run: The run; None for the constant baseline.
    """

    name: str
    score: float
    test: float | None
    parameters: int
    seconds: float
    improved: bool
    verdict: str
    run: Run | None

    @property
    def kept(self) -> bool:
        """Old name of `improved`."""
        return self.improved


@shows_progress
def compare_baselines(
    recipe: ModuleType | str,
    config: Config | None = None,
    *,
    runs_dir: str | Path = "runs",
    progress: bool = True,
    track: str | None = None,
    **settings: Any,
) -> list[Step]:
    """Compare a constant baseline, a linear probe, the top blocks and everything.

    Stop at the first step without a better validation score. All steps use
    the same data, seed and settings except `trainable_blocks`; a linear probe has no adapters.

    Args:
        recipe: A recipe module, its name, or the path of its file.
        config: Settings of the recipe; trainable_blocks is not used.
        runs_dir: Folder of all runs.
        progress: Whether to write progress to stderr.
        track: `mlflow` or `wandb` to create runs of that tool too, as in `fit`.
        **settings: Settings by name, which replace those of `config`.

    Returns:
        The steps that were taken, the simplest first.

    Raises:
        SettingError: A setting is unknown or out of range, or `unfreeze_every` is set, although the
            steps themselves unfreeze blocks.

    Example:
        >>> [(step.name, step.score) for step in kerasft.compare_baselines("resnet_digits")]
    """
    module = recipe_module(recipe)
    config = with_keywords(module.Config, config, settings, signature(compare_baselines).parameters)
    if config.unfreeze_every:
        raise SettingError(
            f"`unfreeze_every` is {config.unfreeze_every}, but a comparison of baselines unfreezes "
            "blocks itself: leave it out."
        )
    name, more = judged_by(config.task)
    data = load_recipe_data(module, config)
    steps = [_constant(config, data, name)]
    for title, changes in _steps(config):
        if steps[-1].run is not None and changes["trainable_blocks"] >= _blocks(steps[-1].run):
            continue  # the last step trained all of them
        began = time.monotonic()
        current().line(f"baseline: {title}")
        run = fit(module, dataclasses.replace(config, **changes), runs_dir=runs_dir,
                  progress=progress, data=data, track=track)  # fmt: skip
        score = run.metrics["validation"][name]
        before = steps[-1]
        better = score > before.score if more else score < before.score
        steps.append(
            Step(
                title,
                score,
                run.metrics.get("test", {}).get(name),
                _trained(run),
                round(time.monotonic() - began, 1),
                better,
                f"{score - before.score:+.4g}{_significance(before, run, better)}",
                run,
            )
        )
        if not better:
            break
    return steps


def _significance(before: Step, run: Run, better: bool) -> str:
    if before.run is None:
        return "" if better else "; no gain"
    verdict = compare([before.run, run])["groups"][-1]["verdict"]
    return f": {verdict}" if better else f"; no gain ({verdict})"


def _steps(config: Config) -> Iterator[tuple[str, dict[str, Any]]]:
    # A linear probe takes the rate of the head phase, and needs more epochs at it.
    epochs = config.epochs + config.head_epochs
    head = {"learning_rate": config.head_learning_rate, "head_epochs": 0, "epochs": epochs,
            "lora_rank": 0}  # fmt: skip
    yield "linear probe on frozen features", {"trainable_blocks": 0, **head}
    yield "top block", {"trainable_blocks": 1}
    yield "top three blocks", {"trainable_blocks": 3}
    yield "everything", {"trainable_blocks": -1}


def _blocks(run: Run) -> int:
    return sum(block["name"] != "head" for block in run.manifest["blocks"])


def _trained(run: Run) -> int:
    return sum(block["trained_parameters"] for block in run.manifest["blocks"])


def _constant(config: Config, data: Data, name: str) -> Step:
    """Measure the best prediction that does not depend on the input."""
    assert data.train is not None and data.validation is not None  # else there is no fit
    answer = data.labels.kind.baseline(data.labels, data.train.y)
    found = {}
    for split in ("validation", "test"):
        part = getattr(data, split)
        if part is not None:
            outputs = np.tile(answer, (len(part.y), 1)).astype("float32")
            found[split] = measure(config, data.labels, part.y, outputs)[name]
    return Step(
        data.labels.kind.baseline_name, found["validation"], found.get("test"), 0, 0.0, True,
        "the score to beat", None,
    )  # fmt: skip
