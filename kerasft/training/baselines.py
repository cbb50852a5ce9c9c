"""Baselines: from a constant prediction to a full fine-tuning, the simplest that is as good."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from kerasft.catalog import recipe_module
from kerasft.config import Config, with_keywords
from kerasft.data import Data, Labels, load_recipe_data
from kerasft.display import current, shows_progress
from kerasft.errors import SettingError
from kerasft.evaluation.metrics import measure
from kerasft.modalities import head_epochs
from kerasft.runs import Run
from kerasft.runs.predictions_file import read_predictions
from kerasft.tasks import compared_metric, task_of
from kerasft.tasks.intervals import score_variance
from kerasft.training.fit import fit


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of a comparison of baselines.

    Attributes:
        name: What is trained, as a phrase.
        metric: Metric that is compared: the one that `monitor` names, unless that is the loss,
            else accuracy, macro F1 (multi-label) or RMSE.
        score: Its value on the validation split.
        test: The same metric on the test split, for information only.
        parameters: Number of trained parameters.
        seconds: Time of the whole fit.
        improved: Whether its gain over the last improved step exceeds the noise.
        verdict: Gain over the last improved step, as a phrase.
        run: The run; None for the constant baseline.
        variance: Variance of the score over samples of the validation examples.
        chosen: Whether it is the last improved step, so the simplest that no later one beats.
    """

    name: str
    metric: str
    score: float
    test: float | None
    parameters: int
    seconds: float
    improved: bool
    verdict: str
    run: Run | None
    variance: float = 0.0
    chosen: bool = False

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

    A step improves if its score exceeds that of the last improved one by more than noise:
    twice the standard error of the difference, of two independent samples. So the chosen step is
    the simplest that no later one beats. Stop at the first step without a better score. All steps
    use the same data, seed and settings except `trainable_blocks`, and `precision` where it is
    auto; a linear probe begins as its solution and has no adapters.

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
    task = task_of(config.task)
    name = compared_metric(task, config.monitor)
    more = task.directions[name] == "max"
    data = load_recipe_data(module, config)
    steps = [_constant(config, data, name)]
    for title, changes in _steps(config):
        if steps[-1].run is not None and changes["trainable_blocks"] >= _blocks(steps[-1].run):
            continue  # the last step trained all of them
        began = time.monotonic()
        current().line(f"baseline: {title}")
        run = fit(module, dataclasses.replace(config, **changes), runs_dir=runs_dir,
                  progress=progress, data=data, track=track)  # fmt: skip
        best, step = _chosen(steps), _measured(title, run, began, name)
        steps.append(_judged(step, best, more))
        if _gain(step, best, more) <= 0:
            break
    chosen = _chosen(steps)
    return [dataclasses.replace(step, chosen=step is chosen) for step in steps]


def _chosen(steps: list[Step]) -> Step:
    """Return the last improved step."""
    return [step for step in steps if step.improved][-1]


def _measured(title: str, run: Run, began: float, name: str) -> Step:
    """Return the step of a run, not yet compared with others."""
    labels, arrays = Labels.from_dict(run.labels), read_predictions(run)
    score = run.metrics["validation"][name]
    return Step(
        title,
        name,
        score,
        run.metrics.get("test", {}).get(name),
        _trained(run),
        round(time.monotonic() - began, 1),
        False,
        "",
        run,
        score_variance(labels, name, score, arrays["y_validation"], arrays["outputs_validation"]),
    )


def _gain(step: Step, best: Step, more: bool) -> float:
    """Return by how much a score is better than another; negative if it is worse."""
    return step.score - best.score if more else best.score - step.score


def _judged(step: Step, best: Step, more: bool) -> Step:
    """Return a step with its gain over the last improved one."""
    gain, noise = _gain(step, best, more), 2 * math.sqrt(step.variance + best.variance)
    if gain > 0:
        verdict = f"{'above' if gain > noise else 'within'} noise ({noise:.2g})"
    else:
        verdict = "no gain"
    verdict = f"{step.score - best.score:+.4g}, {verdict}"
    return dataclasses.replace(step, improved=gain > noise, verdict=verdict)


def _steps(config: Config) -> Iterator[tuple[str, dict[str, Any]]]:
    # It begins as the fitted probe: a few epochs at the rate of the head phase may not reach it.
    epochs = config.epochs + head_epochs(config)
    head = {"learning_rate": config.head_learning_rate, "head_epochs": 0, "epochs": epochs,
            "head_start": "linear", "lora_rank": 0}  # fmt: skip
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
    task = data.labels.kind
    answer = task.baseline(data.labels, data.train.y)
    found, variance = {}, 0.0
    for split in ("validation", "test"):
        part = getattr(data, split)
        if part is not None:
            outputs = np.tile(answer, (len(part.y), 1)).astype("float32")
            found[split] = measure(config, data.labels, part.y, outputs)[name]
            if split == "validation":
                variance = score_variance(data.labels, name, found[split], part.y, outputs)
    return Step(
        task.baseline_name, name, found["validation"], found.get("test"), 0, 0.0, True,
        "the score to beat", None, variance,
    )  # fmt: skip
