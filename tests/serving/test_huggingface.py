"""Folders of Hugging Face: equal logits by KerasHub and, in another environment, by transformers.

KERASFT_TRANSFORMERS_PYTHON names a Python with PyTorch, transformers and sentence-transformers.
"""

import dataclasses
import json
import os
import subprocess
from pathlib import Path

import keras
import keras_hub
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from safetensors.numpy import load_file, save_file
from scipy.special import expit, softmax

import kerasft
from kerasft.calibration import Calibration
from kerasft.cli import main
from kerasft.data import Data, Examples, prepare_inputs
from kerasft.errors import DamagedFileError, ProofError, SettingError
from kerasft.evaluation.load import Loaded
from kerasft.recipes import minilm_tickets as text_recipe
from kerasft.recipes import resnet_digits as image_recipe
from kerasft.runs import write_json
from kerasft.serving.graph_proof import write_arrays
from kerasft.serving.huggingface import version
from kerasft.serving.huggingface.folder import SENTENCES, write_folder
from kerasft.serving.huggingface.proof import folder_request, prove
from kerasft.serving.huggingface.text_families import TEXT_FAMILIES
from kerasft.tasks import Labels
from tests.training.small import fit, text_config

SCRIPT = Path(__file__).with_name("transformers_peer.py")
PEER = os.environ.get("KERASFT_TRANSFORMERS_PYTHON", "")
THREE = Labels("classification", ("bird", "cat", "dog"))
TEXTS = ["the cat is good", "a very late parcel, and my money is not in it!", "Rose 2 red", "!"]
SIZE = 32

# Class that loads the folder, by family and pooling.
CLASSES = {
    ("bert", "auto"): SENTENCES,
    ("bert", "first"): "BertForSequenceClassification",
    ("bert", "last"): SENTENCES,
    ("distil_bert", "auto"): SENTENCES,
    ("distil_bert", "first"): "DistilBertForSequenceClassification",
    ("roberta", "auto"): SENTENCES,
    ("roberta", "first"): SENTENCES,
    ("vit", "auto"): "ViTForImageClassification",
    ("resnet", "auto"): "ResNetForImageClassification",
    ("bottleneck", "auto"): "ResNetForImageClassification",
}


def is_text(family):
    return family in ("bert", "distil_bert", "roberta")


def bottleneck(folder):
    """Saves a ResNet as ResNet-50 is built, with a scaling of its own for each color."""
    backbone = keras_hub.models.ResNetBackbone(
        [64], [7], [64, 128], [2, 1], [1, 2], "bottleneck_block"
    )
    backbone.save_to_preset(str(folder))
    keras_hub.layers.ResNetImageConverter(
        image_size=(SIZE, SIZE), scale=(0.02, 0.017, 0.016), offset=(-1.0, -1.5, 0.2)
    ).save_to_preset(str(folder))
    return str(folder)


def model_of(preset, labels=THREE, pairs=False, calibration=None, **settings):
    """Returns a run in memory whose weights all matter, without a fit."""
    recipe = text_recipe if "sequence_length" in settings else image_recipe
    keras.utils.set_random_seed(0)
    config = recipe.Config(preset=preset, trainable_blocks=-1, task=labels.task, **settings)
    model = recipe.build_model(config, Data(None, None, None, labels))
    rng = np.random.default_rng(0)
    for variable in model.weights:
        if variable.name in ("bias", "beta", "moving_mean"):
            variable.assign(rng.normal(0, 0.3, variable.shape))
        elif variable.name in ("gamma", "moving_variance"):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return Loaded(recipe, config, labels, model, pairs, calibration or Calibration(1.7))


def example(preset, family, tmp_path, **changes):
    """Returns a model of a family in memory."""
    path = bottleneck(tmp_path / "preset") if family == "bottleneck" else preset(family)
    size = {"sequence_length": 16} if is_text(family) else {"image_size": SIZE}
    return model_of(path, **{**size, **changes})


def pictures(folder):
    """Saves images of the size of the models, and returns their paths."""
    rng = np.random.default_rng(1)
    paths = [folder / f"{index}.png" for index in range(3)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)).save(path)
    return paths


