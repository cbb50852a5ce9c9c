"""The check of a recipe on its data: what would go wrong, before anything is trained."""

from kerasft.checks.check import Check, check

__all__ = ["Check", "check"]
