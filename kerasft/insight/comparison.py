"""Comparison of runs: which change helped, and whether the difference exceeds the noise."""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasft.config import Config
from kerasft.errors import DataError, SettingError, did_you_mean
from kerasft.formatting import run_name
from kerasft.insight.facts import Facts, read_facts
from kerasft.insight.notebook import Comparison
from kerasft.runs import Run, load_run
from kerasft.runs.predictions_file import read_predictions
from kerasft.setting_declaration import settings
from kerasft.tasks import Task, compared_metric, less_is_better
from kerasft.tasks.intervals import binomial_variance, score_variance
from kerasft.tasks.labels import Labels

_NOT_COMPARED = ("seed",)
_SPLITS = [name for name, item in settings(Config).items() if item.role == "split"]
_NAMED = 3  # classes that a note names
_Data = tuple[dict[str, Any], dict[str, Any]]  # the entry of the manifest, and all settings


def compare(
    runs: Sequence[Run | str | Path], split: str = "validation", score: str | None = None
) -> Comparison:
    """Compare runs by their settings; runs that differ only in their seed are grouped.

    Args:
        runs: Finished runs of one task with the same classes, or their folders or names as in
            `load_run`; one or more per choice of settings. The first one is the reference.
        split: Split whose score is compared. Choosing by the test split makes its score
            optimistic.
        score: Metric of the task by which the runs are compared. The default is the one that all
            finished runs monitor, unless that is the loss, else the main metric.

    Returns:
        `score` (its name), `groups` (each with `runs`, `seeds`, `settings` that differ from the
        first group, `mean`, `spread` over seeds, and against the first `difference`, `noise`
        and `verdict`: better, worse or `within noise`), `left_out` (runs without the score),
        `same_data`, and a `note` where data differ between groups, or the best epoch of several
        runs is their start, else "". It is a dict that a notebook shows with the curves of the
        score.

    Raises:
        SettingError: A run was not found, or the task has no such score.
        DataError: The runs have no common score, other tasks or other classes.

    The noise is twice the standard error of the difference. With three or more seeds on both sides
    it follows from the spread over seeds. Else it is that of two independent samples of the size of
    the split (binomial for accuracies, bootstrap for others), which overestimates it for the same
    examples. A loss has no noise then.
    """
    loaded = list({run.path.resolve(): run for run in map(load_run, runs)}.values())
    if why := why_incomparable(loaded):
        raise DataError(f"Scores cannot be compared: {why}. Name other runs.")
    read = [(run, read_facts(run)) for run in loaded]
    task = read[0][1].kind
    done = [facts for _, facts in read if facts.metrics.get(split)]
    name = _score_name(task, done, score)
    scored = [each for each in read if each[1].metrics.get(split, {}).get(name) is not None]
    left_out = {run.path for run, _ in read} - {run.path for run, _ in scored}
    groups = _by_settings(scored)
    if not groups:
        raise DataError(f"None of the runs has {name} of the {split} split. Name finished runs.")
    described = [_describe(members, name, split) for members in groups.values()]
    first = described[0]
    variances = [_variance(group, name, split) for group in described] if described[1:] else []
    base = scored[0][1].settings
    for group, members in zip(described, groups.values(), strict=True):
        group["settings"] = _differences(base, members[0][1].settings)
    for group, variance in zip(described[1:], variances[1:], strict=True):
        difference, noise = group["mean"] - first["mean"], _noise(variances[0], variance)
        verdict = _verdict(difference, noise, less=less_is_better(name))
        group |= {"difference": difference, "noise": noise, "verdict": verdict}
    prints = {run.manifest["data"]["fingerprint"] for run, _ in read}
    return Comparison(
        score=name,
        split=split,
        same_data=len(prints) == 1,
        note=_note(list(groups.values())),
        left_out=sorted(map(str, left_out)),
        groups=described,
    )


def why_incomparable(runs: Sequence[Run]) -> str:
    """Return why scores of runs cannot be compared, empty if they can."""
    tasks = sorted({str(run.labels["task"]) for run in runs})
    if tasks[1:]:
        return f"the runs have different tasks ({', '.join(tasks)})"
    classes = [set(run.labels["names"]) for run in runs]
    different = sorted(set.union(*classes) - set.intersection(*classes))
    if different:
        some = ", ".join(repr(name) for name in different[:_NAMED])
        return f"the runs have different classes (such as {some})"
    return ""


def _note(groups: Sequence[Sequence[tuple[Run, Facts]]]) -> str:
    return " ".join(note for note in (_data_note(groups), _start_note(groups)) if note)


def _data_note(groups: Sequence[Sequence[tuple[Run, Facts]]]) -> str:
    """Return how the data of groups differ and what follows from it, empty for the same data."""
    prints = [{run.manifest["data"]["fingerprint"] for run, _ in group} for group in groups]
    if all(each == prints[0] for each in prints):
        return ""
    first, *rest = [(run.manifest["data"], facts.settings) for g in groups for run, facts in g]
    changed = [each for each in rest if each[0]["fingerprint"] != first[0]["fingerprint"]]
    if not all(_only_split_anew(first, each) for each in changed):
        return "The runs have different data: differences may come from the data."
    note = "The runs have different splits of one dataset: differences may come from the splits."
    if all(_fixed_splits(each[1]) == _fixed_splits(first[1]) for each in changed):
        note += " Fits with one split_seed have the same splits, whatever their seed is."
    return note


