"""Symbolic links in folders of images: which are followed and which are skipped."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

_NAMED = 5  # maximum number of links listed in a message


def counts(name: str) -> bool:
    """Return whether a file or folder may contain data: not hidden, not macOS archive metadata."""
    return not name.startswith(".") and name != "__MACOSX"


class Links:
    """Rules for following the links below a folder, with a record of the skipped ones.

    A link is skipped if it is broken, if it points to the root or above it, or if it points into
    a folder that another split or class has claimed.

    Args:
        root: Root folder; it may be a link itself.
        inside: Whether links that point outside the root are skipped too.
        left: Record of skipped links to add to; a new one by default.
    """

    def __init__(
        self, root: Path, *, inside: bool = True, left: dict[Path, None] | None = None
    ) -> None:
        self.root, self._inside = root, inside
        self._real_root = _real(root)
        self._left: dict[Path, None] = {} if left is None else left
        self._claimed: set[Path] = set()
        self._above: set[Path] = {self._real_root, *self._real_root.parents}

    def __contains__(self, path: Path) -> bool:
        return path in self._left

    def without_claims(self) -> Links:
        """Return the same rules without claimed folders; the record of skipped links is shared."""
        return Links(self.root, inside=self._inside, left=self._left)

    def visible_folders(self, folder: Path) -> list[Path]:
        """Return the subfolders that may contain data, sorted by name, without skipped links."""
        present = sorted(path for path in folder.iterdir() if counts(path.name))
        found = [path for path in present if path.is_dir() or not path.exists()]
        return [path for path in found if not path.is_symlink() or self._follows(path)]

    def distinct(self, folders: Sequence[Path]) -> list[Path]:
        """Claim folders that share no files and return them; skip links into another of them."""
        for path in folders:
            if not path.is_symlink():
                self._claim(path)
        return [path for path in folders if not path.is_symlink() or self._claims(path)]

    def _claims(self, link: Path) -> bool:
        follows = self._follows(link)
        if follows:
            self._claim(link)
        return follows

    def _claim(self, folder: Path) -> None:
        real = _real(folder)
        self._claimed.add(real)
        self._above.update(real.parents)

    def _follows(self, link: Path, home: Path | None = None) -> bool:
        """Return whether a link inside the folder `home` is followed; record it if it is not."""
        target = _real(link)
        owner = next((path for path in (target, *target.parents) if path in self._claimed), None)
        follows = (
            target.exists()
            and target not in self._above
            and owner in (None, home)
            and (not self._inside or target.is_relative_to(self._real_root))
        )
        return follows or self._leave(link)

    def _leave(self, link: Path) -> bool:
        self._left[link] = None
        return False

    def files(self, folder: Path) -> Iterator[Path]:
        """Yield the visible files below a folder, each once, linked ones last."""
        home, seen, linked = _real(folder), set[Path](), list[Path]()
        yield from self._walk(folder, home, seen, linked)
        for link in sorted(linked):
            if self._follows(link, home) and self._is_new(link, seen) and link.is_file():
                yield link

    def _is_new(self, link: Path, seen: set[Path]) -> bool:
        target = _real(link)
        if target in seen:
            return self._leave(link)
        seen.add(target)
        return True

    def _walk(
        self, folder: Path, home: Path, seen: set[Path], linked: list[Path]
    ) -> Iterator[Path]:
        """Yield the files that are not links and add them to `seen`; add links to `linked`."""
        waiting = [folder]
        while waiting:
            start = waiting.pop(0)
            if _real(start) in seen:
                self._leave(start)
                continue
            for parent, folders, names in os.walk(start):  # does not follow links
                here = _real(Path(parent))
                folders[:] = sorted(filter(counts, folders)) if here not in seen else []
                if here in seen:
                    continue
                seen.add(here)
                below = [Path(parent, name) for name in folders]
                waiting += [p for p in below if p.is_symlink() and self._follows(p, home)]
                present = [Path(parent, name) for name in names if counts(name)]
                linked += [path for path in present if path.is_symlink()]
                files = [path for path in present if not path.is_symlink() and path.is_file()]
                seen.update(here / path.name for path in files)
                yield from files

    def note(self) -> list[str]:
        """Return a note about the skipped links, or an empty list if there are none."""
        if not self._left:
            return []
        return [
            f"Links skipped: {len(self._left)} ({self._names(self.root)}). Links are followed only "
            "inside the dataset, not into another class or split, and each file is read once."
        ]

    def hint(self, folder: Path | None = None) -> str:
        """Return the skipped links below a folder in parentheses, for errors, or ""."""
        names = self._names(folder or self.root)
        return f" (links skipped: {names})" if names else ""

    def _names(self, folder: Path) -> str:
        left = sorted(path for path in self._left if path.is_relative_to(folder))
        names = [path.relative_to(self.root).as_posix() for path in left[:_NAMED]]
        more = [f"{len(left) - _NAMED} more"] if len(left) > _NAMED else []
        return ", ".join(names + more)


def _real(path: Path) -> Path:
    """Return the path with links resolved; for circular links, the path of one of them."""
    return Path(os.path.realpath(path))
