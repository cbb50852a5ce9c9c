"""The head phase begins as a linear probe on frozen features."""

import dataclasses
import types

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import kerasft
from kerasft.cli.run_description import run_facts
from kerasft.evaluation.metrics import measure
from kerasft.frozen.feature_cache import FeatureCache
from kerasft.recipes import mobilenet_elevation
from kerasft.runs import sha256
from kerasft.tasks.linear_models import ridge_models, sigmoid_models, softmax_models
from kerasft.training.compiled_models import CompiledModels
from kerasft.training.context import make_context, make_phase_inputs
from kerasft.training.head_features import HeadFeatures
from kerasft.training.head_start import start_head
from tests.conftest import write_table
from tests.training.small import fit, image_config, image_recipe, text_recipe
from tests.training.small import text_config as random_text_config

ENDS = ("", ".", "!", "to me", "of it", "in red", "in blue", "and cat")
FILMS = {"good film": "film|good", "great movie": "movie|good", "awful movie": "movie",
         "bad old film": "film"}  # fmt: skip


def text_config(*given, **settings):
    return random_text_config(*given, **{"head_start": "linear", **settings})


def recipe_and_config(kind, preset, photos, reviews, prices, folder):
    if kind == "classes of images":
        return image_recipe, image_config(preset, photos, augmentation="light")
    if kind == "classes of texts":
        return text_recipe, text_config(preset, reviews)
    if kind == "several labels":
        rows = [{"text": f"{film} {end}", "label": labels}
                for film, labels in FILMS.items() for end in ENDS]  # fmt: skip
        table = write_table(folder / "labels.csv", rows)
        return text_recipe, text_config(preset, table, task="multilabel", label_separator="|")
    return mobilenet_elevation, mobilenet_elevation.Config(
        preset=preset("resnet"), dataset=prices, label_column="price", target_transform="log",
        image_size=16, head_epochs=1, trainable_blocks=1, head_start="linear",
    )  # fmt: skip


def context_of(recipe, config, **options):
    keras.utils.set_random_seed(config.seed)
    data = kerasft.load_data(config)
    models = CompiledModels(recipe.build_model(config, data))
    return make_context(config, data, models, **options)


def start(context):
    """Start the head; return its kernel before and after."""
    head = context.model.get_layer("head")
    before = head.kernel.numpy()
    inputs = make_phase_inputs(context)[context.phases[0].name]
    start_head(context, HeadFeatures(context, inputs))
    return before, head.kernel.numpy()


def validation_scores(context):
    part, labels = context.data.validation, context.data.labels
    outputs = context.model.predict(part.x, verbose=0)
    return measure(context.config, labels, part.y, outputs)


KINDS = ("classes of images", "classes of texts", "several labels", "numbers")


@pytest.mark.parametrize("kind", KINDS)
def test_the_model_begins_with_the_scores_of_the_probe(
    kind, preset, photos, reviews, prices, tmp_path
):
    recipe, config = recipe_and_config(kind, preset, photos, reviews, prices, tmp_path)
    lines = []
    context = context_of(recipe, config, log=lines.append)
    random_loss = validation_scores(context)["loss"]
    start(context)
    found = validation_scores(context)
    assert found["loss"] < 0.8 * random_loss
    metric = context.data.labels.kind.main_metric
    line = next(line for line in lines if line.startswith("head   starts as a linear probe"))
    assert f"val_{metric} {kerasft.formatting.number(found[metric])}, " in line


