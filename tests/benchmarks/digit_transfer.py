"""How well the embedded ResNet transfers to handwritten digits from 1, 3 and 10 examples a class.

Its pretrained weights (rendered glyphs) are compared with random ones, each side in three ways:

    frozen        a linear head on the features of the frozen backbone
    full          a random head, and everything tuned at once
    two phases    the head of `frozen` first, then everything tuned

Each side, way and count chooses its settings from the same grid, by its error on development
images with development seeds; then it is measured once with each test seed on the test images.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

# TensorFlow reads both at its import, which the next lines bring about.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import numpy as np
import tensorflow as tf

import kerasft
from kerasft.data import read_dataset
from kerasft.modalities.image_decoding import prepare_images
from kerasft.recipes.resnet_digits import Config

SIDES = ("pretrained", "random")
WAYS = ("frozen", "full", "two phases")
CLASSES = 10
POOL = 1000  # the images before this one are for training and development, the others for the test
DEVELOPMENT_IMAGES = 400
BATCH_SIZE = 32


class HeadSetting(NamedTuple):
    """How a head is fitted; `statistics` of the normalization are `stored`, or `adapted` to x."""

    statistics: str
    standardize: bool
    learning_rate: float
    steps: int


class TuneSetting(NamedTuple):
    """How a whole network is tuned: normalized by the `batch`, or as it starts (`fixed`)."""

    learning_rate: float
    normalization: str


_GRID = (("stored", "adapted"), (False, True), (1e-3, 1e-2), (100, 400))
HEADS = tuple(HeadSetting(*values) for values in itertools.product(*_GRID))


class Protocol(NamedTuple):
    """What is measured, the same for both sides; `rates` are those of `full` and `two phases`."""

    counts: tuple[int, ...] = (1, 3, 10)
    development_seeds: Sequence[int] = range(100, 102)
    test_seeds: Sequence[int] = range(5)
    steps: int = 60
    heads: tuple[HeadSetting, ...] = HEADS
    rates: tuple[tuple[float, ...], ...] = ((3e-4, 1e-3, 3e-3, 1e-2), (1e-4, 3e-4, 1e-3, 3e-3))


QUICK = Protocol((1, 3), range(100, 101), range(2), 2, HEADS[::5], ((1e-3,), (3e-4,)))


class Task(NamedTuple):
    """One draw: the images to train on, and those to measure."""

    seed: int
    x: np.ndarray
    y: np.ndarray
    x_measured: np.ndarray
    y_measured: np.ndarray


def draw(images: np.ndarray, labels: np.ndarray, count: int, seed: int, *, test: bool) -> Task:
    """Returns `count` training images a class, and the test or other development images."""
    generator = np.random.default_rng(seed)
    of_class = [np.flatnonzero(labels[:POOL] == label) for label in range(CLASSES)]
    chosen = np.concatenate([generator.permutation(indices)[:count] for indices in of_class])
    rest = generator.permutation(np.setdiff1d(np.arange(POOL), chosen))
    measured = np.arange(POOL, len(labels)) if test else rest[:DEVELOPMENT_IMAGES]
    return Task(seed, images[chosen], labels[chosen], images[measured], labels[measured])


def fit_head(features: np.ndarray, y: np.ndarray, setting: HeadSetting) -> list[np.ndarray]:
    """Fits softmax regression from zero by Adam on all examples; returns kernel and bias."""
    mean, deviation = np.zeros(features.shape[1]), np.ones(features.shape[1])
    if setting.standardize:
        # The floor keeps a feature that hardly varies over few examples from being blown up.
        mean, deviation = features.mean(0), features.std(0) + 1e-2 * features.std() + 1e-6
    x = np.column_stack([(features - mean) / deviation, np.ones(len(features))])
    weights = np.zeros((x.shape[1], CLASSES))
    first = second = np.zeros_like(weights)
    for step in range(1, setting.steps + 1):
        scores = x @ weights
        likelihood = np.exp(scores - scores.max(axis=1, keepdims=True))
        likelihood /= likelihood.sum(axis=1, keepdims=True)
        gradient = x.T @ (likelihood - np.eye(CLASSES)[y]) / len(x)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        change = first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        weights = weights - setting.learning_rate * change
    kernel = weights[:-1] / deviation[:, np.newaxis]  # the standardization, folded in
    return [kernel, weights[-1] - mean @ kernel]


class Network:
    """The recipe's backbone and a linear head, built once and given new weights for each use.

    Tracing new graphs for each of some 200 trainings would take longer than the trainings.
    """

    def __init__(self) -> None:
        config = Config(augmentation="none")
        self.backbone = kerasft.load_backbone(config.preset)
        inputs, features = kerasft.image_features(self.backbone, config)
        self.head = keras.layers.Dense(CLASSES)
        self.extractor = keras.Model(inputs, features)
        self.model = keras.Model(inputs, self.head(features))
        self.optimizer = keras.optimizers.Adam(global_clipnorm=1.0)
        self.optimizer.build(self.model.trainable_variables)
        self.weights = {"pretrained": self.backbone.get_weights()}

    def reset(self, side: str, task: Task, statistics: str) -> None:
        """Gives the backbone the weights of a side; random ones belong to the task's seed."""
        name = side if side == "pretrained" else f"random {task.seed}"
        if name not in self.weights:
            keras.utils.set_random_seed(task.seed)
            backbone = kerasft.load_backbone(Config().preset, pretrained=False)
            self.weights[name] = backbone.get_weights()
        self.backbone.set_weights(self.weights[name])
        if statistics == "adapted":
            self._adapt(task.x)

    def _adapt(self, images: np.ndarray) -> None:
        kind = keras.layers.BatchNormalization
        momenta = {x: x.momentum for x in self.backbone.layers if isinstance(x, kind)}
        for layer in momenta:
            layer.momentum = 0.0  # the moving statistics become those of the next batch
        self.extractor(images, training=True)  # eager: a graph would keep its first momentum
        for layer, momentum in momenta.items():
            layer.momentum = momentum

    def features(self, images: np.ndarray) -> np.ndarray:
        """Returns the pooled features, shape (n, width)."""
        batches = np.split(images, range(200, len(images), 200))
        return np.concatenate([self._extract(tf.constant(batch)) for batch in batches])

    @tf.function(reduce_retracing=True)
    def _extract(self, images: Any) -> Any:
        return self.extractor(images, training=False)

    @tf.function(reduce_retracing=True)
    def _step(self, images: Any, labels: Any, training: bool) -> None:
        with tf.GradientTape() as tape:
            scores = self.model(images, training=training)
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, scores)
        variables = self.model.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)

    def tune(self, task: Task, setting: TuneSetting, steps: int) -> None:
        """Tunes backbone and head from where they are: Adam, warm-up of 5 steps, cosine decay."""
        for variable in self.optimizer.variables:
            variable.assign(keras.ops.zeros_like(variable))
        generator = np.random.default_rng(task.seed)
        size = min(len(task.x), BATCH_SIZE)
        order = np.empty(0, np.int64)
        for step in range(steps):
            if len(order) < size:
                order = generator.permutation(len(task.x))
            batch, order = order[:size], order[size:]
            decay = 0.5 * (1 + np.cos(np.pi * step / steps))
            self.optimizer.learning_rate = setting.learning_rate * min((step + 1) / 5, decay)
            in_batch = setting.normalization == "batch"
            self._step(tf.constant(task.x[batch]), tf.constant(task.y[batch]), in_batch)


