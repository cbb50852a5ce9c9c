"""The head phase begins with the mean direction of each class."""

import shutil

import keras
import numpy as np
import pytest

import kerasft
from kerasft.errors import SettingError
from kerasft.evaluation.predict import predict_arrays
from kerasft.models import with_features
from kerasft.runs import sha256
from kerasft.training.class_means import TEMPERATURE, class_means
from kerasft.training.compiled_models import CompiledModels
from kerasft.training.context import make_context, make_phase_inputs
from kerasft.training.head_features import HeadFeatures
from kerasft.training.head_start import start_head
from kerasft.training.untrained import nearest_means
from tests.training.small import fit, image_config, image_recipe, text_config, text_recipe

BLOBS = np.random.default_rng(0).normal(size=(20, 8))
CLASSES = np.arange(20) % 3


def started(recipe, config, data=None):
    """Return the context of a training that begins with class means, and its log."""
    keras.utils.set_random_seed(config.seed)
    data, lines = data or kerasft.load_data(config), []
    models = CompiledModels(recipe.build_model(config, data))
    context = make_context(config, data, models, log=lines.append)
    features = HeadFeatures(context, make_phase_inputs(context)[context.phases[0].name])
    start_head(context, features, start_counts=True)
    return context, lines


@pytest.mark.parametrize("length", [1.0, 7.0])
def test_outputs_are_cosines_with_the_mean_directions(length):
    x = length * BLOBS / np.linalg.norm(BLOBS, axis=1, keepdims=True)
    kernel, bias = class_means(x, CLASSES, 3)
    expected = nearest_means(x, CLASSES, x, 3) / TEMPERATURE
    assert x @ kernel + bias == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "x",
    [np.where(BLOBS > 1, np.inf, BLOBS), np.full_like(BLOBS, np.nan), np.zeros_like(BLOBS)],
    ids=["infinite", "nan", "zero"],
)
def test_there_are_no_means_of_such_features(x):
    assert class_means(x, CLASSES, 3) is None


def test_a_class_without_examples_is_opposite_to_every_vector():
    kernel, bias = class_means(BLOBS, CLASSES, 4)
    assert (kernel[:, 3] == 0).all()
    assert bias == pytest.approx([0, 0, 0, -1 / TEMPERATURE])
    assert (class_means(BLOBS, CLASSES, 3)[0] == kernel[:, :3]).all()


def test_the_model_of_texts_predicts_by_the_cosine_with_each_mean(preset, reviews):
    config = text_config(
        preset, reviews, head_start="class_means", feature_norm="rms",
        learning_rate=1e-3, head_learning_rate=1e-2,
    )  # fmt: skip
    context, lines = started(text_recipe, config)
    model, data = with_features(context.model), context.data
    train, (outputs, others) = (
        predict_arrays(model, split.x) for split in (data.train, data.validation)
    )
    logits = nearest_means(train[1], data.train.y, others, 2) / TEMPERATURE
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert outputs == pytest.approx(expected, abs=1e-4)
    line = f"head   starts as the means of 2 classes, of {len(data.train):,} training examples"
    line += "; head phase at 0.001, not 0.01, which would undo them"
    assert line in lines
    assert context.phases[0].learning_rate == 1e-3


def test_a_sentence_encoder_begins_so_by_default(preset, reviews, tmp_path):
    encoder = shutil.copytree(preset("bert"), tmp_path / "encoder")
    (encoder / "config_sentence_transformers.json").write_text("{}")
    config = text_config(lambda _: str(encoder), reviews, head_start="auto")
    assert any(
        line.startswith("head   starts as the means of") for line in started(text_recipe, config)[1]
    )
    config = text_config(preset, reviews, head_start="auto")
    assert not any(line.startswith("head") for line in started(text_recipe, config)[1])


def test_photographs_begin_so_too_and_the_start_is_not_an_epoch(preset, photos):
    context, lines = started(image_recipe, image_config(preset, photos, head_start="class_means"))
    assert any(line.startswith("head   starts as the means of") for line in lines)
    head = context.model.get_layer("head")
    lengths = np.linalg.norm(head.kernel.numpy(), axis=0)
    assert lengths == pytest.approx(lengths[0], rel=1e-5)
    assert not head.bias.numpy().any()
    assert context.best_weights.best_epoch is None


def test_a_class_without_training_examples_leaves_the_others_their_means(preset, reviews):
    config = text_config(preset, reviews, head_start="class_means")
    data = kerasft.load_data(config)
    data.train.y[:] = 0
    context, lines = started(text_recipe, config, data)
    assert any(line.startswith("head   starts as the means of 2 classes") for line in lines)
    outputs = predict_arrays(context.model, data.validation.x)
    assert (outputs[:, 0] > outputs[:, 1]).all()


@pytest.mark.parametrize("task", ["regression", "ordinal", "multilabel"])
def test_other_tasks_are_refused(task):
    with pytest.raises(SettingError, match=f"task={task} has no single class .*=linear"):
        kerasft.TextConfig(task=task, head_start="class_means")


@pytest.mark.slow
def test_a_resumed_fit_is_bit_for_bit_an_uninterrupted_one(preset, reviews, tmp_path):
    def stop(epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    callback = keras.callbacks.LambdaCallback(on_epoch_begin=stop)
    config = text_config(preset, reviews, head_start="class_means")
    whole = fit(text_recipe, config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(text_recipe, config, tmp_path, callbacks=[callback], name="cut")
    run = fit(text_recipe, config, tmp_path, resume=True)
    assert (run.path / "run.log").read_text().count("starts as the means") == 1
    assert [row["val_loss"] for row in run.history] == [r["val_loss"] for r in whole.history]
    assert sha256(run.path / "weights.safetensors") == sha256(whole.path / "weights.safetensors")
    assert "linear_probe" not in run.manifest
