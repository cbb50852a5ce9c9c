"""What the protocols share: a request for a model is read, computed and answered within limits."""

from __future__ import annotations

import asyncio
import functools
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from kerasft.errors import did_you_mean
from kerasft.serving.server.body import BodyReader, parse_object
from kerasft.serving.server.images import check_images
from kerasft.serving.server.metrics import Metrics
from kerasft.serving.server.model_folders import ModelFolder
from kerasft.serving.server.models import Model, Version
from kerasft.serving.server.saved_model import Arrays, Signature
from kerasft.serving.server.settings import Limits

# Body and version -> signature, inputs, and a function from outputs to the answer.
Read = Callable[[dict[str, Any], Version], tuple[Signature, Arrays, Callable[[Arrays], Any]]]
# Threads that read and write JSON: few, because each may need many times the size of a body.
_READERS = 2


class JsonResponse(Response):
    """A JSON document; NaN and Infinity are written as in TensorFlow Serving."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the bytes of the document."""
        return content if isinstance(content, bytes) else dumped(content)


def dumped(content: Any) -> bytes:
    """Return a JSON document as bytes; a lone surrogate becomes a question mark."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


class Service:
    """The models of a server and the limits of requests for them.

    Args:
        folders: Folders of the models.
        limits: Limits of a request.
    """

    def __init__(self, folders: Sequence[ModelFolder], limits: Limits) -> None:
        self._limits = limits
        self._metrics = Metrics(folder.name for folder in folders)
        self.models = {
            folder.name: Model(
                folder, limits, functools.partial(self._metrics.observe_batch, folder.name)
            )
            for folder in folders
        }
        self._bodies = BodyReader(limits)
        self._threads = ThreadPoolExecutor(_READERS, "json")
        self.draining = False

    @property
    def ready(self) -> bool:
        """Whether every model has a version, and the server is not about to stop."""
        return not self.draining and all(model.ready for model in self.models.values())

    def model(self, request: Request) -> Model:
        """Return the model that the path of a request names.

        Raises:
            HTTPException: There is no such model.
        """
        name = request.path_params["name"]
        if name not in self.models:
            hint = did_you_mean(name[:80], self.models)
            raise HTTPException(404, f"Model {name[:80]!r} not found.{hint}")
        return self.models[name]

    def version(self, request: Request) -> Version:
        """Return the version that the path of a request names.

        Raises:
            HTTPException: It is not loaded.
        """
        path = request.path_params
        return self.model(request).version(path.get("version"), path.get("label"))

    async def answer(self, request: Request, read: Read) -> Response:
        """Return the answer of a model.

        Args:
            request: Request whose path names the model.
            read: Function that reads the body by a protocol.

        Raises:
            HTTPException: The request is refused.
        """
        begun = time.perf_counter()
        status = 500
        try:
            response = await self._within_time(request, read)
            status = response.status_code
            return response
        except HTTPException as error:
            status = error.status_code
            raise
        finally:
            name = request.path_params["name"]
            self._metrics.observe_request(name, status, time.perf_counter() - begun)

    async def _within_time(self, request: Request, read: Read) -> Response:
        arrived = asyncio.Event()
        try:
            async with asyncio.timeout(self._limits.timeout):
                return await self._compute(request, read, arrived)
        except TimeoutError:
            seconds = f"{self._limits.timeout:g} s"
            if arrived.is_set():
                raise HTTPException(504, f"There was no answer within {seconds}.") from None
            raise HTTPException(408, f"The body did not arrive within {seconds}.") from None

    async def _compute(self, request: Request, read: Read, arrived: asyncio.Event) -> Response:
        loop = asyncio.get_running_loop()
        model = self.model(request)
        async with self._bodies.body(request) as body:
            arrived.set()
            with model.admitted(self._limits.queue):
                version = self.version(request)
                (signature, inputs, write), pixels = await loop.run_in_executor(
                    self._threads, self._read, body, version, read
                )
                outputs = await version.batcher.answer(signature, inputs, pixels)
                content = await loop.run_in_executor(self._threads, lambda: dumped(write(outputs)))
        return JsonResponse(content)

    def _read(self, body: bytes, version: Version, read: Read) -> Any:
        found = read(parse_object(body, self._limits.depth), version)
        signature, inputs, _ = found
        if signature.batched:
            self._check_rows(inputs)
        return found, check_images(inputs, self._limits.pixels)

    def _check_rows(self, inputs: Arrays) -> None:
        rows = {name: len(array) for name, array in inputs.items()}
        if len(set(rows.values())) > 1:
            found = ", ".join(f"{count} of '{name}'" for name, count in rows.items())
            raise HTTPException(400, f"The inputs differ in number: {found}.")
        count = next(iter(rows.values()))
        if not 1 <= count <= self._limits.batch:
            raise HTTPException(
                413 if count else 400,
                f"The request has {count} instances, expected 1 to {self._limits.batch}.",
            )

    def metrics(self) -> bytes:
        """Return the figures for Prometheus."""
        return self._metrics.text(
            {name: model.pending for name, model in self.models.items()},
            {name: max(model.versions, default=0) for name, model in self.models.items()},
        )
