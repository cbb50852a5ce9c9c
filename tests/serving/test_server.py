"""Both protocols and every kind of refusal, in the application and in a real process (slow)."""

import base64
import io
import json
import struct
import subprocess
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import requests
from google.protobuf import json_format
from PIL import Image
from starlette.testclient import TestClient
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from kerasft.serving.server.app import make_app
from kerasft.serving.server.model_folders import find_models
from kerasft.serving.server.service import Service
from kerasft.serving.server.settings import Limits
from tests.serving.served import answers
from tests.serving.server_process import serving

LIMITS = Limits(body=200_000, batch=8, pixels=10_000)
OPTIONS = [
    "--max-body",
    "1",
    "--max-batch",
    "8",
    "--max-pixels",
    "10000",
    "--label",
    "photos:old=1",
]
PREDICT = "/v1/models/{}:predict"
INFER = "/v2/models/{}/infer"


@pytest.fixture(
    scope="module", params=["application", pytest.param("process", marks=pytest.mark.slow)]
)
def client(request, exported, tmp_path_factory):
    words = [str(exported / "photos"), str(exported / "reviews")]
    if request.param == "process":
        with (
            serving([*words, *OPTIONS], tmp_path_factory.mktemp("process")) as server,
            server.client() as client,
        ):
            yield client
        return
    service = Service(find_models(words, "", ["photos:old=1"]), LIMITS)
    for model in service.models.values():
        model.refresh(print)
    app = make_app(service, None, loopback=False)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def b64(content):
    return {"b64": base64.b64encode(content).decode()}


def png(photos, name="red", index=1):
    with open(f"{photos}/{name}/{index}.png", "rb") as file:
        return file.read()


def tensor(name, values, **more):
    return {"name": name, "shape": [len(values)], "datatype": "BYTES", "data": values, **more}


def infer(name, values, **more):
    return {"inputs": [tensor(name, values, **more)]}


def close(found, expected):
    """Return whether two answers are equal, numbers up to 1e-5."""
    if isinstance(expected, float):
        return abs(found - expected) < 1e-5
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(close, found, expected))
    return found == expected


def test_rows_and_columns_are_answered_as_the_saved_model_answers(client, exported, photos):
    files = [f"{photos}/blue/0.png", f"{photos}/red/1.png"]
    expected = answers(exported / "photos" / "1", paths=files)
    images = [b64(png(photos, "blue", 0)), b64(png(photos, "red", 1))]
    for body in ({"inputs": images}, {"inputs": {"bytes": images}}):
        found = client.post(PREDICT.format("photos"), json=body).json()["outputs"]
        assert set(found) == set(expected)
        assert all(close(found[name], expected[name]) for name in expected)
    for body in ({"instances": images}, {"instances": [{"bytes": image} for image in images]}):
        rows = client.post(PREDICT.format("photos"), json=body).json()["predictions"]
        for index, row in enumerate(rows):
            assert all(close(row[name], expected[name][index]) for name in expected)


@pytest.mark.parametrize("version", ["", "/versions/1"])
def test_open_inference_gives_the_same_answer(client, exported, version):
    texts = ["good film", "Wörds 🎬"]
    expected = answers(exported / "reviews" / "1", text=texts)
    body = {"id": "7", **infer("text", texts)}
    found = client.post(f"/v2/models/reviews{version}/infer", json=body).json()
    assert (found["id"], found["model_name"], found["model_version"]) == ("7", "reviews", "1")
    outputs = {item["name"]: item for item in found["outputs"]}
    assert set(outputs) == set(expected)
    for name, item in outputs.items():
        values = np.array(expected[name])
        assert item["shape"] == list(values.shape)
        assert close(item["data"], values.ravel().tolist())
    asked = client.post(INFER.format("reviews"), json={**body, "outputs": [{"name": "prediction"}]})
    assert [item["name"] for item in asked.json()["outputs"]] == ["prediction"]


def test_an_id_of_a_lone_surrogate_is_answered_with_a_question_mark(client):
    content = json.dumps({"id": "\ud800", **infer("text", ["a"])}).encode()
    answer = client.post(TEXT_V2, content=content)
    assert (answer.status_code, answer.json()["id"]) == (200, "?")


def test_open_inference_takes_images_as_base64(client, photos):
    content = b64(png(photos))["b64"]
    body = infer("bytes", [content], parameters={"content_type": "base64"})
    found = client.post(INFER.format("photos"), json=body).json()
    row = client.post(PREDICT.format("photos"), json={"inputs": [{"b64": content}]}).json()
    data = {item["name"]: item["data"] for item in found["outputs"]}
    assert data["prediction"] == row["outputs"]["prediction"]


