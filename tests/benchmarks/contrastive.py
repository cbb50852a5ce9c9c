"""Does a contrastive phase help with few texts? Test accuracy of a linear probe after one.

The supervised contrastive loss (Khosla et al. 2020, arXiv 2004.11362) trains the top block of
MiniLM from cached lower features, then a logistic regression is fitted on the new features; `none`
is one on frozen features. Banking77 with 8 messages per class, drawn as in
`tests.benchmarks.accuracy`; DATA has `banking77/` (train, test).
"""

from __future__ import annotations

import os
import statistics
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.plain import read_values
from tests.benchmarks.series import fits_in_folder, series_parser
from tests.benchmarks.ways import take

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

WAYS = ("none", "contrastive")
TEMPERATURE, BATCH, TOGETHER = 0.07, 64, 4
SETTINGS = {"feature_norm": "rms", "head_start": "linear", "trainable_blocks": 1, "epochs": 8}


def class_groups(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns an order of examples in which up to four of a class stand together."""
    groups = []
    for label in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == label))
        groups += [rows[first : first + TOGETHER] for first in range(0, len(rows), TOGETHER)]
    return np.concatenate([groups[index] for index in rng.permutation(len(groups))])


def contrastive_loss(y: Any, vectors: Any) -> Any:
    """Returns the loss of every vector of a batch, 0 for the only one of its class."""
    from keras import ops

    y, itself = ops.reshape(y, (-1,)), ops.eye(ops.shape(vectors)[0])
    same = ops.cast(y[:, None] == y[None], "float32") - itself
    cosines = vectors @ ops.transpose(vectors) / TEMPERATURE - 1e9 * itself
    logarithms = cosines - ops.logsumexp(cosines, axis=1, keepdims=True)
    return -ops.sum(same * logarithms, axis=1) / ops.maximum(ops.sum(same, axis=1), 1)


def contrast(context: Any, inputs: Any) -> None:
    """Trains the top block with the loss."""
    import keras

    from kerasft.data.batches import Batches
    from kerasft.models import with_features
    from kerasft.training.optimizers.schedules import make_optimizer
    from kerasft.training.phases import phase_schedule

    class Grouped(Batches):
        def _random_order(self, used: np.ndarray, rng: np.random.Generator) -> np.ndarray:
            return class_groups(self.y, rng)

    config, data = context.config, context.data
    tail = with_features(inputs.model)
    vectors = keras.layers.UnitNormalization()(tail.output[1])
    model = keras.Model(tail.input, vectors)
    schedule = phase_schedule(config, data, context.phases[-1])
    model.compile(make_optimizer(config, schedule), contrastive_loss)
    batches = Grouped(inputs.train, data.train.y, batch_size=BATCH, seed=config.seed, shuffle=True)
    model.fit(batches, epochs=config.epochs, shuffle=False, verbose=0)


def measure(name: str, seed: int, a: Namespace, made: Path) -> dict[str, Any]:
    """Returns the test accuracy and the time of training."""
    import keras

    from kerasft.catalog import load_recipe
    from kerasft.data import load_recipe_data
    from kerasft.evaluation.metrics import measure as scores_of
    from kerasft.evaluation.predict import predict_arrays
    from kerasft.seeds import set_seed
    from kerasft.training.compiled_models import CompiledModels
    from kerasft.training.context import make_context, make_phase_inputs
    from kerasft.training.head_features import HeadFeatures
    from kerasft.training.head_start import start_head

    recipe = load_recipe("minilm_tickets")
    dataset = take(a.data / "banking77" / "train.csv", 8, seed, made)
    settings = {**SETTINGS, **read_values(recipe, a.set)}
    config = recipe.Config(seed=seed, dataset=dataset, **settings)
    set_seed(seed)
    prepared = load_recipe_data(recipe, config)
    models = CompiledModels(recipe.build_model(config, prepared))
    context = make_context(config, prepared, models)
    inputs = make_phase_inputs(context)["main"]
    began = time.monotonic()
    if name == "contrastive":
        contrast(context, inputs)
    start_head(context, HeadFeatures(context, inputs))
    seconds = round(time.monotonic() - began, 1)
    outputs = predict_arrays(context.model, prepared.test.x)
    found = scores_of(config, prepared.labels, prepared.test.y, outputs)
    keras.backend.clear_session()
    return {"accuracy": found["accuracy"], "seconds": seconds}


def show(found: list[dict[str, Any]], names: list[str]) -> None:
    """Prints the table."""
    print("| training before the probe | test accuracy (each seed) | seconds |\n|---|---|---|")
    for name in names:
        fits = [fit for fit in found if fit["set"] == name]
        scores = [fit["accuracy"] for fit in fits]
        spread = f" ± {statistics.stdev(scores):.3f}" if len(scores) > 1 else ""
        each = ", ".join(f"{score:.3f}" for score in scores)
        seconds = statistics.fmean(fit["seconds"] for fit in fits)
        print(f"| {name} | {statistics.fmean(scores):.3f}{spread} ({each}) | {seconds:.0f} |")


def main() -> None:
    """Trains what is missing and prints the table."""
    a = series_parser(__doc__, only=",".join(WAYS), seeds="0,1,2,3,4").parse_args()
    names = a.only.split(",")
    show(fits_in_folder(a, names, measure), names)


if __name__ == "__main__":
    main()
