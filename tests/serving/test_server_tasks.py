"""One model of every kind behind a server: every client gets the answers of the SavedModel."""

import base64
import json
import subprocess

import numpy as np
import pytest
import requests
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2, model_pb2, predict_pb2

import kerasft
from tests.serving.served import answers
from tests.serving.server_process import serving
from tests.serving.six_models import FITTED, TASKS, inputs_of, make

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=sorted(TASKS))
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def folder(kind, shared_folder, preset, photos, reviews, prices):
    return shared_folder(
        f"served-{kind}", lambda folder: make(kind, folder, preset, photos, reviews, prices)
    )


@pytest.fixture(scope="module")
def inputs(kind, photos, prices):
    return inputs_of(kind, photos, prices)


@pytest.fixture(scope="module")
def expected(folder, kind, inputs):
    """The answers of tf.saved_model.load."""
    return answers(folder / "models" / kind / "1", **inputs)


@pytest.fixture(scope="module")
def url(folder, kind, tmp_path_factory):
    words = [kind, "--models-dir", folder / "models"]
    with serving(words, tmp_path_factory.mktemp("server")) as server:
        yield f"{server.url}/v1/models/{kind}"


def written(value):
    """Returns an input as TensorFlow Serving's REST protocol writes it."""
    return {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def columns(inputs):
    return {name: [written(value) for value in values] for name, values in inputs.items()}


def rows(inputs):
    found = [
        dict(zip(inputs, values, strict=True)) for values in zip(*inputs.values(), strict=True)
    ]
    one = len(inputs) == 1
    named = [{name: written(value) for name, value in row.items()} for row in found]
    return [next(iter(row.values())) for row in named] if one else named


def check(found, expected):
    """Compares answers by name, a list with a value per input."""
    assert set(found) == set(expected)
    for name, values in expected.items():
        wanted = np.array(values)
        if wanted.dtype.kind == "f":
            np.testing.assert_allclose(np.array(found[name], float), wanted, rtol=1e-6, atol=1e-6)
        else:
            assert found[name] == values, name


def by_name(predictions):
    return {name: [row[name] for row in predictions] for name in predictions[0]}


def curl(url, body, file):
    file.write_text(json.dumps(body))
    line = ["curl", "-sS", "--fail-with-body", "-d", f"@{file}", url]
    return json.loads(subprocess.run(line, capture_output=True, check=True).stdout)


def test_the_calibration_is_in_the_answers(kind, folder, expected):
    manifest = json.loads((folder / "models" / kind / "1" / "manifest.json").read_text())
    assert manifest["proof"]["agree"]
    assert manifest["proof"]["examples"] >= 14
    fitted = manifest["calibration"]
    assert set(expected) >= FITTED[TASKS[kind]]
    assert fitted["known"]
    assert fitted["thresholds" if kind == "multilabel" else
                  "interval" if "lower" in expected else "sets"]  # fmt: skip
    if "accepted" in expected:
        assert fitted["rejection"]
    assert expected.get("unit") == (["EUR"] * 3 + [""] if kind == "regression" else None)
    assert [bool(error) for error in expected["error"]] == [False, False, False, True]


def test_python_predicts_the_same(folder, inputs, expected):
    (run,) = folder.glob("runs/*/*")
    good = list(zip(*inputs.values(), strict=True))[:3]
    rows = kerasft.predict(run, [item if len(item) > 1 else item[0] for item in good])
    for index, row in enumerate(rows):
        if "lower" in expected:
            for name in ("prediction", "lower", "upper"):
                assert row[name] == pytest.approx(expected[name][index], rel=1e-5)
            assert row.get("unit", "") == expected.get("unit", [""] * 3)[index]
        else:
            assert row["prediction"] == expected["prediction"][index]
            for name, probability in zip(
                expected["classes"][index], expected["probabilities"][index], strict=True
            ):
                assert row[f"p({name})"] == pytest.approx(probability, abs=1e-5)
        if "prediction_set" in expected:
            classes = np.array(expected["classes"][index])
            members = classes[expected["prediction_set"][index]]
            assert row["prediction_set"] == "|".join(members)
            assert row["accepted"] == expected["accepted"][index]
        assert row["known"] == expected["known"][index]


@pytest.mark.parametrize("client", ["curl", "requests"])
def test_clients_get_the_answers_of_the_saved_model(client, url, inputs, expected, tmp_path):
    def ask(body):
        if client == "curl":
            return curl(f"{url}:predict", body, tmp_path / "body.json")
        answer = requests.post(f"{url}:predict", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    check(by_name(ask({"instances": rows(inputs)})["predictions"]), expected)
    check(ask({"inputs": columns(inputs)})["outputs"], expected)


def test_the_messages_of_tensorflow_serving_carry_the_request_and_the_answer(
    kind, url, inputs, expected
):
    request = predict_pb2.PredictRequest(
        model_spec=model_pb2.ModelSpec(name=kind, signature_name="serving_default"),
        inputs={name: tf.make_tensor_proto(values) for name, values in inputs.items()},
    )
    request.model_spec.version.value = 1
    about = requests.get(f"{url}/versions/1/metadata", timeout=60).json()
    spec = json_format.ParseDict(about["model_spec"], model_pb2.ModelSpec())
    assert (spec.name, spec.version.value) == (kind, 1)
    signature = json_format.ParseDict(
        about["metadata"]["signature_def"], get_model_metadata_pb2.SignatureDefMap()
    ).signature_def[request.model_spec.signature_name]
    assert set(signature.inputs) == set(request.inputs)
    body = {"signature_name": request.model_spec.signature_name, "inputs": {}}
    for name, tensor in request.inputs.items():
        assert signature.inputs[name].dtype == tensor.dtype
        body["inputs"][name] = [written(value) for value in tf.make_ndarray(tensor).tolist()]
    answer = requests.post(f"{url}/versions/1:predict", json=body, timeout=60).json()["outputs"]
    response = predict_pb2.PredictResponse(
        outputs={
            name: tf.make_tensor_proto(answer[name], item.dtype)
            for name, item in signature.outputs.items()
        }
    )
    found = {}
    for name, tensor in response.outputs.items():
        declared = signature.outputs[name].tensor_shape
        shape = tf.TensorShape(tensor.tensor_shape)
        assert shape.is_compatible_with(tf.TensorShape(declared)), name
        assert shape[0] == 4
        array = tf.make_ndarray(tensor)
        found[name] = np.vectorize(bytes.decode, otypes=[object])(array).tolist() if (
            array.dtype == object) else array.tolist()  # fmt: skip
    check(found, expected)


def test_open_inference_gives_the_same_answers(url, inputs, expected):
    tensors = [
        {"name": name, "shape": [len(values)], "datatype": "BYTES", "data": values}
        if isinstance(values[0], str)
        else {
            "name": name, "shape": [len(values)], "datatype": "BYTES",
            "data": [written(value)["b64"] for value in values],
            "parameters": {"content_type": "base64"},
        }
        for name, values in inputs.items()
    ]  # fmt: skip
    answer = requests.post(
        f"{url.replace('/v1/', '/v2/')}/infer", json={"inputs": tensors}, timeout=60
    ).json()
    found = {item["name"]: np.reshape(item["data"], item["shape"]) for item in answer["outputs"]}
    check({name: array.tolist() for name, array in found.items()}, expected)
