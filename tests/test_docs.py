"""The pages in docs/ say what is in the source tree."""

import re
from pathlib import Path

from tests.test_import_order import ORDER, rooms

DOCS = Path(__file__).parent.parent / "docs"
TABLE = (DOCS / "architecture.md").read_text(encoding="utf-8")
ROWS = [
    name.removesuffix(".py").rstrip("/")
    for name in re.findall(r"^\| `([\w/]+(?:\.py)?)` \|", TABLE, re.MULTILINE)
]


def test_every_room_has_one_row():
    assert len(ROWS) == len(set(ROWS))
    assert set(rooms()) <= set(ROWS)


def test_the_rows_have_the_order_of_the_imports():
    assert [row for row in ROWS if row in ORDER] == list(ORDER)


def test_every_row_is_a_room():
    missing = [row for row in ROWS if row not in rooms()]
    assert not missing, f"rooms in docs/architecture.md that are not in kerasft/: {missing}"


def test_the_slow_tier_is_listed_by_file():
    page = (DOCS / "contributing.md").read_text(encoding="utf-8")
    root = DOCS.parent
    paths = (root / "tests").rglob("test_*.py")
    slow = {
        str(path.relative_to(root))
        for path in paths
        if "mark" + ".slow" in path.read_text(encoding="utf-8")
    }
    assert slow == set(re.findall(r"^\| `(tests/[\w/]+\.py)`", page, re.MULTILINE))
