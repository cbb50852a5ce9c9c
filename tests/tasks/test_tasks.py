"""The registry of tasks, and ordered classes."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from kerasft.cli.score_tables import score_line
from kerasft.config import ImageConfig
from kerasft.data import Examples, Labels
from kerasft.data.label_encoding import make_labels
from kerasft.errors import DataError, SettingError
from kerasft.evaluation.metrics import measure
from kerasft.models import choose_monitor
from kerasft.tasks import TASKS, compared_metric, less_is_better, task_of
from kerasft.tasks.intervals import score_variance


def stars(values):
    return Examples(["a"] * len(values), values, [f"row {n}" for n in range(len(values))])


def test_a_task_is_found_by_its_name():
    assert [task.name for task in TASKS.values()] == list(TASKS)
    assert task_of("ordinal") is TASKS["ordinal"]
    with pytest.raises(SettingError, match="Did you mean 'regression'"):
        task_of("regresion")


def test_the_settings_need_no_numpy_to_ask_a_task():
    code = "import sys, kerasft.config; print(set(sys.modules) & {'numpy', 'keras', 'sklearn'})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_task_is_judged_by_what_it_measures(task):
    assert task.title and task.baseline_name and task.stratified_by
    assert set(task.main_metrics) <= set(task.directions)
    assert task.shown_metrics[: len(task.main_metrics)] == task.main_metrics
    assert task.report_metrics[0] == "loss"
    assert set(task.main_metrics) < set(task.report_metrics)
    assert choose_monitor(ImageConfig(task=task.name))[1] == task.directions[task.main_metric]
    assert less_is_better("rmse") and not less_is_better("accuracy")


def test_the_metrics_of_a_table_of_scores_are_those_that_a_task_measures():
    labels = Labels("ordinal", (), 2.0, 1.0, "none", (1, 3))
    y = np.array([1.0, 2.0, 3.0], "float32")
    measured = labels.kind.measure(labels, y, y[:, None])
    assert set(labels.kind.report_metrics) - set(measured) == {"loss", "r2_log"}


def test_ordered_classes_are_measured_as_a_regression_on_them_is():
    values, predicted = [1.0, 2.0, 5.0, 4.0], np.array([[1.2], [2.6], [4.4], [4.1]], "float32")
    found = []
    for task in ("ordinal", "regression"):
        config = ImageConfig(task=task, dataset="x.csv")
        labels = make_labels(config, stars(values))
        assert (labels.task, labels.scale) == (task, (1, 5))
        assert Labels.from_dict(labels.to_dict()) == labels
        found.append(measure(config, labels, np.array(values, "float32"), predicted))
    assert found[0] == found[1]
    assert found[0]["accuracy_rounded"] == 0.5


def test_ordered_classes_are_whole_numbers():
    config = ImageConfig(task="ordinal", dataset="x.csv")
    assert make_labels(config, stars([0.0, 100.0])).scale == (0, 100)
    with pytest.raises(DataError, match=r"row 1 is 2\.5, but must be a whole number"):
        make_labels(config, stars([1.0, 2.5]))
    with pytest.raises(DataError, match="a range of at most 1000"):
        make_labels(config, stars([1.0, 250000.0]))


def test_settings_that_make_no_sense_for_ordered_classes_are_refused():
    for settings in ({"class_weight": "balanced"}, {"target_transform": "log"}, {"mixup": 0.2},
                     {"loss": "focal"}):  # fmt: skip
        with pytest.raises(SettingError, match="ordinal"):
            ImageConfig(task="ordinal", **settings)


@pytest.mark.parametrize("kind", list(dict.fromkeys(type(task) for task in TASKS.values())))
def test_a_loss_that_a_task_names_but_does_not_make_is_refused(kind, monkeypatch):
    task = kind()
    made = [task.loss_range(np.array([0.25, 0.75]), loss, 0.0) for loss in task.losses]
    assert len(set(made)) == len(task.losses)
    assert task.loss_range(np.array([0.25, 0.75]), "auto", 0.0) == made[0]
    monkeypatch.setattr(kind, "losses", (*task.losses, "poisson"))
    labels = Labels(task.name, ("a", "b") if task.has_classes else (), 0.0, 1.0)
    config = SimpleNamespace(loss="poisson", label_smoothing=0.0)
    with pytest.raises(SettingError, match="poisson"):
        task.make_loss(config, labels)
    with pytest.raises(SettingError, match="poisson"):
        task.loss_range(np.array([0.25, 0.75]), "poisson", 0.0)


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
@pytest.mark.parametrize("name", ["classification", "multilabel"])
def test_no_prediction_has_less_than_the_least_loss_of_smoothed_labels(name, loss):
    task = task_of(name)
    classes = 4 if name == "classification" else 2
    labels = Labels(name, tuple("abcd"[:classes]), 0.0, 1.0)
    least, constant = task.loss_range(np.full(classes, 1 / classes), loss, 0.2)
    compare = task.make_loss(SimpleNamespace(loss=loss, label_smoothing=0.2), labels)
    others = np.linspace(0.0005, 1 / classes, 400, dtype=np.float32)[:, None]
    if name == "classification":
        truth = np.zeros(400, np.int32)
        outputs = np.concatenate([1 - 3 * others, others, others, others], axis=1)
    else:
        truth = np.eye(2, dtype=np.float32)[[0] * 400]
        outputs = np.concatenate([1 - others, others], axis=1)
    found = np.asarray(compare(truth, outputs))
    assert least <= found.min() + 1e-6
    assert least == pytest.approx(found.min(), abs=0.01)
    assert found[-1] == pytest.approx(constant, rel=1e-5)
    assert task.loss_range(np.full(classes, 1 / classes), loss, 0.0)[0] == 0.0


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
@pytest.mark.parametrize("name", ["classification", "multilabel"])
def test_the_loss_of_a_constant_baseline_is_that_of_the_loss_function(name, loss, smoothing):
    task, shares = task_of(name), np.array([0.1, 0.9])
    config = SimpleNamespace(loss=loss, label_smoothing=smoothing)
    compare = task.make_loss(config, Labels(name, ("a", "b"), 0.0, 1.0))
    truth = np.array([0] + 9 * [1])
    if name == "multilabel":
        truth = np.eye(2, dtype=np.float32)[truth]
    outputs = np.tile((1 - smoothing) * shares + smoothing / 2, (10, 1)).astype(np.float32)
    constant = task.loss_range(shares, loss, smoothing)[1]
    assert np.mean(np.asarray(compare(truth, outputs))) == pytest.approx(constant, rel=1e-5)


def test_runs_are_compared_by_the_monitored_metric_but_not_by_the_loss():
    task = task_of("classification")
    chosen = [compared_metric(task, name) for name in (None, "val_f1", "val_loss", "val_mae")]
    assert chosen == ["accuracy", "f1", "accuracy", "accuracy"]
    assert compared_metric(task, "val_f1", "val_f1") == "f1"
    assert compared_metric(task, "val_f1", None) == compared_metric(task) == "accuracy"


def test_a_resampled_variance_is_that_of_independent_examples():
    labels, y = Labels("classification", ("a", "b")), np.tile([0, 1], 200)
    right = np.random.default_rng(0).random(400) < 0.8
    outputs = np.eye(2)[np.where(right, y, 1 - y)]
    # With classes of one size and accuracy, macro recall is the accuracy.
    accuracy, recall = (
        score_variance(labels, name, right.mean(), y, outputs) for name in ("accuracy", "recall")
    )
    assert recall == pytest.approx(accuracy, rel=0.25)
    assert score_variance(labels, "recall", 1.0, y, np.eye(2)[y]) > 0


def test_a_line_shows_what_a_task_tells_first_and_no_task_is_unknown():
    metrics = {"loss": 1.0, "kappa": 0.5, "mae": 2.0, "r2": 0.25, "rmse": 3.0, "mse": 9.0}
    assert score_line("regression", metrics) == "rmse 3, r2 0.25, mae 2, kappa 0.5, loss 1"
    with pytest.raises(SettingError, match="Did you mean 'regression'"):
        score_line("regresion", metrics)


def test_f1_at_the_fitted_thresholds_is_shown_before_that_at_the_default():
    metrics = {"f1": 0.5, "accuracy": 0.9, "loss": 0.25}
    assert score_line("multilabel", metrics) == "f1 0.5, accuracy per label 0.9, loss 0.25"
    monitored = score_line("multilabel", {**metrics, "recall": 0.75}, "val_recall")
    assert monitored == "f1 0.5, accuracy per label 0.9, loss 0.25, recall 0.75"
    calibrated = {**metrics, "calibrated": {"f1": 0.75, "log_loss": 0.2}}
    expected = "f1 0.75, f1 (threshold 0.5) 0.5, accuracy per label 0.9, loss 0.25"
    assert score_line("multilabel", calibrated) == expected
