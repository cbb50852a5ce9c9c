"""How well the embedded ResNet transfers to handwritten digits from 1, 3 and 10 examples a class.

    python -m tests.benchmarks.digit_transfer [--quick] [--json FILE]

Its pretrained weights (rendered glyphs) are compared with random ones, each side in three ways:

    frozen        a linear head on the features of the frozen backbone
    full          a random head, and everything tuned at once
    two phases    the head of `frozen` first, then everything tuned

Each side, way and count chooses its settings from the same grid, by its error on development
images with development seeds. Test images are looked at once for each test seed.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

# TensorFlow reads both at its import, which the next lines bring about.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import numpy as np
import tensorflow as tf

import kerasft
from kerasft.data import read_dataset
from kerasft.data.images import prepare_images
from kerasft.recipes.resnet_digits import Config

SIDES = ("pretrained", "random")
WAYS = ("frozen", "full", "two phases")
CLASSES = 10
TRAINING_POOL = 1000  # the images before this one train and develop, those from it on test
DEVELOPMENT_IMAGES = 400
SettingType = TypeVar("SettingType", bound=Hashable)


@dataclass(frozen=True)
class HeadSetting:
    """How a linear head is fitted.

    Attributes:
        statistics: Of the BatchNormalization: `stored` with the weights, or `adapted` to the
            training images. `full` and `two phases` start from the same.
        standardize: Whether features are brought to mean 0 and deviation 1.
        learning_rate: Of Adam on all examples at once.
        steps: Of Adam.
    """

    statistics: str
    standardize: bool
    learning_rate: float
    steps: int


@dataclass(frozen=True)
class TuneSetting:
    """How a whole network is tuned.

    Attributes:
        learning_rate: Its peak.
        normalization: By the statistics of the `batch`, or by those it starts with (`fixed`).
    """

    learning_rate: float
    normalization: str


@dataclass(frozen=True)
class Protocol:
    """What is measured, the same for both sides. One step of the grid is about a factor of 3."""

    counts: tuple[int, ...] = (1, 3, 10)
    development_seeds: tuple[int, ...] = (100, 101)
    test_seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    steps: int = 60
    batch_size: int = 32
    head_rates: tuple[float, ...] = (1e-3, 1e-2)
    head_steps: tuple[int, ...] = (100, 400)
    full_rates: tuple[float, ...] = (3e-4, 1e-3, 3e-3, 1e-2)
    two_phase_rates: tuple[float, ...] = (1e-4, 3e-4, 1e-3, 3e-3)

    def head_settings(self) -> list[HeadSetting]:
        """Returns the grid of the head."""
        choices = (("stored", "adapted"), (False, True), self.head_rates, self.head_steps)
        return [HeadSetting(*values) for values in itertools.product(*choices)]

    def tune_settings(self, way: str, normalizations: Iterable[str]) -> list[TuneSetting]:
        """Returns the grid of `full` or `two phases`."""
        rates = self.full_rates if way == "full" else self.two_phase_rates
        return [TuneSetting(*values) for values in itertools.product(rates, normalizations)]


QUICK = Protocol(
    counts=(1, 3),
    development_seeds=(100,),
    test_seeds=(0, 1),
    steps=2,
    head_rates=(1e-2,),
    head_steps=(100,),
    full_rates=(1e-3,),
    two_phase_rates=(3e-4,),
)


@dataclass(frozen=True)
class Task:
    """One draw: what is trained on, and what is measured."""

    seed: int
    x: np.ndarray
    y: np.ndarray
    x_measured: np.ndarray
    y_measured: np.ndarray


class Digits:
    """scikit-learn's digits as the recipe resnet_digits prepares them, divided by position."""

    def __init__(self) -> None:
        config = Config()
        examples = read_dataset(config)["train"]
        self.x = prepare_images(config, examples)
        self.y = np.array(examples.labels, np.int32)

    def draw(self, count: int, seed: int, *, test: bool) -> Task:
        """Returns `count` training images a class, and the test or other development images."""
        generator = np.random.default_rng(seed)
        pool = self.y[:TRAINING_POOL]
        chosen = np.concatenate(
            [generator.permutation(np.flatnonzero(pool == c))[:count] for c in range(CLASSES)]
        )
        rest = np.setdiff1d(np.arange(TRAINING_POOL), chosen)
        development = generator.permutation(rest)[:DEVELOPMENT_IMAGES]
        measured = np.arange(TRAINING_POOL, len(self.y)) if test else development
        return Task(seed, self.x[chosen], self.y[chosen], self.x[measured], self.y[measured])


