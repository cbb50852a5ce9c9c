"""Regions compiled in another thread, while the graph that calls them is traced."""

import os
import subprocess
import sys
import threading
import time

import pytest

from kerasft.models.fast_layers import compiling_ahead, regions


def _trace(function, shape):
    """Trace a graph that calls a function for rows of three features."""
    import tensorflow as tf

    (call,) = regions.for_rows([function], shape)
    spec = tf.TensorSpec([*shape, 3], "float32")
    outer = tf.function(lambda x: call(tf.reshape(x, [-1, 3])), input_signature=[spec])
    return outer.get_concrete_function()


def _noting():
    """Return a function that notes the rows and the thread of its calls, and the notes."""
    import tensorflow as tf

    found = []

    def note(x):
        found.append((x.shape, threading.get_ident()))
        return x

    @regions.traced_once
    def function(x):
        return tf.numpy_function(note, [x], tf.float32)

    return function, found


def _wait_for(found, count):
    end = time.monotonic() + 30
    while len(found) < count and time.monotonic() < end:
        time.sleep(0.01)


def test_every_padded_number_of_rows_is_compiled_once_in_another_thread():
    function, found = _noting()
    # 128, 130, 192 and 130 rows of tokens: 130 are padded to 192.
    with compiling_ahead([(2, 64), (2, 65), (4, 48), (2, 65)]):
        _trace(function, (None, None))
        _wait_for(found, 2)
        _trace(function, (None, None))  # as another layer of the model does
        time.sleep(0.1)
    assert [shape for shape, _ in found] == [(128, 3), (192, 3)]
    assert threading.get_ident() not in {thread for _, thread in found}


@pytest.mark.parametrize(
    ("shape", "rows"), [((None,), 128), ((None, 5), 192), ((None, 3, None, None), 12_288)]
)
def test_the_first_unknown_size_is_that_of_examples(shape, rows):
    function, found = _noting()
    with compiling_ahead([(32, 11)]):
        _trace(function, shape)
        _wait_for(found, 1)
    assert [each for each, _ in found] == [(rows, 3)]


def test_nothing_is_compiled_without_tokens_or_outside_the_body():
    function, found = _noting()
    with compiling_ahead([(32, 0)]):
        _trace(function, (None, None))
    with compiling_ahead([]):
        _trace(function, (None, None))
    _trace(function, (None, None))
    assert not found


STEPS = """
import contextlib, sys
import keras, numpy as np, tensorflow as tf
from kerasft.models.fast_layers import compiling_ahead, regions, speed_up, speed_up_steps

regions.worthwhile = lambda: True
inputs = keras.Input((None, 128))
x = keras.layers.Dropout(0.1)(keras.layers.LayerNormalization()(inputs))
x = keras.layers.Dense(128, activation="gelu")(x)
model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.GlobalAveragePooling1D()(x)))
speed_up(model)
model.compile("adam", "mse")
speed_up_steps(model)
shapes = [(4, 40), (4, 60), (4, 40), (2, 60)]
batches = tf.data.Dataset.from_generator(
    lambda: ((np.ones((n, width, 128)), np.ones((n, 1))) for n, width in shapes),
    output_signature=(tf.TensorSpec([None, None, 128]), tf.TensorSpec([None, 1])),
)
with compiling_ahead(shapes) if sys.argv[1] == "ahead" else contextlib.nullcontext():
    model.fit(batches, verbose=0)
"""


@pytest.mark.slow
def test_steps_use_what_was_compiled_ahead(tmp_path):
    def modules(how):
        folder = tmp_path / how
        environment = {**os.environ, "XLA_FLAGS": f"--xla_dump_to={folder} --xla_dump_hlo_as_text"}
        command = [sys.executable, "-c", STEPS, how]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        return len(list(folder.glob("*before_optimizations.txt")))

    # Layer normalization, GELU and their gradients, and dropout, for 192, 256 and 128 rows.
    assert modules("ahead") == modules("later") == 15