class Benchmark:
    """The measurements of a protocol, as they come, in `results`."""

    def __init__(self, protocol: Protocol) -> None:
        examples = read_dataset(Config())["train"]
        self.digits = prepare_images(Config(), examples), np.array(examples.labels, np.int32)
        self.protocol, self.network, self.started = protocol, Network(), time.monotonic()
        self.normalizations: dict[tuple[str, str], list[str]] = {}
        self.frozen: dict[tuple[Any, ...], list[np.ndarray]] = {}
        self.results: list[dict[str, Any]] = []

    def run(self) -> None:
        """Measures everything."""
        # 3 a class goes first: it chooses the normalization for all counts, which saves time.
        for count in sorted(self.protocol.counts, key=lambda count: count != 3):
            for side in SIDES:
                head = self._measure(count, side, "frozen", self.protocol.heads)
                for way, rates in zip(WAYS[1:], self.protocol.rates, strict=True):
                    kinds = self.normalizations.get((side, way), ["batch", "fixed"])
                    settings = [TuneSetting(*both) for both in itertools.product(rates, kinds)]
                    best = self._measure(count, side, way, settings, head)
                    self.normalizations[side, way] = [best.normalization]

    def _measure(self, count: int, side: str, way: str, settings: Any, head: Any = None) -> Any:
        """Chooses a setting, notes its test accuracies, and returns it."""

        def errors_of(tried: Sequence[Any], seeds: Sequence[int], *, test: bool) -> np.ndarray:
            tasks = [draw(*self.digits, count, seed, test=test) for seed in seeds]
            return np.array([[self._error(side, way, t, s, head) for t in tasks] for s in tried])

        errors = errors_of(settings, self.protocol.development_seeds, test=False).mean(axis=1)
        best = settings[int(errors.argmin())]
        accuracies = 1 - errors_of([best], self.protocol.test_seeds, test=True)[0]
        result = {"count": count, "side": side, "way": way, "setting": str(best)}
        result |= {"mean": float(accuracies.mean()), "deviation": float(accuracies.std())}
        result["test_accuracies"] = accuracies.tolist()
        result["development"] = dict(zip(map(str, settings), (1 - errors).tolist(), strict=True))
        self.results.append(result)
        seconds = time.monotonic() - self.started
        print(f"[{seconds:4.0f} s] {count} {side} {way}: {_cell(result)} {best}", flush=True)
        return best

    def _error(self, side: str, way: str, task: Task, setting: Any, head: Any) -> float:
        head = head or setting  # every way starts from the statistics that suit the head
        features, measured = self._frozen_features(side, task, head.statistics)
        if way == "full":
            shape = (features.shape[1], CLASSES)
            weights = [np.random.default_rng(task.seed).normal(0, 0.06, shape), np.zeros(CLASSES)]
        else:
            weights = fit_head(features, task.y, head)
        if way != "frozen":
            self.network.reset(side, task, head.statistics)
            self.network.head.set_weights(weights)
            self.network.tune(task, setting, self.protocol.steps)
            weights = self.network.head.get_weights()
            measured = self.network.features(task.x_measured)
        kernel, bias = weights
        return float(np.mean((measured @ kernel + bias).argmax(axis=1) != task.y_measured))

    def _frozen_features(self, side: str, task: Task, statistics: str) -> list[np.ndarray]:
        key = (side, statistics, task.seed, len(task.x))
        if key not in self.frozen:
            self.network.reset(side, task, statistics)
            self.frozen[key] = [self.network.features(x) for x in (task.x, task.x_measured)]
        return self.frozen[key]


