"""The greedy soup: the average of the weights of several fits, as one run.

Wortsman et al. 2022, "Model soups", arXiv 2203.05482: the fits are taken from the best on, and a
fit stays in the average if the validation score is not lower with it.
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

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
from kerasft.runs import (
    RECIPE,
    Run,
    check_name,
    create_run,
    load_run,
    write_manifest,
    write_recipe,
)
from kerasft.runs.provenance import current_time, versions
from kerasft.runs.weights import save_weights
from kerasft.training.compiled_models import CompiledModels
from kerasft.training.context import make_context
from kerasft.training.fit_record import measure_record
from kerasft.training.recorder import log_writer

# Of the best fit, whose record that of the average begins with.
_COPIED = ("config.json", "labels.json", "dropped.json", "history.json", "history.csv")
# Validation score and negative loss: higher is better.
_Score = tuple[float, float]
_Values = list[np.ndarray]


@dataclass(frozen=True)
class Ingredient:
    """A fit that was offered to a soup.

    Attributes:
        run: Folder of its run.
        score: Its validation score by the main metric of the task.
        together: Validation score of the average with it; of the best fit, its own.
        taken: Whether it is in the average.
        test: Its test score, which chooses nothing; None for a trial of a search and without a test
            split.
    """

    run: str
    score: float
    together: float
    taken: bool
    test: float | None


@dataclass(frozen=True)
class _Fit:
    """A fit in memory, and its validation score."""

    run: Run
    loaded: Loaded
    score: _Score

    @property
    def values(self) -> _Values:
        """Values of all weights of its model, in double precision."""
        return [variable.numpy().astype("float64") for variable in self.loaded.model.weights]

    @property
    def test(self) -> float | None:
        """Its recorded test score by the main metric of the task."""
        found = self.run.metrics.get("test", {}).get(self.loaded.labels.kind.main_metric)
        return None if found is None else float(found)


@shows_progress
def average(
    runs: Sequence[Run | str | Path],
    *,
    runs_dir: str | Path = "runs",
    name: str | None = None,
    progress: bool = True,
) -> Run:
    """Average the weights of several fits of one recipe into a new run: a greedy soup.

    The fits are taken from the best on by their validation score (the main metric of the task, ties
    by the loss). A fit stays in the average if the validation score is not lower with it, so there
    the average is never below the best fit. It is the best fit alone where no other helps.

    Args:
        runs: At least two finished runs, as `load_run` takes them, or trials of a search whose
            weights are stored (`Search.best_runs`). They need the same recipe, preset, classes and
            splits; fits with several seeds have the same splits if `split_seed` is set. Rates,
            dropout and the number of trained blocks may differ.
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
    models = [load_model(run) for run in found]
    data = load_own_data(found[0], models[0])
    scored = [
        _Fit(run, loaded, _score(loaded, data)) for run, loaded in zip(found, models, strict=True)
    ]
    fits = sorted(scored, key=lambda fit: fit.score, reverse=True)
    _check_shapes(fits)
    ingredients = _mix(fits, data)
    with _new_folder(Path(runs_dir)) as made:
        _record(made, fits[0], data, ingredients, began)
        folder = create_run(runs_dir, found[0].recipe, name).path
        made.path.replace(folder)  # empty until now
    return Run(folder)


_ALIKE = {
    "recipe": "recipes differ.",
    "preset": "presets differ.",
    "classes": "classes differ.",
    "splits": "splits differ. Fit them on the same dataset with the same `split_seed`.",
}


def _check_alike(runs: Sequence[Run]) -> None:
    """Refuse what cannot be averaged, or not be compared on one validation split."""
    if len(runs) < 2:
        raise SettingError(f"An average needs at least two runs. Received: {len(runs)}.")
    first, *others = runs
    for run in others:
        for name, difference in _ALIKE.items():
            if _facts(run)[name] != _facts(first)[name]:
                raise SettingError(
                    f"{first.path} and {run.path} cannot be averaged: their {difference}"
                )


def _facts(run: Run) -> dict[str, object]:
    """Return what must be equal in all runs."""
    manifest = run.manifest
    weights = {key: value for key, value in manifest["weights"].items() if key != "stored"}
    return {
        "recipe": manifest["recipe"]["sha256"],
        "classes": run.labels,
        "preset": weights,
        "splits": manifest["data"]["fingerprint"],
    }


def _check_shapes(fits: Sequence[_Fit]) -> None:
    """Refuse models whose weights are not those of one architecture."""
    first, *others = fits
    shapes = [variable.shape for variable in first.loaded.model.weights]
    for fit in others:
        if [variable.shape for variable in fit.loaded.model.weights] != shapes:
            raise SettingError(
                f"{first.run.path} and {fit.run.path} cannot be averaged: their models differ, as "
                "by `lora_rank` or another head. Average fits of one architecture."
            )


def _score(loaded: Loaded, data: Data) -> _Score:
    part, config = data.validation, loaded.config
    assert part is not None  # no fit goes without
    outputs = predict_arrays(loaded.model, part.x, config.batch_size, title="validating")
    found = measure(config, loaded.labels, part.y, outputs)
    return float(found[loaded.labels.kind.main_metric]), -float(found["loss"])


def _mix(fits: Sequence[_Fit], data: Data) -> list[Ingredient]:
    """Average fits, the best first, in the model of the best; return what became of each."""
    best, *others = fits
    total, count, score = best.values, 1, best.score
    found = [Ingredient(str(best.run.path), score[0], score[0], True, best.test)]
    for fit in others:
        status(f"averaging with {fit.run.path}")
        with_it = [one + other for one, other in zip(total, fit.values, strict=True)]
        _assign(best.loaded, with_it, count + 1)
        together = _score(best.loaded, data)
        taken = together >= score
        found.append(Ingredient(str(fit.run.path), fit.score[0], together[0], taken, fit.test))
        if taken:
            total, count, score = with_it, count + 1, together
    _assign(best.loaded, total, count)
    return found


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
    made: Run, best: _Fit, data: Data, ingredients: Sequence[Ingredient], began: float
) -> None:
    """Write the record of an average: that of the best fit, with other weights and metrics."""
    loaded, manifest, log = best.loaded, best.run.manifest, log_writer(made)
    for name in _COPIED:
        if (best.run.path / name).exists():
            shutil.copyfile(best.run.path / name, made.path / name)
    source = best.run.recipe_source
    own = {
        "state": "running",
        "created": current_time(),
        "versions": versions(),
        "files": {} if source is None else {RECIPE: write_recipe(made, source)},
        "weights": {**manifest["weights"], "stored": "all"},
        "soup": [asdict(one) for one in ingredients],
    }
    write_manifest(made, **{name: manifest[name] for name in manifest if name != "speed"} | own)
    weights = loaded.model.weights
    save_weights(made, weights, [variable.numpy() for variable in weights])
    for one in ingredients:
        log(soup_line(one))
    context = make_context(loaded.config, data, CompiledModels(loaded.model))
    context = context.in_run(made, log, Devices())
    # A recipe may make its training examples while it trains.
    train = data.train.x if isinstance(data.train, Split) else None
    inputs = PhaseInputs(context.model, train, data.validation and data.validation.x)
    measure_record(made, context, inputs, began)


def soup_line(one: Ingredient) -> str:
    """Return the line of the log about a fit that was offered."""
    taken = "taken" if one.taken else "left out"
    return f"soup   {one.run}: {number(one.score)}, with it {number(one.together)}: {taken}"