def logits_of(loaded, inputs):
    """Returns calibrated logits by Keras, shape (n, outputs)."""
    x = prepare_inputs(loaded.config, Examples(inputs, None, [str(n) for n in range(len(inputs))]))
    linear = keras.Model(loaded.model.input, loaded.model.get_layer("head").output)
    scale, shift = loaded.labels.kind.calibrated_logits(loaded.labels, loaded.calibration)
    return np.asarray(linear(x, training=False)) * scale + shift


def written(loaded, folder, inputs):
    """Writes a folder with its request, as an export does, and returns the class that loads it."""
    names = ["text"] if hasattr(loaded.config, "sequence_length") else ["bytes"]
    request, arrays = folder_request(loaded, names, inputs)
    name = write_folder(loaded, folder)
    write_arrays(folder, arrays)
    write_json(folder / "proof.json", request)
    return name


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_softmax_of_calibrated_logits_is_what_is_predicted(temperature):
    logits = np.random.default_rng(0).normal(0, 2, (5, 3))
    calibration = Calibration(temperature)
    scale, shift = THREE.kind.calibrated_logits(THREE, calibration)
    decided = THREE.kind.decide(THREE, softmax(logits, axis=1).astype("float32"), calibration)
    found = softmax(logits * scale + shift, axis=1)
    assert np.allclose(found, decided["probabilities"], atol=1e-6)


@pytest.mark.parametrize("fitted", [True, False])
def test_sigmoid_of_calibrated_logits_is_what_is_predicted(fitted):
    labels = Labels("multilabel", ("new", "old"))
    logits = np.random.default_rng(0).normal(0, 2, (5, 2))
    calibration = Calibration(1.0, (0.5, 2.0), (0.1, -1.0)) if fitted else Calibration()
    scale, shift = labels.kind.calibrated_logits(labels, calibration)
    decided = labels.kind.decide(labels, expit(logits).astype("float32"), calibration)
    assert np.allclose(expit(logits * scale + shift), decided["probabilities"], atol=1e-6)


def test_a_number_is_in_its_unit():
    labels = Labels("regression", (), mean=10.0, std=2.0)
    assert labels.kind.calibrated_logits(labels, Calibration()) == ([2.0], [10.0])
    logarithmic = Labels("regression", (), transform="log")
    with pytest.raises(SettingError, match="--target-transform none"):
        logarithmic.kind.calibrated_logits(logarithmic, Calibration())


def test_a_relu_before_the_output_layer_changes_nothing():
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(3, 8)), rng.normal(size=3)
    x = rng.normal(size=(5, 8))
    arrays = TEXT_FAMILIES["DistilBertBackbone"].head(weight, bias)
    hidden = x @ arrays["pre_classifier.weight"].T + arrays["pre_classifier.bias"]
    found = np.maximum(hidden, 0) @ arrays["classifier.weight"].T + arrays["classifier.bias"]
    assert np.allclose(found, x @ weight.T + bias)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "pooling"), sorted(CLASSES))
def test_a_fresh_process_computes_the_logits_by_keras_hub(preset, tmp_path, family, pooling):
    loaded = example(preset, family, tmp_path, pooling=pooling)
    inputs = TEXTS if is_text(family) else pictures(tmp_path)
    assert written(loaded, tmp_path / "made", inputs) == CLASSES[family, pooling]
    record = prove(tmp_path / "made", loaded.labels)
    assert record["examples"] == len(inputs)
    assert record["largest_difference"] < 1e-5
    alone = "tensorflow" if family in ("resnet", "bottleneck") else "keras-hub"
    assert record["by"].split()[0] in (alone, "transformers", "sentence-transformers")
    assert record.get("same_tokens", len(inputs)) == len(inputs)


def test_vectors_of_one_length_need_another_class(preset, tmp_path):
    loaded = example(preset, "bert", tmp_path, pooling="first", feature_norm="rms")
    with pytest.raises(SettingError, match="Fit with --pooling mean"):
        write_folder(loaded, tmp_path / "made")


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["auto", "last"])
def test_vectors_of_one_length_are_normalized_there_too(preset, tmp_path, pooling):
    loaded = example(preset, "bert", tmp_path, pooling=pooling, feature_norm="rms")
    assert written(loaded, tmp_path / "made", TEXTS) == SENTENCES
    modules = json.loads((tmp_path / "made/modules.json").read_text())
    assert [module["path"] for module in modules] == ["", "1_Pooling", "2_Normalize", "3_Dense"]
    assert prove(tmp_path / "made", loaded.labels)["largest_difference"] < 1e-5


