"""The installation: versions, devices, caches and known conflicts."""

from __future__ import annotations

import os
import platform
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasft.cli.output import short_path, size
from kerasft.control_groups import group_memory
from kerasft.errors import SettingError
from kerasft.keras_home import backend, keras_home
from kerasft.pip_commands import checkout, install_extra, pip_command
from kerasft.threads import cores

PACKAGES = (
    "keras",
    "tensorflow",
    "keras-hub",
    "tensorflow-text",
    "keras-tuner",
    "tensorflow-datasets",
    "click",
)
_OF_EXTRAS = ("distributed",)  # shown where they are installed
_COUNTED_SECONDS = 0.5
_TENSORFLOW = "install 'tensorflow>=2.21,<2.22'"


@dataclass(frozen=True)
class Conflict:
    """A known problem of the installation.

    Attributes:
        text: What is wrong, a sentence.
        fix: The command that fixes it.
    """

    text: str
    fix: str


def version(package: str) -> str | None:
    """Return the version of an installed package, None if it is missing."""
    import importlib.metadata  # here, because it takes a tenth of the start of a command

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def memory() -> int | None:
    """Return the bytes of memory that this process may use, None if unknown."""
    try:
        installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    return int(min(installed, group_memory()))


def caches(*, most_files: int = 20_000) -> dict[str, str]:
    """Return the folders of downloads and prepared data with their sizes.

    Args:
        most_files: Number of files that are counted per folder, at most.
    """
    home = os.environ.get("HF_HOME", "~/.cache/huggingface")
    from kerasft.arrays import cache_folder  # here, because it imports NumPy

    folders = {
        "cache of kerasft": str(cache_folder()),
        "cache of Keras": str(keras_home()),
        "cache of Kaggle": os.environ.get("KAGGLEHUB_CACHE", "~/.cache/kagglehub"),
        "cache of Hugging Face": os.environ.get("HF_HUB_CACHE", f"{home}/hub"),
        "cache of TFDS": os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets"),
    }
    return {
        name: _describe_folder(Path(path).expanduser(), most_files)
        for name, path in folders.items()
    }


def _describe_folder(folder: Path, most_files: int) -> str:
    if not folder.is_dir():
        return f"{short_path(folder)} (not created yet)"
    total, complete = _folder_size(folder, most_files)
    return f"{short_path(folder)} ({'' if complete else 'more than '}{size(total)})"


def _folder_size(folder: Path, most_files: int) -> tuple[int, bool]:
    """Return the bytes below a folder, and whether all files were counted in time."""
    total, end = 0, time.monotonic() + _COUNTED_SECONDS
    for count, status in enumerate(_file_sizes(folder)):
        total += status
        if count >= most_files or time.monotonic() > end:
            return total, False
    return total, True


def _file_sizes(folder: Path) -> Iterator[int]:
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                yield (Path(root) / name).lstat().st_size
            except OSError:  # removed in the meantime
                continue


def conflicts() -> list[Conflict]:
    """Return the known conflicts of this installation, found without importing TensorFlow."""
    return [conflict for check in _CHECKS if (conflict := check()) is not None]


def _python() -> Conflict | None:
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return None
    root = checkout()
    install = "" if root is None else f" && .venv/bin/pip install -e {shlex.quote(str(root))}"
    return Conflict(
        f"Python {platform.python_version()} is not one of 3.11, 3.12, 3.13, for which "
        "TensorFlow is built.",
        f"python3.12 -m venv .venv{install}",
    )


def _two_tensorflows() -> Conflict | None:
    if not (version("tensorflow") and version("tensorflow-cpu")):
        return None
    return Conflict(
        "tensorflow and tensorflow-cpu are both installed and overwrite each other's files.",
        f"{pip_command('uninstall -y tensorflow tensorflow-cpu')} && {pip_command(_TENSORFLOW)}",
    )


