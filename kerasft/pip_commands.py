"""Commands of pip that work for this installation: in a checkout, and from a wheel.

kerasft is on no package index, so a message never advises to install it by its name.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from kerasft.paths import shortest


def pip_command(arguments: str) -> str:
    """Return a command of the pip that belongs to the running Python.

    Example:
        >>> pip_command("install tensorboard")  # in an environment that is not activated
        '.venv/bin/python -m pip install tensorboard'
    """
    python = Path(sys.executable)
    pip = shutil.which("pip")
    if pip is not None and Path(pip).parent == python.parent:
        return f"pip {arguments}"
    return f"{shlex.quote(shortest(python))} -m pip {arguments}"


def install_extra(extra: str) -> str:
    """Return the command that installs the optional dependencies of an extra.

    Example:
        >>> install_extra("gpu")  # in a checkout
        "pip install -e '.[gpu]'"
    """
    root = checkout()
    if root is not None:
        return pip_command(f"install -e {shlex.quote(f'{shortest(root)}[{extra}]')}")
    import importlib.metadata  # here, because it takes a tenth of the start of a command

    packages = [
        requirement.partition(";")[0].strip()
        for requirement in importlib.metadata.requires("kerasft") or ()
        if f"extra == '{extra}'" in requirement.replace('"', "'")
    ]
    return pip_command(f"install {shlex.join(packages)}")


def checkout() -> Path | None:
    """Return the folder of the checkout that is running, None for an installed wheel."""
    root = Path(__file__).resolve().parent.parent
    return root if (root / "pyproject.toml").is_file() else None
