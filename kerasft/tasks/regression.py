"""The task `regression`: one number per example."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from kerasft.calibration import Calibration, Interval
from kerasft.errors import DataError, SettingError, read_all
from kerasft.formatting import counted
from kerasft.tasks.base import FeatureReaders, Task
from kerasft.tasks.label_cells import Table, one_column, read_number
from kerasft.tasks.labels import Labels
from kerasft.tasks.strata import Group, Strata, by_quantile

if TYPE_CHECKING:
    import numpy as np

    from kerasft.calibration.options import CalibrationOptions, Fitted
    from kerasft.tasks.linear_models import LinearModel

_CORRELATIONS = ("pearson", "spearman")
_ORDERED = ("accuracy_rounded", "within_one", "kappa")  # of a target with a scale
_WIDEST = 20  # range of integer targets that also get ordinal metrics


class Regression(Task):
    """One number per example: standardized inside the model, squared error, RMSE.

    Whole-number targets with a range of at most 20 get a `scale`: the task `ordinal` computes their
    metrics (`Labels.kind`).
    """

    name = "regression"
    title = "a number"
    has_classes = False
    main_metrics = ("rmse", "r2")
    interval = "bootstrap"
    directions: ClassVar = {"loss": "min", "rmse": "min", "mae": "min", "r2": "max"}
    losses = ("squared", "absolute", "huber")
    charts = ("predicted", "residuals")
    calibrated_by = ("coverage",)
    stratified_by = "quantile"
    baseline_name = "predicting the mean"
    mixup = False
    label_smoothing = False
    target_transform = True
    problem_type = "regression"

    @property
    def shown_metrics(self) -> tuple[str, ...]:
        return (*self.main_metrics, "r2_log", "mae", *_CORRELATIONS, *_ORDERED, "loss")

    @property
    def report_metrics(self) -> tuple[str, ...]:
        return (*self.directions, "r2_log", *_CORRELATIONS, *_ORDERED)

    def default_monitor(self, config: Any) -> str:
        # With a log target, the loss measures the relative error; RMSE would favor large targets.
        return "loss" if config.target_transform == "log" else self.main_metric

    def normalize(self, value: Any, origin: str) -> float:
        if value is None or isinstance(value, (tuple, list, set, frozenset)):
            raise self.refuse(value, origin)
        try:
            return float(value)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"The label of {origin} must be a number. Received: {value!r:.60}."
            ) from error

    def read_column(
        self, table: Table, columns: Sequence[str], separator: str | None
    ) -> list[float]:
        cells = one_column(table, columns, separator, self.name)
        return read_all(
            lambda row: read_number(table, columns[0], row, cells[row]), range(len(cells))
        )

    def read_feature(self, value: Any, readers: FeatureReaders, separator: str | None) -> float:
        return readers.to_number(value)

    def make_labels(self, config: Any, values: Sequence[Any], origins: Sequence[str]) -> Labels:
        import numpy as np

        targets = np.asarray(values, np.float64)
        scale = self.scale(targets, origins)
        if config.target_transform == "log":
            _check_positive(targets, origins)
            targets = np.log(targets)
        mean, std = float(targets.mean()), float(targets.std())
        # The standard deviation of equal floats may be a rounding error instead of 0.
        if std <= 1e-9 * max(abs(mean), float(np.finfo(np.float32).tiny)):
            raise DataError(
                f"The target of {config.dataset.source or 'the data'} is constant in the training "
                f"split ({values[0]:g}). Expected at least two different values."
            )
        return Labels(self.name, (), mean, std, config.target_transform, scale, config.target_unit)

    def scale(self, targets: np.ndarray, origins: Sequence[str]) -> tuple[int, int] | None:
        """Return the lowest and highest ordinal class, or None if the targets are not ordinal."""
        import numpy as np

        # Check the range, not the number of values: a few prices are whole numbers, too.
        if np.ptp(targets) > _WIDEST or np.any(np.rint(targets) != targets):
            return None
        return int(targets.min()), int(targets.max())

    def encode(
        self, labels: Labels, values: Sequence[Any], origins: Sequence[str] | None
    ) -> np.ndarray:
        import numpy as np

        targets = np.asarray(values, np.float32).reshape(len(values))
        if labels.transform == "log":
            _check_positive(targets, origins or [f"example {n + 1}" for n in range(len(targets))])
        return targets

    def strata(self, groups: Sequence[Group], values: Sequence[Any]) -> Strata:
        return by_quantile(groups, values)

    def small_test_note(self, count: int) -> str:
        return f"The test split has only {counted(count, 'example')}; its scores are imprecise."

    def make_loss(self, config: Any, labels: Labels) -> Callable[[Any, Any], Any]:
        from kerasft.tasks.losses import ERRORS, standardized_error

        error = self.choose_loss(config.loss, ERRORS)
        return standardized_error(error, labels.std, logarithm=labels.transform == "log")

    def make_metrics(self, labels: Labels) -> list[Any]:
        from kerasft.tasks.keras_metrics import number_metrics

        return number_metrics()

    def activate(self, x: Any, labels: Labels) -> Any:
        import keras

        # Standardized, so that learning rates and penalties do not depend on the unit.
        x = keras.layers.Rescaling(labels.std, labels.mean, name="unit", dtype="float32")(x)
        return keras.ops.exp(x) if labels.transform == "log" else x

    def linear_models(
        self, labels: Labels, features: np.ndarray, y: np.ndarray, weights: np.ndarray | None
    ) -> Iterator[LinearModel]:
        import numpy as np

        from kerasft.tasks.linear_models import ridge_models

        numbers = np.log(y) if labels.transform == "log" else y
        return ridge_models(features, (numbers - labels.mean) / labels.std, weights)

    def calibrated_logits(
        self, labels: Labels, calibration: Calibration
    ) -> tuple[np.ndarray, np.ndarray]:
        import numpy as np

        if labels.transform == "log":
            raise SettingError(
                "transformers has no model that predicts by a logarithm, but this run was fitted "
                "with target_transform=log. Fit with --target-transform none."
            )
        return np.array([labels.std]), np.array([labels.mean])

    def baseline(self, labels: Labels, y: np.ndarray) -> np.ndarray:
        import numpy as np

        return np.array([y.mean()])

    def loss_range(self, shares: np.ndarray, loss: str, smoothing: float) -> tuple[float, float]:
        # In standard deviations, for a normally distributed target.
        return 0.0, self.choose_loss(loss, {"squared": 1.0, "absolute": 0.8, "huber": 0.42})

    def fit_calibration(
        self, labels: Labels, y: np.ndarray, outputs: np.ndarray, options: CalibrationOptions
    ) -> Fitted:
        from kerasft.tasks.fitted_calibration import fit_number

        return fit_number(labels, y, outputs, options)

    def measure_decided(
        self, labels: Labels, y: np.ndarray, decided: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """Return interval_coverage and interval_width (mean), if fitted."""
        found = {}
        if "lower" in decided:
            lower, upper = decided["lower"], decided["upper"]
            found = {
                "interval_coverage": float(((lower <= y) & (y <= upper)).mean()),
                "interval_width": float((upper - lower).mean()),
            }
        return found

    def decide(
        self, labels: Labels, outputs: Any, calibration: Calibration, features: Any = None
    ) -> dict[str, Any]:
        """Return `prediction`, and what is fitted.

        The latter are `lower` and `upper` (the interval), `known` and `known_score`.
        """
        from keras import ops

        from kerasft.tasks.class_scores import known_inputs

        predicted = ops.convert_to_tensor(outputs)[:, 0]
        found = {"prediction": predicted, **known_inputs(calibration, features)}
        if calibration.interval is not None:
            lower, upper = self.bounds(labels, predicted, calibration.interval)
            found |= {"lower": lower, "upper": upper}
        return found

    def bounds(self, labels: Labels, predicted: Any, interval: Interval) -> tuple[Any, Any]:
        """Return the ends of the interval around predicted numbers, both of shape (n,)."""
        return interval.bounds(predicted)

    def row(self, labels: Labels, decided: Mapping[str, np.ndarray]) -> dict[str, Any]:
        from kerasft.tasks.class_scores import known_columns

        numbers = {name: decided[name] for name in ("prediction", "lower", "upper")
                   if name in decided}  # fmt: skip
        # float32 has at most nine significant digits.
        found = {name: float(f"{value:.9g}") for name, value in numbers.items()}
        unit = {"unit": labels.unit} if labels.unit else {}
        return {**found, **unit, **known_columns(decided)}

    def truth_and_prediction(
        self, labels: Labels, y: Any, decided: Mapping[str, np.ndarray]
    ) -> tuple[float, float, None]:
        return float(y), float(decided["prediction"]), None

    def measure(self, labels: Labels, y: np.ndarray, predictions: np.ndarray) -> dict[str, Any]:
        return self.score(labels, y, predictions[:, 0])

    def weighted_scores(
        self, y: np.ndarray, predicted: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        squares = (predicted - y) ** 2
        scores: np.ndarray = (weights @ squares / weights.sum(axis=1)) ** 0.5
        return scores

    def predictions(self, decided: Mapping[str, np.ndarray]) -> np.ndarray:
        return decided["prediction"]

    def score(self, labels: Labels, y: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
        """Return mse, rmse, mae and r2 in the unit of the target, and r2_log for a log target.

        Also pearson and spearman, unless the targets or the predictions are constant.
        """
        import numpy as np
        from sklearn import metrics

        from kerasft.tasks.correlations import correlations

        mse = float(metrics.mean_squared_error(y, predicted))
        found = {}
        if labels.transform == "log" and len(y) > 1:
            found["r2_log"] = float(metrics.r2_score(np.log(y), np.log(predicted)))
        return {
            **found,
            "mse": mse,
            "rmse": mse**0.5,
            "mae": float(metrics.mean_absolute_error(y, predicted)),
            # R2 is undefined for fewer than two examples; NaN becomes null in JSON.
            "r2": float(metrics.r2_score(y, predicted)) if len(y) > 1 else float("nan"),
            **correlations(y, predicted),
        }

    def served_outputs(
        self, labels: Labels, outputs: Any, calibration: Calibration, features: Any = None
    ) -> dict[str, Any]:
        import tensorflow as tf

        decided = self.decide(labels, outputs, calibration, features)
        if not labels.unit:
            return decided
        return {**decided, "unit": tf.fill(tf.shape(decided["prediction"]), labels.unit)}


def _check_positive(values: np.ndarray, origins: Sequence[str]) -> None:
    wrong = next((n for n, value in enumerate(values) if value <= 0), None)
    if wrong is not None:
        raise DataError(
            f"The target of {origins[wrong]} is {values[wrong]:g}, but must be above 0 for "
            "target_transform=log. Use --target-transform none."
        )
