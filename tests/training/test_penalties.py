"""Penalties on kernels: counted apart from the loss, on what is trained alone."""

import keras
import numpy as np
import pytest

import kerasft
from kerasft.recipes import minilm_tickets as text_recipe
from kerasft.recipes import resnet_digits as image_recipe
from kerasft.training import compile_model
from tests.training.small import fit, image_config, text_config


def test_penalties_are_recorded_apart_and_do_not_affect_early_stopping(preset, photos, tmp_path):
    config = image_config(preset, photos, kernel_l2=100.0, monitor="val_loss", head_epochs=0)
    run = fit(image_recipe, config, tmp_path)
    for row in run.history:
        assert row["penalty"] > row["loss"]
        assert row["val_loss"] < 5  # the data loss alone
    losses = [row["val_loss"] for row in run.history]
    assert run.manifest["best_epoch"] == 1 + int(np.argmin(losses))


@pytest.mark.slow
def test_l1_on_the_head_makes_more_zeros_than_l2_at_the_same_loss(preset, reviews):
    def make_config(**penalty):
        return text_config(
            preset, reviews, trainable_blocks=0, epochs=40, learning_rate=3e-2, dropout=0.0,
            learning_rate_schedule="exponential", weight_decay=0.0, **penalty,
        )  # fmt: skip

    data = kerasft.load_data(make_config())
    whole = text_recipe.build_model(make_config(), data)
    # What the head reads, computed once.
    features = keras.Model(whole.inputs, whole.get_layer("head").input).predict(data.train.x)

    def head_kernel(**penalty):
        config = make_config(**penalty)
        keras.utils.set_random_seed(0)
        inputs = keras.Input(features.shape[1:])
        model = keras.Model(inputs, kerasft.head(inputs, config, data.labels))
        compile_model(model, config, data)
        # The weights of the last epoch: the best one may lie where the rate is still high.
        history = model.fit(
            features, data.train.y, batch_size=config.batch_size, epochs=40, verbose=0
        ).history
        kernel = model.get_layer("head").kernel.numpy()
        return float((np.abs(kernel) < 1e-3).mean()), history["data_loss"][-1]

    zeros_l1, loss_l1 = head_kernel(kernel_l1=1.5e-2)
    candidates = [head_kernel(kernel_l2=l2) for l2 in (1e-2, 3e-2)]
    zeros_l2, loss_l2 = min(candidates, key=lambda found: abs(found[1] - loss_l1))
    assert loss_l2 == pytest.approx(loss_l1, abs=0.1)
    assert zeros_l1 > zeros_l2 + 0.1


def test_backbone_penalty_counts_trained_kernels_only(preset, photos):
    config = image_config(preset, photos, backbone_l2=0.5)
    data = kerasft.load_data(config)
    model = image_recipe.build_model(config, data)
    compile_model(model, config, data)
    kernels = [v for v in model.trainable_variables if v.name == "kernel" and "head" not in v.path]
    assert kernels
    assert len(model.losses) == len(kernels)
    expected = sum(0.5 * float((v.numpy() ** 2).sum()) for v in kernels)
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-4)
