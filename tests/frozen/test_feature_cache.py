"""Kept features: the same training, with less work."""

import dataclasses

import keras
import numpy as np
import pytest

import kerasft
from kerasft.config import from_dict
from kerasft.data import Batches, Ragged, stream
from kerasft.errors import ResourceError
from kerasft.frozen.feature_cache import FeatureCache, _rows
from kerasft.models import choose_monitor
from kerasft.models.freezing import changing_weights
from kerasft.recipes import minilm_tickets, resnet_digits
from kerasft.training.callbacks import BestWeights
from kerasft.training.compiled_models import CompiledModels
from kerasft.training.loop import train
from kerasft.training.phases import plan_phases
from kerasft.training.run_record import Recorder

SETTINGS = {"head_epochs": 2, "epochs": 4, "batch_size": 8, "patience": 0}


@pytest.fixture
def texts(preset, reviews):
    def make(family="bert", **changes):
        given = {"preset": preset(family), "dataset": reviews, "trainable_blocks": 1}
        return minilm_tickets.Config(**{**SETTINGS, "sequence_length": 16, **given, **changes})

    return make


@pytest.fixture
def pictures(preset, photos):
    def make(family="resnet", **changes):
        given = {"preset": preset(family), "dataset": photos, "trainable_blocks": 1}
        given |= {"image_size": 16, "augmentation": "none"}
        return resnet_digits.Config(**{**SETTINGS, **given, **changes})

    return make


def run(recipe, config, features=None):
    """Trains, and returns weights, history and what was said."""
    keras.utils.set_random_seed(config.seed)
    data = recipe.load_data(config)
    model = recipe.build_model(config, data)
    best_weights = BestWeights(changing_weights(model), *choose_monitor(config), config.patience)
    recorder, said = Recorder(None), []
    train(
        CompiledModels(model),
        config,
        data,
        best_weights,
        recorder,
        features=features,
        log=said.append,
    )
    told = [line for line in said if line.startswith("cache")]
    return [v.numpy() for v in model.weights], recorder.history, told


@pytest.mark.parametrize(
    "family",
    ["bert", *(pytest.param(name, marks=pytest.mark.slow) for name in ("distil_bert", "roberta"))],
)
@pytest.mark.parametrize("trainable_blocks", [0, 1])
def test_texts_train_the_same_with_kept_features(texts, family, trainable_blocks):
    config = texts(family, trainable_blocks=trainable_blocks)
    same_training(minilm_tickets, config)


@pytest.mark.parametrize("family", ["resnet", pytest.param("efficientnet", marks=pytest.mark.slow)])
@pytest.mark.parametrize("trainable_blocks", [0, 1])
def test_pictures_train_the_same_with_kept_features(pictures, family, trainable_blocks):
    same_training(resnet_digits, pictures(family, trainable_blocks=trainable_blocks))


def test_what_stands_between_pairs_of_tokens_is_not_kept(texts):
    (*_, said) = run(minilm_tickets, texts("t5", trainable_blocks=1, head_epochs=2))
    assert "head: outputs of frozen layers are kept" in said[-1]  # below the pooled features
    assert said[0].startswith("cache  main: not used: a frozen layer gives numbers for every pair")


def same_training(recipe, config):
    weights, history, said = run(recipe, config)
    assert any("outputs of frozen layers are kept" in line for line in said), said
    plain, expected, quiet = run(recipe, dataclasses.replace(config, cache=False))
    assert quiet == []
    for one, other in zip(weights, plain, strict=True):
        # The same sums in another order of batches: of 1e-5 relative, nothing near zero.
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    for row, other in zip(history, expected, strict=True):
        assert row["val_loss"] == pytest.approx(other["val_loss"], rel=1e-5)
        assert row["loss"] == pytest.approx(other["loss"], rel=1e-5)
        assert row["learning_rate"] == other["learning_rate"]


def test_half_the_bytes_are_near_enough(texts):
    config = texts()
    full, _, said = run(minilm_tickets, config)
    half, history, said_half = run(
        minilm_tickets, dataclasses.replace(config, cache_precision="bfloat16")
    )
    assert megabytes(said_half) == pytest.approx(megabytes(said) / 2, abs=0.5)  # whole kB
    assert np.isfinite(history[-1]["val_loss"])
    assert any(not np.array_equal(a, b) for a, b in zip(full, half, strict=True))


def megabytes(said):
    return float(said[0].split(" work, ")[1].split()[0])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"augmentation": "light"}, "changes its inputs at random"),
     ({"cache_gigabytes": 1e-6}, "it would need 0.00"),
     ({"epochs": 1, "trainable_blocks": 0}, "it would save too little (1.00 times less work)")],
)  # fmt: skip
def test_why_features_are_not_kept_is_said(pictures, changes, reason):
    config = pictures(**{"head_epochs": 0, **changes})
    _, _, said = run(resnet_digits, config)
    assert len(said) == 1
    assert said[0].startswith("cache  main: not used: ")
    assert reason in said[0]


def test_fewer_pictures_at_once_where_attention_is_over_many_positions():
    def rows(positions):
        inputs = keras.Input((positions, 4))
        return _rows(keras.Model(inputs, keras.layers.Dense(2)(keras.layers.ReLU()(inputs))))

    assert [rows(197), rows(577), rows(1370), rows(10_000)] == [64, 50, 8, 1]


def test_nothing_is_said_where_nothing_is_frozen(pictures):
    assert run(resnet_digits, pictures(trainable_blocks=-1, head_epochs=0))[2] == []


