"""Batches: the order of an epoch, text lengths, weights."""

import itertools

import keras
import numpy as np
import pytest

from kerasft.data import Batches, class_weights, stream
from kerasft.data.bucket_widths import plan_widths


def texts(lengths, width=40, left=False):
    mask = np.zeros((len(lengths), width), "int32")
    for row, length in enumerate(lengths):
        mask[row, width - length :] = left
        mask[row, :length] |= not left
    return {"token_ids": mask * 7 + (1 - mask) * 3, "padding_mask": mask}


def test_every_example_comes_once_an_epoch():
    batches = Batches(np.arange(10), np.arange(10) * 2, batch_size=4, shuffle=True)
    assert [len(x) for x, _ in batches] == [4, 4, 2]
    assert sorted(np.concatenate([x for x, _ in batches])) == list(range(10))
    assert all((y == 2 * x).all() for x, y in batches)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a stream of TensorFlow")
@pytest.mark.parametrize("x", [np.zeros((8, 2), "float32"), texts([2, 3, 4, 5])])
def test_no_thread_tunes_a_stream(x):
    fed = stream(Batches(x, batch_size=2))
    assert len(list(fed)) == len(fed)
    assert fed.options().autotune.enabled is False


def test_order_is_decided_by_seed_and_epoch():
    def order(seed, epoch):
        batches = Batches(np.arange(50), batch_size=50, seed=seed, shuffle=True)
        batches.epoch = epoch
        return batches[0][0].tolist()

    expected = np.random.default_rng([3, 5]).permutation(50).tolist()
    assert order(3, 5) == expected
    assert order(3, 6) != expected
    assert order(4, 5) != expected


def test_an_epoch_that_ends_brings_the_order_of_the_next():
    batches = Batches(np.arange(50), batch_size=50, shuffle=True)
    batches.on_epoch_end()
    assert batches.epoch == 1
    assert batches[0][0].tolist() == np.random.default_rng([0, 1]).permutation(50).tolist()


@pytest.mark.parametrize("parts", [1, 2])
def test_the_shapes_of_an_epoch_are_those_of_its_batches(parts):
    x = texts(np.random.default_rng(0).integers(1, 30, 21))
    batches = Batches(x, batch_size=4, shuffle=True, parts=parts)
    for epoch in (0, 1):
        batches.epoch = epoch
        found = [batches.batch(index)[0]["padding_mask"].shape for index in range(len(batches))]
        assert batches.shapes() == found
        assert found[-1][0] == 1
    assert Batches(np.zeros((5, 2)), batch_size=4).shapes() == [(4, 0), (1, 0)]


def test_without_shuffle_the_order_stays():
    batches = Batches(np.arange(5), batch_size=2)
    batches.on_epoch_end()
    assert [x.tolist() for (x,) in batches] == [[0, 1], [2, 3], [4]]


def test_texts_are_trimmed_to_the_longest_of_their_batch():
    batches = Batches(texts([3, 9, 17, 2, 40, 1]), batch_size=2)
    batches.on_epoch_begin()
    assert [x["token_ids"].shape for (x,) in batches] == [(2, 9), (2, 17), (2, 40)]
    assert batches[0][0]["padding_mask"].sum() == 12


def test_where_shapes_are_compiled_lengths_are_multiples_of_8(monkeypatch):
    monkeypatch.setattr("kerasft.data.batches.compiles_shapes", lambda: True)
    batches = Batches(texts([3, 4, 17, 12, 37, 38], width=38), batch_size=2)
    batches.on_epoch_begin()
    assert [x["token_ids"].shape for (x,) in batches] == [(2, 8), (2, 24), (2, 38)]


@pytest.mark.parametrize("count", [1600, 1605])
def test_where_shapes_are_compiled_there_are_six_at_most(monkeypatch, count):
    monkeypatch.setattr("kerasft.data.batches.compiles_shapes", lambda: True)
    lengths = np.random.default_rng(0).gamma(2.0, 8.0, count).astype(int).clip(1, 128)
    batches = Batches(texts(lengths, width=128), batch_size=16, shuffle=True)
    shapes = []
    for epoch in range(3):
        batches.epoch = epoch
        batches.on_epoch_begin()
        shapes += [x["token_ids"].shape for (x,) in batches]
    assert len(set(shapes)) <= 6
    assert 3 * lengths.sum() / sum(rows * width for rows, width in shapes) > 0.7


def test_planned_widths_pad_least():
    lengths = np.repeat([5, 9, 14, 22, 27, 39, 60], [8, 4, 6, 4, 2, 3, 1])
    possible = np.array([8, 16, 24, 32, 40, 64])

    def padded(widths):
        return np.array(widths)[np.searchsorted(widths, lengths)].sum()

    for count in (1, 2, 3, 4):
        best = min(padded([*w, 64]) for w in itertools.combinations(possible[:-1], count - 1))
        found = plan_widths(lengths, 1, 128, count)
        assert padded(found) == best
        assert len(found) <= count


def test_texts_padded_on_the_left_are_trimmed_on_the_left():
    batches = Batches(texts([3, 9], left=True), batch_size=2)
    assert batches[0][0]["padding_mask"].shape == (2, 9)
    assert batches[0][0]["padding_mask"].sum() == 12


def grouped(epoch=0, count=1003):
    lengths = np.random.default_rng(0).integers(1, 40, count)
    x = {**texts(lengths), "number": np.arange(count)[:, None]}
    batches = Batches(x, batch_size=10, shuffle=True)
    batches.epoch = epoch
    batches.on_epoch_begin()
    return lengths, [batches[i][0] for i in range(len(batches))]


def test_texts_of_similar_length_come_together():
    lengths, drawn = grouped()
    processed = sum(x["token_ids"].size for x in drawn)
    assert lengths.sum() / processed > 0.93


