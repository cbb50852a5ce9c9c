"""Shared models and data do not change the results of trials."""

import dataclasses
import types

import keras
import numpy as np
import pytest

import kerasft
from kerasft.models.dtype_policy import precision
from kerasft.recipes import resnet_digits
from kerasft.training.compiled_models import CompiledModels
from kerasft.training.context import make_context
from kerasft.training.loop import train
from kerasft.tuning.trial_models import TrialModels


def run(compiled_models, config, data, feature_cache=None):
    context = make_context(config, data, compiled_models, feature_cache=feature_cache)
    train(context)
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in context.recorder.history]
    return rows, [v.numpy() for v in context.model.weights]


@pytest.mark.slow
def test_trials_that_share_a_graph_are_the_fits_of_their_settings(config):
    base = config(
        trainable_blocks=1, head_epochs=1, epochs=2, dropout=0.0, kernel_l2=1e-3, backbone_l2=1e-4
    )
    trial_models = TrialModels(resnet_digits, base.seed)
    changed = {
        "learning_rate": 3e-3, "head_learning_rate": 0.1, "dropout": 0.5, "batch_size": 9,
        "weight_decay": 0.3, "kernel_l2": 0.5, "backbone_l2": 0.1, "warmup_fraction": 0.4,
        "min_warmup_steps": 2,
        "epochs": 3, "seed": 4,
    }  # fmt: skip
    configs = [base, dataclasses.replace(base, **changed), base]
    results = []
    for one in configs:
        data = trial_models.data(dataclasses.replace(one, seed=base.seed))
        results.append(
            run(trial_models.compiled_models(one, data), one, data, trial_models.feature_cache)
        )
    assert trial_models.num_compiled == 1  # all in one graph
    for one, (rows, weights) in zip(configs[:2], results[:2], strict=True):
        keras.utils.set_random_seed(one.seed)
        data = trial_models.data(dataclasses.replace(one, seed=base.seed))
        expected, expected_weights = run(
            CompiledModels(resnet_digits.build_model(one, data)), one, data
        )
        assert rows == expected
        # A decay that is read is added in another order than one that is fixed: the last bit.
        assert all(
            np.allclose(a, b, rtol=0, atol=1e-7)
            for a, b in zip(weights, expected_weights, strict=True)
        )
    assert all(map(np.array_equal, results[0][1], results[2][1]))


@pytest.mark.slow
def test_a_dropout_that_was_0_in_the_first_trial_is_turned_up_above_cached_features(config):
    base = config(dropout=0.0)
    trial_models = TrialModels(resnet_digits, base.seed)
    data = trial_models.data(base)
    for one in (base, dataclasses.replace(base, dropout=0.5)):
        rows, _ = run(
            trial_models.compiled_models(one, data), one, data, trial_models.feature_cache
        )
    assert trial_models.num_compiled == 1
    keras.utils.set_random_seed(one.seed)
    assert run(CompiledModels(resnet_digits.build_model(one, data)), one, data)[0] == rows


def test_another_structure_gets_a_graph_of_its_own(config):
    trial_models = TrialModels(resnet_digits, 0)
    structures = (
        {}, {"optimizer": "sgd"}, {"trainable_blocks": 1}, {"learning_rate_schedule": "constant"},
        {"kernel_l1": 0.1}, {"augmentation": "light"}, {"pooling": "max"},
    )  # fmt: skip
    for count, changes in enumerate(structures, 1):
        one = config(**changes)
        trial_models.compiled_models(one, trial_models.data(one))
        assert trial_models.num_compiled == count, changes
    other = config(learning_rate=0.5)
    trial_models.compiled_models(other, trial_models.data(other))
    assert trial_models.num_compiled == len(structures)


def test_a_recipe_that_uses_a_number_elsewhere_is_not_mistaken(config):
    """Its own Dropout has the rate in the graph: another rate must be another graph."""

    class Own:
        Config = resnet_digits.Config
        load_data = staticmethod(kerasft.load_data)

        @staticmethod
        def build_model(config, data):
            backbone = kerasft.load_backbone(config.preset)
            kerasft.freeze(backbone, 0)
            inputs, features = kerasft.image_features(backbone, config)
            features = keras.layers.Dropout(config.dropout, name="own")(features) * (
                1 + config.dropout
            )
            plain = dataclasses.replace(config, dropout=0.0)
            return keras.Model(inputs, kerasft.head(features, plain, data.labels))

    trial_models = TrialModels(Own, 0)
    for dropout in (0.1, 0.3, 0.1):
        one = config(dropout=dropout)
        trial_models.compiled_models(one, trial_models.data(one))
    assert trial_models.num_compiled == 2


def test_data_are_loaded_once_and_anew_for_other_preparation(config):
    trial_models = TrialModels(resnet_digits, 0)
    first = trial_models.data(config())
    assert trial_models.data(config(learning_rate=0.5, dropout=0.5, batch_size=3)) is first
    other = trial_models.data(config(image_size=24))
    assert other.train.x.shape[1] == 24


@pytest.mark.slow
def test_a_plain_trial_after_one_with_adapters_is_as_before(config):
    plain = config(trainable_blocks=1, epochs=1)
    trial_models = TrialModels(resnet_digits, plain.seed)
    first, _, again = (
        run(trial_models.compiled_models(one, data), one, data, trial_models.feature_cache)
        for one in (plain, dataclasses.replace(plain, lora_rank=1), plain)
        for data in [trial_models.data(one)]
    )
    assert first[0] == again[0]


def test_trials_whose_loss_is_scaled_share_a_graph(config):
    half = config(trainable_blocks=1, epochs=1, precision="mixed_float16", weight_decay=0.01)
    trial_models = TrialModels(resnet_digits, half.seed)
    changed = dataclasses.replace(half, learning_rate=1e-3, weight_decay=0.3)
    with precision(half.precision):
        rows = [
            run(trial_models.compiled_models(one, data), one, data, trial_models.feature_cache)[0]
            for one in (half, changed, half)
            for data in [trial_models.data(one)]
        ]
    assert trial_models.num_compiled == 1
    assert rows[0] == rows[2] != rows[1]


@pytest.mark.parametrize("family", ["vit", "dinov2", "swin"])
def test_layers_without_a_configuration_are_described(config, preset, family):
    settings = config(preset=preset(family), image_size=32, trainable_blocks=1)
    trial_models = TrialModels(resnet_digits, settings.seed)
    data = trial_models.data(settings)
    first = trial_models.compiled_models(settings, data)
    assert trial_models.compiled_models(dataclasses.replace(settings, dropout=0.3), data) is first


def test_data_that_make_their_own_batches_are_loaded_for_each_batch_size(config):
    class Rendered(keras.utils.PyDataset):
        pass

    splits = []

    def load(config):
        loaded.append(config.batch_size)
        return kerasft.Data(splits[-1], object(), None, None)

    base, recipe = config(), types.SimpleNamespace(load_data=load)
    sizes = [base, dataclasses.replace(base, batch_size=9), base, base]
    for split, expected in ((Rendered(), 3), (object(), 1)):
        splits.append(split)
        loaded, trial_models = [], TrialModels(recipe, base.seed)
        assert len([trial_models.data(one) for one in sizes]) == 4
        assert len(loaded) == expected
