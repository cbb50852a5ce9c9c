"""Padding that all texts share is trimmed, in Python and in the graph of an export alike."""

import numpy as np
import pytest
import tensorflow as tf

from kerasft.modalities.padding import trim_in_graph, trim_texts


def texts(lengths, total, *, left=False):
    """Returns tokens 1, 2, ... of texts, padded with 0."""
    mask = np.arange(total) < np.array(lengths)[:, np.newaxis]
    tokens = np.cumsum(mask, axis=1) * mask
    if left:
        mask, tokens = mask[:, ::-1], tokens[:, ::-1]
    return {
        "token_ids": tokens.astype("int32"),
        "padding_mask": mask.astype("int32"),
        "length": np.array(lengths, "int32")[:, np.newaxis],
    }


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("lengths", [[1, 3], [8], [9, 2], [20, 1], [0]], ids=str)
def test_the_graph_trims_as_python(lengths, left):
    x = texts(lengths, 20, left=left)
    expected = trim_texts(x)
    found = tf.function(trim_in_graph)({k: tf.constant(v) for k, v in x.items()})
    assert set(found) == set(x)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
    assert expected["token_ids"].shape[1] == min(max(8, -(-max(lengths) // 8) * 8), 20)


def test_no_texts_and_inputs_without_a_mask_are_left():
    image = tf.zeros((2, 4, 4, 3))
    assert trim_in_graph(image) is image
    tokens = {"token_ids": tf.zeros((2, 20), tf.int32)}
    assert trim_in_graph(tokens) is tokens
    empty = {name: tf.zeros((0, 20), tf.int32) for name in ("token_ids", "padding_mask")}
    assert trim_in_graph(empty)["token_ids"].shape[0] == 0