@dataclass(frozen=True)
class LinearHead:
    """A linear layer on features; any standardization is folded into it."""

    kernel: np.ndarray
    bias: np.ndarray

    def error(self, features: np.ndarray, y: np.ndarray) -> float:
        """Returns the share of wrong classes."""
        return float(np.mean(np.argmax(features @ self.kernel + self.bias, axis=1) != y))


def fit_head(features: np.ndarray, y: np.ndarray, setting: HeadSetting) -> LinearHead:
    """Fits softmax regression from zero: Adam on all examples at once."""
    mean, deviation = np.zeros(features.shape[1]), np.ones(features.shape[1])
    if setting.standardize:
        # The floor keeps a feature that hardly varies over few examples from being blown up.
        mean, deviation = features.mean(0), features.std(0) + 1e-2 * features.std() + 1e-6
    x = np.column_stack([(features - mean) / deviation, np.ones(len(features))])
    targets = np.eye(CLASSES)[y]
    weights = np.zeros((x.shape[1], CLASSES))
    first = second = np.zeros_like(weights)
    for step in range(1, setting.steps + 1):
        scores = x @ weights
        likelihood = np.exp(scores - scores.max(axis=1, keepdims=True))
        likelihood /= likelihood.sum(axis=1, keepdims=True)
        gradient = x.T @ (likelihood - targets) / len(x)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        change = first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        weights = weights - setting.learning_rate * change
    kernel = weights[:-1] / deviation[:, np.newaxis]
    return LinearHead(kernel, weights[-1] - mean @ kernel)


