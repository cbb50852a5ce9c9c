"""Whether a quantized export loses too much."""

import numpy as np
import pytest

from kerasft.errors import ProofError
from kerasft.serving.quantized_score import accept
from kerasft.tasks import Labels

CLASSES = Labels("classification", ("cat", "dog"))
NUMBER = Labels("regression", (), 0.0, 1.0)


def accuracy(right, wrong):
    """Returns targets, and the answers of a model that is wrong for the last examples."""
    y = np.tile([0, 1], (right + wrong) // 2).astype("int32")
    best = y.copy()
    if wrong:
        best[-wrong:] = 1 - best[-wrong:]
    return y, {"best": best}


@pytest.mark.parametrize(("wrong", "agree"), [(0, True), (2, True), (4, False), (100, False)])
def test_a_loss_above_one_point_is_refused(wrong, agree):
    y, found = accuracy(200 - wrong, wrong)
    _, reference = accuracy(200, 0)
    if not agree:
        with pytest.raises(ProofError, match=r"accuracy 0\.\d+ instead of 1, "):
            accept(CLASSES, y, found, reference)
        return
    record = accept(CLASSES, y, found, reference)
    assert record["difference"] == pytest.approx(-wrong / 200)
    low, high = record["confidence_interval"]
    assert low <= record["difference"] <= high
    assert (record["score"], record["reference"]) == (1 - wrong / 200, 1)
    assert record["examples"] == 200


def test_one_example_of_a_few_may_be_lost():
    y, found = accuracy(9, 1)
    assert accept(CLASSES, y, found, accuracy(10, 0)[1])["allowed"] == 0.1
    y, found = accuracy(8, 2)
    with pytest.raises(ProofError):
        accept(CLASSES, y, found, accuracy(10, 0)[1])


@pytest.mark.parametrize(("factor", "agree"), [(1.005, True), (0.5, True), (1.02, False)])
def test_an_error_may_grow_by_one_percent(factor, agree):
    y = np.linspace(-1, 1, 100).astype("float32")
    errors = np.tile([0.1, -0.1], 50)
    reference, found = ({"prediction": y + errors * each} for each in (1, factor))
    if agree:
        record = accept(NUMBER, y, found, reference)
        assert record["difference"] == pytest.approx(0.1 * (factor - 1), abs=1e-6)
    else:
        with pytest.raises(ProofError, match="rmse"):
            accept(NUMBER, y, found, reference)
