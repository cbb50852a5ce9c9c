"""Warm start: a search space narrowed around earlier results."""

import keras_tuner
import pytest

from kerasft.tuning.space import contains, describe_space, space_from
from kerasft.tuning.warm_start import narrow_dimension


def dimension(declare):
    hp = keras_tuner.HyperParameters()
    declare(hp)
    return hp.space[0]


@pytest.mark.parametrize(
    ("declare", "best", "left"),
    [
        (lambda hp: hp.Int("epochs", 4, 12, step=4), 8, [8]),
        (lambda hp: hp.Int("batch_size", 16, 128, step=16), 64, [48, 64, 80]),
        (lambda hp: hp.Float("dropout", 0.0, 0.5, step=0.1), 0.2, [0.2]),
    ],
)
def test_the_grid_of_a_range_stays_where_it_is(declare, best, left):
    narrow = narrow_dimension(dimension(declare), [best])
    assert list(narrow.values) == pytest.approx(left)
    assert narrow.default == best


def test_choices_without_the_best_one_stay(declared=(-1, 6, 3)):
    choices = dimension(lambda hp: hp.Choice("trainable_blocks", list(declared)))
    assert narrow_dimension(choices, [4, -1]) is choices
    assert narrow_dimension(choices, [6, -1]).values == [-1, 6]


def test_a_default_of_the_preset_is_in_no_range():
    depth = dimension(lambda hp: hp.Float("stochastic_depth", 0.0, 0.3))
    assert not contains(depth, None)
    assert narrow_dimension(depth, [None]) is depth


def test_a_described_space_is_the_same_again():
    hp = keras_tuner.HyperParameters()
    hp.Float("learning_rate", 1e-5, 1e-2, sampling="log", default=1e-3)
    hp.Int("epochs", 4, 12, step=4)
    hp.Choice("optimizer", ["adamw", "sgd"])
    hp.Boolean("cache")
    described = describe_space(hp)
    assert describe_space(space_from(described)) == described