class Network:
    """The recipe's backbone and a linear head, compiled once and given new weights for each use.

    Tracing the graphs again for each of some 200 trainings would take longer than the trainings.

    Args:
        batch_size: Of tuning, where there are as many examples.
    """

    def __init__(self, batch_size: int) -> None:
        config = Config(augmentation="none")
        self.preset, self.batch_size = config.preset, batch_size
        self.backbone = kerasft.load_backbone(self.preset)
        inputs, features = kerasft.image_features(self.backbone, config)
        self.dense = keras.layers.Dense(CLASSES)
        self.extractor = keras.Model(inputs, features)
        self.model = keras.Model(inputs, self.dense(features))
        self.weights = {("pretrained", 0): self.backbone.get_weights()}
        self.optimizer = keras.optimizers.Adam(global_clipnorm=1.0)
        self.optimizer.build(self.model.trainable_variables)
        images = tf.TensorSpec((None, *inputs.shape[1:]), tf.uint8)
        signature = [images, tf.TensorSpec((None,), tf.int32)]
        self._extract = tf.function(lambda x: self.extractor(x, training=False), [images])
        self._predict = tf.function(lambda x: self.model(x, training=False), [images])
        self._steps = {
            "batch": tf.function(lambda x, y: self._step(x, y, True), signature),
            "fixed": tf.function(lambda x, y: self._step(x, y, False), signature),
        }

    def _step(self, x: Any, y: Any, training: bool) -> None:
        with tf.GradientTape() as tape:
            scores = self.model(x, training=training)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, scores))
        variables = self.model.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)

    def reset(self, side: str, task: Task, statistics: str) -> None:
        """Gives the backbone the weights of a side; random ones belong to the task's seed."""
        key = (side, 0 if side == "pretrained" else task.seed)
        if key not in self.weights:
            keras.utils.set_random_seed(task.seed)
            backbone = kerasft.load_backbone(self.preset, pretrained=False)
            self.weights[key] = backbone.get_weights()
        self.backbone.set_weights(self.weights[key])
        if statistics == "adapted":
            self._adapt(task.x)

    def _adapt(self, x: np.ndarray) -> None:
        """Sets the statistics of every BatchNormalization to those of the images."""
        kind = keras.layers.BatchNormalization
        momenta = {layer: layer.momentum for layer in self.backbone.layers if type(layer) is kind}
        for layer in momenta:
            layer.momentum = 0.0
        self.extractor(x, training=True)  # not compiled: a graph would keep its first momentum
        for layer, momentum in momenta.items():
            layer.momentum = momentum

    def features(self, x: np.ndarray) -> np.ndarray:
        """Returns the pooled features of images."""
        return _in_batches(self._extract, x)

    def error(self, x: np.ndarray, y: np.ndarray) -> float:
        """Returns the share of wrong classes."""
        return float(np.mean(np.argmax(_in_batches(self._predict, x), axis=1) != y))

    def tune(self, task: Task, head: LinearHead, setting: TuneSetting, steps: int) -> None:
        """Tunes everything from the present backbone and a head: Adam, warm-up, cosine decay."""
        self.dense.set_weights([head.kernel, head.bias])
        for variable in self.optimizer.variables:
            variable.assign(keras.ops.zeros_like(variable))
        generator = np.random.default_rng(task.seed)
        size = min(len(task.x), self.batch_size)
        order = np.empty(0, np.int64)
        for step in range(steps):
            if len(order) < size:
                order = generator.permutation(len(task.x))
            batch, order = order[:size], order[size:]
            decay = 0.5 * (1 + np.cos(np.pi * step / steps))
            self.optimizer.learning_rate = setting.learning_rate * min((step + 1) / 5, decay)
            run = self._steps[setting.normalization]
            run(tf.constant(task.x[batch]), tf.constant(task.y[batch]))


def _in_batches(function: Callable[[Any], Any], x: np.ndarray, size: int = 200) -> np.ndarray:
    starts = range(0, len(x), size)
    return np.concatenate([function(tf.constant(x[at : at + size])).numpy() for at in starts])