def _old_keras() -> Conflict | None:
    found = version("keras")
    if found is None or _numbers(found) >= (3, 15):
        return None
    return Conflict(
        f"keras {found} is older than 3.15, which fixes several code-execution holes.",
        pip_command("install --upgrade 'keras>=3.15'"),
    )


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def _missing(package: str, why: str) -> Callable[[], Conflict | None]:
    def check() -> Conflict | None:
        if version(package):
            return None
        return Conflict(f"{package} is not installed: {why}.", pip_command(f"install {package}"))

    return check


def _missing_tensorflow() -> Conflict | None:
    if version("tensorflow") or version("tensorflow-cpu"):
        return None
    return Conflict("tensorflow is not installed.", pip_command(_TENSORFLOW))


def _legacy_keras() -> Conflict | None:
    if os.environ.get("TF_USE_LEGACY_KERAS", "").lower() not in ("1", "true"):
        return None
    return Conflict(
        "TF_USE_LEGACY_KERAS is set: tf.keras is Keras 2, whose models Keras 3 cannot use.",
        "unset TF_USE_LEGACY_KERAS",
    )


def _processes() -> Conflict | None:
    """Return what is wrong with the environment variables of several processes."""
    from kerasft.distribution.ranks import LAUNCHERS, find_ranks

    try:
        find_ranks(os.environ)
    except SettingError as error:
        found = " ".join(name for name in LAUNCHERS if name in os.environ)
        return Conflict(str(error), f"unset {found} # for a fit in one process")
    return None


def _other_backend() -> Conflict | None:
    name = backend()
    if name == "jax" and not version("jax"):
        return Conflict("The backend is jax, which is not installed.", install_extra("jax"))
    if name in ("tensorflow", "jax"):
        return None
    if "KERAS_BACKEND" in os.environ:
        return Conflict(
            f"KERAS_BACKEND is {name!r}; kerasft needs tensorflow or jax.", "unset KERAS_BACKEND"
        )
    return Conflict(
        f"{short_path(keras_home() / 'keras.json')} sets the backend {name!r}; kerasft "
        "needs tensorflow or jax.",
        "export KERAS_BACKEND=tensorflow",
    )


def backend_conflict(error: str) -> Conflict | None:
    """Return the conflict of a backend that cannot start; None if its package is missing.

    Args:
        error: Its error.
    """
    if backend() != "jax":
        fix = pip_command("install --force-reinstall 'tensorflow>=2.21,<2.22' 'keras>=3.15'")
        return Conflict(f"TensorFlow cannot start: {error}.", fix)
    if not version("jax"):  # which `_other_backend` reports
        return None
    return Conflict(f"JAX cannot start: {error}.", pip_command("install --force-reinstall jax"))


_CHECKS: tuple[Callable[[], Conflict | None], ...] = (
    _python,
    _missing_tensorflow,
    _two_tensorflows,
    _missing("keras", "kerasft needs it"),
    _old_keras,
    _missing("keras-hub", "backbones and tokenizers come from it"),
    _missing("tensorflow-text", "keras-hub needs it to tokenize text"),
    _missing("tensorboard", "KerasTuner and the TensorBoard logs of a fit need it"),
    _missing("importlib_resources", "tensorflow-datasets needs it to prepare a dataset"),
    _missing("safetensors", "the weights of runs and Hugging Face presets are read with it"),
    _legacy_keras,
    _other_backend,
    _processes,
)


def facts() -> dict[str, Any]:
    """Return versions, platform and hardware, without importing TensorFlow."""
    from kerasft import __version__

    packages = (*PACKAGES, *["jax"] * (backend() == "jax"), *filter(version, _OF_EXTRAS))
    versions = {package: version(package) or "(not installed)" for package in packages}
    available = memory()
    return {
        "python": f"{platform.python_version()} ({short_path(Path(sys.executable))})",
        "platform": platform.platform(),
        "kerasft": __version__,
        **versions,
        "backend": backend(),
        "processors": cores(),
        "memory": None if available is None else size(available),
    }
