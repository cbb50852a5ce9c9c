"""The feature cache: the same training, with less compute."""

import dataclasses
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import kerasft
from kerasft.config import from_dict, to_dict
from kerasft.data import Batches, Ragged, stream
from kerasft.errors import ResourceError
from kerasft.frozen.feature_arrays import rows_at_once
from kerasft.frozen.feature_cache import FeatureCache
from kerasft.recipes import minilm_tickets, resnet_digits
from kerasft.training.compiled_models import CompiledModels
from kerasft.training.context import make_context, make_phase_inputs
from kerasft.training.loop import train
from tests.conftest import write_table

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


@pytest.fixture
def computed(monkeypatch):
    """Counts how often features are computed."""
    from kerasft.frozen import feature_cache as module

    calls, original = [], module.compute_features

    def compute(*given):
        calls.append(given)
        return original(*given)

    monkeypatch.setattr(module, "compute_features", compute)
    return calls


def new_context(recipe, config, data, **options):
    return make_context(config, data, CompiledModels(recipe.build_model(config, data)), **options)


def run(recipe, config):
    """Trains, and returns weights, history and the lines about the cache."""
    keras.utils.set_random_seed(config.seed)
    lines = []
    context = new_context(recipe, config, kerasft.load_data(config), log=lines.append)
    train(context)
    lines = [line for line in lines if line.startswith("cache")]
    return [v.numpy() for v in context.model.weights], context.recorder.history, lines


def cache_lines(recipe, config):
    """Computes frozen features as a training would, and returns the lines about the cache."""
    lines = []
    make_phase_inputs(new_context(recipe, config, kerasft.load_data(config), log=lines.append))
    return lines


@pytest.mark.parametrize(
    "family",
    ["bert", *(pytest.param(name, marks=pytest.mark.slow) for name in ("distil_bert", "roberta"))],
)
@pytest.mark.parametrize("trainable_blocks", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_texts_train_the_same_with_cached_features(texts, family, trainable_blocks):
    config = texts(family, trainable_blocks=trainable_blocks)
    same_training(minilm_tickets, config)


@pytest.mark.parametrize("mode", ["towers", pytest.param("cross", marks=pytest.mark.slow)])
@pytest.mark.parametrize("trainable_blocks", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_pairs_train_the_same_with_cached_features(texts, mode, trainable_blocks, tmp_path):
    rows = [
        {"first": f"a {a} cat{end}", "second": f"the {b} dog {end}", "label": str(a == b)}
        for a in ("red", "green", "blue")
        for b in ("red", "green", "blue")
        for end in ("", " .", " and cat", " of it")
    ]
    table = {"dataset": write_table(tmp_path / "pairs.csv", rows), "text_column": "first"}
    table |= {"text_pair_column": "second", "pair_mode": mode}
    same_training(minilm_tickets, texts(trainable_blocks=trainable_blocks, **table))


@pytest.mark.parametrize("family", ["resnet", pytest.param("efficientnet", marks=pytest.mark.slow)])
@pytest.mark.parametrize("trainable_blocks", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_pictures_train_the_same_with_cached_features(pictures, family, trainable_blocks):
    same_training(resnet_digits, pictures(family, trainable_blocks=trainable_blocks))


@pytest.mark.slow
def test_values_for_pairs_of_tokens_are_not_cached(texts):
    lines = cache_lines(minilm_tickets, texts("t5", trainable_blocks=1, head_epochs=2))
    assert "head: frozen features cached" in lines[-1]  # below the pooled features
    assert lines[0].startswith(
        "cache  main: not used: a frozen layer computes values for every pair"
    )


def same_training(recipe, config):
    weights, history, lines = run(recipe, config)
    assert any("frozen features cached" in line for line in lines), lines
    plain, expected, quiet = run(recipe, dataclasses.replace(config, cache=False))
    assert quiet == []
    for one, other in zip(weights, plain, strict=True):
        # The same sums in another order of batches: of 1e-5 relative, nothing near zero. The
        # probe of features near zero has weights of 180, whose float32 is coarser than 1e-5.
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * max(1, np.abs(other).max()))
    for row, other in zip(history, expected, strict=True):
        assert row["val_loss"] == pytest.approx(other["val_loss"], rel=1e-5)
        assert row["loss"] == pytest.approx(other["loss"], rel=1e-5)
        assert row["learning_rate"] == other["learning_rate"]


def megabytes(lines):
    return float(lines[0].split(" compute, ")[1].split()[0])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"augmentation": "light"}, "augmentation changes its inputs at random"),
     ({"cache_gigabytes": 1e-6, "disk_gigabytes": 1e-6}, "(disk_gigabytes=1e-06)"),
     ({"epochs": 1, "trainable_blocks": 0}, "too little gain (1.00x less compute)")],
)  # fmt: skip
def test_the_reason_against_a_cache_is_logged(pictures, changes, reason):
    config = pictures(**{"head_epochs": 0, **changes})
    lines = cache_lines(resnet_digits, config)
    assert len(lines) == 1
    assert lines[0].startswith("cache  main: not used: ")
    assert reason in lines[0]


