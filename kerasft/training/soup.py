"""The greedy soup: the average of the weights of several fits, as one run.

Wortsman et al. 2022, "Model soups", arXiv 2203.05482: the fits are taken from the best on, and a
fit stays in the average if the validation score is not worse with it.
"""

from __future__ import annotations

import gc
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kerasft.config import Config
from kerasft.data import Data, Split
from kerasft.display import shows_progress, status
from kerasft.distribution.devices import Devices
from kerasft.errors import SettingError
from kerasft.evaluation.load import Loaded, load_model
from kerasft.evaluation.metrics import measure
from kerasft.evaluation.own_data import load_own_data
from kerasft.evaluation.predict import predict_arrays
from kerasft.formatting import number
from kerasft.frozen.feature_cache import PhaseInputs
from kerasft.insight import plot_curves
from kerasft.runs import Run, check_name, create_run, load_run, write_history, write_manifest
from kerasft.runs.weights import save_weights
from kerasft.setting_declaration import settings
from kerasft.tasks import compared_metric, less_is_better
from kerasft.training.compiled_models import CompiledModels
from kerasft.training.context import make_context
from kerasft.training.fit_record import measure_record, open_record
from kerasft.training.recorder import log_writer

# Entries of the manifest about the training, which is that of the best fit.
_KEPT = ("given", "best_epoch", "monitor", "linear_probe", "untrained", "head_start")
_Values = list[np.ndarray]


class _Score(NamedTuple):
    """A validation score; of two, the greater is the better."""

    metric: float  # negative where less is better
    loss: float  # negative
    value: float


@dataclass(frozen=True)
class Ingredient:
    """A fit that was offered to a soup.

    Attributes:
        run: Folder of its run.
        metric: What all fits monitor, unless that is the loss, else the main metric of the task.
        validation: Its validation score.
        average: Validation score of the average with it; of the best fit, its own.
        taken: Whether it is in the average.
        test: Its test score, not used for selection; None for a trial of a search and without a
            test split.
    """

    run: str
    metric: str
    validation: float
    average: float
    taken: bool
    test: float | None


@dataclass(frozen=True)
class _Fit:
    """A fit with its scores; its model is loaded where it is needed."""

    run: Run
    score: _Score
    test: float | None


@shows_progress
def average(
    runs: Sequence[Run | str | Path],
    *,
    runs_dir: str | Path = "runs",
    name: str | None = None,
    progress: bool = True,
) -> Run:
    """Average the weights of several fits of one recipe into a new run: a greedy soup.

    The fits are taken from the best on by their validation score: the metric that all of them
    monitor, unless that is the loss, else the main metric of the task; ties by the loss. A fit
    stays in the average if the validation score is not worse with it. On the validation split, the
    average is never worse than the best fit. If no other fit helps, it is the best fit.

    Args:
        runs: At least two finished runs, as `load_run` takes them, or trials of a search whose
            weights are stored (`Search.best_runs`). They need the same recipe, preset, classes and
            splits, and inputs of the same size; fits with several seeds have the same splits if
            `split_seed` is set. Rates, dropout and the number of trained blocks may differ.
        runs_dir: Folder of all runs.
        name: Name of the run folder; a timestamp by default.
        progress: Whether to write progress to stderr.

    Returns:
        A run with the settings and the history of the best fit, the averaged weights, and metrics
        of its own. `run.manifest["soup"]` lists the fits.

    Raises:
        SettingError: Fewer than two runs are given, they cannot be averaged, or the name is taken.
        DataError: The data have changed since the fits.
        DamagedFileError: A file of a run is missing or damaged.

    Example:
        >>> runs = [kerasft.fit("resnet_digits", seed=n, split_seed=0) for n in range(3)]
        >>> kerasft.average(runs).metrics["validation"]["accuracy"]
    """
    began, found = time.monotonic(), [load_run(run) for run in runs]
    _check_alike(found)
    check_name(runs_dir, found[0].recipe, name)
    first = load_model(found[0])
    data = load_own_data(found[0], first)
    metric = compared_metric(first.labels.kind, *(run.config.get("monitor") for run in found))
    fits = [_offer(found[0], first, data, metric)]
    for run in found[1:]:  # one model at a time beside the first
        fits.append(_offer(run, _load_alike(run, found[0], first, data), data, metric))
        gc.collect()  # Keras' graphs have reference cycles
    del first
    fits.sort(key=lambda fit: fit.score, reverse=True)
    best = load_model(fits[0].run)
    ingredients = _mix(fits, best, data, metric)
    with _new_folder(Path(runs_dir)) as made:
        _record(made, fits[0].run, best, data, ingredients, began)
        folder = create_run(runs_dir, found[0].recipe, name).path
        shutil.rmtree(folder)  # empty, or what a fit that was killed at its start has left
        made.path.rename(folder)
    run = Run(folder)
    plot_curves(run, folder / "curves.png")  # with the name of the run
    return run


def _check_alike(runs: Sequence[Run]) -> None:
    """Refuse what cannot be averaged, or not be compared on one validation split."""
    if len(runs) < 2:
        raise SettingError(f"An average needs at least two runs. Received: {len(runs)}.")
    for run in runs:
        if run.state != "done":
            raise SettingError(f"{run.path} is {run.state}: only finished fits can be averaged.")
    first, *others = runs
    for run in others:
        differing = [name for name, value in _facts(run).items() if value != _facts(first)[name]]
        if differing:
            hint = " Fit them on the same dataset with the same `split_seed`."
            raise SettingError(
                f"{first.path} and {run.path} cannot be averaged: their {differing[0]} differ."
                f"{hint if differing[0] == 'splits' else ''}"
            )


