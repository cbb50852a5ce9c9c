"""The frozen prefix of a model: its graph, its cost, and the cache of its features."""

from kerasft.frozen.prefix import FrozenPrefix

__all__ = ["FrozenPrefix"]
