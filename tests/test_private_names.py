"""Tests use public names of `kerasft` only, and no benchmark."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SOURCES = [
    path
    for path in sorted(TESTS.rglob("*.py"))
    if "benchmarks" not in path.relative_to(TESTS).parts
]
BENCHMARKS = sorted((TESTS / "benchmarks").rglob("*.py"))
PATCHES = ("setattr", "delattr", "getattr", "object")


def is_private(name: str) -> bool:
    """Whether a part of a dotted name is private; `__version__` is not."""
    parts = name.split(".")
    return any(part.startswith("_") and not part.endswith("__") for part in parts)


def imported_names(node: ast.AST) -> list[str]:
    """Dotted names that an import statement imports."""
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def patched_names(node: ast.AST) -> list[str]:
    """Names in the first two arguments of a call that sets, deletes or reads an attribute."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute | ast.Name):
        return []
    called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
    names = [argument.value for argument in node.args[:2] if isinstance(argument, ast.Constant)]
    return [name for name in names if isinstance(name, str)] if called in PATCHES else []


def private_names(source: str) -> list[str]:
    nodes = list(ast.walk(ast.parse(source)))
    found = [name for node in nodes for name in (*imported_names(node), *patched_names(node))]
    return [name for name in found if is_private(name)]


def imported_benchmarks(source: str) -> list[str]:
    found = [name for node in ast.walk(ast.parse(source)) for name in imported_names(node)]
    return [name for name in found if f"{name}.".startswith("tests.benchmarks.")]


@pytest.mark.parametrize(
    "path", [*SOURCES, *BENCHMARKS], ids=lambda path: str(path.relative_to(TESTS))
)
def test_no_private_name_is_imported_or_patched(path):
    assert not private_names(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(TESTS)))
def test_no_test_imports_a_benchmark(path):
    assert not imported_benchmarks(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "source",
    [
        "from kerasft.serving.export import _write",
        "from kerasft._private import name",
        "import kerasft._private",
        "monkeypatch.setattr(export, '_write', fail)",
        "monkeypatch.setattr('kerasft.serving.export._write', fail)",
        "monkeypatch.delattr(export, '_write')",
        "patch.setattr(importlib.import_module('kerasft.serving.export'), '_write', fail)",
        "getattr(export, '_write')",
        "mock.patch.object(export, '_write')",
    ],
)
def test_every_private_name_is_found(source):
    assert private_names(source)


@pytest.mark.parametrize(
    "source",
    [
        "from kerasft import __version__",
        "monkeypatch.setattr(catalog, '__file__', path)",
        "monkeypatch.setattr(export, 'write', '_x')",
        "monkeypatch.setenv('_X', '1')",
    ],
)
def test_public_names_are_allowed(source):
    assert not private_names(source)


@pytest.mark.parametrize(
    "source",
    [
        "import tests.benchmarks.ways",
        "from tests import benchmarks",
        "from tests.benchmarks import x",
    ],
)
def test_every_import_of_a_benchmark_is_found(source):
    assert imported_benchmarks(source)
