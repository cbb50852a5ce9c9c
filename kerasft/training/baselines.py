"""From the simplest model upwards, each step only while it pays."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from kerasft.catalog import recipe_module
from kerasft.config import Config
from kerasft.data import Data, Labels
from kerasft.errors import SettingError
from kerasft.evaluation.metrics import measure
from kerasft.insight import compare, judged_by
from kerasft.runs import Run
from kerasft.training.fit import fit


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of a ladder.

    Attributes:
        name: What is trained, in words.
        score: On the validation split: accuracy, macro F1 (multi-label) or RMSE.
        test: The same on the test split, which decides nothing.
        parameters: How many are trained.
        seconds: Of the whole fit.
        kept: Whether it was better than the step before by more than nothing.
        verdict: What it bought, in words.
        run: None for a constant answer.
    """

    name: str
    score: float
    test: float | None
    parameters: int
    seconds: float
    kept: bool
    verdict: str
    run: Run | None


def compare_baselines(
    recipe: ModuleType | str,
    config: Config | None = None,
    *,
    runs_dir: str | Path = "runs",
    progress: bool = True,
    track: str | None = None,
) -> list[Step]:
    """Fit from the simplest model upwards: a constant answer, a linear head, top blocks, all.

    The next step is taken while the last one was better on the validation split. All steps use
    the same data, seed and settings but `trainable_blocks`; a head alone has no adapters (LoRA).

    Args:
        recipe: A recipe module, its name, or the path of its file.
        config: Its settings; trainable_blocks is not used.
        runs_dir: Where runs are kept.
        progress: Whether to write progress to stderr.
        track: As `fit` has it.

    Raises:
        SettingError: unfreeze_every is given: the ladder itself takes a few blocks more each time.

    Returns:
        The steps that were taken, the simplest first.

    Example:
        >>> [(rung.name, rung.score) for rung in kerasft.climb_ladder("resnet_digits")]
    """
    module = recipe_module(recipe)
    config = config if config is not None else module.Config()
    if config.unfreeze_every:
        raise SettingError(
            "`unfreeze_every` cannot go with a ladder, which trains more blocks from step to step "
            "itself: leave it out."
        )
    name, more = judged_by(config.task)
    data = module.load_data(config)
    steps = [_constant(config, data, name)]
    for title, changes in _steps(config):
        if steps[-1].run is not None and changes["trainable_blocks"] >= _blocks(steps[-1].run):
            continue  # the last step trains them all
        began = time.monotonic()
        if progress:
            print(f"ladder {title}", file=sys.stderr, flush=True)
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
                f"{score - before.score:+.4g}{_certain(before, run, better)}",
                run,
            )
        )
        if not better:
            break
    return steps


def _certain(before: Step, run: Run, better: bool) -> str:
    if before.run is None:
        return "" if better else ": does not pay"
    verdict = compare([before.run, run])["groups"][-1]["verdict"]
    return f": {verdict}" if better else f": does not pay ({verdict})"


def _steps(config: Config) -> Iterator[tuple[str, dict[str, Any]]]:
    # A head alone takes the rate of the head phase, and needs more epochs of it.
    epochs = config.epochs + config.head_epochs
    head = {"learning_rate": config.head_learning_rate, "head_epochs": 0, "epochs": epochs,
            "lora_rank": 0}  # fmt: skip
    yield "a linear head on frozen features", {"trainable_blocks": 0, **head}
    yield "the top block too", {"trainable_blocks": 1}
    yield "three top blocks", {"trainable_blocks": 3}
    yield "everything", {"trainable_blocks": -1}


def _blocks(run: Run) -> int:
    return sum(block["name"] != "head" for block in run.manifest["blocks"])


def _trained(run: Run) -> int:
    return sum(block["trained_parameters"] for block in run.manifest["blocks"])


def _constant(config: Config, data: Data, name: str) -> Step:
    """Measure the best answer that does not look at its input."""
    assert data.train is not None and data.validation is not None  # else there is no fit
    answer = _best_constant(data.labels, data.train.y)
    found = {}
    for split in ("validation", "test"):
        part = getattr(data, split)
        if part is not None:
            outputs = np.tile(answer, (len(part.y), 1)).astype("float32")
            found[split] = measure(config, data.labels, part.y, outputs)[name]
    return Step(
        "a constant answer", found["validation"], found.get("test"), 0, 0.0, True,
        "the least that a model must beat", None,
    )  # fmt: skip


def _best_constant(labels: Labels, y: np.ndarray) -> np.ndarray:
    """Return the shares of classes, or the mean."""
    if labels.task == "regression":
        return np.array([y.mean()])
    if labels.task == "multilabel":
        return np.asarray(y.mean(axis=0))
    counts = np.bincount(y, minlength=labels.num_outputs)
    return np.asarray(counts / counts.sum())