def _facts(run: Run) -> dict[str, object]:
    """Return what must be equal in all runs."""
    manifest = run.manifest
    weights = {key: value for key, value in manifest["weights"].items() if key != "stored"}
    return {
        "recipes": manifest["recipe"]["sha256"],
        "classes": run.labels,
        "presets": weights,
        "splits": manifest["data"]["fingerprint"],
    }


def _load_alike(run: Run, first: Run, of_first: Loaded, data: Data) -> Loaded:
    """Load the model of a fit; refuse one of another architecture, or with other inputs."""
    loaded, both = load_model(run), f"{first.path} and {run.path} cannot be averaged"
    if _shapes(loaded) != _shapes(of_first):
        raise SettingError(
            f"{both}: their models differ, as by `lora_rank` or another head. Average fits of one "
            "architecture."
        )
    inputs, expected = (_input_settings(one.config, data) for one in (loaded, of_first))
    if other := [name for name in inputs if inputs[name] != expected.get(name)]:
        raise SettingError(f"{both}: they differ in `{other[0]}`, so their inputs differ.")
    return loaded


def _shapes(loaded: Loaded) -> list[Any]:
    return [variable.shape for variable in loaded.model.weights]


def _input_settings(config: Config, data: Data) -> dict[str, Any]:
    """Return the settings that decide what an example becomes, by name."""
    found = {
        name: item.read(config)
        for name, item in settings(config).items()
        if item.affects == "data" and item.searchable
    }
    # Where a recipe renders its examples, the seed decides them too.
    return found if isinstance(data.train, Split) else {**found, "seed": config.seed}


def _offer(run: Run, loaded: Loaded, data: Data, metric: str) -> _Fit:
    """Return a fit with its measured validation score and its recorded test score."""
    test = run.metrics.get("test", {}).get(metric)
    return _Fit(run, _score(loaded, data, metric), None if test is None else float(test))


def _score(loaded: Loaded, data: Data, metric: str) -> _Score:
    part, config = data.validation, loaded.config
    assert part is not None  # no fit goes without
    outputs = predict_arrays(loaded.model, part.x, config.batch_size, title="validating")
    found = measure(config, loaded.labels, part.y, outputs)
    value = float(found[metric])
    return _Score(-value if less_is_better(metric) else value, -float(found["loss"]), value)


def _mix(fits: Sequence[_Fit], model: Loaded, data: Data, metric: str) -> list[Ingredient]:
    """Average fits, the best first, in the model of the best; return the ingredients."""
    best, *others = fits
    total, count, score = _values(model), 1, best.score
    found = [_ingredient(best, metric, score, taken=True)]
    for fit in others:
        status(f"averaging with {fit.run.path}")
        values = _values(load_model(fit.run))
        gc.collect()
        with_it = [one + other for one, other in zip(total, values, strict=True)]
        _assign(model, with_it, count + 1)
        together = _score(model, data, metric)
        taken = together >= score
        found.append(_ingredient(fit, metric, together, taken=taken))
        if taken:
            total, count, score = with_it, count + 1, together
    _assign(model, total, count)
    return found


def _values(loaded: Loaded) -> _Values:
    """Return the values of all weights of a model, in double precision."""
    return [variable.numpy().astype("float64") for variable in loaded.model.weights]


def _ingredient(fit: _Fit, metric: str, together: _Score, *, taken: bool) -> Ingredient:
    path = str(fit.run.path.absolute())
    return Ingredient(path, metric, fit.score.value, together.value, taken, fit.test)


def _assign(loaded: Loaded, total: _Values, count: int) -> None:
    for variable, values in zip(loaded.model.weights, total, strict=True):
        variable.assign((values / count).astype(variable.numpy().dtype))


@contextmanager
def _new_folder(runs_dir: Path) -> Iterator[Run]:
    """Make a hidden folder, which is no run yet; it is removed if the average is interrupted."""
    folder = runs_dir / f".average-{uuid.uuid4().hex}"
    folder.mkdir(parents=True)
    try:
        yield Run(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _record(
    made: Run,
    best: Run,
    loaded: Loaded,
    data: Data,
    ingredients: Sequence[Ingredient],
    began: float,
) -> None:
    """Write the record of an average: that of the best fit, with other weights and metrics."""
    manifest, log = best.manifest, log_writer(made)
    config = replace(loaded.config, precision=best.config["precision"])  # of the training
    context = make_context(config, data, CompiledModels(loaded.model))
    context = context.in_run(made, log, Devices())
    open_record(made, loaded.recipe, context)
    write_history(made, best.history)
    whole = {**manifest["weights"], "stored": "all"}  # the fits may have trained other blocks
    offered = [asdict(one) for one in ingredients]
    kept = {name: manifest[name] for name in _KEPT if name in manifest}
    write_manifest(made, **kept, weights=whole, soup=offered)
    weights = loaded.model.weights
    save_weights(made, weights, [variable.numpy() for variable in weights])
    for one in ingredients:
        taken = "taken" if one.taken else "left out"
        log(f"soup   {one.run}: {number(one.validation)}, with it {number(one.average)}: {taken}")
    # A recipe may make its training examples while it trains.
    train = data.train.x if isinstance(data.train, Split) else None
    inputs = PhaseInputs(context.model, train, data.validation and data.validation.x)
    measure_record(made, context, inputs, began)
