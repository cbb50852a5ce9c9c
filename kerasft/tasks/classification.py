"""The task `classification`: one class per example."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kerasft.calibration import Calibration
from kerasft.tasks.class_task import ClassTask, constant_surprise, least_smoothed_loss, smoothed
from kerasft.tasks.label_cells import Table, one_column, read_class
from kerasft.tasks.labels import (
    Labels,
    class_name,
    class_positions,
    is_whole,
    make_class_labels,
    sort_names,
)
from kerasft.tasks.strata import Group, Strata, by_label

if TYPE_CHECKING:
    import numpy as np

    from kerasft.calibration.options import CalibrationOptions, Fitted
    from kerasft.tasks.linear_models import LinearModel


class Classification(ClassTask):
    """One class per example: softmax, cross-entropy, accuracy."""

    name = "classification"
    title = "one class"
    from_folders = True
    main_metrics = ("accuracy", "f1")
    interval = "wilson"
    charts = ("calibration",)
    calibrated_by = ("coverage", "max_error")
    stratified_by = "class"
    baseline_name = "predicting the majority class"
    class_weight = True
    problem_type = "single_label_classification"

    def normalize(self, value: Any, origin: str) -> str:
        if value is None or isinstance(value, (tuple, list, set, frozenset)):
            raise self.refuse(value, origin)
        return class_name(value)

    def read_column(self, table: Table, columns: Sequence[str], separator: str | None) -> list[str]:
        cells = one_column(table, columns, separator, self.name)
        return [read_class(table, columns[0], row, value) for row, value in enumerate(cells)]

    def make_labels(self, config: Any, values: Sequence[Any], origins: Sequence[str]) -> Labels:
        return make_class_labels(self.name, sort_names(values), config.dataset.source)

    def encode(
        self, labels: Labels, values: Sequence[Any], origins: Sequence[str] | None
    ) -> np.ndarray:
        import numpy as np

        position = class_positions(labels, origins)
        return np.array([position(name, row) for row, name in enumerate(values)], np.int32)

    def strata(self, groups: Sequence[Group], values: Sequence[Any]) -> Strata:
        return by_label(groups, values)

    def hint_at_other_task(self, values: Sequence[Any]) -> str:
        """Return a hint for numeric labels that rarely repeat: regression is probably meant."""
        try:
            numbers = {float(value) for value in values}
        except (TypeError, ValueError):
            return ""
        if len(numbers) < len(values) / 4:
            return ""
        return "; the labels are numbers, so regression may be meant (--task regression)"

    def label_notes(self, labels: Labels) -> list[str]:
        """Return a note if the classes look ordinal: whole numbers, but not indices from 0."""
        numbers = [int(name) for name in labels.names if is_whole(name)]
        if not 3 <= len(labels.names) == len(numbers) or 0 in numbers:
            return []
        return [
            f"Labels are whole numbers ({numbers[0]} to {numbers[-1]}), treated as "
            f"{len(numbers)} classes; if they are ordinal (stars, grades), try --task ordinal."
        ]

    def make_loss(self, config: Any, labels: Labels) -> Callable[[Any, Any], Any]:
        from kerasft.tasks.losses import class_loss

        mixed = bool(getattr(config, "mixup", 0) or getattr(config, "cutmix", 0))
        return class_loss(
            labels.num_outputs,
            focal=self.is_focal(config.loss),
            smoothing=config.label_smoothing,
            mixed=mixed,
        )

    def make_metrics(self, labels: Labels) -> list[Any]:
        from kerasft.tasks.keras_metrics import Accuracy, macro_scores

        return [Accuracy(labels.num_outputs), *macro_scores(labels.num_outputs, multilabel=False)]

    def activate(self, x: Any, labels: Labels) -> Any:
        import keras

        return keras.layers.Activation("softmax", name="probability", dtype="float32")(x)

    def linear_models(
        self, labels: Labels, features: np.ndarray, y: np.ndarray, weights: np.ndarray | None
    ) -> Iterator[LinearModel]:
        from kerasft.tasks.linear_models import softmax_models

        return softmax_models(features, y, labels.num_outputs, weights)

    def calibrated_logits(
        self, labels: Labels, calibration: Calibration
    ) -> tuple[np.ndarray, np.ndarray]:
        import numpy as np

        count = labels.num_outputs
        return np.full(count, 1 / calibration.temperature), np.zeros(count)

    def baseline(self, labels: Labels, y: np.ndarray) -> np.ndarray:
        import numpy as np

        counts = np.bincount(y, minlength=labels.num_outputs)
        return np.asarray(counts / counts.sum())

    def loss_range(self, shares: np.ndarray, loss: str, smoothing: float) -> tuple[float, float]:
        focal, classes = self.is_focal(loss), len(shares)
        shares = smoothed(shares, smoothing, classes)
        constant = float((shares * constant_surprise(shares, focal=focal)).sum())
        return least_smoothed_loss(smoothing, classes, focal=focal), constant

    def fit_calibration(
        self, labels: Labels, y: np.ndarray, outputs: np.ndarray, options: CalibrationOptions
    ) -> Fitted:
        from kerasft.tasks.fitted_calibration import fit_classes

        return fit_classes(y, outputs, options)

    def measure_decided(
        self, labels: Labels, y: np.ndarray, decided: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Return log_loss and calibration_error, and scores of what is fitted.

        The latter are `accepted` and `accepted_error`, `set_coverage` and `set_size`.
        """
        import numpy as np

        from kerasft.calibration.reliability import class_reliability

        found: dict[str, Any] = class_reliability(decided["probabilities"], y)
        if (accepted := decided.get("accepted")) is not None:
            wrong = (decided["best"] != y)[accepted]
            found |= {"accepted": float(accepted.mean())}
            found |= {"accepted_error": float(wrong.mean()) if len(wrong) else None}
        if (members := decided.get("prediction_set")) is not None:
            found |= {
                "set_coverage": float(members[np.arange(len(y)), y].mean()),
                "set_size": float(members.sum(axis=1).mean()),
            }
        return found

    def decide(
        self, labels: Labels, outputs: Any, calibration: Calibration, features: Any = None
    ) -> dict[str, Any]:
        """Return `best` (index of the class), `probability`, `probabilities`, and what is fitted.

        The latter are `accepted`, `prediction_set`, `known` and `known_score`.
        """
        from keras import ops

        from kerasft.calibration.temperature import scale_classes
        from kerasft.tasks.class_scores import known_inputs

        probabilities = scale_classes(ops.convert_to_tensor(outputs), calibration.temperature)
        probability = ops.max(probabilities, axis=-1)
        found = {
            "best": ops.argmax(probabilities, axis=-1),
            "probability": probability,
            "probabilities": probabilities,
            **known_inputs(calibration, features, outputs),
        }
        if calibration.rejection is not None:
            found["accepted"] = probability >= calibration.rejection
        if calibration.sets is not None:
            found["prediction_set"] = calibration.sets.members(probabilities)
        return found

    def row(self, labels: Labels, decided: Mapping[str, np.ndarray]) -> dict[str, Any]:
        from kerasft.tasks.class_scores import (
            chosen,
            known_columns,
            probability_columns,
            rounded,
        )

        found = {
            "prediction": labels.names[int(decided["best"])],
            "probability": rounded(decided["probability"]),
            **known_columns(decided),
        }
        if "accepted" in decided:
            found["accepted"] = bool(decided["accepted"])
        if "prediction_set" in decided:
            found["prediction_set"] = "|".join(chosen(labels, decided["prediction_set"]))
        return {**found, **probability_columns(labels, decided["probabilities"])}

    def truth_and_prediction(
        self, labels: Labels, y: Any, decided: Mapping[str, np.ndarray]
    ) -> tuple[str, str, float]:
        best = int(decided["best"])
        return labels.names[int(y)], labels.names[best], float(decided["probability"])

    def measure(self, labels: Labels, y: np.ndarray, predictions: np.ndarray) -> dict[str, Any]:
        return self.score(labels, y, predictions.argmax(axis=1))

    def predictions(self, decided: Mapping[str, np.ndarray]) -> np.ndarray:
        return decided["best"]

    def score(self, labels: Labels, y: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
        """Return accuracy, macro scores, `per_class` and `confusion_matrix` (rows: truth)."""
        import numpy as np
        from sklearn import metrics

        from kerasft.tasks.class_scores import class_scores

        occurs = np.union1d(y, predicted).astype(int)
        matrix = metrics.confusion_matrix(y, predicted, labels=range(labels.num_outputs))
        scores = class_scores(labels, y, predicted, occurs)
        return {**scores, "confusion_matrix": matrix.tolist()}

    def weighted_scores(
        self, y: np.ndarray, predicted: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        scores: np.ndarray = weights @ (predicted == y) / weights.sum(axis=1)
        return scores

    def served_outputs(
        self, labels: Labels, outputs: Any, calibration: Calibration, features: Any = None
    ) -> dict[str, Any]:
        import tensorflow as tf

        from kerasft.tasks.class_scores import served_classes, served_top

        decided = self.decide(labels, outputs, calibration, features)
        probabilities = decided["probabilities"]
        return {
            "prediction": tf.gather(tf.constant(labels.names), decided.pop("best")),
            "accepted": tf.ones_like(decided["probability"], tf.bool),  # unless it is fitted
            **decided,
            **served_classes(labels, probabilities),
            **served_top(labels, probabilities),
        }
