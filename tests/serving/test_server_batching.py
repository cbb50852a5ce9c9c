"""Batches of merged requests, tensors of numbers, bad items, and folders of models."""

import asyncio
import base64
import contextlib
import io
import json
import shutil
import tracemalloc
import zlib

import numpy as np
import pytest
from click.testing import CliRunner
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.testclient import TestClient

from kerasft.cli import main
from kerasft.errors import SettingError
from kerasft.serving.server.app import make_app
from kerasft.serving.server.batching import Batcher
from kerasft.serving.server.body import BodyReader
from kerasft.serving.server.model_folders import find_models
from kerasft.serving.server.saved_model import ServedSavedModel
from kerasft.serving.server.service import Service
from kerasft.serving.server.settings import Limits
from tests.serving.small_models import save

LIMITS = Limits()
NUMBERS, MARKING = "/v1/models/numbers:predict", "/v1/models/marking:predict"


@pytest.fixture(scope="module")
def small(shared_folder):
    return shared_folder("small-models", save)


@pytest.fixture(scope="module")
def client(small):
    words = [str(small / name) for name in ("numbers", "marking", "packed")]
    service = Service(find_models(words, "", []), LIMITS)
    for model in service.models.values():
        model.refresh(print)
    with TestClient(make_app(service, None, loopback=False)) as client:
        yield client


def together(model, signature, inputs, limits=LIMITS, pixels=()):
    """Returns the outcomes of inputs that are asked for at the same time, and the batches."""
    batches = []

    async def ask():
        batcher = Batcher(model, limits, batches.append)
        pairs = zip(inputs, pixels or [0] * len(inputs), strict=True)
        asked = (batcher.answer(model.signatures[signature], *pair) for pair in pairs)
        return await asyncio.gather(*asked, return_exceptions=True)

    return asyncio.run(ask()), batches


def test_requests_are_merged_and_each_gets_its_own_rows(small):
    model = ServedSavedModel(small / "numbers" / "1")
    inputs = [np.full((rows, 2), rows, np.float32) for rows in (1, 2, 3, 1, 4)]
    found, batches = together(model, "serving_default", [{"x": x} for x in inputs], Limits(batch=6))
    assert [answer["total"].tolist() for answer in found] == [
        (2 * x[:, 0]).tolist() for x in inputs
    ]
    assert batches == [6, 5]
    assert {int(answer["rows"][0]) for answer in found} == {6, 5}


def test_a_batch_has_at_most_four_times_the_pixels_of_an_image(small):
    model = ServedSavedModel(small / "numbers" / "1")
    inputs = [{"x": np.zeros((2, 2), np.float32)}] * 5
    pixels = [30, 9, 1, 40, 1]
    _, batches = together(model, "serving_default", inputs, Limits(pixels=10), pixels)
    assert batches == [6, 2, 2]


def test_a_bad_request_in_a_batch_fails_alone(small):
    model = ServedSavedModel(small / "marking" / "1")
    texts = [[b"1"], [b"one"], [b"2", b"3"]]
    inputs = [{"text": np.array(text, object)} for text in texts]
    found, batches = together(model, "strict", inputs)
    assert batches == [4]
    assert found[0]["prediction"].tolist() == [1]
    assert isinstance(found[1], HTTPException)
    assert found[1].status_code == 400
    assert "one" in found[1].detail
    assert found[2]["prediction"].tolist() == [2, 3]


def test_the_index_of_a_bad_item_is_that_of_its_own_request(small):
    model = ServedSavedModel(small / "marking" / "1")
    inputs = [{"text": np.array(text, object)} for text in ([b"1", b"2"], [b"3", b"x"])]
    found, _ = together(model, "serving_default", inputs)
    assert [answer["index"].tolist() for answer in found] == [[0, 1], [0, 1]]
    assert found[1]["error"].tolist() == [b"", b"The item is no number."]


def test_a_signature_of_fixed_shapes_is_not_batched(small):
    model = ServedSavedModel(small / "numbers" / "1")
    inputs = [{"n": np.arange(3, dtype=np.int32), "flag": np.array(True)} for _ in range(2)]
    found, batches = together(model, "fixed", inputs)
    assert [int(answer["total"]) for answer in found] == [3, 3]
    assert batches == [1, 1]


