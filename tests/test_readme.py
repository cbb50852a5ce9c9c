"""README.md is short, and its links lead somewhere; its blocks run in test_docs_blocks.py."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_readme_has_10_kb_at_most():
    assert README.stat().st_size <= 10_000


def test_every_link_leads_to_a_file():
    links = re.findall(r"\]\(([^)#:]+)\)", README.read_text(encoding="utf-8"))
    assert len(links) > 10
    missing = [link for link in links if not (README.parent / link).exists()]
    assert not missing
