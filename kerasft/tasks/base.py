"""Base class of tasks, with the defaults that most tasks share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

from kerasft.errors import DataError, SettingError
from kerasft.formatting import counted
from kerasft.tasks.answers import Answers
from kerasft.tasks.label_cells import Table
from kerasft.tasks.labels import Labels
from kerasft.tasks.strata import Group, Strata

if TYPE_CHECKING:
    import numpy as np

    from kerasft.calibration import Calibration
    from kerasft.calibration.options import CalibrationOptions
    from kerasft.tasks.linear_models import LinearModel

Chosen = TypeVar("Chosen")


class FeatureReaders(NamedTuple):
    """Functions from a value of a TFDS feature to a label.

    Attributes:
        to_class: Function to the name of the class.
        to_number: Function to the number.
    """

    to_class: Callable[[Any], str]
    to_number: Callable[[Any], float]


class Task(Answers):
    """A kind of prediction; subclasses override what differs.

    Attributes:
        name: Name in configs and records.
        title: Noun phrase for the prediction, for help texts.
        has_classes: Whether outputs are probabilities of named classes instead of a number.
        several: Whether an example can have any number of labels.
        from_folders: Whether the names of class folders can be its labels.
        main_metrics: Metrics that judge a run, the most important first.
        shown_metrics: Metrics in the one line about a split, the most important first.
        report_metrics: Metrics in the table of scores of a report.
        interval: Confidence interval of the main metric: `wilson` (fraction of the examples),
            `bootstrap` (root mean squared error), or empty where none is computed.
        directions: Direction of each metric that can be monitored: `max` or `min`.
        losses: Values of the setting `loss` besides auto.
        curves: Metrics whose curves a report draws.
        charts: Charts of predictions in a report: `calibration`, `predicted`, `residuals`.
        calibrated_by: Options of the calibration, besides known_coverage.
        stratified_by: Name of the quantity by which splits are stratified.
        baseline_name: Name of the constant baseline, such as `predicting the mean`.
        class_weight: Whether classes can be weighted.
        mixup: Whether labels of two examples can be mixed.
        label_smoothing: Whether labels can be smoothed.
        target_transform: Whether the target can be transformed.
        problem_type: Name of the kind of task in transformers.
    """

    name = ""
    title = ""
    has_classes = True
    several = False
    from_folders = False
    main_metrics: tuple[str, ...] = ()
    interval = ""
    directions: ClassVar[Mapping[str, str]] = {}
    losses: tuple[str, ...] = ()
    charts: tuple[str, ...] = ()
    calibrated_by: tuple[str, ...] = ()
    stratified_by = ""
    baseline_name = ""
    class_weight = False
    mixup = True
    label_smoothing = True
    target_transform = False
    problem_type = ""

    # Settings

    @property
    def main_metric(self) -> str:
        """The metric that judges a run."""
        return self.main_metrics[0]

    @property
    def curves(self) -> tuple[str, ...]:
        """Metrics whose curves a report draws."""
        return ("loss", *self.main_metrics, "learning_rate")

    @property
    def shown_metrics(self) -> tuple[str, ...]:
        """The metrics that one line about a split shows, where they were measured."""
        return (*self.main_metrics, "loss")

    def shown_scores(self, metrics: Mapping[str, Any], monitor: str = "") -> list[tuple[str, Any]]:
        """Return titles and values for one line about a split; `monitor` is that of the fit."""
        names = dict.fromkeys((*self.shown_metrics, monitor.removeprefix("val_")))
        return [(self.metric_title(name), metrics[name]) for name in names if name in metrics]

    def metric_title(self, name: str) -> str:
        """Return the name of a metric for people, where its key in the files is not clear."""
        return name

    @property
    def report_metrics(self) -> tuple[str, ...]:
        """The metrics that the report of a run lists, where they were measured."""
        return tuple(self.directions)

    def default_monitor(self, config: Any) -> str:
        """Return the metric that picks the best epoch if the setting `monitor` is not set."""
        return self.main_metric

    # Labels

    def normalize(self, value: Any, origin: str) -> Any:
        """Return a label in the form of the task.

        Raises:
            DataError: The value cannot have that form.
        """
        raise NotImplementedError

    def refuse(self, value: Any, origin: str) -> DataError:
        """Return the error for a label of another form."""
        return DataError(
            f"The label of {origin} is not valid for task={self.name}. Received: {value!r:.60}."
        )

    def read_column(self, table: Table, columns: Sequence[str], separator: str | None) -> list[Any]:
        """Return the labels of all rows of a table, in the form of the task.

        Args:
            table: Table with a label in every row.
            columns: Label columns, one or several.
            separator: Separator of the labels in one cell, or None.

        Raises:
            DataError: A cell is empty or not valid for the task.
            SettingError: The columns or the separator do not fit the task.
        """
        raise NotImplementedError

    def read_feature(self, value: Any, readers: FeatureReaders, separator: str | None) -> Any:
        """Return the label in a feature of a TFDS dataset.

        Args:
            value: Value from TFDS: a number, bytes, or an array.
            readers: Functions from a value to a class name and to a number.
            separator: Separator of the labels in a text, or None.
        """
        return readers.to_class(value)

    def make_labels(self, config: Any, values: Sequence[Any], origins: Sequence[str]) -> Labels:
        """Return the classes, or mean and standard deviation of the target, of a training split.

        Raises:
            DataError: The split has fewer than two classes, or the target is constant.
        """
        raise NotImplementedError

    def labels_problem(self, labels: Labels) -> str:
        """Return what recorded labels lack that the task needs, or an empty string."""
        if self.has_classes and not labels.names:
            return "`labels.names` is empty, but the task has classes"
        return ""

    def encode(
        self, labels: Labels, values: Sequence[Any], origins: Sequence[str] | None
    ) -> np.ndarray:
        """Return the array that a model is trained on."""
        raise NotImplementedError

    def strata(self, groups: Sequence[Group], values: Sequence[Any]) -> Strata:
        """Return the strata by which examples are divided over splits."""
        raise NotImplementedError

    def hint_at_other_task(self, values: Sequence[Any]) -> str:
        """Return the end of an error message for labels that suggest another task, or ""."""
        return ""

    def label_notes(self, labels: Labels) -> list[str]:
        """Return notes about the classes, one sentence each."""
        return []

    def small_test_note(self, count: int) -> str:
        """Return a note about the uncertainty of scores on a small test split."""
        # Normal approximation of the 95% confidence interval around an accuracy of 90%.
        points = 100 * 1.96 * (0.9 * 0.1 / count) ** 0.5
        return (
            f"The test split has only {counted(count, 'example')}; an accuracy of 90% has a "
            f"95% confidence interval of ±{points:.0f} points."
        )

    # Model

    def refuse_loss(self, loss: str, losses: Sequence[str] | None = None) -> str:
        """Return why the setting `loss` does not fit the task, or an empty string.

        Args:
            loss: The setting `loss`.
            losses: Names of the losses to choose from; those of the task where None.
        """
        losses = self.losses if losses is None else losses
        if loss in ("auto", *losses):
            return ""
        return (
            f"`loss` must be one of auto, {', '.join(losses)} for task={self.name}. Received: "
            f"loss={loss!r}."
        )

    def choose_loss(self, loss: str, by_name: Mapping[str, Chosen]) -> Chosen:
        """Return what belongs to a loss; the first of `losses` where the setting is auto.

        Args:
            loss: The setting `loss`.
            by_name: What is chosen from, by the names in `losses`.

        Raises:
            SettingError: The task has no such loss, or does not say what belongs to it.
        """
        name = self.losses[0] if loss == "auto" else loss
        if refused := self.refuse_loss(name, [each for each in self.losses if each in by_name]):
            raise SettingError(refused)
        return by_name[name]

    def make_loss(self, config: Any, labels: Labels) -> Callable[[Any, Any], Any]:
        """Return the loss function, one value per example, without penalties."""
        raise NotImplementedError

    def make_metrics(self, labels: Labels) -> list[Any]:
        """Return the Keras metrics that are measured every epoch."""
        raise NotImplementedError

    def activate(self, x: Any, labels: Labels) -> Any:
        """Return the model output from the output of the last Dense layer."""
        raise NotImplementedError

    def linear_models(
        self, labels: Labels, features: np.ndarray, y: np.ndarray, weights: np.ndarray | None
    ) -> Iterator[LinearModel]:
        """Yield linear models for the last Dense layer, with a falling penalty.

        Args:
            labels: Labels.
            features: Standardized features, shape (n, width).
            y: Targets, as in `Split.y`.
            weights: Weight of each example, shape (n,); None for equal ones.
        """
        raise NotImplementedError

    def calibrated_logits(
        self, labels: Labels, calibration: Calibration
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return factor and summand of each output of the last Dense layer, shape (outputs,).

        With them it gives the calibrated logits, or the predicted number.

        Raises:
            SettingError: The prediction is not linear in that output.
        """
        raise NotImplementedError

    # Decision

    def check_options(self, options: CalibrationOptions) -> None:
        """Refuse options of a calibration that the task does not use.

        Raises:
            SettingError: The calibration of the task has no such option.
        """
        options.check(self.name, self.calibrated_by)

    def baseline(self, labels: Labels, y: np.ndarray) -> np.ndarray:
        """Return the output of the constant baseline, from training labels."""
        raise NotImplementedError

    def loss_range(self, shares: np.ndarray, loss: str, smoothing: float) -> tuple[float, float]:
        """Return the least possible loss, and that of the constant baseline on the training split.

        Args:
            shares: Fraction of each class in the training split, shape (classes,).
            loss: Value of the setting `loss`.
            smoothing: Value of `label_smoothing`, which makes the least possible loss positive.
        """
        raise NotImplementedError

    def class_shares(self, counts: np.ndarray, examples: int) -> np.ndarray:
        """Return the fraction of each class, from its count and the number of examples."""
        shares: np.ndarray = counts / counts.sum()
        return shares

    def measure(self, labels: Labels, y: np.ndarray, predictions: np.ndarray) -> dict[str, Any]:
        """Return the metrics of outputs of the model before calibration, shape (n, outputs)."""
        raise NotImplementedError
