"""Which phases are worth a feature cache."""

from types import SimpleNamespace

import pytest

from kerasft.frozen.cache_decision import WORTH, worthwhile


def prefix(work, tail):
    """The attributes of a frozen prefix that are read: the work of the whole and of the tail."""
    return SimpleNamespace(work=work, tail=SimpleNamespace(work=tail))


def test_the_gain_of_one_phase_is_that_of_counted_passes():
    # Six blocks, two of them trained, five epochs, validation a quarter of the training split.
    kept, gains = worthwhile([(prefix(6.0, 2.0), 5)], 0.25)
    without = 5 * (1.25 * 4 + 3.25 * 2)
    assert kept == [0]
    assert gains[0] == pytest.approx(without / (1.25 * 4 + 5 * 3.25 * 2))


def test_one_epoch_alone_gains_nothing():
    kept, gains = worthwhile([(prefix(6.0, 2.0), 1)], 0.25)
    assert kept == []
    assert gains[0] == pytest.approx(1.0)


def test_two_phases_of_one_epoch_share_one_pass():
    phases = [(prefix(6.0, 0.01), 1), (prefix(6.0, 1.0), 1)]
    assert worthwhile(phases[:1], 0.25)[0] == worthwhile(phases[1:], 0.25)[0] == []
    kept, gains = worthwhile(phases, 0.25)
    assert kept == [0, 1]
    assert min(gains.values()) >= WORTH
    # Of one pass each bears a part, the larger one that with the longer prefix.
    assert gains[0] == pytest.approx((5.99 + 5.0) / 5.99, rel=0.01)
    assert gains[0] > gains[1]


def test_every_phase_with_a_cache_gains():
    # Nearly all of the features are computed for the first, most of whose epochs they save.
    phases = [(prefix(6.0, 0.01), 6), (prefix(6.0, 3.0), 1)]
    kept, gains = worthwhile(phases, 0.25)
    assert kept == [0, 1]
    together = sum(epochs * (1.25 * (p.work - p.tail.work) + 3.25 * p.tail.work)
                   for p, epochs in phases)  # fmt: skip
    with_features = 1.25 * 5.99 + sum(epochs * 3.25 * p.tail.work for p, epochs in phases)
    assert min(gains.values()) > 1
    assert min(gains.values()) < together / with_features < max(gains.values())


def test_a_phase_that_gains_little_is_left_out_and_the_other_stays():
    kept, gains = worthwhile([(prefix(6.0, 0.01), 5), (prefix(6.0, 5.8), 2)], 0.25)
    assert kept == [0]
    assert gains[1] < WORTH < gains[0]


def test_more_trainings_pay_where_one_does_not():
    assert worthwhile([(prefix(6.0, 2.0), 1)], 0.25)[0] == []
    assert worthwhile([(prefix(6.0, 2.0), 12)], 0.25)[0] == [0]


def test_no_phase_is_no_work():
    assert worthwhile([], 0.25) == ([], {})
