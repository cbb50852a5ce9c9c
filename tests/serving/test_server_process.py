"""A real server process: new versions, load, limits in time, signals."""

import concurrent.futures
import contextlib
import http.client
import json
import shutil
import socket
import threading
import time

import httpx2
import pytest

from tests.serving.server_process import ServerProcess, serving

pytestmark = pytest.mark.slow
TEXT = "/v1/models/reviews:predict"
BODY = {"instances": ["good film"]}


@pytest.fixture
def models(exported, tmp_path):
    """A folder of models that a test may change."""
    return shutil.copytree(exported, tmp_path / "models")


def add_version(models, name, number):
    """Copies a version, as an export does: into another folder, then renamed."""
    temporary = models / f".{name}.{number}"
    shutil.copytree(next((models / name).iterdir()), temporary)
    temporary.rename(models / name / str(number))


class Load:
    """Threads that send requests until the end of the context."""

    def __init__(self, server, threads=8, path=TEXT, body=BODY):
        self.statuses, self.versions, self.errors = [], set(), []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._send, args=(server, path, body)) for _ in range(threads)
        ]

    def _send(self, server, path, body):
        with server.client() as client:
            while not self._stop.is_set():
                try:
                    answer = client.post(path, json=body)
                except httpx2.HTTPError as error:
                    self.errors.append(repr(error))
                    return
                self.statuses.append(answer.status_code)
                self.versions.add(answer.json().get("model_version"))

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_versions_are_switched_under_load_without_a_lost_request(models, tmp_path):
    body = {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["good"]}]}
    with serving([models / "reviews", "--poll", "0.05"], tmp_path) as server:
        with Load(server, path="/v2/models/reviews/infer", body=body) as load:
            for number in range(2, 8):
                add_version(models, "reviews", number)
                server.wait_until(f"version {number - 1} replaced")
                shutil.rmtree(models / "reviews" / str(number - 1))
        assert set(load.statuses) == {200}
        assert load.errors == []
        assert load.versions >= {"1", "7"}
        with server.client() as client:
            states = client.get("/v1/models/reviews").json()["model_version_status"]
            assert [(state["version"], state["state"]) for state in states] == [("7", "AVAILABLE")]


def test_a_damaged_version_does_not_replace_a_good_one(models, tmp_path):
    with serving([models / "reviews", "--poll", "0.05"], tmp_path) as server:
        (models / "reviews" / "2").mkdir()
        (models / "reviews" / "2" / "saved_model.pb").write_bytes(b"half a file")
        server.wait_until("version 2 cannot be loaded")
        with server.client() as client:
            assert client.post(TEXT, json=BODY).status_code == 200
            states = client.get("/v1/models/reviews").json()["model_version_status"]
            assert {state["version"]: state["state"] for state in states} == {
                "1": "AVAILABLE", "2": "END",
            }  # fmt: skip
            shutil.rmtree(models / "reviews" / "2")
            add_version(models, "reviews", 2)
            server.wait_until("version 2 ready")
            shutil.rmtree(models / "reviews" / "2")  # back to the older one
            server.wait_until("version 2 replaced")
            assert client.post(TEXT, json=BODY).status_code == 200


def test_a_label_keeps_an_old_version_loaded(models, tmp_path):
    add_version(models, "reviews", 2)
    words = [models / "reviews", "--label", "stable=1"]
    with serving(words, tmp_path) as server, server.client() as client:
        for path, version in (("", "2"), ("/labels/stable", "1")):
            found = client.get(f"/v1/models/reviews{path}/metadata").json()
            assert found["model_spec"]["version"] == version
        assert client.post("/v1/models/reviews/labels/stable:predict", json=BODY).is_success


def test_a_full_queue_answers_429_and_recovers(models, tmp_path):
    with serving([models / "photos", "--queue", "2"], tmp_path) as server:

        def send(_):
            with server.client() as client:
                answer = client.post("/v1/models/photos:predict", json={"instances": ["a"]})
                return answer.status_code, answer.headers.get("retry-after"), answer.json()

        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(send, range(96)))
        statuses = {status for status, _, _ in answers}
        assert statuses == {200, 429}  # 200: "a" is no image, which the answer says of this item
        assert {after for status, after, _ in answers if status == 429} == {"1"}
        assert send(0)[0] == 200


def test_slow_bodies_time_out(models, tmp_path):
    with serving([models / "reviews", "--timeout", "0.3"], tmp_path) as server:
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as half:
            half.sendall(b"POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 90\r\n\r\n{" % (
                TEXT.encode(), host.encode()
            ))  # fmt: skip
            assert b"408" in half.recv(1000)


def test_sigterm_answers_what_has_begun_and_ends_with_0(models, tmp_path):
    server = ServerProcess([models / "reviews", "--drain", "2"], tmp_path / "serve.log")
    server.wait_until("ready: ")
    with Load(server, threads=4) as load:
        time.sleep(0.5)
        server.process.terminate()
        server.wait_until("draining")
        with server.client() as client:
            assert client.get("/v2/health/ready").status_code == 503
            assert client.get("/v2/health/live").status_code == 200
            assert client.post(TEXT, json=BODY).headers["connection"] == "close"
    assert server.process.wait(timeout=60) == 0
    server.process.stdout.close()
    assert set(load.statuses) == {200}
    assert load.errors == []
    assert server.log.read_text().endswith("stopped\n")


def test_the_server_imports_neither_keras_hub_nor_training(models, tmp_path):
    with serving([models / "reviews"], tmp_path, PYTHONVERBOSE="1") as server:
        log = server.log.read_text()
    assert "import 'tensorflow'" in log  # which imports Keras by itself
    for name in ("keras_hub", "kerasft.data", "kerasft.models", "kerasft.serving.export"):
        assert f"import '{name}'" not in log


def test_more_connections_than_the_limit_are_refused(models, tmp_path):
    words = [models / "reviews", "--max-connections", "3"]
    with serving(words, tmp_path) as server, contextlib.ExitStack() as clients:
        three = [clients.enter_context(server.client()) for _ in range(3)]
        assert {client.post(TEXT, json=BODY).status_code for client in three} == {200}
        with server.client() as fourth:
            assert fourth.post(TEXT, json=BODY).status_code == 503
        assert three[0].post(TEXT, json=BODY).status_code == 200


def test_a_broken_request_line_gets_400(models, tmp_path):
    with serving([models / "reviews"], tmp_path) as server:
        host, port = server.url.removeprefix("http://").split(":")
        for garbage in (b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"A" * 100_000):
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(garbage + b"\r\n\r\n")
                assert connection.recv(1000).startswith(b"HTTP/1.1 400")
        connection = http.client.HTTPConnection(host, int(port))
        connection.request("POST", TEXT, json.dumps(BODY))
        assert connection.getresponse().status == 200
        connection.close()


def test_a_token_comes_from_the_environment_or_a_file(models, tmp_path):
    file = tmp_path / "token"
    file.write_text("0123456789abcdef\n")
    for words, environment in (
        (["--token-file", file], {}),
        ([], {"KERASFT_TOKEN": "0123456789abcdef"}),
    ):
        with (
            serving([models / "reviews", *words], tmp_path, **environment) as server,
            server.client() as client,
        ):
            assert client.post(TEXT, json=BODY).status_code == 401
            headers = {"Authorization": "Bearer 0123456789abcdef"}
            assert client.post(TEXT, json=BODY, headers=headers).status_code == 200
