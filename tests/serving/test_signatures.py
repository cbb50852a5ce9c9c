"""Signatures of an exported model: bad inputs, features, prepared inputs."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text  # noqa: F401 (its operations)

import kerasft
from kerasft.models import with_features

BAD = {
    "images": ([b"hello", b""], "cannot be decoded"),
    "texts": ([b"\xff\xfe bad", b" "], "not valid UTF-8"),
}


@pytest.fixture(params=sorted(BAD))
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def loaded(artifact):
    models = {}

    def get(kind):
        if kind not in models:
            models[kind] = tf.saved_model.load(str(artifact(kind)))
        return models[kind]

    return get


@pytest.fixture(scope="module")
def good(photos):
    files = [Path(photos, name, "0.png").read_bytes() for name in ("blue", "red")]
    return {"images": files, "texts": [b"good film", "awful Wörds \ufffd".encode()]}


@pytest.fixture(scope="module")
def run_of(image_run, text_run):
    return {"images": image_run, "texts": text_run}


def test_a_bad_input_leaves_the_others_their_answers(kind, loaded, good):
    serve, (first, second) = loaded(kind).serve, good[kind]
    (bad, empty), message = BAD[kind]
    found = serve(tf.constant([first, bad, second, empty]))
    expected = serve(tf.constant([first, second]))
    assert expected["error"].numpy().tolist() == [b"", b""]
    assert found["index"].numpy().tolist() == [0, 1, 2, 3]
    errors = [text.decode() for text in found["error"].numpy()]
    assert errors[0] == errors[2] == ""
    assert message in errors[1]
    assert "Give a" in errors[3]
    for name in set(found) - {"error", "index"}:
        values = found[name].numpy()
        if values.dtype == object:
            assert (values[[0, 2]] == expected[name].numpy()).all()
            assert (values[[1, 3]] == b"").all()
        elif values.dtype == bool:
            assert (values[[0, 2]] == expected[name].numpy()).all()
            assert not values[[1, 3]].any()
        else:
            np.testing.assert_allclose(values[[0, 2]], expected[name].numpy(), atol=1e-6)
            assert np.isnan(values[[1, 3]]).all()


def test_strict_names_the_first_bad_input(kind, loaded, good):
    strict, (first, second) = loaded(kind).strict, good[kind]
    (bad, empty), message = BAD[kind]
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"Input 1: .*{message}"):
        strict(tf.constant([first, bad, second, empty]))
    found = strict(tf.constant([first, second]))
    expected = loaded(kind).serve(tf.constant([first, second]))
    assert set(found) == set(expected) - {"error", "index"}
    assert (found["prediction"].numpy() == expected["prediction"].numpy()).all()


def test_features_are_those_that_the_head_reads(kind, loaded, good, run_of):
    bad, _ = BAD[kind]
    found = loaded(kind).features(tf.constant([*good[kind], bad[0]]))
    assert np.isnan(found["features"][2].numpy()).all()
    assert found["error"][2].numpy()
    model = kerasft.load_model(run_of[kind]).model
    head = model.get_layer("head")
    logits = found["features"][:2].numpy() @ head.kernel.numpy() + head.bias.numpy()
    served = loaded(kind).outputs(tf.constant(good[kind]))  # before calibration
    np.testing.assert_allclose(served["outputs"], tf.nn.softmax(logits), atol=1e-5)


def test_prepared_inputs_have_the_same_answers(kind, loaded, good, run_of):
    model, run = loaded(kind), run_of[kind]
    inputs = [text.decode() for text in good[kind]] if kind == "texts" else good[kind]
    config = kerasft.load_model(run).config
    x = run.modality.prepare(config, kerasft.Examples(inputs, None, ["a", "b"]))
    named = x if isinstance(x, dict) else {"image": x}
    found = model.signatures["preprocessed"](**{k: tf.constant(v) for k, v in named.items()})
    expected = model.serve(tf.constant(good[kind]))
    np.testing.assert_allclose(found["probabilities"], expected["probabilities"], atol=1e-5)


def test_inputs_have_names(kind, loaded, good):
    name = {"images": "bytes", "texts": "text"}[kind]
    for signature in ("serving_default", "serve", "strict", "features"):
        found = loaded(kind).signatures[signature](**{name: tf.constant(good[kind][:1])})
        assert all(len(values) == 1 for values in found.values())


def test_a_model_without_a_head_has_no_features(image_run):
    model = kerasft.load_model(image_run).model
    assert with_features(model) is not None
    model.get_layer("head").name = "other"
    assert with_features(model) is None
