"""What differs by task is asked of the task: no other room compares a task's name."""

import ast
from pathlib import Path

import pytest

import kerasft
from kerasft.tasks import TASKS

PACKAGE = Path(kerasft.__file__).parent
SOURCES = [
    path
    for path in (*sorted(PACKAGE.rglob("*.py")), *sorted((PACKAGE.parent / "recipes").glob("*.py")))
    if PACKAGE / "tasks" not in path.parents
]


def names_of(node):
    """Task names that stand in a node, also inside a tuple, list or set."""
    return [x for x in ast.walk(node) if isinstance(x, ast.Constant) and x.value in TASKS]


def comparisons(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.Dict):
            parts = [key for key in node.keys if key is not None]
        elif isinstance(node, ast.MatchValue):
            parts = [node.value]
        else:
            continue
        yield from (f"line {x.lineno}: {x.value!r}" for part in parts for x in names_of(part))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE.parent)))
def test_no_task_name_is_compared_outside_of_tasks(path):
    assert not list(comparisons(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "source",
    [
        'config.task == "regression"',
        'labels.task != "ordinal"',
        'task in ("classification", "multilabel")',
        'SCORES = {"regression": "rmse"}',
        'match task:\n    case "multilabel":\n        pass',
    ],
)
def test_every_way_to_compare_is_found(source):
    assert list(comparisons(source))
    assert not list(comparisons('task: str = "regression"'))