def test_status_and_metadata_are_messages_of_tensorflow_serving(client):
    for path in ("", "/versions/1", "/labels/old"):
        text = client.get(f"/v1/models/photos{path}").text
        status = json_format.Parse(text, get_model_status_pb2.GetModelStatusResponse())
        (version,) = status.model_version_status
        assert (version.version, version.State.Name(version.state)) == (1, "AVAILABLE")
        found = client.get(f"/v1/models/photos{path}/metadata").json()
        assert found["model_spec"]["name"] == "photos"
        signatures = found["metadata"]["signature_def"]
        parsed = json_format.ParseDict(signatures, get_model_metadata_pb2.SignatureDefMap())
        assert list(parsed.signature_def["serving_default"].inputs) == ["bytes"]


def test_health_and_metadata_of_open_inference(client):
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").status_code == 200
    assert client.get("/v2/models/photos/ready").json() == {"name": "photos", "ready": True}
    assert client.get("/v2").json()["name"] == "kerasft"
    found = client.get("/v2/models/reviews").json()
    assert found["versions"] == ["1"]
    assert found["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    assert {"name": "probability", "datatype": "FP32", "shape": [-1]} in found["outputs"]
    index = client.post("/v2/repository/index").json()
    assert [(model["name"], model["state"]) for model in index] == [
        ("photos", "READY"), ("reviews", "READY"),
    ]  # fmt: skip


def test_numbers_are_written_with_the_digits_of_their_type(client):
    text = client.post(PREDICT.format("reviews"), json={"instances": ["good film"]}).text
    (row,) = json.loads(text)["predictions"]
    assert str(np.float32(row["probability"])) == str(row["probability"])


def test_metrics_count_requests_and_batches(client):
    before = client.get("/metrics").text
    client.post(PREDICT.format("reviews"), json={"instances": ["a", "b", "c"]})
    client.post(PREDICT.format("reviews"), json={"instances": []})
    client.post(PREDICT.format("nothing"), json={})
    after = client.get("/metrics").text

    def figure(text, name):
        lines = [line for line in text.splitlines() if line.startswith(name)]
        return float(lines[0].split()[-1]) if lines else 0.0

    for name, more in (
        ('kerasft_requests_total{model="reviews",status="200"}', 1),
        ('kerasft_requests_total{model="reviews",status="400"}', 1),
        ('kerasft_requests_total{model="",status="404"}', 1),
        ('kerasft_batch_rows_sum{model="reviews"}', 3),
    ):
        assert figure(after, name) == figure(before, name) + more, name
    assert figure(after, 'kerasft_model_version{model="photos"}') == 1


def big_png(width, height):
    """Returns the header of a PNG without its pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"")
    chunks = b"".join(
        struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part))
        for part in (header, data, b"IEND")
    )
    return b"\x89PNG\r\n\x1a\n" + chunks


TEXT = PREDICT.format("reviews")
IMAGE = PREDICT.format("photos")
TEXT_V2 = INFER.format("reviews")
GARBAGE = {
    "no body": (400, TEXT, b""),
    "no JSON": (400, TEXT, b"good film"),
    "half a document": (400, TEXT, b'{"instances": ["a"'),
    "two documents": (400, TEXT, b'{"instances": ["a"]} {}'),
    "no UTF-8": (400, TEXT, b'{"instances": ["\xff"]}'),
    "UTF-16": (400, TEXT, '{"instances": ["a"]}'.encode("utf-16")),
    "a list": (400, TEXT, b'["a"]'),
    "a number": (400, TEXT, b"7"),
    "null": (400, TEXT, b"null"),
    "deep lists": (400, TEXT, b'{"instances": ' + b"[" * 5000 + b"]" * 5000 + b"}"),
    "open lists": (400, TEXT, b"[" * 100_000),
    "a string of quotes without an end": (400, TEXT, b'"' + rb'\"' * 90_000),
    "deep objects": (400, TEXT, b'{"a":' * 30 + b"1" + b"}" * 30),
    "a number of 10,000 digits": (400, TEXT, b'{"instances": [' + b"7" * 10_000 + b"]}"),
    "an empty object": (400, TEXT, {}),
    "both forms": (400, TEXT, {"instances": ["a"], "inputs": ["a"]}),
    "no instances": (400, TEXT, {"instances": []}),
    "no inputs": (400, TEXT, {"inputs": []}),
    "one instance without a list": (400, TEXT, {"instances": "a"}),
    "an instance of null": (400, TEXT, {"instances": [None]}),
    "an instance of a number": (400, TEXT, {"instances": ["a", 1]}),
    "an instance of a list": (400, TEXT, {"instances": [["a"]]}),
    "lists of two lengths": (400, TEXT, {"instances": [["a"], ["a", "b"]]}),
    "a list and a text": (400, TEXT, {"instances": [["a"], "b"]}),
    "another name": (400, TEXT, {"instances": [{"txt": "a"}]}),
    "a name too many": (400, TEXT, {"instances": [{"text": "a", "more": "b"}]}),
    "an object of nothing": (400, TEXT, {"instances": [{}]}),
    "texts and objects": (400, TEXT, {"instances": ["a", {"text": "b"}]}),
    "another column": (400, TEXT, {"inputs": {"txt": ["a"]}}),
    "a column without a list": (400, TEXT, {"inputs": {"text": "a"}}),
    "too many instances": (413, TEXT, {"instances": ["a"] * 9}),
    "a lone surrogate": (400, TEXT, b'{"instances": ["\\ud800"]}'),
    "a signature that does not exist": (400, TEXT, {"signature_name": "x", "instances": ["a"]}),
    "a signature of null": (400, TEXT, {"signature_name": None, "instances": ["a"]}),
    "a body too large": (413, TEXT, {"instances": ["a" * 1_100_000]}),
    "no base64": (400, IMAGE, {"instances": [{"b64": "?!"}]}),
    "base64 of a number": (400, IMAGE, {"instances": [{"b64": 7}]}),
    "an image too large": (413, IMAGE, {"instances": [b64(big_png(60_000, 60_000))]}),
    "an image a little too large": (413, IMAGE, {"instances": [b64(big_png(101, 100))]}),
    "another version": (404, "/v1/models/photos/versions/2:predict", {"instances": ["a"]}),
    "a version of many digits": (404, f"/v1/models/photos/versions/{'9' * 5000}:predict", {}),
    "a version that is a word": (404, "/v1/models/photos/versions/new:predict", {}),
    "another label": (404, "/v1/models/photos/labels/new:predict", {}),
    "another model": (404, PREDICT.format("photo"), {"instances": ["a"]}),
    "a path out of the folder": (404, PREDICT.format("..%2f..%2fetc"), {}),
    "classify": (400, "/v1/models/photos:classify", {"examples": [{}]}),
    "regress": (400, "/v1/models/photos:regress", {"examples": [{}]}),
    "another path": (404, "/v3", {}),
    "a name with a line feed": (400, TEXT, {"instances": [{"a\nb": "a"}]}),
    "a name of a lone surrogate": (400, TEXT, {"instances": [{"\ud800": "a"}]}),
    "a column of a lone surrogate": (400, TEXT, {"inputs": {"\ud800": ["a"]}}),
    "v2: a name of a lone surrogate": (400, TEXT_V2, infer("\ud800", ["a"])),
    "v2: a name with a line feed": (400, TEXT_V2, infer("a\nb", ["a"])),
    "v2: no inputs": (400, TEXT_V2, {}),
    "v2: inputs of an object": (400, TEXT_V2, {"inputs": {}}),
    "v2: an input without a name": (400, TEXT_V2, {"inputs": [{"data": ["a"]}]}),
    "v2: an input twice": (400, TEXT_V2, {"inputs": [tensor("text", ["a"])] * 2}),
    "v2: another input": (400, TEXT_V2, infer("txt", ["a"])),
    "v2: another type": (400, TEXT_V2, infer("text", ["a"], datatype="FP32")),
    "v2: another shape": (400, TEXT_V2, infer("text", ["a"], shape=[2])),
    "v2: an enormous shape": (400, TEXT_V2, infer("text", ["a"], shape=[2**62])),
    "v2: a negative shape": (400, TEXT_V2, infer("text", ["a"], shape=[-1])),
    "v2: a shape of text": (400, TEXT_V2, infer("text", ["a"], shape="1")),
    "v2: numbers": (400, TEXT_V2, infer("text", [1])),
    "v2: data of an object": (400, TEXT_V2, infer("text", ["a"], data={"a": 1})),
    "v2: another output": (400, TEXT_V2, {**infer("text", ["a"]), "outputs": [{"name": "x"}]}),
    "v2: an id of a number": (400, TEXT_V2, {**infer("text", ["a"]), "id": 1}),
    "v2: base64 of bytes": (
        400, INFER.format("photos"),
        infer("bytes", [b64(b"\xff")], parameters={"content_type": "base64"}),
    ),
    "v2: no base64": (
        400, INFER.format("photos"), infer("bytes", ["?!"], parameters={"content_type": "base64"}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(GARBAGE))
def test_garbage_gets_one_sentence_and_no_500(client, kind):
    status, path, body = GARBAGE[kind]
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    begun = time.perf_counter()
    answer = client.post(path, content=content)
    assert time.perf_counter() - begun < 3
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    sentence = answer.json()["error"]
    assert 10 < len(sentence) < 300
    assert "\n" not in sentence
    assert sentence.endswith((".", "?"))
    assert client.post(TEXT, json={"instances": ["good"]}).status_code == 200


def test_an_image_that_cannot_be_decoded_leaves_the_others_their_answers(client, photos):
    good = b64(Path(photos, "red", "1.png").read_bytes())
    instances = [good, b64(b""), b64(big_png(20, 20)), good]
    answer = client.post(IMAGE, json={"instances": instances})
    assert answer.status_code == 200, answer.text
    rows = answer.json()["predictions"]
    assert [row["index"] for row in rows] == [0, 1, 2, 3]
    assert rows[0]["prediction"] == rows[3]["prediction"] != ""
    assert [bool(row["error"]) for row in rows] == [False, True, True, False]
    assert rows[1]["prediction"] == ""
    strict = client.post(IMAGE, json={"signature_name": "strict", "instances": instances})
    assert strict.status_code == 400
    assert "Input 1" in strict.json()["error"]


def test_an_encoded_body_and_other_methods_are_refused(client):
    packed = client.post(TEXT, content=b"x", headers={"Content-Encoding": "gzip"})
    assert packed.status_code == 415
    for method, path in (("GET", TEXT_V2), ("DELETE", "/v1/models/reviews")):
        refused = client.request(method, path)
        assert (refused.status_code, list(refused.json())) == (405, ["error"])
    foreign = client.post(TEXT, json={"instances": ["a"]}, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403


def test_a_token_is_asked_for_everywhere_but_at_the_probes(exported):
    service = Service(find_models([str(exported / "reviews")], "", []), LIMITS)
    token = "secret" * 4
    app = make_app(service, token, loopback=True)
    with TestClient(app, base_url="http://localhost") as c:
        assert c.get("/v2/health/live").status_code == 200
        for path in ("/v1/models/reviews", "/v2", "/metrics", "/v2/models/reviews"):
            for wrong in ("", "Bearer secret", token, f"Basic {token}"):
                answer = c.get(path, headers={"Authorization": wrong})
                assert (answer.status_code, list(answer.json())) == (401, ["error"])
            right = c.get(path, headers={"Authorization": f"Bearer {token}"})
            assert right.status_code in (200, 503)
        for host, status in (
            ("127.0.0.1:8501", 200),
            ("[::1]", 200),
            ("[::1]:8501", 200),
            ("127.0.0.2:8501", 200),
            ("LOCALHOST", 200),
            ("evil.example:8501", 421),
            ("127.0.0.1.evil.example", 421),
            ("", 421),
        ):
            answer = c.get("/v2/health/live", headers={"Host": host})
            assert answer.status_code == status, host


def test_an_animation_counts_with_all_its_frames(client):
    frames = [Image.new("RGB", (40, 40), (30 * n, 0, 0)) for n in range(8)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    answer = client.post(IMAGE, json={"instances": [b64(file.getvalue())]})
    assert answer.status_code == 413
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:5])
    assert client.post(IMAGE, json={"instances": [b64(file.getvalue())]}).status_code == 200


def test_the_images_of_a_request_have_together_at_most_four_times_the_pixels(client):
    file = io.BytesIO()
    Image.new("RGB", (100, 80)).save(file, "PNG")
    for count, status in ((5, 200), (6, 413)):
        answer = client.post(IMAGE, json={"instances": [b64(file.getvalue())] * count})
        assert answer.status_code == status, answer.text
    assert "48,000 pixels together, more than 40,000" in answer.json()["error"]


def animation():
    file = io.BytesIO()
    frames = [Image.new("RGB", (9, 9), (90 * n, 0, 0)) for n in range(2)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


@pytest.mark.parametrize("end", [b"!", b"!\xf9", b"!\xf9\x04", b",", b",\0\0\0"])
def test_a_gif_that_ends_in_a_block_is_damaged(client, end):
    file = io.BytesIO()
    Image.new("RGB", (9, 9)).save(file, "GIF")
    for content in (file.getvalue(), animation()):
        answer = client.post(IMAGE, json={"instances": [b64(content[:-1] + end)]})
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("width", "status"), [(50, 200), (101, 413)])
def test_a_frame_larger_than_the_first_counts_by_its_size(client, width, status):
    file = io.BytesIO()
    Image.new("RGB", (1, 1)).save(file, "GIF")
    frame = struct.pack("<cHHHHB", b",", 0, 0, width, 100, 0) + b"\x02\x02\x4c\x01\0;"
    answer = client.post(IMAGE, json={"instances": [b64(file.getvalue()[:-1] + frame)]})
    assert answer.status_code == status, answer.text


@pytest.mark.slow
def test_curl_and_requests_get_the_same_answer(client):
    if isinstance(client, TestClient):
        pytest.skip("needs a process")
    url = str(client.base_url).rstrip("/") + TEXT
    body = {"instances": ["good film"]}
    by_requests = requests.post(url, json=body, timeout=30).json()
    line = ["curl", "-s", "-d", json.dumps(body), url]
    by_curl = json.loads(subprocess.run(line, capture_output=True, check=True).stdout)
    assert by_curl == by_requests == client.post(url, json=body).json()