class Benchmark:
    """All measurements of a protocol.

    Args:
        protocol: What is measured.
    """

    def __init__(self, protocol: Protocol) -> None:
        self.protocol, self.started = protocol, time.monotonic()
        self.digits, self.network = Digits(), Network(protocol.batch_size)
        self.results: list[dict[str, Any]] = []
        self.normalizations: dict[tuple[str, str], list[str]] = {}

    def run(self) -> list[dict[str, Any]]:
        """Measures everything; returns one entry for each count, side and way."""
        # 3 a class goes first: it chooses the normalization for all counts, which saves time.
        counts = sorted(self.protocol.counts, key=lambda count: count != 3)
        for count, side in itertools.product(counts, SIDES):
            self._measure_side(count, side)
        return self.results

    def _measure_side(self, count: int, side: str) -> None:
        protocol, draw = self.protocol, self.digits.draw
        development = [draw(count, seed, test=False) for seed in protocol.development_seeds]
        tests = [draw(count, seed, test=True) for seed in protocol.test_seeds]

        heads = protocol.head_settings()
        head, scores = _choose([self._frozen_errors(side, task, heads) for task in development])
        errors = [self._frozen_errors(side, task, [head])[head] for task in tests]
        self._note(count, side, "frozen", head, scores, errors)
        for way in ("full", "two phases"):
            normalizations = self.normalizations.get((side, way), ["batch", "fixed"])
            settings = protocol.tune_settings(way, normalizations)

            best, scores = _choose(
                [
                    {s: self._tuned_error(side, way, task, head, s) for s in settings}
                    for task in development
                ]
            )
            self.normalizations.setdefault((side, way), [best.normalization])
            errors = [self._tuned_error(side, way, task, head, best) for task in tests]
            self._note(count, side, way, best, scores, errors)

    def _frozen_errors(
        self, side: str, task: Task, settings: list[HeadSetting]
    ) -> dict[HeadSetting, float]:
        errors = {}
        for statistics in dict.fromkeys(setting.statistics for setting in settings):
            self.network.reset(side, task, statistics)
            features = self.network.features(task.x)
            measured = self.network.features(task.x_measured)
            for setting in settings:
                if setting.statistics == statistics:
                    head = fit_head(features, task.y, setting)
                    errors[setting] = head.error(measured, task.y_measured)
        return errors

    def _tuned_error(
        self, side: str, way: str, task: Task, head: HeadSetting, setting: TuneSetting
    ) -> float:
        self.network.reset(side, task, head.statistics)
        if way == "two phases":
            start = fit_head(self.network.features(task.x), task.y, head)
        else:
            shape = self.network.dense.kernel.shape
            kernel = np.random.default_rng(task.seed).normal(0, 0.06, shape)
            start = LinearHead(kernel, np.zeros(CLASSES))
        self.network.tune(task, start, setting, self.protocol.steps)
        return self.network.error(task.x_measured, task.y_measured)

    def _note(
        self,
        count: int,
        side: str,
        way: str,
        setting: Any,
        development_errors: dict[Any, float],
        errors: list[float],
    ) -> None:
        entry = {
            "count": count,
            "side": side,
            "way": way,
            "setting": dataclasses.asdict(setting),
            "development": [
                {**dataclasses.asdict(tried), "accuracy": 1 - error}
                for tried, error in development_errors.items()
            ],
            "test_accuracies": [1 - error for error in errors],
            "mean": 1 - float(np.mean(errors)),
            "deviation": float(np.std(errors)),
        }
        self.results.append(entry)
        seconds = time.monotonic() - self.started
        print(f"[{seconds:4.0f} s] {count} a class, {side}, {way}: {_cell(entry)} {setting}")


def _choose(
    errors_by_task: list[dict[SettingType, float]],
) -> tuple[SettingType, dict[SettingType, float]]:
    """Returns the setting of the smallest mean error (the first of equals), and all means."""
    settings = errors_by_task[0]
    means = {s: float(np.mean([errors[s] for errors in errors_by_task])) for s in settings}
    return min(means, key=means.__getitem__), means


def _cell(entry: dict[str, Any]) -> str:
    return f"{entry['mean']:.3f} ± {entry['deviation']:.3f}"


def error_ratios(results: list[dict[str, Any]]) -> dict[int, float]:
    """Returns for each count the error of the best pretrained way over that of the best random."""
    best: dict[tuple[int, str], float] = {}
    for entry in results:
        key = (entry["count"], entry["side"])
        best[key] = min(best.get(key, 1.0), 1 - entry["mean"])
    counts = sorted({count for count, _ in best})
    return {count: best[count, "pretrained"] / best[count, "random"] for count in counts}


def table(results: list[dict[str, Any]]) -> str:
    """Returns the test accuracies by side and way, a column for each count, and the ratios."""
    cells = {(entry["side"], entry["way"], entry["count"]): _cell(entry) for entry in results}
    ratios = error_ratios(results)
    rows = [("test accuracy", [f"{count} a class" for count in ratios])]
    for side, way in itertools.product(SIDES, WAYS):
        rows.append((f"{side}, {way}", [cells[side, way, count] for count in ratios]))
    rows.append(("error, pretrained / random", [f"{ratio:.2f}" for ratio in ratios.values()]))
    return "\n".join(f"{name:27}" + "".join(f"{c:>16}" for c in values) for name, values in rows)


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a minute's check that all works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results to FILE")
    options = parser.parse_args()
    protocol = QUICK if options.quick else Protocol()
    benchmark = Benchmark(protocol)
    results = benchmark.run()
    print(f"\n{table(results)}")
    if options.json:
        found = {
            "protocol": dataclasses.asdict(protocol),
            "seconds": round(time.monotonic() - benchmark.started),
            "error_ratios": error_ratios(results),
            "results": results,
        }
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
