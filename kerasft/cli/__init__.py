"""The command line: a thin shell over the Python API.

Modules here import click and the standard library at their top; the rooms that need Keras are
imported inside commands, so that help, lists and every typo answer at once.
"""

from kerasft.cli.app import main

__all__ = ["main"]
