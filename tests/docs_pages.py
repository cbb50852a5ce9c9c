"""The pages of the documentation, and the blocks of code on them."""

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

DOCS = Path(__file__).parent.parent / "docs"
PAGES = DOCS / "pages"
_BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_RUNNABLE = ("bash", "python")


@dataclass(frozen=True)
class Block:
    """A fenced block: its kind, its text, and why it is not run (empty if it is)."""

    page: str
    kind: str
    text: str
    reason: str

    @property
    def commands(self) -> list[str]:
        """The lines of a shell block without comments."""
        lines = (re.split(r"(?:^|\s)#", line)[0].strip() for line in self.text.splitlines())
        return [line for line in lines if line]


def load_script(name: str) -> ModuleType:
    """Import a script in docs/, such as the hook of MkDocs."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def written_pages() -> dict[str, str]:
    """Return the text of README.md and of every page that is a file, by its path in the site."""
    pages = {str(path.relative_to(PAGES)): path for path in sorted(PAGES.rglob("*.md"))}
    pages |= {f"project/{path.name}": path for path in sorted(DOCS.glob("*.md"))}
    pages["README.md"] = DOCS.parent / "README.md"
    return {name: path.read_text(encoding="utf-8") for name, path in pages.items()}


def blocks(name: str, text: str) -> list[Block]:
    """Return the blocks of a page that can be run, in order."""
    found = [
        Block(name, match["kind"], match["text"], match["reason"] or "")
        for match in _BLOCK.finditer(text)
    ]
    return [block for block in found if block.kind in _RUNNABLE]


def pages_with_blocks() -> dict[str, list[Block]]:
    """Return the pages that have blocks to run, by their path in the site."""
    found = {name: blocks(name, text) for name, text in written_pages().items()}
    return {name: some for name, some in found.items() if any(not b.reason for b in some)}
