"""Outputs of a served model with several labels, or with a number in a unit."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from kerasft.calibration import Calibration, Interval
from kerasft.config import ImageConfig
from kerasft.errors import SettingError
from kerasft.tasks import Labels

NAMES = ("a", "b||c", "|d|", "ü")
OUTPUTS = np.array(
    [[0.9, 0.1, 0.2, 0.8], [0.1, 0.2, 0.3, 0.4], [0.6, 0.7, 0.8, 0.9], [0.1, 0.9, 0.9, 0.2]],
    "float32",
)
CALIBRATIONS = {
    "none": Calibration(),
    "thresholds": Calibration(thresholds=(0.95, 0.05, 0.5, 0.35)),
    "scaled": Calibration(slopes=(2.0, 1.0, 0.5, 1.0), offsets=(-3.0, 0.0, 2.0, 1.0)),
}


def served(labels, outputs, calibration):
    """Returns the outputs of a graph, as lists."""
    function = tf.function(lambda x: labels.kind.served_outputs(labels, x, calibration))
    return {name: value.numpy().tolist() for name, value in function(outputs).items()}


@pytest.mark.parametrize("kind", sorted(CALIBRATIONS))
def test_several_labels_are_served_as_python_predicts_them(kind):
    labels, calibration = Labels("multilabel", NAMES), CALIBRATIONS[kind]
    found = served(labels, OUTPUTS, calibration)
    decided = {
        name: ops.convert_to_numpy(value)
        for name, value in labels.kind.decide(labels, OUTPUTS, calibration).items()
    }
    rows = [labels.kind.row(labels, {k: v[n] for k, v in decided.items()}) for n in range(4)]
    assert [text.decode() for text in found["prediction"]] == [row["prediction"] for row in rows]
    assert [[name.decode() for name in row] for row in found["classes"]] == [list(NAMES)] * 4
    assert found["labels"] == decided["labels"].tolist()
    assert found["probabilities"] == decided["probabilities"].tolist()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("none", ["a|ü", "", "a|b||c||d||ü", "b||c||d|"]),
        ("thresholds", ["b||c|ü", "b||c|ü", "b||c||d||ü", "b||c||d|"]),
    ],
)
def test_the_served_prediction_joins_the_labels_above_their_thresholds(kind, expected):
    found = served(Labels("multilabel", NAMES), OUTPUTS, CALIBRATIONS[kind])
    assert [text.decode() for text in found["prediction"]] == expected


def test_no_inputs_have_no_labels():
    found = served(Labels("multilabel", NAMES), OUTPUTS[:0], CALIBRATIONS["none"])
    assert (found["prediction"], found["labels"], found["classes"]) == ([], [], [])


@pytest.mark.parametrize("unit", ["", "°C"])
def test_a_number_has_its_unit(unit):
    labels = Labels("regression", (), 0.0, 1.0, unit=unit)
    found = served(labels, OUTPUTS[:, :1], Calibration(interval=Interval(0.9, 2.0, False)))
    assert [text.decode() for text in found.pop("unit", [])] == [unit] * 4 * bool(unit)
    assert set(found) == {"prediction", "lower", "upper"}
    row = labels.kind.row(labels, {name: np.float32(values[0]) for name, values in found.items()})
    assert row.get("unit", "") == unit
    assert Labels.from_dict(labels.to_dict()) == labels


def test_classes_have_no_unit():
    with pytest.raises(SettingError, match="`target_unit` is EUR, but task=classification"):
        ImageConfig(target_unit="EUR")