def _cell(result: dict[str, Any]) -> str:
    return f"{result['mean']:.3f} ± {result['deviation']:.3f}"


def error_ratios(results: list[dict[str, Any]]) -> dict[int, float]:
    """Returns for each count the error of the best pretrained way over that of the best random."""
    ratios = {}
    for count in sorted({result["count"] for result in results}):
        means = {(r["side"], r["way"]): r["mean"] for r in results if r["count"] == count}
        least = [1 - max(means[side, way] for way in WAYS) for side in SIDES]
        ratios[count] = least[0] / least[1]
    return ratios


def table(results: list[dict[str, Any]]) -> str:
    """Returns the test accuracies by side and way, a column for each count, and the ratios."""
    cells = {(result["side"], result["way"], result["count"]): _cell(result) for result in results}
    ratios = error_ratios(results)
    rows = [["test accuracy", *(f"{count} a class" for count in ratios)]]
    for side, way in itertools.product(SIDES, WAYS):
        rows.append([f"{side}, {way}", *(cells[side, way, count] for count in ratios)])
    rows.append(["error, pretrained / random", *(f"{ratio:.2f}" for ratio in ratios.values())])
    return "\n".join(f"{row[0]:27}" + "".join(f"{cell:>16}" for cell in row[1:]) for row in rows)


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="check in half a minute that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results to FILE")
    options = parser.parse_args()
    benchmark = Benchmark(QUICK if options.quick else Protocol())
    benchmark.run()
    print(f"\n{table(benchmark.results)}")
    if options.json:
        found = {"error_ratios": error_ratios(benchmark.results), "results": benchmark.results}
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
