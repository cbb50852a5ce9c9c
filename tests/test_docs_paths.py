"""The files that Markdown pages name exist."""

import re

import pytest

from tests.docs_pages import DOCS

ROOT = DOCS.parent
PAGES = sorted(
    page
    for folder in ("", "docs/", "kerasft/", "recipes/", "saved_models/", "tests/")
    for page in ROOT.glob(f"{folder}**/*.md" if folder else "*.md")
    if "golden" not in page.parts
)


def named_paths(text: str) -> set[str]:
    """Files of Python and modules of benchmarks that a page names."""
    modules = re.findall(r"\btests\.benchmarks\.(\w+)", text)
    files = re.findall(r"\b(?:tests|kerasft|recipes)/[\w/.-]*\.py\b", text)
    return {*files, *(f"tests/benchmarks/{name}.py" for name in modules)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_exists(page):
    named = named_paths(page.read_text(encoding="utf-8"))
    assert not sorted(path for path in named if not (ROOT / path).exists())


def test_the_paths_of_a_page_are_found():
    text = "See tests/data/test_a.py, `kerasft/b.py` and `python -m tests.benchmarks.c --json`."
    assert named_paths(text) == {"tests/data/test_a.py", "kerasft/b.py", "tests/benchmarks/c.py"}
    assert {ROOT / "README.md", DOCS / "changelog.md", ROOT / "tests/benchmarks/README.md"} <= set(
        PAGES
    )


def test_the_new_names_of_renamed_modules_exist():
    page = (DOCS / "changelog.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `[\w/]+\.py` \| (.+) \|$", page, re.MULTILINE)
    new = {path for row in rows for path in re.findall(r"`([\w/]+\.py)`", row)}
    assert len(new) > 30
    assert not sorted(path for path in new if not (ROOT / "kerasft" / path).exists())