def asked(requests, tmp_path):
    """Returns the answers of the Python with transformers."""
    (tmp_path / "request.json").write_text(json.dumps(requests))
    command = [PEER, str(SCRIPT), str(tmp_path / "request.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.skipif(not PEER, reason="KERASFT_TRANSFORMERS_PYTHON names no Python")
def test_transformers_loads_the_folders(preset, tmp_path):
    requests, expected = [], []
    cases = [(family, pooling, False) for family, pooling in sorted(CLASSES)]
    for family, pooling, pairs in [*cases, ("bert", "first", True), ("roberta", "auto", True)]:
        root = tmp_path / f"{family}-{pooling}-{pairs}"
        root.mkdir()
        loaded = example(preset, family, root, pooling=pooling, pairs=pairs)
        inputs = TEXTS if is_text(family) else pictures(root)
        inputs = [*zip(TEXTS, ["a dog", "old", "to me"], strict=False)] if pairs else inputs
        sentences = write_folder(loaded, root / "made") == SENTENCES
        given = inputs if is_text(family) else [str(path) for path in inputs]
        folder = str(root / "made")
        requests.append({"folder": folder, "inputs": given, "sentences": sentences})
        expected.append(logits_of(loaded, inputs))
    for given, logits, found in zip(requests, expected, asked(requests, tmp_path), strict=True):
        assert np.allclose(found["logits"], logits, atol=1e-4), given["folder"]
        if not given["sentences"]:
            assert found["problems"] == {}, given["folder"]
            assert found["id2label"] == {"0": "bird", "1": "cat", "2": "dog"}


@pytest.mark.slow
@pytest.mark.skipif(not PEER, reason="KERASFT_TRANSFORMERS_PYTHON names no Python")
def test_the_image_processor_of_transformers_reads_the_same_pixels(preset, tmp_path):
    sizes = [(45, 70), (71, 40), (33, 33)]
    smooth = np.linspace(0, 255, 16 * 16 * 3).reshape(16, 16, 3).astype("uint8")
    paths = [tmp_path / f"{index}.png" for index in range(len(sizes))]
    for path, size in zip(paths, sizes, strict=True):
        Image.fromarray(np.random.default_rng(0).permutation(smooth)).resize(size).save(path)
    requests, expected = [], []
    for how in ("crop", "stretch"):
        loaded = example(preset, "bottleneck", tmp_path / how, resize=how)
        write_folder(loaded, tmp_path / how / "made")
        folder = str(tmp_path / how / "made")
        requests.append(
            {"folder": folder, "inputs": [str(path) for path in paths], "sentences": False}
        )
        x = prepare_inputs(loaded.config, Examples(paths, None, [path.name for path in paths]))
        scaling = loaded.model.get_layer("scaling")
        expected.append(x * np.array(scaling.scale) + np.array(scaling.offset))
    for wanted, found in zip(expected, asked(requests, tmp_path), strict=True):
        pixels = np.transpose(found["pixels"], (0, 2, 3, 1))
        assert np.abs(pixels - wanted).max() < 1.5 * 0.02  # of a pixel, at its largest scale


@pytest.mark.slow
def test_a_wide_output_layer_of_distilbert_needs_sentence_transformers(preset, tmp_path):
    many = Labels("classification", tuple(f"class {n}" for n in range(9)))  # the width is 16
    loaded = example(preset, "distil_bert", tmp_path, pooling="first", labels=many)
    assert write_folder(loaded, tmp_path / "made") == SENTENCES


@pytest.mark.slow
@pytest.mark.parametrize("family", ["bert", "resnet"])
def test_there_can_be_more_classes_than_features(preset, tmp_path, family):
    many = Labels("classification", tuple(f"class {n}" for n in range(300)))
    pooling = "first" if family == "bert" else "auto"
    loaded = example(preset, family, tmp_path, pooling=pooling, labels=many)
    assert loaded.model.get_layer("head").kernel.shape[0] < 300
    assert write_folder(loaded, tmp_path / "made") == CLASSES[family, pooling]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "settings", "message"),
    [
        ("vit", {"pooling": "average"}, "has no pooling average. Fit with --pooling first"),
        ("resnet", {"pooling": "max"}, "has no pooling max. Fit with --pooling average"),
        ("resnet_v2", {}, "use_pre_activation=True"),
        ("densenet", {}, "DenseNetBackbone cannot be exported"),
        ("electra", {"sequence_length": 16}, "ElectraBackbone cannot be exported"),
    ],
)
def test_what_hugging_face_lacks_is_refused(preset, tmp_path, family, settings, message):
    size = {} if "sequence_length" in settings else {"image_size": SIZE}
    loaded = model_of(preset(family), **size, **settings)
    with pytest.raises(SettingError, match=message):
        write_folder(loaded, tmp_path / "made")
    assert not (tmp_path / "made").exists()


