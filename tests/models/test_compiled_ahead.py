"""Regions compiled in another thread, while the graph that calls them is traced."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import kerasft
from kerasft.models.fast_layers import compiling_ahead, regions
from kerasft.training.phases import make_batches
from tests.training.small import fit, text_config, text_recipe


def _trace(function, shape):
    """Trace a graph that calls a function for rows of three features."""
    import tensorflow as tf

    (call,) = regions.compiled_before_use([function], shape)
    spec = tf.TensorSpec([*shape, 3] if shape else [None, 3], "float32")
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


@pytest.mark.parametrize(
    ("shapes", "row_shape"),
    [([(32, 0)], (None, None)), ([], (None, None)), ([(32, 11)], ()), ([(2**25, 11)], (None,))],
    ids=["no tokens", "no batches", "a single vector", "large arrays"],
)
def test_nothing_is_compiled_ahead_of(shapes, row_shape):
    function, found = _noting()
    with compiling_ahead(shapes):
        _trace(function, row_shape)
        time.sleep(0.1)
    assert not found


def test_nothing_is_compiled_outside_the_body():
    function, found = _noting()
    _trace(function, (None, None))
    time.sleep(0.1)
    assert not found


@pytest.mark.parametrize("rows", [0, 1, 128, 129, 192, 193, 1000])
def test_rows_are_padded_alike_before_and_within_a_step(rows):
    assert regions.pad(np.zeros((rows, 1), "float32")).shape[0] == regions.padded_rows(rows)


@pytest.mark.slow
def test_every_phase_of_a_fit_compiles_ahead_what_its_first_epoch_has(
    preset, reviews, tmp_path, monkeypatch
):
    asked = []

    def noting(shapes):
        asked.append(list(shapes))
        return compiling_ahead(shapes)

    monkeypatch.setattr("kerasft.training.loop.compiling_ahead", noting)
    config = text_config(preset, reviews, head_epochs=1, epochs=1)
    fit(text_recipe, config, tmp_path)
    data = kerasft.load_data(config)
    batches = make_batches(data.train, config, data.labels, training=True)
    expected = []
    for batches.epoch in (0, 1):  # the head phase, the main phase
        all_x = [batches.batch(index)[0] for index in range(len(batches))]
        expected.append([x["token_ids"].shape for x in all_x])
    assert asked == expected and expected[0] != expected[1]


STEPS = """
import contextlib, pathlib, sys, time
import keras, numpy as np, tensorflow as tf
from kerasft.models.fast_layers import compiling_ahead, regions, speed_up, speed_up_steps

how, folder = sys.argv[1], pathlib.Path(sys.argv[2])
regions.worthwhile = lambda: True
inputs = keras.Input((None, 128))
x = keras.layers.Dropout(0.1)(keras.layers.LayerNormalization()(inputs))
x = keras.layers.Dense(128, activation="gelu")(x)
model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.GlobalAveragePooling1D()(x)))
speed_up(model)
model.compile("adam", "mse")
model.optimizer.build(model.trainable_variables)
speed_up_steps(model)
shapes = [(4, 40), (4, 60), (4, 40), (2, 60)]
signature = (tf.TensorSpec([None, None, 128]), tf.TensorSpec([None, 1]))
step = tf.function(model.train_step, input_signature=[signature], autograph=False)
with contextlib.nullcontext() if how == "later" else compiling_ahead(shapes):
    step.get_concrete_function()
    if how == "traced":  # no step is run
        end = time.monotonic() + 60
        while len(list(folder.glob("*before_optimizations.txt"))) < 15 and time.monotonic() < end:
            time.sleep(0.1)
    else:
        for examples, width in shapes:
            step((tf.ones([examples, width, 128]), tf.ones([examples, 1])))
"""


@pytest.mark.slow
def test_steps_use_what_was_compiled_ahead(tmp_path):
    def modules(how):
        folder = tmp_path / how
        environment = {**os.environ, "XLA_FLAGS": f"--xla_dump_to={folder} --xla_dump_hlo_as_text"}
        command = [sys.executable, "-c", STEPS, how, folder]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        return len(list(folder.glob("*before_optimizations.txt")))

    # Layer normalization, GELU and their gradients, and dropout, for 192, 256 and 128 rows.
    assert modules("traced") == modules("ahead") == modules("later") == 15
