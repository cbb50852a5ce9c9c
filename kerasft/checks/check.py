"""The audit of a recipe's data and the plan of its fit, without training."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

from kerasft.catalog import recipe_module
from kerasft.checks.plan import ModelPlan, Plan, plan_data, plan_model
from kerasft.config import Config, with_keywords
from kerasft.data import audit_source, load_recipe_data
from kerasft.data.audit import refuse_dropped
from kerasft.data_finding import LEVELS, DataFinding, by_level
from kerasft.display import shows_progress
from kerasft.downloads import find_downloads
from kerasft.formatting import counted
from kerasft.modalities import modality_of
from kerasft.offline import VARIABLE, is_offline
from kerasft.reachable_hosts import Download
from kerasft.seeds import set_seed


@dataclass(frozen=True, repr=False)
class Check:
    """What a check found.

    Attributes:
        findings: Problems and notes, the most important first. Each has a `name`, a `level`
            (`error`, `warning` or `note`), a `text`, the `count` of examples it is about, the
            origins of the first twenty as `examples`, and `changes` of settings or an `advice`.
        plan: Plan of the fit: `examples` by split, `steps_per_epoch`, `downloads`, and `model`:
            its `parameters`, the measured times of its `phases`, and `memory` and `disk`.
    """

    findings: tuple[DataFinding, ...]
    plan: Plan

    @property
    def ok(self) -> bool:
        """Whether nothing was found that would make training wrong."""
        return all(finding.level != "error" for finding in self.findings)

    def __repr__(self) -> str:
        counts = Counter(finding.level for finding in self.findings)
        words = [counted(counts[level], level) for level in LEVELS]
        return f"<Check: {', '.join(words)}>"


@shows_progress
def check(
    recipe: ModuleType | str,
    config: Config | None = None,
    *,
    runs_dir: str | Path = "runs",
    timing: bool = True,
    progress: bool = True,
    **settings: Any,
) -> Check:
    """Check the data of a recipe and plan its fit, without training.

    Nothing is downloaded. Where the fit needs a download first, the plan names it, and what
    cannot be checked without it is left out.

    Args:
        recipe: A recipe module, its name, or the path of its file.
        config: Settings of the recipe; its defaults where None.
        runs_dir: Folder of all runs, whose disk must have space.
        timing: Whether to build the model and time a few steps of each phase.
        progress: Whether to write progress to stderr.
        **settings: Settings by name, which replace those of `config`.

    Raises:
        SettingError: A setting is unknown or out of range, or the preset was not found.
        DataError: The data cannot be read.

    Example:
        >>> kerasft.check("resnet_digits", dataset="photos/").findings[0].text
    """
    module = recipe_module(recipe)
    config = with_keywords(module.Config, config, settings, signature(check).parameters)
    drop_bad = config.drop_bad
    config = dataclasses.replace(config, drop_bad=True)  # the audit goes on without bad examples
    downloads = find_downloads(module, config)
    set_seed(config.seed)
    refused = _refused(downloads.values())
    if "dataset" in downloads:
        return Check(refused, Plan({}, 0, tuple(downloads.values())))
    if "preset" in downloads:
        found, plan = _without_preset(module, config)
        found = _judged([*refused, *found], drop_bad=drop_bad)
        return Check(found, dataclasses.replace(plan, downloads=tuple(downloads.values())))
    data = load_recipe_data(module, config)
    plan, found = plan_data(config, data), _judged(data.findings, drop_bad=drop_bad)
    if not timing:
        return Check(found, plan)
    model = plan_model(module, config, data, runs_dir)
    findings = by_level([*found, *_needs(model)])
    return Check(tuple(findings), dataclasses.replace(plan, model=model))


def _refused(downloads: Iterable[Download]) -> tuple[DataFinding, ...]:
    """Return an error for each download that a fit needs and offline does not get."""
    if not is_offline():
        return ()
    advice = f"Fit once without --offline (or {VARIABLE}=1), or name what is on this machine."
    return tuple(
        DataFinding(
            "download",
            "error",
            f"Offline: {each.what} is not on this machine and must be downloaded from {each.host}.",
            advice=f"{advice} {each.instead}".strip(),
        )
        for each in downloads
    )


def _judged(findings: Sequence[DataFinding], *, drop_bad: bool) -> tuple[DataFinding, ...]:
    """Return findings in which unreadable examples are an error if they would not be left out."""
    return tuple(by_level(findings if drop_bad else refuse_dropped(findings)))


def _without_preset(module: ModuleType, config: Config) -> tuple[tuple[DataFinding, ...], Plan]:
    """Return what is found before a preset is downloaded, which tokenizes texts."""
    if not modality_of(config).prepared_by_preset:
        data = load_recipe_data(module, config)
        return data.findings, plan_data(config, data)
    if hasattr(module, "load_data"):
        return (), Plan({}, 0)
    findings, parts = audit_source(config)
    steps = math.ceil(len(parts["train"]) / config.batch_size)
    return tuple(findings), Plan({name: len(part) for name, part in parts.items()}, steps)


def _needs(model: ModelPlan) -> list[DataFinding]:
    """Return warnings if memory or disk are too small."""
    found = []
    for name, need, advice in (
        ("memory", model.memory, "Use a smaller batch_size, image_size or sequence_length."),
        ("disk", model.disk, "Free space, or give --runs-dir on another disk."),
    ):
        if need.total > need.free:
            text = (
                f"A fit needs {need.total / 1e9:.1f} GB of {name}; {need.free / 1e9:.1f} are free."
            )
            found.append(DataFinding(name, "warning", text, advice=advice))
    return found