def test_trainings_share_features_and_higher_ones_come_from_lower_ones(texts, monkeypatch):
    from kerasft.frozen import feature_cache as room

    computed = []
    original = room._compute

    def compute(model, x, *rest):
        computed.append(set(x))
        return original(model, x, *rest)

    monkeypatch.setattr(room, "_compute", compute)
    config = texts(head_epochs=0)
    data = minilm_tickets.load_data(config)
    features = FeatureCache(trainings=2)
    for blocks in (1, 1, 0):
        one = dataclasses.replace(config, trainable_blocks=blocks)
        compiled_models = CompiledModels(minilm_tickets.build_model(one, data))
        views = features.views(
            compiled_models, plan_phases(one, compiled_models.model), one, data, lambda line: None
        )
        assert views["main"].model is not compiled_models.model
    # Training and validation split for the first, nothing for the second, and for the third
    # from the first one's features: no token is read again.
    assert ["token_ids" in x for x in computed] == [True, True, False, False]


def test_what_was_used_longest_ago_is_dropped(texts):
    config = texts(head_epochs=0)
    data = minilm_tickets.load_data(config)
    features = FeatureCache()
    for blocks in (1, 0):
        one = dataclasses.replace(config, trainable_blocks=blocks, cache_gigabytes=2e-3)
        compiled_models = CompiledModels(minilm_tickets.build_model(one, data))
        features.views(
            compiled_models, plan_phases(one, compiled_models.model), one, data, lambda line: None
        )
    before = len(features._kept)
    features._forget(1e-9)
    assert before == 4
    assert not features._kept


def test_a_run_with_kept_features_predicts_as_it_was_measured(texts, tmp_path):
    run = kerasft.fit(minilm_tickets, texts(), runs_dir=tmp_path, progress=False)
    found = kerasft.evaluate(run, split="validation")
    assert found["loss"] == pytest.approx(run.metrics["validation"]["loss"], rel=1e-5)
    assert "cache  main: outputs of frozen layers are kept" in (run.path / "run.log").read_text()


def test_runs_of_before_the_cache_still_load(texts):
    values = {k: v for k, v in dataclasses.asdict(texts()).items() if not k.startswith("cache")}
    assert from_dict(minilm_tickets.Config, values) == texts()


def test_large_features_lie_in_a_file_and_a_full_disk_is_told(texts, monkeypatch):
    from kerasft.data import arrays as room

    monkeypatch.setattr(room, "free_memory", lambda: 0)
    config = texts(cache_precision="bfloat16")
    in_file, _, said = run(minilm_tickets, config)
    assert any("are kept" in line for line in said)
    monkeypatch.undo()
    in_memory, _, _ = run(minilm_tickets, config)
    assert all(map(np.array_equal, in_file, in_memory))

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(room, "free_memory", lambda: 0)
    monkeypatch.setattr(room.os, "posix_fallocate", full)
    with pytest.raises(ResourceError, match=r"No space left.*--no-cache"):
        run(minilm_tickets, config)


def test_many_pictures_lie_in_a_file_and_train_the_same(pictures, monkeypatch):
    config = pictures()
    expected, _, _ = run(resnet_digits, config)
    monkeypatch.setattr("kerasft.data.arrays.free_memory", lambda: 0)
    data = resnet_digits.load_data(config)
    assert isinstance(data.train.x, np.memmap)
    weights, _, _ = run(resnet_digits, config)
    assert all(map(np.array_equal, weights, expected))


@pytest.mark.parametrize("left", [False, True])
def test_rows_of_different_length_come_back_padded(left):
    rows = [np.full((length, 2), index + 1.0) for index, length in enumerate((2, 3, 1))]
    ragged = Ragged(np.concatenate(rows), np.array([2, 3, 1]), longest=5, left=left)
    batch = ragged.take(np.array([2, 0]))
    one = [[0, 0], [3, 3]] if left else [[3, 3], [0, 0]]
    assert batch.tolist() == [one, [[1, 1], [1, 1]]]
    assert ragged.take(np.array([2]), 4).shape == (1, 4, 2)
    ragged.put(np.array([2, 0]), batch * 2)
    assert ragged.values[:2].tolist() == [[2, 2], [2, 2]]
    assert ragged.values[5:].tolist() == [[6, 6]]


@pytest.mark.parametrize("kind", ["pictures", "features", "texts", "ragged"])
def test_a_stream_is_the_batches_of_every_epoch(kind):
    count = 10
    mask = np.arange(6) < np.arange(1, count + 1)[:, None].clip(max=6)
    x = {
        "pictures": np.arange(count * 4, dtype=np.uint8).reshape(count, 2, 2, 1),
        "features": {"f": np.arange(count * 3, dtype="float32").reshape(count, 3)},
        "texts": {"token_ids": mask * 7, "padding_mask": mask.astype("int32")},
        "ragged": {
            "padding_mask": mask.astype("int32"),
            "f": Ragged(np.ones((mask.sum(), 2), "float32"), mask.sum(axis=1), longest=6),
        },
    }[kind]
    y, weights = np.arange(count), np.linspace(0, 1, count, dtype="float32")
    batches = Batches(x, y, batch_size=4, shuffle=True, sample_weight=weights)
    fed = stream(batches)
    for epoch in (0, 3):
        batches.epoch = epoch
        expected = [batches.batch(index) for index in range(len(batches))]
        given = list(fed.as_numpy_iterator())
        assert len(given) == len(fed) == 3
        for one, other in zip(given, expected, strict=True):
            pairs = zip(keras.tree.flatten(one), keras.tree.flatten(other), strict=True)
            assert all(np.array_equal(a, b) for a, b in pairs)