def test_fewer_pictures_at_once_where_attention_is_over_many_positions():
    def rows(positions):
        inputs = keras.Input((positions, 4))
        return rows_at_once(keras.Model(inputs, keras.layers.Dense(2)(keras.layers.ReLU()(inputs))))

    assert [rows(197), rows(577), rows(1370), rows(10_000)] == [64, 50, 8, 1]


def test_nothing_is_logged_where_nothing_is_frozen(pictures):
    assert cache_lines(resnet_digits, pictures(trainable_blocks=-1, head_epochs=0)) == []


def test_trainings_share_features_and_higher_ones_come_from_lower_ones(texts, computed):
    config = texts(head_epochs=0)
    data = kerasft.load_data(config)
    cache = FeatureCache(trainings=2)
    for blocks in (1, 1, 0):
        one = dataclasses.replace(config, trainable_blocks=blocks)
        context = new_context(minilm_tickets, one, data, feature_cache=cache)
        assert make_phase_inputs(context)["main"].model is not context.model
    # Training and validation split for the first, nothing for the second, and for the third
    # from the first one's features: no token is read again.
    assert ["token_ids" in x for _, x, *_ in computed] == [True, True, False, False]
    parts = [part for part, *_ in computed]
    assert parts[0] is parts[1] and parts[2] is parts[3]  # the same for both splits
    assert [part.function.experimental_get_tracing_count() for part in parts] == [1] * 4


def test_the_least_recently_used_features_are_dropped(texts):
    config = texts(head_epochs=0)
    data = kerasft.load_data(config)
    cache = FeatureCache()
    for blocks in (1, 0):
        one = dataclasses.replace(config, trainable_blocks=blocks, cache_gigabytes=2e-3)
        make_phase_inputs(new_context(minilm_tickets, one, data, feature_cache=cache))
    assert cache.num_arrays == 4
    cache.shrink(1e-9)
    assert cache.num_arrays == 0


def test_the_least_recently_used_features_in_files_are_dropped(pictures, monkeypatch, tmp_path):
    monkeypatch.setenv("KERASFT_CACHE", str(tmp_path))
    config = pictures(head_epochs=0, cache_gigabytes=0)
    cache = FeatureCache()
    data = kerasft.load_data(config)
    make_phase_inputs(new_context(resnet_digits, config, data, feature_cache=cache))
    assert cache.num_arrays == 4
    cache.linear_probes["probe"] = "of these features"
    cache.shrink(0)  # bytes in memory
    assert cache.num_arrays == 4 and cache.linear_probes
    cache.shrink(0, 1e3)
    assert cache.num_arrays == 0 and not cache.linear_probes


def test_a_run_with_cached_features_predicts_as_it_was_measured(text_run):
    found = kerasft.evaluate(text_run, split="validation")
    assert found["loss"] == pytest.approx(text_run.metrics["validation"]["loss"], rel=1e-5)
    assert "cache  main: frozen features cached" in (text_run.path / "run.log").read_text()