def test_a_request_that_gave_up_is_not_computed(small):
    model, batches = ServedSavedModel(small / "numbers" / "1"), []

    async def ask():
        batcher = Batcher(model, Limits(batch=1), batches.append)
        x = {"x": np.zeros((1, 2), np.float32)}
        tasks = [
            asyncio.create_task(batcher.answer(model.signatures["serving_default"], x))
            for _ in range(3)
        ]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.gather(tasks[0], tasks[2])

    asyncio.run(ask())
    assert batches == [1, 1]


def test_bad_items_are_marked_and_the_others_answered(client):
    body = {"instances": ["7", "seven"]}
    text = client.post(MARKING, json=body).text
    rows = json.loads(text)["predictions"]
    assert "NaN" in text  # as TensorFlow Serving writes it
    assert rows[0] == {"prediction": 7.0, "error": "", "index": 0}
    assert rows[1]["error"] == "The item is no number."
    tensor = {"name": "text", "shape": [2], "datatype": "BYTES", "data": ["7", "seven"]}
    found = client.post("/v2/models/marking/infer", json={"inputs": [tensor]})
    assert "NaN" not in found.text
    data = {item["name"]: item["data"] for item in found.json()["outputs"]}
    assert data["prediction"] == [7.0, None]
    strict = client.post(MARKING, json={"signature_name": "strict", **body})
    assert strict.status_code == 400
    assert "seven" in strict.json()["error"]


def test_numbers_in_both_protocols(client):
    found = client.post(NUMBERS, content=b'{"instances": [[0.1, 1], [NaN, 1], [Infinity, 1e3]]}')
    rows = found.json()["predictions"]
    assert [str(row["total"]) for row in rows] == ["1.1", "nan", "inf"]
    assert set(rows[0]["echo_bytes"][0]) == {"b64"}
    for data in ([1, 2.5, 3, 4], [[1, 2.5], [3, 4]]):
        tensor = {"name": "x", "shape": [2, 2], "datatype": "FP32", "data": data}
        answer = client.post("/v2/models/numbers/infer", json={"inputs": [tensor]}).json()
        outputs = {item["name"]: item for item in answer["outputs"]}
        assert outputs["total"]["data"] == [3.5, 7.0]
        assert outputs["total"]["datatype"] == "FP32"
        assert outputs["echo_bytes"]["parameters"] == {"content_type": "base64"}


def test_a_single_output_has_no_name_and_columns_need_no_rows(client):
    body = {"signature_name": "fixed", "inputs": {"n": [1, 2, 3], "flag": True}}
    assert client.post(NUMBERS, json=body).json() == {"outputs": 6}
    body = {"signature_name": "strict", "instances": ["1", "2"]}
    assert client.post(MARKING, json=body).json() == {"predictions": [1.0, 2.0]}


def test_a_signature_without_inputs_is_answered(client):
    body = {"signature_name": "constant", "inputs": {}}
    assert client.post(NUMBERS, json=body).json() == {"outputs": 7}
    for wrong in ({"inputs": [1]}, {"instances": [1]}, {"instances": [{}]}):
        answer = client.post(NUMBERS, json={"signature_name": "constant", **wrong})
        assert (answer.status_code, list(answer.json())) == (400, ["error"])


def test_a_loss_of_data_is_that_of_the_request(client):
    for packed, status in ((zlib.compress(b"a"), 200), (b"no zlib", 400)):
        instance = {"b64": base64.b64encode(packed).decode()}
        answer = client.post("/v1/models/packed:predict", json={"instances": [instance]})
        assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    "body",
    [
        {"instances": [[1, 2, 3]]},
        {"instances": [[1, "2"]]},
        {"instances": [[1, True]]},
        {"instances": [[1, 1e39]]},
        {"instances": [[1, 10**400]]},
        {"instances": [1]},
        {"signature_name": "fixed", "inputs": {"n": [1, 2, 2**31], "flag": True}},
        {"signature_name": "fixed", "inputs": {"n": [1, 2, 3.0], "flag": True}},
        {"signature_name": "fixed", "inputs": {"n": [1, 2, 3], "flag": 1}},
        {"signature_name": "fixed", "instances": [{"n": 1, "flag": True}]},
    ],
    ids=str,
)
def test_numbers_that_do_not_fit_are_refused(client, body):
    answer = client.post(NUMBERS, json=body)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