def test_grouping_loses_no_text_and_keeps_the_small_batch_last():
    _, drawn = grouped()
    assert [len(x["number"]) for x in drawn] == [10] * 100 + [3]
    assert sorted(np.concatenate([x["number"][:, 0] for x in drawn])) == list(range(1003))


def test_grouping_leaves_the_order_random():
    _, first = grouped(0)
    _, second = grouped(1)
    assert {frozenset(x["number"][:, 0]) for x in first}.isdisjoint(
        {frozenset(x["number"][:, 0]) for x in second}
    )
    widths = [x["token_ids"].shape[1] for x in first]
    assert abs(np.corrcoef(widths, np.arange(len(widths)))[0, 1]) < 0.3


def test_by_length_returns_the_original_positions():
    batches = Batches(texts([9, 3, 17, 2]), np.arange(4), batch_size=2, by_length=True)
    batches.on_epoch_begin()
    assert [x["token_ids"].shape[1] for x, _ in batches] == [3, 17]
    assert np.concatenate([y for _, y in batches]).tolist() == batches.order.tolist()


def test_chosen_rows_come_alone():
    rows = np.array([1, 2, 4])
    x = texts([8, 3, 9, 1, 2])
    x["token_ids"][:, 0] = np.arange(5)
    found = Batches(x, np.arange(5), batch_size=2, by_length=True, rows=rows)
    assert len(found) == 2
    assert found.order.tolist() == [4, 1, 2]
    assert [y.tolist() for _, y in found] == [[4, 1], [2]]
    assert [x["token_ids"][:, 0].tolist() for x, _ in found] == [[4, 1], [2]]
    shuffled = Batches(x, np.arange(5), batch_size=1, shuffle=True, rows=rows)
    orders = set()
    for shuffled.epoch in range(20):
        orders.add(tuple(shuffled.order.tolist()))
    assert all(sorted(order) == [1, 2, 4] for order in orders)
    assert len(orders) > 1


def test_keras_trains_on_texts_whose_first_batches_have_one_length():
    # Keras fixes the shape of a batch by the first two.
    tokens = keras.Input((None,), name="token_ids", dtype="int32")
    mask = keras.Input((None,), name="padding_mask", dtype="int32")
    x = keras.ops.sum(keras.ops.cast(tokens * mask, "float32"), axis=1, keepdims=True)
    model = keras.Model({"token_ids": tokens, "padding_mask": mask}, keras.layers.Dense(1)(x))
    model.compile("sgd", "mse")
    y = np.zeros(8, "float32")
    for lengths in ([40, 1, 40, 1, 3, 2, 20, 1], [3, 1, 4, 1, 3, 2, 40, 1]):
        batches = Batches(texts(lengths), y, batch_size=2)
        model.fit(batches, epochs=2, verbose=0, validation_data=batches, shuffle=False)
        assert model.predict(batches, verbose=0).shape == (8, 1)


def test_widened_batch_adds_only_padding():
    batches = Batches(texts([5, 5, 5, 5]), batch_size=2)
    (wide,) = batches[1]
    assert wide["token_ids"].shape == (2, 13)
    assert wide["padding_mask"].sum() == 10
    assert (wide["token_ids"][wide["padding_mask"] == 1] == 7).all()
    batches.on_epoch_begin()
    assert batches[1][0]["token_ids"].shape == (2, 5)


def test_sample_weights_follow_their_examples():
    batches = Batches(
        np.arange(9), np.arange(9), batch_size=4, shuffle=True, sample_weight=np.arange(9) / 10
    )
    assert all(np.allclose(w, x / 10) for x, _, w in batches)


def test_balanced_class_weights_are_those_of_scikit_learn():
    from sklearn.utils.class_weight import compute_class_weight

    y = np.array([0, 0, 0, 1, 2, 2], "int32")
    expected = compute_class_weight("balanced", classes=np.arange(3), y=y)
    assert class_weights(y, 3) == pytest.approx(expected)


def test_a_class_without_examples_has_no_weight():
    assert class_weights(np.array([0, 0, 1]), 3).tolist() == pytest.approx([0.75, 1.5, 0.0])


def test_an_index_outside_is_refused():
    batches = Batches(np.arange(5), batch_size=2)
    assert batches[-1][0].tolist() == [4]
    with pytest.raises(IndexError, match="out of range for 3 batches"):
        batches[3]


def test_texts_without_a_mask_are_not_trimmed():
    batches = Batches({"token_ids": np.zeros((4, 40), "int32")}, batch_size=4)
    assert batches[0][0]["token_ids"].shape == (4, 40)


@pytest.mark.parametrize("left", [False, True])
def test_given_widths_are_the_widths_of_every_part(left):
    widths = np.array([8, 16])
    for lengths, width in (([3, 4, 9, 12], 16), ([1, 2, 2, 3], 8), ([9, 9, 10, 10], 16)):
        x = texts(lengths, width, left)
        batches = Batches(x, batch_size=2, by_length=True, widths=widths)
        found = [batches.batch(index)[0]["token_ids"].shape[1] for index in range(2)]
        assert found == [8 if length <= 8 else 16 for length in lengths[1::2]]
    x = texts([3, 9], 16, left)
    (batch,) = Batches(x, batch_size=2, widths=np.array([24])).batch(0)
    assert batch["padding_mask"].sum(axis=1).tolist() == [3, 9]
    assert (batch["padding_mask"][:, 0] == (not left)).all()


def test_a_longer_text_adds_a_width():
    batches = Batches(texts([3, 30], 40), batch_size=1, by_length=True, widths=np.array([8]))
    assert batches.widths.tolist() == [8, 40]
    assert [batches.batch(index)[0]["token_ids"].shape[1] for index in range(2)] == [8, 40]