def _start_note(groups: Sequence[Sequence[tuple[Run, Facts]]]) -> str:
    """Return a note on runs whose best epoch is their start; empty for fewer than two."""
    runs = [run for group in groups for run, _ in group]
    starts = [run_name(run.path) for run in runs if run.manifest.get("best_epoch") == 0]
    if len(starts) < 2:
        return ""
    return (
        f"The best epoch of {', '.join(starts)} is 0, the start as a linear probe: "
        "their scores do not show what settings of the training do."
    )


def _only_split_anew(one: _Data, other: _Data) -> bool:
    """Return whether two runs have as many examples of one source, and settings that split anew."""
    before, after = ((x["dataset"], sum(x["examples"].values())) for x, _ in (one, other))
    (seed, fixed), (other_seed, other_fixed) = (
        (_seed_of_splits(each[1]), _fixed_splits(each[1])) for each in (one, other)
    )
    return before == after and (seed, fixed) != (other_seed, other_fixed)


def _seed_of_splits(values: dict[str, Any]) -> Any:
    own = values.get("split_seed")
    return values.get("seed") if own is None else own


def _fixed_splits(values: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(values.get(name) for name in _SPLITS)


def best_group(compared: dict[str, Any]) -> dict[str, Any]:
    """Return the group with the best mean."""
    best = min if less_is_better(compared["score"]) else max
    return dict(best(compared["groups"], key=lambda group: group["mean"]))


def _score_name(task: Task, found: list[Facts], score: str | None) -> str:
    """Return the metric that was asked for, or the default one of `compare`."""
    if score is None:
        return compared_metric(task, *(facts.settings.get("monitor") for facts in found))
    known = task.directions
    if score not in known:
        last = re.split("[_-]", score.lower())[-1]  # of macro_f1
        hint = did_you_mean(score, known) or did_you_mean(last, known)
        raise SettingError(
            f"`score` must be one of {', '.join(known)} for task={task.name}. "
            f"Received: score={score!r}.{hint}"
        )
    return score


def seeds_of_settings(runs: Sequence[Run]) -> list[list[Run]]:
    """Return runs in groups that differ only in their seed, finished or not."""
    groups = _by_settings([(run, read_facts(run)) for run in runs])
    return [[run for run, _ in members] for members in groups.values()]


def _by_settings(runs: Sequence[tuple[Run, Facts]]) -> dict[str, list[tuple[Run, Facts]]]:
    """Return runs by what the seeds of one fit have in common; an average is none of them."""
    groups: dict[str, list[tuple[Run, Facts]]] = {}
    for run, facts in runs:
        compared = {k: v for k, v in facts.settings.items() if k not in _NOT_COMPARED}
        key = json.dumps([facts.recipe, compared, "soup" in run.manifest], sort_keys=True)
        groups.setdefault(key, []).append((run, facts))
    return groups


def _describe(members: list[tuple[Run, Facts]], name: str, split: str) -> dict[str, Any]:
    scores = [facts.metrics[split][name] for _, facts in members]
    return {
        "runs": [str(run.path) for run, _ in members],
        "seeds": [facts.settings.get("seed") for _, facts in members],
        "scores": scores,
        "mean": statistics.fmean(scores),
        "spread": statistics.stdev(scores) if len(scores) > 1 else None,
        "examples": members[0][1].counts.get(split, 0),
    }


def _differences(base: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    names = [n for n in other if n not in _NOT_COMPARED and other[n] != base.get(n)]
    return {name: [base.get(name), other[name]] for name in names}


def _noise(*variances: float | None) -> float | None:
    """Return twice the standard error of a difference, None if a variance is unknown."""
    known = [variance for variance in variances if variance is not None]
    return 2 * math.sqrt(sum(known)) if len(known) == len(variances) else None


def _verdict(difference: float, noise: float | None, *, less: bool) -> str:
    if noise is None:
        return "unknown: fewer than 3 runs each (use --seeds 3)"
    if abs(difference) <= noise:
        return "within noise"
    return "better" if (difference > 0) != less else "worse"


def _variance(side: dict[str, Any], name: str, split: str) -> float | None:
    """Return the variance of a side's mean."""
    count = len(side["scores"])
    if count >= 3:
        return float(side["spread"] ** 2 / count)
    run = Run(Path(side["runs"][0]))
    labels = Labels.from_dict(run.labels)
    if labels.kind.interval == "wilson" and name == labels.kind.main_metric:
        return binomial_variance(side["mean"], side["examples"]) if side["examples"] else None
    arrays = read_predictions(run)
    if f"y_{split}" not in arrays or name == "loss":
        return None
    y, outputs = arrays[f"y_{split}"], arrays[f"outputs_{split}"]
    return score_variance(labels, name, side["mean"], y, outputs)