@pytest.mark.slow
def test_the_run_records_the_probe_and_a_resumed_one_does_not_fit_another(
    preset, reviews, tmp_path
):
    def stop(epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    callback = keras.callbacks.LambdaCallback(on_epoch_begin=stop)
    config = text_config(preset, reviews)
    whole = fit(text_recipe, config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(text_recipe, config, tmp_path, callbacks=[callback], name="cut")
    run = fit(text_recipe, config, tmp_path, resume=True)
    assert run.manifest["linear_probe"] == whole.manifest["linear_probe"]
    scores = {"loss", "accuracy", "precision", "recall", "f1"}
    assert set(run.manifest["linear_probe"]) == {"C", "examples", *scores}
    assert (run.path / "run.log").read_text().count("starts as a linear probe") == 1
    assert [row["val_loss"] for row in run.history] == [r["val_loss"] for r in whole.history]
    assert sha256(run.path / "weights.safetensors") == sha256(whole.path / "weights.safetensors")
    assert "linear probe" in kerasft.write_report(run).read_text()


HARMFUL = {"learning_rate": 5.0, "head_learning_rate": 5.0, "optimizer": "sgd"}


@pytest.fixture(scope="module")
def harmed(preset, reviews, tmp_path_factory):
    """A run whose epochs are all worse than the probe as which its output layer began."""
    return fit(
        text_recipe, text_config(preset, reviews, **HARMFUL), tmp_path_factory.mktemp("harmed")
    )


@pytest.mark.slow
def test_the_start_is_the_best_epoch_where_every_epoch_is_worse(harmed):
    probe = harmed.manifest["linear_probe"]
    assert harmed.manifest["best_epoch"] == 0
    assert min(row["val_loss"] for row in harmed.history) > probe["loss"]
    for found in (harmed.metrics["validation"], kerasft.evaluate(harmed, split="validation")):
        assert found["loss"] == pytest.approx(probe["loss"], abs=1e-4)


@pytest.mark.slow
def test_a_resumed_fit_restores_the_start(harmed, preset, reviews, tmp_path):
    def stop(epoch, logs):
        if epoch == 2:
            raise KeyboardInterrupt

    callback = keras.callbacks.LambdaCallback(on_epoch_begin=stop)
    config = text_config(preset, reviews, **HARMFUL)
    with pytest.raises(KeyboardInterrupt):
        fit(text_recipe, config, tmp_path, callbacks=[callback], name="cut")
    run = fit(text_recipe, config, tmp_path, resume=True)
    assert run.manifest["best_epoch"] == 0
    assert sha256(run.path / "weights.safetensors") == sha256(harmed.path / "weights.safetensors")


@pytest.mark.slow
def test_whoever_shows_an_epoch_says_that_it_is_the_start(harmed, tmp_path):
    start = "0, the start as a linear probe"
    assert f"best   epoch {start} (val_accuracy)" in (harmed.path / "run.log").read_text()
    assert run_facts(harmed)["epochs"] == f"4 (best: {start})"
    page = kerasft.write_report(harmed).read_text()
    assert f"best epoch: {start}" in page
    assert f"best: {start}, by val_accuracy" in page
    notes = {finding["name"]: finding["evidence"] for finding in harmed.diagnose()["findings"]}
    assert "Epoch 0, that start, is the best one" in notes["no_better_than_probe"]
    card = (harmed.export(models_dir=tmp_path) / "README.md").read_text()
    assert "The weights are those of epoch 0, the start as a linear probe" in card


@pytest.mark.parametrize(
    ("left_out", "monitor", "best_epoch"),
    [(0, None, -1), (0, "val_recall", -1), (1, None, None)],
)
def test_a_start_that_not_all_validation_examples_scored_is_no_epoch(
    left_out, monitor, best_epoch, preset, reviews, monkeypatch
):
    monkeypatch.setattr(
        "kerasft.training.head_features.rows_to_remember",
        lambda labels, y: np.arange(len(y) - left_out),
    )
    context = context_of(text_recipe, text_config(preset, reviews, monitor=monitor))
    inputs = make_phase_inputs(context)[context.phases[0].name]
    start_head(context, HeadFeatures(context, inputs), start_counts=True)
    assert context.best_weights.best_epoch == best_epoch


def with_hidden_layer(recipe):
    def build_model(config, data):
        backbone = kerasft.load_backbone(config)
        kerasft.freeze(backbone, config)
        inputs, features = kerasft.features(backbone, config)
        hidden = keras.layers.Dense(8, activation="relu")(features)
        return keras.Model(inputs, kerasft.head(hidden, config, data.labels))

    return types.SimpleNamespace(build_model=build_model)


def test_the_head_stays_random(preset, reviews):
    context = context_of(text_recipe, text_config(preset, reviews, head_start="random"))
    assert np.array_equal(*start(context))


def test_a_head_with_a_hidden_layer_stays_random(preset, reviews):
    context = context_of(with_hidden_layer(text_recipe), text_config(preset, reviews))
    assert np.array_equal(*start(context))


@pytest.mark.parametrize("blocks", [0, 1, -1])
def test_a_main_phase_alone_begins_as_the_probe(blocks, preset, reviews):
    config = text_config(preset, reviews, head_epochs=0, trainable_blocks=blocks)
    context = context_of(text_recipe, config)
    _, first = start(context)
    _, second = start(context_of(text_recipe, text_config(preset, reviews)))
    assert [phase.name for phase in context.phases] == ["main"]
    assert first == pytest.approx(second, abs=1e-4)


def test_a_penalty_on_the_kernel_is_weighed(preset, photos):
    plain, penalized = (
        start(context_of(image_recipe, image_config(preset, photos, kernel_l2=factor)))[1]
        for factor in (0.0, 1.0)
    )
    assert np.square(penalized).sum() < 0.5 * np.square(plain).sum()


def test_towers_begin_as_their_cosine(preset, tmp_path):
    rows = [{"first": f"good film {a}", "second": f"bad film {b}", "score": len(a) - len(b)}
            for a in ENDS for b in ENDS]  # fmt: skip
    config = text_config(
        preset, write_table(tmp_path / "pairs.csv", rows), task="regression", label_column="score",
        text_column="first", text_pair_column="second", pair_mode="towers",
    )  # fmt: skip
    lines = []
    before, after = start(context_of(text_recipe, config, log=lines.append))
    assert np.array_equal(before, after)
    assert "head   random start: it begins as the cosine of two towers" in lines


def test_trials_share_the_probe_of_cached_features(preset, reviews):
    cache, lines = FeatureCache(trainings=5), []
    config = text_config(preset, reviews)
    data = kerasft.load_data(config)
    kernels = []
    for rate in (1e-2, 1e-3):
        changed = dataclasses.replace(config, head_learning_rate=rate)
        models = CompiledModels(text_recipe.build_model(changed, data))
        context = make_context(changed, data, models, feature_cache=cache, log=lines.append)
        kernels.append(start(context)[1])
    assert np.array_equal(*kernels)
    assert len(cache.linear_probes) == 1
    weighed = dataclasses.replace(config, class_weight="balanced")
    models = CompiledModels(text_recipe.build_model(weighed, data))
    start(make_context(weighed, data, models, feature_cache=cache))
    assert len(cache.linear_probes) == 2


def test_trials_with_other_layers_below_the_head_have_probes_of_their_own(preset, photos):
    cache, kernels = FeatureCache(trainings=5), []
    config = image_config(preset, photos, head_epochs=0, image_size=64)
    data = kerasft.load_data(config)
    for pooling in ("average", "max"):
        changed = dataclasses.replace(config, pooling=pooling)
        models = CompiledModels(image_recipe.build_model(changed, data))
        kernels.append(start(make_context(changed, data, models, feature_cache=cache))[1])
    assert not np.array_equal(*kernels)


def blobs(classes, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(60) % classes
    return rng.normal(size=(60, 4)) + 2 * rng.normal(size=(classes, 4))[y], y


@pytest.mark.parametrize("classes", [2, 3])
def test_softmax_models_are_those_of_scikit_learn(classes):
    x, y = blobs(classes)
    weights = np.where(y == 0, 5.0, 1.0)
    model = list(softmax_models(x, y, classes, weights))[4]
    expected = LogisticRegression(C=model.strength, max_iter=1000)
    expected.fit(x, y, sample_weight=weights)
    logits = x @ model.kernel + model.bias
    found = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert found == pytest.approx(expected.predict_proba(x), abs=2e-3)


def test_there_is_no_softmax_model_without_examples_of_a_class():
    x, y = blobs(3)
    assert not list(softmax_models(x, y, 4, None))


def test_a_label_that_no_example_has_is_predicted_never():
    x, y = blobs(2)
    labels = np.stack([y, np.zeros(60)], axis=1)
    *_, model = sigmoid_models(x, labels, None)
    logits = x @ model.kernel + model.bias
    assert ((logits[:, 0] > 0) == y).mean() > 0.9
    assert (logits[:, 1] < -5).all()


def test_ridge_models_approach_the_least_squares():
    x, _ = blobs(2)
    y = x @ np.array([1.0, -2.0, 0.0, 0.5]) + 3
    *_, model = ridge_models(x, y, None)
    assert model.kernel[:, 0] == pytest.approx([1, -2, 0, 0.5], abs=0.01)
    assert model.bias == pytest.approx([3], abs=0.02)
