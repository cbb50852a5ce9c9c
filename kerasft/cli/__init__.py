"""The command line: a thin shell over the Python API.

Modules here import only click and the standard library at their top. Commands import the packages
that need Keras when they run, so that help and errors in options appear at once.
"""

from kerasft.cli.app import main

__all__ = ["main"]
