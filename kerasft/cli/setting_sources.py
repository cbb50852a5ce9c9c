"""Settings from a file (`--config`) or from another run (`--like`)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from kerasft import catalog
from kerasft.cli.completion import complete_path
from kerasft.cli.run_argument import find_run
from kerasft.config import Config, from_record, to_dict
from kerasft.errors import KerasftError, ResumeError, SettingError, did_you_mean
from kerasft.setting_declaration import settings


@dataclass(frozen=True)
class SettingsFile:
    """Settings of a file.

    Attributes:
        path: Path of the file.
        values: Settings by name.
    """

    path: Path
    values: dict[str, Any]


class SettingsFileType(click.ParamType):
    """A JSON or TOML file of settings."""

    name = "file"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> SettingsFile:
        """Return the settings of a file."""
        return value if isinstance(value, SettingsFile) else read_settings(Path(value))

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[Any]:
        """Let the shell complete the path."""
        return complete_path(incomplete)


def config_option() -> click.Option:
    """Return a new --config option."""
    return click.Option(
        ["--config", "config_file"],
        type=SettingsFileType(),
        metavar="FILE",
        help="Read settings from this .json or .toml file; options override them",
    )


def read_settings(path: Path) -> SettingsFile:
    """Read settings from a JSON or TOML file: NAME = VALUE, in tables of any name or without.

    Raises:
        SettingError: The file was not found, is not valid, or is of another kind.
    """
    if path.suffix not in (".json", ".toml"):
        raise SettingError(f"--config must end in .json or .toml. Received: {path}.")
    import tomllib

    try:
        text = path.read_text(encoding="utf-8")
        read: Any = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except OSError as error:
        raise SettingError(f"--config {path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        kind = path.suffix[1:].upper()
        raise SettingError(f"--config {path} is not valid {kind}: {error}.") from error
    if not isinstance(read, dict):
        raise SettingError(f"--config {path} must be an object of settings. Received: {read!r:.60}")
    values: dict[str, Any] = {}
    for name, value in read.items():
        for key, item in (value if isinstance(value, dict) else {name: value}).items():
            values[str(key).replace("-", "_")] = item
    return SettingsFile(path, values)


def file_settings(file: SettingsFile | None, kind: type[Config]) -> dict[str, Any]:
    """Return the settings of a file, after a check that the recipe has them.

    Raises:
        SettingError: A name is unknown.
    """
    if file is None:
        return {}
    known = settings(kind)
    for name in file.values:
        if name not in known:
            raise SettingError(
                f"Setting `{name}` of {file.path} not found.{did_you_mean(name, known)}"
            )
    return file.values


def run_settings(path: Path, kind: type[Config]) -> dict[str, Any]:
    """Return all settings of a run, for a recipe.

    Raises:
        DamagedFileError: A file of the run is damaged.
        SettingError: The recipe does not have a setting of the run.
    """
    from kerasft.runs import load_run

    def find_columns(dataset: Any) -> Any:
        from kerasft.data import column_names

        return column_names(dataset)

    run = load_run(path)
    try:
        return to_dict(from_record(kind, run.config, run.manifest, find_columns))
    except SettingError as error:
        raise SettingError(f"{error} (a setting of {path})") from error


def layered(kind: type[Config], *layers: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of which later layers override earlier ones.

    A dataset replaces the columns and splits of earlier layers, which are those of another dataset.
    """
    parts = {name for name, item in settings(kind).items() if item.part}
    merged: dict[str, Any] = {}
    for layer in layers:
        if "dataset" in layer:
            merged = {name: value for name, value in merged.items() if name not in parts}
        merged |= layer
    return merged


def with_recipe_of_run(args: Sequence[str]) -> list[str]:
    """Return the words of `kerasft fit --like RUN` with the recipe of the run as the first word.

    Other words are returned unchanged.

    Raises:
        SettingError: The run was not found.
        ResumeError: The recipe of the run is not recorded, or has changed.
    """
    run = _value(args, "--like")
    if run is None or not args[0].startswith("-"):
        return list(args)
    path = find_run(run, _value(args, "--runs-dir") or "runs")
    return [recipe_of_run(path), *args]


def _value(args: Sequence[str], option: str) -> str | None:
    """Return the value of an option in a command line, None without the option."""
    for place, word in enumerate(args):
        name, equals, value = word.partition("=")
        if name == option:
            return value if equals else next(iter(args[place + 1 :]), None)
    return None


def recipe_of_run(path: Path) -> str:
    """Return the recipe of a run as `kerasft fit` takes it.

    The file of a recipe is compared with the hash in the record before anything executes it: a run
    folder may come from somebody else and name any file.

    Raises:
        ResumeError: The recipe is not recorded, or has changed.
    """
    from kerasft.runs import read_json

    recorded = read_json(path / "manifest.json").get("recipe", {})
    source, digest = str(recorded.get("source") or ""), recorded.get("sha256")
    name = f"Name the recipe: kerasft fit RECIPE --like {path}."
    if not source:
        raise ResumeError(f"{path} does not record the file of its recipe. {name}")
    if Path(source).name == source and not source.endswith(".py"):
        return source
    try:
        content = catalog.find_recipe(source).path.read_bytes()
    except (KerasftError, OSError) as error:
        raise ResumeError(f"The recipe of {path} cannot be read: {error} {name}") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise ResumeError(
            f"{source} has changed since {path} was fitted. To fit it as it is now, name it: "
            f"kerasft fit {source} --like {path}."
        )
    return source
