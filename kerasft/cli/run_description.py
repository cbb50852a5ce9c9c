"""Description of a run from its files, with the command that reproduces it."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasft import catalog
from kerasft.cli.run_summary import average_facts, shown_path
from kerasft.cli.score_tables import score_lines
from kerasft.config import to_dict
from kerasft.errors import SettingError
from kerasft.formatting import duration, epoch_text, settings_text
from kerasft.keras_home import in_backend
from kerasft.tensorflow_log import quiet_tensorflow


def describe_run(run: Any) -> dict[str, Any]:
    """Return the JSON document of a run."""
    manifest = run.manifest
    return {
        "run": run.name,
        "recipe": run.recipe,
        "path": run.path,
        "state": run.state,
        "created": manifest.get("created"),
        "seconds": manifest.get("seconds"),
        "dataset": manifest.get("data", {}).get("dataset"),
        "examples": manifest.get("data", {}).get("examples", {}),
        "task": run.labels["task"],
        "given": _given(run),
        "config": run.config,
        "metrics": run.metrics,
        **({"soup": manifest["soup"]} if "soup" in manifest else {}),
        "versions": manifest.get("versions", {}),
        "reproduce": reproducing_command(run),
    }


def run_facts(run: Any) -> dict[str, Any]:
    """Return the lines that are printed of a run."""
    found, path = describe_run(run), shlex.quote(str(run.path))
    counts = ", ".join(f"{count:,} {split}" for split, count in found["examples"].items())
    versions, epochs = found["versions"], len(run.history)
    best = run.manifest.get("best_epoch")
    facts = {
        "run": str(run.path),
        "recipe": found["recipe"] + _file_note(run.manifest["recipe"]),
        "state": found["state"],
        "created": str(found["created"] or "")[:16].replace("T", " ") + " UTC",
        "time": None if found["seconds"] is None else duration(found["seconds"]),
        "dataset": f"{found['dataset']} ({counts})" if counts else found["dataset"],
        "task": found["task"],
        "settings": settings_text(found["given"]) or "the recipe's defaults",
        "head start": run.manifest.get("head_start"),
        "epochs": str(epochs) if best is None else f"{epochs} (best: {epoch_text(best)})",
        **average_facts(run),
        **score_lines(run),
        "versions": ", ".join(
            f"{name} {versions[name]}" for name in ("kerasft", "keras", "jax", "tensorflow")
            if name in versions
        ),
        "reproduce": found["reproduce"],
        "next": [
            *_resuming_commands(run),
            f"kerasft diagnose {path}",
            f"kerasft report {path}",
        ],
    }  # fmt: skip
    return {name: value for name, value in facts.items() if value not in (None, "")}


def _file_note(recorded: Mapping[str, Any]) -> str:
    """Return the file of a recorded recipe, and whether it has changed; nothing for the package."""
    path = Path(str(recorded.get("source") or ""))
    if path.suffix != ".py":
        return ""
    if not path.is_file():
        return f" ({path}, which is missing now)"
    changed = hashlib.sha256(path.read_bytes()).hexdigest() != recorded.get("sha256")
    return f" ({path}, which has changed since)" if changed else f" ({path})"


def reproducing_command(run: Any) -> str:
    """Return the `kerasft fit` command with the settings of a run.

    It contains the settings that differ from the recipe's defaults: those of the fit, and the
    present ones if another version of the recipe has others.
    """
    from kerasft.insight import fit_command

    if offered := run.manifest.get("soup"):
        command = f"kerasft average {shlex.join(shown_path(one['run']) for one in offered)}"
        return in_backend(command, _backend(run))
    recorded = run.manifest["recipe"]
    source = str(recorded.get("source") or recorded["name"])
    given, config = _given(run), run.config
    moved = {n: config[n] for n in _moved_defaults(run, source) if n in config and n not in given}
    if _was_timed(run) and "precision" not in given:  # another machine may choose another format
        moved["precision"] = config["precision"]
    command = fit_command(source, {**given, **moved})
    devices = run.manifest.get("devices") or {}
    if devices.get("processes") == 1:
        command += f" --devices {devices['number']}"
    return in_backend(command, _backend(run))


def _was_timed(run: Any) -> bool:
    """Return whether a number format other than float32 was chosen by timing."""
    usual = run.manifest.get("usual", {}).get("precision")
    return bool(usual == "auto" and run.config.get("precision", "float32") != "float32")


def _backend(run: Any) -> str:
    return str(run.manifest.get("versions", {}).get("backend", "tensorflow"))


def _resuming_commands(run: Any) -> list[str]:
    """Return the command that resumes an interrupted run; none for others."""
    from kerasft.runs import resume_command

    if run.state != "interrupted":
        return []
    return [resume_command(run.path, run.manifest["recipe"], run.config["dataset"], _backend(run))]


def _given(run: Any) -> dict[str, Any]:
    """Return the settings that differ from the recipe's defaults; all if those are unknown."""
    manifest, config = run.manifest, run.config
    usual = manifest.get("usual", {})
    if "given" in manifest:
        return dict(manifest["given"])
    return {name: value for name, value in config.items() if value != usual.get(name, ...)}


def _moved_defaults(run: Any, source: str) -> list[str]:
    """Return the settings whose defaults have changed since the run, in a recipe of the package.

    A recipe file is not executed for it: the record of a run can name any file.
    """
    usual = run.manifest.get("usual", {})
    if source.endswith(".py") or Path(source).name != source or not usual:
        return []
    try:
        with quiet_tensorflow():
            now = to_dict(catalog.load_recipe(source).Config())
    except SettingError:  # the package has no recipe of that name any more
        return []
    return [name for name, value in usual.items() if name in now and now[name] != value]