def test_a_token_file_that_is_no_text_is_refused(small, tmp_path):
    file = tmp_path / "token"
    file.write_bytes(b"\xff" * 32)
    words = ["serve", str(small / "numbers"), "--token-file", str(file)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2, result.output
    assert "expected at least 16 of ASCII" in result.output


@pytest.mark.parametrize(
    ("host", "token", "warned"),
    [("0.0.0.0", "", True), ("0.0.0.0", "secret" * 4, False), ("127.0.0.1", "", False)],
)
def test_an_open_server_without_a_token_is_reported(small, monkeypatch, host, token, warned):
    monkeypatch.setattr("kerasft.serving.server.run.serve", lambda *args: None)
    words = ["serve", str(small / "numbers"), "--host", host, "--port", "0"]
    environment = {"KERASFT_TOKEN": token or None}
    result = CliRunner().invoke(main, words, env=environment)
    assert result.exit_code == 0, result.output
    assert ("is open to everyone" in result.stderr) == warned


class Lost(io.StringIO):
    """The standard error of a terminal that was closed."""

    def write(self, text):
        raise BrokenPipeError


def test_a_server_goes_on_without_its_terminal(small, monkeypatch):
    def serve(folders, settings, listener, report):
        with contextlib.redirect_stderr(Lost()):
            report("a line")
        report("another line")

    monkeypatch.setattr("kerasft.serving.server.run.serve", serve)
    result = CliRunner().invoke(main, ["serve", str(small / "numbers"), "--port", "0"])
    assert result.exit_code == 0, result.output
    assert result.stderr == "another line\n"


def test_a_body_is_held_once():
    async def receive():
        return {"type": "http.request", "body": bytes(2**20), "more_body": next(more, False)}

    async def memory():
        request = Request({"type": "http", "headers": []}, receive)
        async with BodyReader(LIMITS).body(request) as body:
            return len(body), tracemalloc.get_traced_memory()[0]

    more = iter([True] * 7)
    tracemalloc.start()
    try:
        length, held = asyncio.run(memory())
    finally:
        tracemalloc.stop()
    assert length == 8 * 2**20
    assert held < 1.5 * length


def test_models_are_found_by_name_folder_and_version(small):
    by_name = find_models(["numbers", "marking"], str(small), ["numbers:stable=1"])
    assert [(model.name, model.only) for model in by_name] == [("numbers", None), ("marking", None)]
    assert by_name[0].labels == {"stable": 1}
    (by_version,) = find_models([str(small / "numbers" / "1")], "", [])
    assert (by_version.name, by_version.only) == ("numbers", 1)


def export_in(folder, kind):
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "manifest.json").write_text(json.dumps({"kind": kind}))


def test_exports_in_other_formats_are_left_out(small, tmp_path):
    models = shutil.copytree(small, tmp_path / "models")
    for kind in ("onnx", "litert", "huggingface"):
        export_in(models / f"numbers-{kind}", kind)
    names = sorted(path.name for path in small.iterdir())
    for words in ([str(models)], [str(path) for path in sorted(models.iterdir())]):
        assert [model.name for model in find_models(words, "", [])] == names
    for word in ("numbers-onnx", str(models / "numbers-onnx" / "1")):
        with pytest.raises(SettingError, match="has no SavedModel, but an export in another"):
            find_models([word], str(models), [])
    with pytest.raises(SettingError, match=r"Did you mean 'numbers'\?"):  # not numbers-onnx
        find_models(["numbers-onn"], str(models), [])
    export_in(models / "gone", "saved_model")
    with pytest.raises(SettingError, match="has no version of a model"):
        find_models(["gone"], str(models), [])


@pytest.mark.parametrize(
    ("words", "labels", "message"),
    [
        (["number"], [], "not found.*Did you mean 'numbers'"),
        (["numbers/1/variables"], [], "has no version of a model"),
        (["numbers", "numbers"], [], "Two models are named 'numbers'"),
        (["numbers"], ["stable"], "must be LABEL=VERSION"),
        (["numbers"], ["stable=2"], "Version 2 of 'numbers' not found. It has: 1"),
        (["numbers"], ["marking:stable=1"], "is not served"),
        (["numbers", "marking"], ["stable=1"], "names no model"),
    ],
)
def test_models_that_cannot_be_served_are_refused(
    small, words, labels, message, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    words = [str(small / word) if "/" in word else word for word in words]
    with pytest.raises(SettingError, match=message):
        find_models(words, str(small), labels)
