"""A fit whose batches do not fit into memory goes on with smaller ones."""

import keras
import numpy as np
import pytest

import kerasft
from kerasft.errors import ResourceError
from tests.limited_memory import RECIPE


@pytest.fixture
def fit(tmp_path, photos):
    (tmp_path / "limited.py").write_text(RECIPE, encoding="utf-8")

    def call(**options):
        data = {} if options.get("resume") else {"dataset": photos}
        recipe = str(tmp_path / "limited.py")
        return kerasft.fit(recipe, runs_dir=tmp_path, progress=False, **data, **options)

    return call


def losses(run):
    return [[row["loss"], row["val_loss"], row["learning_rate"]] for row in run.history]


def interrupt(epoch, logs):
    if epoch == 2:
        raise KeyboardInterrupt


def test_a_fit_goes_on_with_smaller_batches_and_the_same_steps(fit):
    whole, halved = fit(name="whole"), fit(name="halved", memory=13)
    assert whole.manifest.get("batches_per_step") is None
    assert halved.manifest["batches_per_step"] == 2
    assert halved.config["batch_size"] == 26
    log = (halved.path / "run.log").read_text()
    assert "memory batches of 26 do not fit into memory: now batches of 13, 2 for each" in log
    np.testing.assert_allclose(losses(halved), losses(whole), rtol=1e-4)


@pytest.mark.slow
def test_a_resumed_fit_accumulates_as_before(fit):
    halved = fit(name="halved", memory=13)
    with pytest.raises(KeyboardInterrupt):
        callback = keras.callbacks.LambdaCallback(on_epoch_begin=interrupt)
        fit(name="cut", memory=13, callbacks=[callback])
    resumed = fit(name="cut", resume=True)
    assert losses(resumed) == losses(halved)
    assert (resumed.path / "run.log").read_text().count("do not fit") == 1


@pytest.mark.slow
def test_memory_that_runs_out_after_an_epoch_loses_no_epoch(fit):
    whole = fit(name="whole")

    class Shrinks(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.get_layer(index=1).most = 13  # read in every step

    shrunk = fit(name="shrunk", callbacks=[Shrinks()])
    assert shrunk.manifest["batches_per_step"] == 2
    assert "resume after epoch 1 of 3" in (shrunk.path / "run.log").read_text()
    np.testing.assert_allclose(losses(shrunk), losses(whole), rtol=1e-4)


def test_one_example_that_does_not_fit_is_an_error(fit):
    with pytest.raises(ResourceError, match="Out of memory with batches of one example: "):
        fit(memory=0)