def test_configs_older_than_the_cache_still_load(texts):
    values = {k: v for k, v in to_dict(texts()).items() if not k.startswith("cache")}
    assert from_dict(minilm_tickets.Config, values) == texts()


@pytest.mark.slow
def test_bfloat16_halves_the_cache_which_may_be_in_a_file(texts, monkeypatch):
    config = texts(head_epochs=0, epochs=3)
    full_lines = cache_lines(minilm_tickets, config)
    config = dataclasses.replace(config, cache_precision="bfloat16")
    half, history, lines = run(minilm_tickets, config)
    assert megabytes(lines) == pytest.approx(megabytes(full_lines) / 2, abs=0.5)  # whole kB
    assert np.isfinite(history[-1]["val_loss"])
    monkeypatch.setattr("kerasft.arrays.free_memory", lambda: 0)
    in_file, _, lines = run(minilm_tickets, config)
    assert any("features cached" in line for line in lines)
    assert all(map(np.array_equal, in_file, half))


def test_a_full_disk_is_reported(texts, monkeypatch):
    from kerasft import arrays as module

    def full(*args):
        raise OSError(28, "No space left on device")

    config = texts(head_epochs=0, trainable_blocks=0)
    context = new_context(minilm_tickets, config, kerasft.load_data(config))
    monkeypatch.setattr(module, "free_memory", lambda: 0)
    monkeypatch.setattr(module.os, "posix_fallocate", full)
    with pytest.raises(ResourceError, match=r"No space left.*--no-cache"):
        make_phase_inputs(context)


@pytest.mark.parametrize("kind", ["pictures", pytest.param("texts", marks=pytest.mark.slow)])
def test_inputs_in_files_train_the_same(pictures, texts, kind):
    recipe, make = {"pictures": (resnet_digits, pictures), "texts": (minilm_tickets, texts)}[kind]
    config = make(head_epochs=0, trainable_blocks=0)
    expected, history, _ = run(recipe, config)
    config = dataclasses.replace(config, memory_gigabytes=0)
    x = kerasft.load_data(config).train.x
    assert isinstance(x["token_ids"] if kind == "texts" else x, np.memmap)
    weights, same, _ = run(recipe, config)
    assert all(map(np.array_equal, weights, expected))
    assert all(
        row["val_loss"] == other["val_loss"] for row, other in zip(same, history, strict=True)
    )


@pytest.mark.parametrize(
    ("kind", "precision"),
    [("pictures", "float32"), pytest.param("texts", "bfloat16", marks=pytest.mark.slow)],
)
def test_features_above_the_limit_are_in_files_for_later_fits(
    pictures, texts, kind, precision, computed, monkeypatch, tmp_path
):
    monkeypatch.setenv("KERASFT_CACHE", str(tmp_path))
    recipe, make = {"pictures": (resnet_digits, pictures), "texts": (minilm_tickets, texts)}[kind]
    config = make(head_epochs=0, cache_precision=precision)
    expected, history, _ = run(recipe, config)
    assert len(computed) == 2  # the training and the validation split
    config = dataclasses.replace(config, cache_gigabytes=0)
    for _ in range(2):
        weights, same, (line,) = run(recipe, config)
        assert " kB in files, ready in " in line
        assert all(map(np.array_equal, weights, expected))
        assert [row["val_loss"] for row in same] == [row["val_loss"] for row in history]
        assert len(computed) == 4


def test_features_of_a_layer_without_a_configuration_are_not_found_again(
    pictures, computed, monkeypatch, tmp_path
):
    class Double(keras.layers.Layer):
        def call(self, x):
            return x * 2

        def get_config(self):
            raise NotImplementedError

    def build(config, data):
        model = resnet_digits.build_model(config, data)
        return keras.Model(model.inputs, model(Double()(model.inputs[0])))

    monkeypatch.setenv("KERASFT_CACHE", str(tmp_path))
    recipe = SimpleNamespace(build_model=build)
    config = pictures(head_epochs=0, cache_gigabytes=0)
    for count in (2, 4):
        cache_lines(recipe, config)
        assert len(computed) == count
        assert list(tmp_path.iterdir()) == []


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
