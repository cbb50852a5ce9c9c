"""Texts that differ only in case, punctuation, spaces or Unicode form."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Sequence


def texts_alike(inputs: Sequence[str | tuple[str, ...]]) -> list[list[int]]:
    """Return groups of the indices of texts, or pairs of texts, that read alike."""
    groups: dict[bytes, list[int]] = defaultdict(list)
    for index, item in enumerate(inputs):
        plain = map(_plain, item if isinstance(item, tuple) else (item,))
        # Hashes, as a second copy of all texts could exceed the memory.
        text = "\0".join(plain).encode("utf-8", "surrogatepass")
        groups[hashlib.blake2b(text, digest_size=16).digest()].append(index)
    return [group for group in groups.values() if len(group) > 1]


def _plain(text: str) -> str:
    """Return the letters, digits and symbols of a text, in lower case; else the text itself."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = "".join(c if _carries_meaning(c) else " " for c in folded).split()
    return " ".join(words) or text.strip()


def _carries_meaning(character: str) -> bool:
    """Return whether a character is a letter, a mark, a digit or a symbol such as + or an emoji."""
    return character.isalnum() or unicodedata.category(character)[0] in "LMNS"
