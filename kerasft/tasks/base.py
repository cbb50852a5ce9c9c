"""What a task is asked, with the answers that most tasks share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from kerasft.errors import DataError
from kerasft.tasks.cells import Table
from kerasft.tasks.labels import Labels
from kerasft.tasks.strata import Group, Strata

if TYPE_CHECKING:
    import numpy as np

CLASS_DIRECTIONS = {"loss": "min", "accuracy": "max", "precision": "max", "recall": "max",
                    "f1": "max"}  # fmt: skip


class Task:
    """A kind of prediction. A task overrides what differs.

    Attributes:
        name: What configs and records call it.
        title: What is predicted, for help.
        has_classes: Whether outputs are probabilities of named classes, and not a number.
        several: Whether an example has any number of labels.
        from_folders: Whether the names of class folders can be its labels.
        main_metrics: What a run is judged by, the most telling first.
        directions: What can be monitored: `max` or `min` by metric.
        losses: Values of the setting `loss` besides auto.
        curves: The metrics whose curves a report draws.
        charts: The charts of predictions in a report: calibration, predicted, residuals.
        stratified_by: By what the examples of a split are divided evenly.
        baseline_name: What the best answer without a look at the input does.
        class_weight: Whether classes can be weighted.
        mixup: Whether labels of two examples can be mixed.
        label_smoothing: Whether labels can be smoothed.
        target_transform: Whether the target can be transformed.
    """

    name = ""
    title = ""
    has_classes = True
    several = False
    from_folders = False
    main_metrics: tuple[str, ...] = ()
    directions: ClassVar[Mapping[str, str]] = {}
    losses: tuple[str, ...] = ()
    charts: tuple[str, ...] = ()
    stratified_by = ""
    baseline_name = ""
    class_weight = False
    mixup = True
    label_smoothing = True
    target_transform = False

    # Settings

    @property
    def curves(self) -> tuple[str, ...]:
        """The metrics whose curves a report draws."""
        return ("loss", *self.main_metrics, "learning_rate")

    def default_monitor(self, config: Any) -> str:
        """Return the metric that picks the best epoch where no setting names one."""
        return self.main_metrics[0]

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
            f"The label of {origin} does not fit task={self.name}. Received: {value!r:.60}."
        )

    def read_column(self, table: Table, columns: Sequence[str], separator: str | None) -> list[Any]:
        """Return the labels of all rows of a table, in the form of the task.

        Args:
            table: The rows.
            columns: The label columns, one or several.
            separator: What stands between the labels of one cell.
        """
        raise NotImplementedError

    def read_feature(
        self,
        value: Any,
        to_class: Callable[[Any], str],
        to_number: Callable[[Any], float],
        separator: str | None,
    ) -> Any:
        """Return the label that a feature of a TFDS dataset holds.

        Args:
            value: As TFDS gives it: a number, bytes, or an array.
            to_class: Names the class of a value.
            to_number: Reads a value as a number.
            separator: What stands between the labels of a text.
        """
        return to_class(value)

    def make_labels(self, config: Any, values: Sequence[Any], origins: Sequence[str]) -> Labels:
        """Return the classes, or the mean and spread of the target, of the training examples.

        Raises:
            DataError: There is one class only, or the target is constant.
        """
        raise NotImplementedError

    def encode(
        self, labels: Labels, values: Sequence[Any], origins: Sequence[str] | None
    ) -> np.ndarray:
        """Return the array that a model is trained on."""
        raise NotImplementedError

    def strata(self, groups: Sequence[Group], values: Sequence[Any]) -> Strata:
        """Return the groups of examples that are divided evenly over splits."""
        raise NotImplementedError

    def hint_at_other_task(self, values: Sequence[Any]) -> str:
        """Return the end of a sentence for labels that look like those of another task."""
        return ""

    def label_notes(self, labels: Labels) -> list[str]:
        """Return what a person should know about the classes, one sentence each."""
        return []

    def small_test_note(self, count: int) -> str:
        """Return how uncertain the score on a small test split is."""
        # Normal approximation of the 95% confidence interval around an accuracy of 90%.
        points = 100 * 1.96 * (0.9 * 0.1 / count) ** 0.5
        return (
            f"The test split has only {count} examples; an accuracy of 90% has a 95% confidence "
            f"interval of ±{points:.0f} points."
        )

    # Model

    def make_loss(self, config: Any, labels: Labels) -> Callable[[Any, Any], Any]:
        """Return the data loss of each example."""
        raise NotImplementedError

    def make_metrics(self, labels: Labels) -> list[Any]:
        """Return the Keras metrics that are measured every epoch."""
        raise NotImplementedError

    def activate(self, x: Any, labels: Labels) -> Any:
        """Return the output of a model from that of its last Dense layer."""
        raise NotImplementedError

    # Decision

    def baseline(self, labels: Labels, y: np.ndarray) -> np.ndarray:
        """Return the best output that does not look at its input, from training labels."""
        raise NotImplementedError

    def baseline_loss(self, shares: np.ndarray, loss: str) -> float:
        """Return the loss of the best constant answer on the training split.

        Args:
            shares: Share of each class in the training split.
            loss: The setting `loss`.
        """
        raise NotImplementedError

    def class_shares(self, counts: np.ndarray, examples: int) -> np.ndarray:
        """Return the share of each class, from its count and the number of examples."""
        return counts / counts.sum()

    def row(self, labels: Labels, output: np.ndarray) -> dict[str, Any]:
        """Return what `predict` gives for one output, shape (outputs,)."""
        raise NotImplementedError

    def truth_and_prediction(
        self, labels: Labels, y: Any, output: np.ndarray
    ) -> tuple[Any, Any, float | None]:
        """Return truth and prediction in words or numbers, and the prediction's probability."""
        raise NotImplementedError

    def measure(self, labels: Labels, y: np.ndarray, predictions: np.ndarray) -> dict[str, Any]:
        """Return the metrics of predictions against the truth, by scikit-learn."""
        raise NotImplementedError

    def served_outputs(self, labels: Labels, predicted: Any) -> dict[str, Any]:
        """Return the outputs of a served model, in TensorFlow's graph."""
        raise NotImplementedError


def constant_surprise(probability: Any, loss: str) -> Any:
    """Return the loss of a right class by its predicted probability."""
    import numpy as np

    found = -np.log(np.maximum(probability, 1e-12))
    return found * (1 - probability) ** 2 if loss == "focal" else found
