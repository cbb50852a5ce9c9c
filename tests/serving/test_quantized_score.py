"""Whether a quantized export loses too much."""

import re

import numpy as np
import pytest

from kerasft.errors import ProofError, SettingError
from kerasft.serving.quantized_score import Quantization
from kerasft.tasks import Labels

CLASSES = Labels("classification", ("cat", "dog"))
NUMBER = Labels("regression", (), 0.0, 1.0)


def answers(best):
    return {"best": best, "probabilities": np.eye(2, dtype="float32")[best]}


def accuracy(count, wrong):
    """Returns targets, and the answers of a model that is wrong for the last examples."""
    y = np.tile([0, 1], count // 2).astype("int32")
    best = y.copy()
    if wrong:
        best[-wrong:] = 1 - best[-wrong:]
    return y, answers(best)


# The interval of Agresti and Min is that of these counts, by hand: 0.0010, 0.0072, ...
@pytest.mark.parametrize(
    ("count", "lost", "margin", "accepted"),
    [
        (2000, 0, 0.01, True),
        (2000, 9, 0.01, True),
        (2000, 20, 0.01, False),  # a point is lost, so it may be more
        (200, 0, 0.01, True),
        (200, 1, 0.01, False),
        (200, 1, 0.05, True),
        (20, 0, 0.01, False),  # equal predictions for few examples prove little
        (20, 0, 0.1, True),
        (20, 20, 1.0, True),
    ],
)
def test_the_interval_of_the_loss_lies_below_the_margin(count, lost, margin, accepted):
    y, found = accuracy(count, lost)
    _, reference = accuracy(count, 0)
    quantization = Quantization("dynamic", margin)
    if not accepted:
        with pytest.raises(ProofError, match=rf"worse by more than {margin:g}: accuracy .*95%"):
            quantization.accept(CLASSES, y, found, reference)
        return
    record = quantization.accept(CLASSES, y, found, reference)
    assert record["difference"] == pytest.approx(-lost / count)
    low, high = record["confidence_interval"]
    assert low <= record["difference"] <= high
    assert -low <= margin
    assert (record["score"], record["reference"]) == (1 - lost / count, 1)
    assert (record["examples"], record["allowed"]) == (count, margin)
    assert record["agreement"]["equal"] == 1 - lost / count


def test_probabilities_alone_may_change():
    y, reference = accuracy(400, 0)
    sure = reference["probabilities"]
    found = {**reference, "probabilities": 0.6 * sure + 0.4 * (1 - sure)}
    record = Quantization("dynamic").accept(CLASSES, y, found, reference)
    assert record["agreement"]["largest_difference"] == pytest.approx(0.4)


def test_a_refusal_names_the_margin_that_would_accept():
    y, found = accuracy(200, 1)
    _, reference = accuracy(200, 0)
    with pytest.raises(ProofError) as caught:
        Quantization("int8").accept(CLASSES, y, found, reference)
    (margin,) = re.findall(r"--margin ([\d.]+),", str(caught.value))
    assert Quantization("int8", float(margin)).accept(CLASSES, y, found, reference)


@pytest.mark.parametrize(("factor", "accepted"), [(1.005, True), (0.5, True), (1.02, False)])
def test_an_error_may_grow_by_one_percent(factor, accepted):
    y = np.linspace(-1, 1, 100).astype("float32")
    errors = np.tile([0.1, -0.1], 50)
    reference, found = ({"prediction": y + errors * each} for each in (1, factor))
    if accepted:
        record = Quantization("float16").accept(NUMBER, y, found, reference)
        assert record["difference"] == pytest.approx(0.1 * (factor - 1), abs=1e-6)
    else:
        with pytest.raises(ProofError, match="rmse"):
            Quantization("float16").accept(NUMBER, y, found, reference)


def test_answers_that_are_no_numbers_are_refused():
    y = np.linspace(-1, 1, 100).astype("float32")
    with pytest.raises(ProofError, match="Export with another --quantize or without"):
        Quantization("int8", 1.0).accept(
            NUMBER, y, {"prediction": np.full(100, 9.0)}, {"prediction": y + 0.1}
        )


def test_a_loss_against_a_run_without_errors_is_refused():
    y = np.linspace(-1, 1, 100).astype("float32")
    with pytest.raises(ProofError, match="Export with another --quantize or without"):
        Quantization("int8").accept(NUMBER, y, {"prediction": y + 0.1}, {"prediction": y})


@pytest.mark.parametrize(
    ("kind", "margin", "reason"),
    [("int4", 0.01, "float16, dynamic, int8"), ("int8", 0, "margin=0"), ("int8", 2.0, "margin=2")],
)
def test_values_out_of_range_are_refused(kind, margin, reason):
    with pytest.raises(SettingError, match=reason):
        Quantization(kind, margin)
