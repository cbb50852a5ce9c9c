"""Routes of both protocols."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import kerasft
from kerasft.serving.server import open_inference, tensorflow_protocol
from kerasft.serving.server.models import Version
from kerasft.serving.server.service import JsonResponse, Service
from kerasft.serving.server.tensorflow_protocol import find_signature

_V1 = "/v1/models/{name}"
_V2 = "/v2/models/{name}"


def protocol_routes(service: Service) -> list[Route]:
    """Return the routes of TensorFlow Serving's REST protocol and of Open Inference v2."""
    return [*_tensorflow_routes(service), *_v2_server_routes(service), *_v2_model_routes(service)]


def _tensorflow_routes(service: Service) -> list[Route]:
    def status(request: Request) -> Response:
        if {"version", "label"} & set(request.path_params):
            states = {service.version(request).number: ("AVAILABLE", "")}
        else:
            states = service.model(request).states()
        found = [tensorflow_protocol.status(number, *state) for number, state in states.items()]
        return JsonResponse({"model_version_status": found})

    def metadata(request: Request) -> Response:
        version = service.version(request)
        name = service.model(request).name
        return JsonResponse(tensorflow_protocol.metadata(name, version.number, version.model))

    async def predict(request: Request) -> Response:
        return await service.answer(request, _read_predict)

    def refuse(request: Request) -> Response:
        raise HTTPException(
            400, "The model has no signature for tf.Example protos. Use ':predict'."
        )

    routes = []
    for path in (_V1, f"{_V1}/versions/{{version}}", f"{_V1}/labels/{{label}}"):
        routes += [
            Route(f"{path}:predict", predict, methods=["POST"]),
            Route(f"{path}:classify", refuse, methods=["POST"]),
            Route(f"{path}:regress", refuse, methods=["POST"]),
            Route(f"{path}/metadata", metadata),
            Route(path, status),
        ]
    return routes


def _read_predict(body: dict[str, Any], version: Version) -> Any:
    signature, inputs, rows = tensorflow_protocol.read_predict(body, version.model)
    return signature, inputs, lambda outputs: tensorflow_protocol.predictions(outputs, rows=rows)


def _v2_server_routes(service: Service) -> list[Route]:
    def about(request: Request) -> Response:
        extensions = ["model_repository(index)"]
        content = {"name": "kerasft", "version": kerasft.__version__, "extensions": extensions}
        return JsonResponse(content)

    def live(request: Request) -> Response:
        return JsonResponse({"live": True})

    def ready(request: Request) -> Response:
        return JsonResponse({"ready": service.ready}, 200 if service.ready else 503)

    def index(request: Request) -> Response:
        found = [
            {"name": model.name, "version": str(number), "state": "READY", "reason": ""}
            for model in service.models.values()
            for number in model.versions
        ]
        return JsonResponse(found)

    return [
        Route("/v2", about),
        Route("/v2/health/live", live),
        Route("/v2/health/ready", ready),
        Route("/v2/repository/index", index, methods=["POST"]),
    ]


def _v2_model_routes(service: Service) -> list[Route]:
    def model_ready(request: Request) -> Response:
        service.version(request)
        return JsonResponse({"name": request.path_params["name"], "ready": True})

    def metadata(request: Request) -> Response:
        signature = find_signature(service.version(request).model)
        return JsonResponse(
            {
                "name": request.path_params["name"],
                "versions": [str(number) for number in service.model(request).versions],
                "platform": "tensorflow_savedmodel",
                "inputs": open_inference.describe(signature.inputs),
                "outputs": open_inference.describe(signature.outputs),
            }
        )

    async def infer(request: Request) -> Response:
        return await service.answer(
            request, lambda body, version: _read_infer(body, version, request.path_params["name"])
        )

    routes = []
    for path in (_V2, f"{_V2}/versions/{{version}}"):
        routes += [
            Route(path, metadata),
            Route(f"{path}/ready", model_ready),
            Route(f"{path}/infer", infer, methods=["POST"]),
        ]
    return routes


def _read_infer(body: dict[str, Any], version: Version, name: str) -> Any:
    signature = find_signature(version.model)
    inputs, wanted = open_inference.read_infer(body, signature)

    def write(outputs: dict[str, Any]) -> dict[str, Any]:
        about = {"model_name": name, "model_version": str(version.number)}
        chosen = {key: outputs[key] for key in wanted}
        return {**about, **open_inference.answer(body, chosen, signature)}

    return signature, inputs, write
