"""`kerasft serve`."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from kerasft.cli.options import Decorated, SharedOptions, models_dir_option, wants
from kerasft.cli.output import print_json
from kerasft.errors import SettingError
from kerasft.pip_commands import install_extra
from kerasft.tensorflow_log import quiet_tensorflow

_TOKEN = "KERASFT_TOKEN"
_SHORTEST_TOKEN = 16
_MIB = 2**20
_LIMITS = {
    "max_body": (32, "Largest body of a request, in MiB"),
    "max_batch": (64, "Most instances in a request, and in a batch of merged requests"),
    "max_pixels": (
        40_000_000,
        "Most pixels of an image, read from its header; four times as many in a request",
    ),
    "max_depth": (20, "Deepest nesting of JSON"),
    "queue": (256, "Most waiting requests for a model; further ones get 429"),
    "max_connections": (512, "Most connections; requests of further ones get 503"),
}


def _limit_options(command: Decorated) -> Decorated:
    for name, (default, text) in reversed(_LIMITS.items()):
        command = click.option(
            f"--{name.replace('_', '-')}",
            type=click.IntRange(min=1),
            default=default,
            show_default=True,
            help=text,
        )(command)
    return command


class _Seconds(click.FloatRange):
    """A time in seconds, at most a day; NaN is neither below a bound nor above one."""

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        seconds: float = super().convert(value, param, ctx)
        if seconds != seconds:
            self.fail(f"{value} is not a number of seconds.", param, ctx)
        return seconds


def _seconds(
    flag: str, default: float, least: float, text: str
) -> Callable[[Decorated], Decorated]:
    kind = _Seconds(least, 86400)
    return click.option(flag, type=kind, default=default, show_default=True, help=text)


@click.command("serve", cls=SharedOptions)
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@models_dir_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8501,
    show_default=True,
    help="Port, 0 for a free one",
)
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False),
    help=f"File with the bearer token that requests must carry  [default: ${_TOKEN}]",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="[MODEL:]LABEL=VERSION",
    help="Keep a version loaded under a label, such as stable=3; may be repeated",
)
@_limit_options
@_seconds("--timeout", 30, 0.001, "Seconds after which a request is answered with an error")
@_seconds("--poll", 2, 0.01, "Seconds between two looks for new versions")
@_seconds("--drain", 5, 0, "Seconds in which SIGTERM still accepts requests")
def serve_command(models: Sequence[str], models_dir: str, **options: Any) -> None:
    """Serve exported MODELs over HTTP, with a page to try them.

    \b
    kerasft serve resnet_digits             the newest version in saved_models/resnet_digits
    kerasft serve saved_models/m other/n    several models, by their folders

    It speaks the REST protocol of TensorFlow Serving (/v1) and Open Inference v2 (/v2). A new
    version in the folder replaces the old one without a lost request. SIGTERM drains.
    """  # noqa: D301 (click reads the character as "do not wrap")
    missing = [n for n in ("prometheus_client", "starlette", "uvicorn") if not _is_installed(n)]
    if missing:
        raise SettingError(f"{missing[0]} is not installed. Install it: {install_extra('serve')}")
    from kerasft.serving.server.address import is_loopback, listen, url_of
    from kerasft.serving.server.model_folders import find_models

    folders = find_models(models, models_dir, options["labels"])
    settings = _settings(options)
    with listen(options["host"], options["port"]) as listener:
        url = url_of(listener)
        if wants("json"):
            print_json({"url": url, "models": [folder.name for folder in folders]})
        else:
            click.echo(url)
        report = _reporter(quiet=wants("quiet"))
        if settings.token is None and not is_loopback(listener):
            report(f"{url} is open to everyone who reaches it. Set a token with --token-file.")
        with quiet_tensorflow():
            from kerasft.serving.server.run import serve
        serve(folders, settings, listener, report)


def _is_installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _reporter(*, quiet: bool) -> Callable[[str], None]:
    """Return a function that prints a line on stderr, in whatever thread it is called."""

    def report(line: str) -> None:
        # A server goes on without its terminal, or with a full disk under its log.
        with contextlib.suppress(OSError):
            if not quiet:
                click.echo(line, err=True)

    return report


def _settings(options: dict[str, Any]) -> Any:
    from kerasft.serving.server.settings import Limits, Settings

    limits = Limits(
        body=options["max_body"] * _MIB,
        batch=options["max_batch"],
        pixels=options["max_pixels"],
        depth=options["max_depth"],
        queue=options["queue"],
        timeout=options["timeout"],
        connections=options["max_connections"],
    )
    token = _read_token(options["token_file"])
    return Settings(token=token, poll=options["poll"], drain=options["drain"], limits=limits)


def _read_token(file: str | None) -> str | None:
    # A character that is not ASCII is refused below.
    text = Path(file).read_text("ascii", "replace") if file else os.environ.get(_TOKEN)
    if text is None:
        return None
    token = text.strip()
    if len(token) < _SHORTEST_TOKEN or not token.isascii() or not token.isprintable():
        where = file or f"${_TOKEN}"
        raise SettingError(
            f"The token in {where} has {len(token)} characters, expected at least "
            f"{_SHORTEST_TOKEN} of ASCII. Make one with `openssl rand -hex 32`."
        )
    return token
