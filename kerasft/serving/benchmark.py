"""Benchmark of runs and exported models: size, latency, score, agreement."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasft.config import Config
from kerasft.data import Examples, Labels, encode_examples, prepare_inputs
from kerasft.display import progress, status
from kerasft.errors import SettingError
from kerasft.evaluation.artifact import BATCH_SIZE, COLUMNS, Artifact, open_artifact
from kerasft.evaluation.load import Loaded, load_model, replace_columns
from kerasft.evaluation.other_data import as_dataset, other_examples
from kerasft.evaluation.own_data import own_split
from kerasft.evaluation.run_answers import run_answers
from kerasft.formatting import run_name
from kerasft.modalities import Modality, modality_of
from kerasft.paths import check_folder_name
from kerasft.runs import Run, load_run
from kerasft.runs.run import WEIGHTS
from kerasft.serving.examples import exact_products
from kerasft.serving.latency import MAX_CALLS, WARM_UP, measure_latency
from kerasft.serving.verdict import agreement, judge
from kerasft.tasks.intervals import resampled_scores, score_interval

_NOT_NEEDED_TO_ANSWER = ("README", "proof")  # names of files without which a model answers
_IN_MEMORY = 256  # examples whose answers are timed

Decided = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Subject:
    """A model to be measured.

    Attributes:
        path: Folder of the run or the exported version.
        format: `run`, or the kind of the exported model.
        size: Bytes on disk.
        model: The run in memory, or the exported model.
        run: Recipe and name of the run.
        proof: Record of the proof that an exported model answers as its run; None for a run and
            for a quantized graph.
        batch_size: Inputs of one call of an exported model.
    """

    path: Path
    format: str
    size: int
    model: Loaded | Artifact
    run: tuple[str, str]
    proof: Mapping[str, Any] | None
    batch_size: int = BATCH_SIZE

    @property
    def labels(self) -> Labels:
        """Task and class names."""
        return self.model.labels

    def in_batches(self, size: int) -> Subject:
        """Return the same model, which answers so many examples at once."""
        if isinstance(self.model, Artifact):
            return dataclasses.replace(self, batch_size=size)
        config = dataclasses.replace(self.model.config, batch_size=size)
        return dataclasses.replace(self, model=dataclasses.replace(self.model, config=config))

    def decide(self, examples: Examples) -> Decided:
        """Return the arrays of `Task.decide` for raw examples.

        Raises:
            DataError: An example cannot be read.
        """
        if isinstance(self.model, Artifact):
            return self.model.decide_examples(examples, self.batch_size)
        return run_answers(self.model, prepare_inputs(self.model.config, examples))[1]


def benchmark(
    models: Sequence[Run | str | Path] | Run | str | Path,
    *,
    dataset: Any = None,
    split: str = "test",
    columns: Mapping[str, str] | None = None,
    batch_sizes: Sequence[int] = (1, 32),
    runs_dir: str | Path = "runs",
) -> dict[str, Any]:
    """Measure size, latency, score and agreement of runs and exported models, in one table.

    The reference is the first run given, else the run that the first exported model names, else
    the first model. Latency is that of raw inputs in memory: encoded images or texts. It is the
    time of this process, without that of a server.

    Args:
        models: Runs, their folders or names as in `load_run`, or folders of exported models.
        dataset: Another dataset with the same classes, as for `evaluate`. By default that of the
            reference, if it is a run.
        split: Split of the reference's own dataset: `train`, `validation` or `test`.
        columns: Column names in the other dataset, by setting, as for `evaluate`.
        batch_sizes: Examples per call; throughput is that of the last one.
        runs_dir: Folder of runs.

    Returns:
        `score` (its name), `examples`, `reference` (its path), and `models`: for each, the
        reference first, `model` (path), `format`, `bytes` on disk (of a run its weights file),
        `latency` by batch size (`p50` and `p99` in milliseconds, `per_second`, `calls`), `score`
        with its `confidence_interval`, `agreement` with the reference (`equal`: share of equal
        predictions, `largest_difference` of probabilities or numbers) and `verdict` (see
        `kerasft.serving.verdict.judge`); both None for the reference.

    Raises:
        SettingError: A model was not found, has other classes, or there is no dataset.
        DataError: The data cannot be read.

    Example:
        >>> kerasft.benchmark(["latest", "saved_models/resnet_digits"])["models"][1]["verdict"]
    """
    if any(size < 1 for size in batch_sizes) or not batch_sizes:
        raise SettingError(f"`batch_sizes` must be whole numbers above 0. Received: {batch_sizes}.")
    given = [models] if isinstance(models, (str, Path, Run)) else list(models)
    if not given:
        raise SettingError("There are no models to measure. Name at least one run or export.")
    paths = _reference_first(given, runs_dir)
    first = _open(paths[0])
    for path in paths[1:]:
        _check_classes(path, first.labels)
    config, examples, y = _examples(first, dataset, split, columns)
    timed = _in_memory(modality_of(config), examples)
    rows = []
    reference: Decided = {}
    for number, path in enumerate(paths):
        subject = first if number == 0 else _open(path)
        status(f"measuring {run_name(subject.path)}")
        with exact_products():
            decided = _in_order(subject, first.labels, subject.decide(examples))
        row = _describe(subject, first.labels, y, decided)
        row["latency"] = _latencies(subject, timed, batch_sizes)
        if number:
            proof = subject.proof if subject.run == first.run else None
            row["agreement"] = agreement(first.labels, decided, reference)
            row["verdict"] = judge(first.labels, y, decided, reference, proof)
        else:
            reference = decided
        rows.append(row)
    name = first.labels.kind.main_metric
    return {"score": name, "examples": len(y), "reference": str(first.path), "models": rows}


def _reference_first(given: Sequence[Run | str | Path], runs_dir: str | Path) -> list[Path]:
    """Return the folders of all models, that of the reference first, each once."""
    found = [open_artifact(each) or load_run(each, runs_dir) for each in given]
    runs = [each for each in found if isinstance(each, Run)]
    if not runs:
        runs = [
            run for each in found if isinstance(each, Artifact) for run in _origin(each, runs_dir)
        ]
    return list(dict.fromkeys(each.path for each in [*runs[:1], *found]))


def _origin(artifact: Artifact, runs_dir: str | Path) -> list[Run]:
    """Return the run in `runs_dir` that an exported model names, if it exists.

    Loading it executes its recipe: a name that leads out of `runs_dir` is refused.
    """
    names = [str(artifact.manifest[name]) for name in ("recipe", "run")]
    try:
        for name in names:
            check_folder_name(name)
    except SettingError:
        return []
    path = Path(runs_dir, *names)
    return [Run(path)] if (path / WEIGHTS).is_file() else []


def _open(path: Path) -> Subject:
    artifact = open_artifact(path)
    if artifact is None:
        run = Run(path)
        size = run.weights.stat().st_size
        return Subject(path, "run", size, load_model(run), (run.recipe, run.name), None)
    manifest = artifact.manifest
    files = manifest["files"].items()
    size = sum(
        item["bytes"] for name, item in files if Path(name).stem not in _NOT_NEEDED_TO_ANSWER
    )
    origin = (manifest["recipe"], manifest["run"])
    # A quantized graph was proved against its own answers: its score decides.
    proof = None if manifest.get("quantize") else manifest["proof"]
    return Subject(artifact.path, manifest["kind"], size, artifact, origin, proof)


def _examples(
    subject: Subject, dataset: Any, split: str, columns: Mapping[str, str] | None
) -> tuple[Config, Examples, Any]:
    """Return the settings, examples and targets that all models are measured on."""
    model = subject.model
    if dataset is None:
        if isinstance(model, Artifact):
            raise SettingError(
                f"{subject.path} is an exported model, which has no data, and its run was not "
                "found. Give a dataset to measure it on: `dataset`."
            )
        part = own_split(Run(subject.path), model, split)
        return model.config, part.examples, part.y
    config = replace_columns(model.config, columns)
    other = as_dataset(config, dataset)
    config, examples = other_examples(config, other, columns or (), pairs=model.pairs)
    return config, examples, encode_examples(config, examples, subject.labels)


def _in_memory(modality: Modality, examples: Examples) -> Examples:
    """Return examples from the whole range as encoded images or texts in memory."""
    count = min(len(examples), _IN_MEMORY)
    chosen = examples.select(np.unique(np.linspace(0, len(examples) - 1, count).round()))
    raw = map(modality.raw_inputs, chosen.inputs, chosen.origins)
    inputs = [values[0] if len(values) == 1 else values for values in raw]
    return Examples(inputs, None, chosen.origins)


def _check_classes(path: Path, labels: Labels) -> None:
    """Refuse a model of another task or with other classes, before anything is measured.

    Raises:
        SettingError: It is such a model.
    """
    artifact = open_artifact(path)
    found = Labels.from_dict(Run(path).labels) if artifact is None else artifact.labels
    if found.task != labels.task or sorted(found.names) != sorted(labels.names):
        raise SettingError(
            f"{path} has another task or other classes than the first model. Name models of one "
            "task with the same classes."
        )


def _in_order(subject: Subject, labels: Labels, decided: Decided) -> Decided:
    """Return answers with the classes in the order of other labels."""
    names = subject.labels.names
    if names == labels.names:
        return decided
    order = [names.index(name) for name in labels.names]
    found = {name: decided[name][:, order] for name in COLUMNS if name in decided}
    if "best" in decided:
        found["best"] = np.argsort(order)[decided["best"]]
    return {**decided, **found}


def _describe(subject: Subject, labels: Labels, y: Any, decided: Decided) -> dict[str, Any]:
    """Return what is measured of one model, without its latency."""
    task = labels.kind
    predicted = task.predictions(decided)
    score = task.score(labels, y, predicted)[task.main_metric]
    interval = score_interval(task, score, len(y), y, predicted.reshape(len(y), -1))
    if interval is None:
        low, high = np.quantile(resampled_scores(task, y, predicted)[0], [0.025, 0.975])
        interval = float(low), float(high)
    return {
        "model": str(subject.path),
        "format": subject.format,
        "bytes": subject.size,
        "score": score,
        "confidence_interval": list(interval),
        "agreement": None,
        "verdict": None,
    }


def _latencies(
    subject: Subject, examples: Examples, batch_sizes: Sequence[int]
) -> dict[str, dict[str, float]]:
    calls = len(batch_sizes) * (WARM_UP + MAX_CALLS)
    with progress(f"timing {run_name(subject.path)}", calls) as bar:
        return {
            str(size): measure_latency(subject.in_batches(size).decide, examples, size, bar)
            for size in batch_sizes
        }
