"""The rule about probabilities, on made records."""

import pytest

from kerasft.insight.diagnosis import find
from kerasft.insight.rules.confidence import overconfident
from tests.insight.made_facts import facts


def calibrated(temperature=1.6, before=0.6, after=0.5, examples=250):
    return {
        "examples": examples,
        "calibration": {"temperature": temperature},
        "scores": {"log_loss": {"before": before, "after": after}},
    }


def fit(val_loss=(0.7, 0.4, 0.5, 0.6), **changes):
    """Return the facts about a fit whose accuracy and validation loss rise together."""
    rows = [
        {"epoch": n, "phase": "main", "loss": 0.9 / n, "val_loss": loss, "accuracy": 0.5 + n / 10,
         "val_accuracy": 0.5 + n / 10, "learning_rate": 1e-3, "penalty": 0.0}
        for n, loss in enumerate(val_loss, 1)
    ]  # fmt: skip
    return facts(**{"rows": rows, "best_epoch": 4, "calibration": calibrated(), **changes})


def test_a_best_epoch_after_the_loss_has_risen_is_a_note_with_the_numbers():
    finding = overconfident(fit())
    assert not finding.fault
    for part in ("is 0.6 in epoch 4", "the lowest is 0.4", "temperature 1.6", "from 0.6 to 0.5"):
        assert part in finding.evidence
    assert "overconfident" in {found.name for found in find(fit())}


@pytest.mark.parametrize(
    "changes",
    [
        {"val_loss": (0.7, 0.6, 0.55, 0.6)},
        {"calibration": calibrated(temperature=1.0)},
        {"calibration": calibrated(temperature=0.6)},
        {"calibration": calibrated(before=0.505)},  # within chance
        {"calibration": {}},
        {"best_epoch": 2},
        {"best_epoch": 0},  # the start
    ],
)
def test_a_fit_without_all_of_the_evidence_is_not_named(changes):
    assert overconfident(fit(**changes)) is None
