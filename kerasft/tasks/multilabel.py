"""The task `multilabel`: any number of labels per example."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kerasft.tasks.base import FeatureReaders
from kerasft.tasks.class_task import ClassTask, constant_surprise
from kerasft.tasks.label_cells import Table, read_flags, read_several, split_labels
from kerasft.tasks.labels import (
    Labels,
    class_name,
    class_positions,
    make_class_labels,
    sort_names,
)
from kerasft.tasks.strata import Group, Strata, by_label

if TYPE_CHECKING:
    import numpy as np


class MultiLabel(ClassTask):
    """Any number of labels per example: one sigmoid each, binary cross-entropy, macro F1."""

    name = "multilabel"
    title = "several labels"
    several = True
    main_metrics = ("f1", "accuracy")
    stratified_by = "label set"
    baseline_name = "predicting the frequency of each label"

    def metric_title(self, name: str) -> str:
        return "accuracy per label" if name == "accuracy" else name

    def normalize(self, value: Any, origin: str) -> tuple[str, ...]:
        if not isinstance(value, (tuple, list, set, frozenset)):
            raise self.refuse(value, origin)
        return tuple(sorted({class_name(part) for part in value}))

    def read_column(
        self, table: Table, columns: Sequence[str], separator: str | None
    ) -> list[tuple[str, ...]]:
        rows = range(table.num_rows)
        if len(columns) > 1:
            return [read_flags(table, columns, row) for row in rows]
        return [read_several(table, columns[0], row, separator) for row in rows]

    def read_feature(
        self, value: Any, readers: FeatureReaders, separator: str | None
    ) -> tuple[str, ...]:
        import numpy as np

        if separator and isinstance(value, bytes):
            return split_labels(value.decode("utf-8"), separator)
        return tuple(sorted({readers.to_class(part) for part in np.atleast_1d(value)}))

    def make_labels(self, config: Any, values: Sequence[Any], origins: Sequence[str]) -> Labels:
        names = sort_names(name for row in values for name in row)
        return make_class_labels(self.name, names, config.dataset.source)

    def encode(
        self, labels: Labels, values: Sequence[Any], origins: Sequence[str] | None
    ) -> np.ndarray:
        import numpy as np

        position = class_positions(labels, origins)
        encoded = np.zeros((len(values), labels.num_outputs), np.float32)
        for row, names in enumerate(values):
            for name in names:
                encoded[row, position(name, row)] = 1.0
        return encoded

    def strata(self, groups: Sequence[Group], values: Sequence[Any]) -> Strata:
        # Label sets that occur once or twice share a stratum.
        return by_label(groups, values, least=3)

    def make_loss(self, config: Any, labels: Labels) -> Callable[[Any, Any], Any]:
        from kerasft.tasks.losses import several_labels_loss

        return several_labels_loss(
            focal=self.is_focal(config.loss), smoothing=config.label_smoothing
        )

    def make_metrics(self, labels: Labels) -> list[Any]:
        from kerasft.tasks.keras_metrics import LabelAccuracy, macro_scores

        return [LabelAccuracy(), *macro_scores(labels.num_outputs, multilabel=True)]

    def activate(self, x: Any, labels: Labels) -> Any:
        import keras

        return keras.layers.Activation("sigmoid", name="probability", dtype="float32")(x)

    def baseline(self, labels: Labels, y: np.ndarray) -> np.ndarray:
        import numpy as np

        return np.asarray(y.mean(axis=0))

    def baseline_loss(self, shares: np.ndarray, loss: str) -> float:
        import numpy as np

        inside = shares[(shares > 0) & (shares < 1)]
        both = np.stack([inside, 1 - inside])
        surprise = constant_surprise(both, focal=self.is_focal(loss))
        return float(np.mean(np.sum(both * surprise, axis=0)))

    def class_shares(self, counts: np.ndarray, examples: int) -> np.ndarray:
        return counts / max(examples, 1)

    def row(self, labels: Labels, output: np.ndarray) -> dict[str, Any]:
        from kerasft.tasks.class_scores import probabilities

        rounded, each = probabilities(labels, output)
        return {"prediction": "|".join(_chosen(labels, rounded)), **each}

    def truth_and_prediction(
        self, labels: Labels, y: Any, output: np.ndarray
    ) -> tuple[str, str, None]:
        return ", ".join(_chosen(labels, y)), ", ".join(_chosen(labels, output)), None

    def measure(self, labels: Labels, y: np.ndarray, predictions: np.ndarray) -> dict[str, Any]:
        """Return accuracy, macro scores and `per_class`."""
        import numpy as np

        from kerasft.tasks.class_scores import class_scores

        truth, predicted = y.astype(bool), predictions >= 0.5
        # scikit-learn averages multi-label scores over all classes, not only those that occur.
        occurs = np.flatnonzero((truth | predicted).any(axis=0))
        return class_scores(labels, truth, predicted, occurs)

    def served_outputs(self, labels: Labels, predicted: Any) -> dict[str, Any]:
        import tensorflow as tf

        from kerasft.tasks.class_scores import served_classes

        names = tf.constant(labels.names)
        chosen = tf.where(predicted >= 0.5, names[tf.newaxis], "")
        joined = tf.strings.reduce_join(chosen, axis=1, separator="|")
        # Empty names leave separators: merge repeated ones, strip those at the ends.
        joined = tf.strings.regex_replace(joined, r"\|+", "|")
        prediction = tf.strings.regex_replace(joined, r"^\||\|$", "")
        return {"prediction": prediction, **served_classes(labels, predicted)}


def _chosen(labels: Labels, output: np.ndarray) -> list[str]:
    return [name for name, share in zip(labels.names, output, strict=True) if share >= 0.5]
