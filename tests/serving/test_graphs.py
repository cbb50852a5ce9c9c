"""Exports as ONNX and LiteRT graphs, which take prepared inputs."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from PIL import Image

import kerasft
from kerasft import ImageConfig
from kerasft.data import Examples, prepare_inputs
from kerasft.errors import ProofError, SettingError
from kerasft.evaluation import graph_file
from kerasft.evaluation.load import load_model
from kerasft.serving.graph_proof import prove_graph
from kerasft.serving.graph_version import write_graph_version
from kerasft.serving.model_card import model_card
from kerasft.tasks import Labels

pytestmark = pytest.mark.slow

CASES = [("images", "litert"), ("images", "onnx"), ("texts", "litert"), ("texts", "onnx")]


@pytest.fixture(scope="session")
def graph(shared_folder, image_run, text_run):
    """Returns a function from `images` or `texts` and a format to the folder of a version."""

    def get(kind, format):
        run = {"images": image_run, "texts": text_run}[kind]

        def make(folder):
            kerasft.export(run, models_dir=folder, name="m", format=format)

        return shared_folder(f"graph-{kind}-{format}", make) / f"m-{format}" / "1"

    return get


@pytest.mark.parametrize(("kind", "format"), CASES)
def test_a_graph_answers_as_its_run(kind, format, graph, image_run, text_run, photos):
    run = {"images": image_run, "texts": text_run}[kind]
    files = [f"{photos}/blue/0.png", f"{photos}/red/1.png", f"{photos}/green/2.png"]
    inputs = {"images": files, "texts": ["a good film", "bad", "the awful movie"]}[kind]
    folder = graph(kind, format)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["kind"] == format
    assert manifest["proof"]["test"] == "exact"
    assert manifest["proof"]["largest_difference"] <= 1e-5
    expected = kerasft.predict(run, inputs)
    (file,) = (path for path in folder.iterdir() if path.suffix in (".onnx", ".tflite"))
    for subject in (folder.parent, file):
        for row, other in zip(kerasft.predict(subject, inputs), expected, strict=True):
            assert row["prediction"] == other["prediction"]
            assert list(row) == list(other)
            assert row["probability"] == pytest.approx(other["probability"], abs=1e-5)


@pytest.mark.parametrize(("kind", "format"), CASES[2:])
def test_a_graph_is_evaluated_and_verified(kind, format, graph, text_run, reviews):
    folder = graph(kind, format)
    expected = kerasft.evaluate(text_run, dataset=reviews)
    assert kerasft.evaluate(folder, dataset=reviews)["accuracy"] == expected["accuracy"]
    (file,) = (path for path in folder.iterdir() if path.suffix in (".onnx", ".tflite"))
    assert kerasft.verify(file)["agree"]


def test_a_bad_image_leaves_the_others_their_answers(graph, photos, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"\x89PNG bad")
    failed = []
    inputs = [str(tmp_path / "bad.png"), f"{photos}/blue/0.png"]
    (row,) = kerasft.predict(graph("images", "onnx"), inputs, on_error=failed.append)
    assert row["input"] == inputs[1]
    assert "bad.png" in str(failed[0])
    assert kerasft.predict(graph("images", "onnx"), inputs[:1], on_error=failed.append) == []


@pytest.mark.parametrize("fault", ["names", "graph", "inputs"])
@pytest.mark.parametrize("format", ["litert", "onnx"])
def test_a_faulty_graph_is_not_proved(format, fault, graph, text_run, tmp_path):
    folder = shutil.copytree(graph("images", format), tmp_path / "1")
    names = (folder / "labels.txt").read_text().split()
    if fault == "names":
        (folder / "labels.txt").write_text("\n".join(names[::-1]))
    elif fault == "graph":  # a file of another model
        file = {"litert": graph_file.LITERT, "onnx": graph_file.ONNX}[format]
        shutil.copy(graph("texts", format) / file, folder / file)
    else:  # other pixels than Python read
        with np.load(folder / "proof.npz") as arrays:
            pixels = 255 - arrays["image"]
        np.savez(folder / "proof.npz", image=pixels)
    manifest = json.loads((folder / "manifest.json").read_text())
    with pytest.raises(ProofError):
        prove_graph(folder, Labels.from_dict(manifest["labels"]), exact=True)


def test_swapped_names_change_the_score(graph, text_run, reviews, tmp_path):
    folder = shutil.copytree(graph("texts", "onnx"), tmp_path / "1")
    expected = kerasft.evaluate(folder, dataset=reviews)["accuracy"]
    names = (folder / "labels.txt").read_text().split()
    (folder / "labels.txt").write_text("\n".join(names[::-1]))
    found = kerasft.evaluate(folder, dataset=reviews)["accuracy"]
    assert found == pytest.approx(1 - expected)


def test_a_missing_runtime_is_named_with_its_extra(graph, monkeypatch):
    folder = graph("texts", "onnx")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SettingError, match=r"onnxruntime is not installed\. Install it: .*onnx"):
        kerasft.predict(folder, ["a good film"])
    with pytest.raises(SettingError, match=r"onnxruntime is not installed\. Install it: .*onnx"):
        kerasft.verify(folder)


@pytest.mark.parametrize(
    ("kind", "quantize"), [("images", "float16"), ("images", "int8"), ("texts", "dynamic")]
)
def test_a_quantized_graph_states_its_score_change(kind, quantize, image_run, text_run, tmp_path):
    run = {"images": image_run, "texts": text_run}[kind]
    # The validation splits of these runs have a handful of examples.
    options = {"format": "litert", "quantize": quantize, "margin": 1.0}
    folder = kerasft.export(run, models_dir=tmp_path, name="m", **options)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["quantize"] == quantize
    assert manifest["proof"]["test"] == "equivalence"
    change = manifest["score_change"]
    assert change["metric"] == "accuracy"
    assert change["examples"] == run.manifest["data"]["examples"]["validation"]
    low, high = change["confidence_interval"]
    assert low <= change["difference"] <= high
    assert change["agreement"]["equal"] > 0.5
    assert f"Quantized ({quantize}): accuracy" in (folder / "README.md").read_text()
    assert kerasft.verify(folder)["agree"]


def test_a_quantized_graph_that_may_be_worse_is_not_exported(image_run, tmp_path):
    with pytest.raises(ProofError, match=r"a loss of -?0\.\d+ to 0\.\d+ \(95% interval\)"):
        kerasft.export(
            image_run, models_dir=tmp_path / "models", format="litert", quantize="float16"
        )
    assert not list(tmp_path.glob("models/*"))


def test_fixed_ranges_of_a_text_model_are_refused(text_run, tmp_path):
    with pytest.raises(SettingError, match="attention masks of a text model"):
        kerasft.export(text_run, models_dir=tmp_path, format="litert", quantize="int8")


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("shape", [(61, 100), (90, 35)])
def test_the_model_card_prepares_images_as_training_does(
    resize, shape, graph, tmp_path, monkeypatch
):
    manifest = json.loads((graph("images", "onnx") / "manifest.json").read_text())
    manifest["preprocessing"]["resize"] = resize
    blocks = model_card(manifest).split("```")
    (code,) = [block for block in blocks if block.startswith("python\nimport numpy")]
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), "uint8")
    Image.fromarray(noise).save("image.png")
    found = {}
    exec(code.removeprefix("python"), found)  # the card is text of this project
    (pixels,) = found["inputs"].values()
    size = manifest["preprocessing"]["image_size"]
    config = ImageConfig(image_size=size, resize=resize, dataset="builtin:digits")
    expected = prepare_inputs(config, Examples(["image.png"], None, ["image.png"]))
    assert np.abs(pixels.astype(int) - np.asarray(expected)).max() <= 1


def test_a_class_name_with_a_line_break_is_refused(image_run, tmp_path):
    loaded = load_model(image_run)
    labels = dataclasses.replace(loaded.labels, names=("blue", "green\nor red", "red"))
    renamed = dataclasses.replace(loaded, labels=labels)
    with pytest.raises(SettingError, match=r"'green\\nor red' has a line break"):
        write_graph_version(image_run, renamed, tmp_path, "onnx", None, None)


@pytest.mark.parametrize(
    ("format", "quantize", "margin", "reason"),
    [
        ("onnx", "int8", None, "`quantize` needs format='litert'"),
        ("saved_model", "dynamic", None, "`quantize` needs format='litert'"),
        ("litert", "int4", None, "`quantize` must be one of float16, dynamic, int8"),
        ("litert", "int8", 2.0, "`margin` must be in"),
        ("litert", None, 0.1, "`margin` needs `quantize`"),
    ],
)
def test_options_that_do_not_fit_are_refused(format, quantize, margin, reason, image_run, tmp_path):
    with pytest.raises(SettingError, match=reason):
        kerasft.export(
            image_run, models_dir=tmp_path, format=format, quantize=quantize, margin=margin
        )