@pytest.mark.slow
def test_another_output_layer_is_refused(preset, tmp_path):
    loaded = example(preset, "resnet", tmp_path)
    x = keras.layers.Dense(3)(loaded.model.output)
    more = dataclasses.replace(loaded, model=keras.Model(loaded.model.input, x))
    with pytest.raises(SettingError, match="layers that transformers does not have"):
        write_folder(more, tmp_path / "made")


@pytest.mark.slow
def test_an_output_that_is_not_linear_is_refused(preset, tmp_path):
    loaded = example(preset, "resnet", tmp_path)
    bounded = keras.ops.tanh(loaded.model.get_layer("head").output)
    model = keras.Model(loaded.model.input, keras.ops.softmax(bounded))
    other = dataclasses.replace(loaded, model=model)
    with pytest.raises(SettingError, match=r"differ by up to .* from those by the layer"):
        folder_request(other, ["bytes"], pictures(tmp_path))


@pytest.mark.slow
def test_a_wrong_merge_of_adapters_fails_the_proof(text_run, tmp_path, monkeypatch):
    def merge(model):
        kernel = model.get_layer("head").kernel
        kernel.assign(kernel + 0.1 * keras.random.normal(kernel.shape, seed=0))

    monkeypatch.setattr(version, "merge_adapters", merge)
    with pytest.raises(ProofError, match="logits of the exported model differ"):
        kerasft.export(text_run, models_dir=tmp_path, format="huggingface")


@pytest.mark.slow
def test_swapped_outputs_fail_the_proof(preset, tmp_path):
    loaded = example(preset, "resnet", tmp_path)
    folder = tmp_path / "made"
    written(loaded, folder, pictures(tmp_path))
    arrays = load_file(folder / "model.safetensors")
    arrays["classifier.1.weight"] = arrays["classifier.1.weight"][::-1].copy()
    save_file(arrays, folder / "model.safetensors")
    with pytest.raises(ProofError, match="logits of the exported model differ"):
        prove(folder, loaded.labels)


@pytest.mark.slow
def test_an_export_is_an_artifact(text_run, tmp_path):
    path = kerasft.export(text_run, models_dir=tmp_path, name="m", format="huggingface")
    assert path == tmp_path / "m-huggingface" / "1"
    manifest = json.loads((path / "manifest.json").read_text())
    assert (manifest["kind"], manifest["class"]) == ("huggingface", SENTENCES)
    assert manifest["proof"]["by"].startswith(("keras-hub", "sentence-transformers"))
    card = (path / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: sentence-transformers\n")
    assert "pipeline_tag: text-classification" in card
    assert "SentenceTransformer" in card
    assert kerasft.verify(path)["files"] == len(manifest["files"])
    with pytest.raises(SettingError, match="folder of Hugging Face"):
        kerasft.predict(path, ["a text"])
    (path / "config.json").write_text("{}")
    with pytest.raises(DamagedFileError, match=r"config\.json has changed"):
        kerasft.verify(path)


@pytest.mark.slow
def test_adapters_and_number_formats_are_exported_in_float32(preset, reviews, tmp_path):
    config = text_config(preset, reviews, pooling="first", lora_rank=2, precision="mixed_bfloat16")
    run = fit(text_recipe, config, tmp_path)
    line = ["export", str(run.path), "--models-dir", str(tmp_path), "--format", "huggingface"]
    done = CliRunner().invoke(main, line)
    assert done.exit_code == 0, done.output
    assert "AutoModelForSequenceClassification" in done.output
    (path,) = tmp_path.glob("*-huggingface/1")
    assert set(load_file(path / "model.safetensors")) >= {"classifier.weight", "classifier.bias"}
    assert json.loads((path / "manifest.json").read_text())["proof"]["agree"]
