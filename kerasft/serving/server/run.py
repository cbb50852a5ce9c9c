"""A server process: start, new versions, signals, end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Callable, Iterator, Sequence

import uvicorn
from starlette.applications import Starlette

from kerasft.errors import DamagedFileError
from kerasft.serving.server.address import is_loopback
from kerasft.serving.server.app import make_app
from kerasft.serving.server.connection import Connection
from kerasft.serving.server.model_folders import ModelFolder
from kerasft.serving.server.service import Service
from kerasft.serving.server.settings import Settings

Report = Callable[[str], None]


def serve(
    folders: Sequence[ModelFolder], settings: Settings, listener: socket.socket, report: Report
) -> None:
    """Serve models until a signal comes.

    SIGTERM ends the server gracefully: it is no longer ready, accepts requests for some seconds
    more, answers all of them, and returns. SIGINT, or a second signal, ends it without the wait.

    Args:
        folders: Folders of the models.
        settings: Settings of the server.
        listener: Socket that it listens on.
        report: Function that receives a line about every change.

    Raises:
        DamagedFileError: A model has no version that can be loaded.
    """
    asyncio.run(_serve(folders, settings, listener, report))


async def _serve(
    folders: Sequence[ModelFolder], settings: Settings, listener: socket.socket, report: Report
) -> None:
    service = Service(folders, settings.limits)
    app = make_app(service, settings.token, loopback=is_loopback(listener))
    server = _Server(app, service, settings, report)
    watch = asyncio.create_task(_watch(service, settings.poll, report))
    watch.add_done_callback(lambda task: setattr(server, "should_exit", True))
    await server.serve([listener])
    if watch.done():
        watch.result()
    watch.cancel()
    report("stopped")


async def _watch(service: Service, poll: float, report: Report) -> None:
    """Load the models, then new versions as they appear."""
    # The modules stay: later collections pass them over. A model may be replaced.
    gc.freeze()
    for model in service.models.values():
        await asyncio.to_thread(model.refresh, report)
        if not model.ready:
            raise DamagedFileError(
                f"No version of {model.name!r} can be loaded. Export it again, or delete the "
                "damaged version."
            )
    if not service.draining:  # a signal may come while a model is loaded
        report(f"ready: {', '.join(service.models)}")
    while True:
        await asyncio.sleep(poll)
        for model in service.models.values():
            try:
                await asyncio.to_thread(model.refresh, report)
            except OSError as error:  # a network drive, say: what is loaded goes on answering
                report(f"{model.name}: cannot look for new versions: {error}")


class _Server(uvicorn.Server):
    """A uvicorn server that drains on SIGTERM, and returns after a signal."""

    def __init__(
        self, app: Starlette, service: Service, settings: Settings, report: Report
    ) -> None:
        config = uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            lifespan="off",
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=settings.limits.connections + 1,  # the number that is refused
            timeout_graceful_shutdown=round(settings.limits.timeout) + 1,
        )
        super().__init__(config)
        self._service, self._drain, self._report = service, settings.drain, report

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals during the body."""
        loop = asyncio.get_running_loop()
        signals = (signal.SIGINT, signal.SIGTERM)
        for number in signals:
            loop.add_signal_handler(number, self._stop, number)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)

    def _stop(self, number: signal.Signals) -> None:
        if number == signal.SIGINT or self._service.draining:
            self.force_exit = self.should_exit
            self.should_exit = True
            return
        self._service.draining = True
        self._report(f"draining: requests are accepted for {self._drain:g} s more")
        asyncio.get_running_loop().call_later(self._drain, setattr, self, "should_exit", True)
