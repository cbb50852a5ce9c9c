"""What a server holds: replaced versions, and requests whose body has not arrived, or late."""

import asyncio
import gc
import os
import shutil
import signal
import time
import weakref

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from kerasft.serving.server.address import listen
from kerasft.serving.server.model_folders import find_models
from kerasft.serving.server.run import serve
from kerasft.serving.server.saved_model import ServedSavedModel
from kerasft.serving.server.service import Service
from kerasft.serving.server.settings import Limits, Settings
from kerasft.serving.server.tensorflow_protocol import predictions, read_predict
from tests.serving.small_models import save

SCOPE = {"type": "http", "headers": [], "path_params": {"name": "numbers"}}
BODY = {"type": "http.request", "body": b'{"instances": [[1, 2]]}'}


@pytest.fixture(scope="module")
def small(shared_folder):
    return shared_folder("small-models", save)


@pytest.fixture
def thawed():
    """Lets the collector see again what a server has frozen in this process."""
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("thawed")
def test_a_replaced_version_leaves_the_memory(small, tmp_path):
    folder = tmp_path / "numbers"
    shutil.copytree(small / "numbers" / "1", folder / "1")
    first, left = [], []

    def report(line):
        if line == "numbers: version 1 ready":
            found = [item for item in gc.get_objects() if isinstance(item, ServedSavedModel)]
            functions = [item.signatures["serving_default"].function for item in found]
            first.extend(weakref.ref(function.graph) for function in functions)
        elif line.startswith("ready"):
            shutil.copytree(folder / "1", tmp_path / "copy")
            (tmp_path / "copy").rename(folder / "2")
        elif line == "numbers: version 1 replaced":
            left.append([reference() for reference in first])
            os.kill(os.getpid(), signal.SIGINT)

    with listen("127.0.0.1", 0) as listener:
        serve(find_models([str(folder)], "", []), Settings(poll=0.01), listener, report)
    assert left == [[None]]


def service_of(small, limits):
    service = Service(find_models([str(small / "numbers")], "", []), limits)
    service.models["numbers"].refresh(print)
    return service


def read_numbers(body, version):
    signature, inputs, _ = read_predict(body, version.model)
    return signature, inputs, lambda outputs: predictions(outputs, rows=True)


def test_a_request_waits_for_a_model_once_its_body_is_there(small):
    service = service_of(small, Limits(queue=1))
    model = service.models["numbers"]
    pending = []

    async def receive():
        pending.append(model.pending)
        return BODY

    def read(body, version):
        pending.append(model.pending)
        return read_numbers(body, version)

    answer = asyncio.run(service.answer(Request(SCOPE, receive), read))
    assert answer.status_code == 200
    assert pending == [0, 1]


@pytest.mark.parametrize(("late", "status"), [("answer", 504), ("body", 408)])
def test_what_is_later_than_the_limit_is_an_error(small, late, status):
    service = service_of(small, Limits(timeout=0.2))

    async def receive():
        if late == "body":
            await asyncio.sleep(60)
        return BODY

    def read(body, version):
        time.sleep(0.5)
        return read_numbers(body, version)

    with pytest.raises(HTTPException, match=r"within 0\.2 s") as refused:
        asyncio.run(service.answer(Request(SCOPE, receive), read))
    assert refused.value.status_code == status
    assert service.models["numbers"].pending == 0
