"""The task `multilabel`: any number of labels per example."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kerasft.calibration import DEFAULT_THRESHOLD, Calibration
from kerasft.errors import read_all
from kerasft.tasks.base import FeatureReaders
from kerasft.tasks.class_task import ClassTask, least_smoothed_loss, smoothed
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

    from kerasft.calibration.options import CalibrationOptions, Fitted
    from kerasft.tasks.linear_models import LinearModel


class MultiLabel(ClassTask):
    """Any number of labels per example: one sigmoid each, binary cross-entropy, macro F1."""

    name = "multilabel"
    title = "several labels"
    several = True
    main_metrics = ("f1", "accuracy")
    calibrated_by = ("min_precision", "min_recall")
    stratified_by = "label set"
    baseline_name = "predicting the frequency of each label"
    problem_type = "multi_label_classification"

    def shown_scores(self, metrics: Mapping[str, Any], monitor: str = "") -> list[tuple[str, Any]]:
        """Return F1 at the fitted thresholds first, where there are any, and then that at 0.5."""
        found = super().shown_scores(metrics, monitor)
        fitted = metrics.get("calibrated", {}).get("f1")
        if fitted is None:
            return found
        (title, f1), *others = found
        return [(title, fitted), (f"{title} (threshold {DEFAULT_THRESHOLD:g})", f1), *others]

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
            return read_all(lambda row: read_flags(table, columns, row), rows)
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

    def linear_models(
        self, labels: Labels, features: np.ndarray, y: np.ndarray, weights: np.ndarray | None
    ) -> Iterator[LinearModel]:
        from kerasft.tasks.linear_models import sigmoid_models

        return sigmoid_models(features, y, weights)

    def calibrated_logits(
        self, labels: Labels, calibration: Calibration
    ) -> tuple[np.ndarray, np.ndarray]:
        import numpy as np

        count = labels.num_outputs
        slopes, offsets = calibration.slopes or np.ones(count), calibration.offsets
        return np.asarray(slopes), np.asarray(offsets or np.zeros(count))

    def baseline(self, labels: Labels, y: np.ndarray) -> np.ndarray:
        import numpy as np

        return np.asarray(y.mean(axis=0))

    def loss_range(self, shares: np.ndarray, loss: str, smoothing: float) -> tuple[float, float]:
        import numpy as np

        focal = self.is_focal(loss)
        shares = shares[(shares > 0) & (shares < 1)]
        predicted = smoothed(shares, smoothing, 2)
        losses = []
        for label in smoothed(np.array([1.0, 0.0]), smoothing, 2):
            cross = -label * np.log(predicted) - (1 - label) * np.log(1 - predicted)
            true = label * predicted + (1 - label) * (1 - predicted)
            losses.append(cross * (1 - true) ** 2 if focal else cross)
        constant = float(np.mean(shares * losses[0] + (1 - shares) * losses[1]))
        # The focal loss of Keras for two outcomes nearly vanishes at a smoothed label.
        least = 0.0 if focal else least_smoothed_loss(smoothing, 2, focal=False)
        return least, constant

    def class_shares(self, counts: np.ndarray, examples: int) -> np.ndarray:
        return counts / max(examples, 1)

    def fit_calibration(
        self, labels: Labels, y: np.ndarray, outputs: np.ndarray, options: CalibrationOptions
    ) -> Fitted:
        from kerasft.tasks.fitted_calibration import fit_labels

        return fit_labels(labels, y, outputs, options)

    def measure_decided(
        self, labels: Labels, y: np.ndarray, decided: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Return log_loss, calibration_error, the scores with the thresholds."""
        from kerasft.calibration.reliability import label_reliability

        scores = self.score(labels, y, decided["labels"])
        del scores["per_class"]  # that of the outputs is recorded
        return {
            **label_reliability(decided["probabilities"], y),
            **scores,
        }

    def decide(
        self, labels: Labels, outputs: Any, calibration: Calibration, features: Any = None
    ) -> dict[str, Any]:
        """Return `labels` (booleans), `probabilities`, and `known` and `known_score` if fitted."""
        from keras import ops

        from kerasft.calibration.temperature import scale_labels
        from kerasft.tasks.class_scores import known_inputs

        probabilities = scale_labels(
            ops.convert_to_tensor(outputs), calibration.slopes, calibration.offsets
        )
        thresholds = ops.convert_to_tensor(calibration.threshold_of(labels.num_outputs), "float32")
        return {
            "labels": probabilities >= thresholds,
            "probabilities": probabilities,
            **known_inputs(calibration, features),
        }

    def row(self, labels: Labels, decided: Mapping[str, np.ndarray]) -> dict[str, Any]:
        from kerasft.tasks.class_scores import chosen, known_columns, probability_columns

        return {
            "prediction": "|".join(chosen(labels, decided["labels"])),
            **known_columns(decided),
            **probability_columns(labels, decided["probabilities"]),
        }

    def truth_and_prediction(
        self, labels: Labels, y: Any, decided: Mapping[str, np.ndarray]
    ) -> tuple[str, str, None]:
        from kerasft.tasks.class_scores import chosen

        truth, predicted = chosen(labels, y), chosen(labels, decided["labels"])
        return ", ".join(truth), ", ".join(predicted), None

    def measure(self, labels: Labels, y: np.ndarray, predictions: np.ndarray) -> dict[str, Any]:
        """Return accuracy, macro scores and `per_class`, at the default threshold."""
        return self.score(labels, y, predictions >= DEFAULT_THRESHOLD)

    def weighted_scores(
        self, y: np.ndarray, predicted: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        import numpy as np

        truth = y > 0
        correct = weights @ (truth & predicted)
        total = weights @ (truth.astype("float32") + predicted)  # true ones and predicted ones
        f1 = 2 * correct / np.maximum(total, 1e-30)
        occurs = total > 0
        scores: np.ndarray = f1.sum(axis=1) / np.maximum(occurs.sum(axis=1), 1)
        return scores

    def predictions(self, decided: Mapping[str, np.ndarray]) -> np.ndarray:
        return decided["labels"]

    def score(self, labels: Labels, y: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
        """Return accuracy, macro scores and `per_class`."""
        import numpy as np

        from kerasft.tasks.class_scores import class_scores

        truth = y.astype(bool)
        # scikit-learn averages multi-label scores over all classes, not only those that occur.
        occurs = np.flatnonzero((truth | predicted).any(axis=0))
        return class_scores(labels, truth, predicted, occurs)

    def served_outputs(
        self, labels: Labels, outputs: Any, calibration: Calibration, features: Any = None
    ) -> dict[str, Any]:
        import tensorflow as tf

        from kerasft.tasks.class_scores import served_classes

        decided = self.decide(labels, outputs, calibration, features)
        rows, columns = tf.unstack(tf.where(decided["labels"]), num=2, axis=1)
        names = tf.gather(tf.constant(labels.names), columns)
        count = tf.shape(decided["labels"])[0]
        prediction = tf.strings.unsorted_segment_join(names, rows, count, separator="|")
        classes = served_classes(labels, decided["probabilities"])
        return {"prediction": prediction, **decided, **classes}
