"""An extension of griffe that reads the section `Example:` of docstrings as code."""

import re
from typing import Any

import griffe


class Examples(griffe.Extension):
    """Rename the section to `Examples:`, the only name that griffe knows."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rename the section in the docstring of an object."""
        if obj.docstring:
            obj.docstring.value = re.sub(
                r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE
            )
