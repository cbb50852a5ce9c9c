"""What the wheel contains."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_wheel_has_every_package():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    packages = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "kerasft").rglob("__init__.py")
    }
    assert set(settings["setuptools"]["packages"]) == packages | {"kerasft.recipes"}


def test_the_wheel_has_every_file_that_is_not_code():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    included = {
        path
        for package, patterns in settings["setuptools"]["package-data"].items()
        for pattern in patterns
        for path in ROOT.joinpath(*package.split(".")).glob(pattern)
    }
    others = {
        path
        for path in (ROOT / "kerasft").rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert others - included == set()
