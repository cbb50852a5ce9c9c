"""What a report shows of an input."""

from __future__ import annotations

import base64
import io
from typing import Any

_CHARACTERS = 600
_PIXELS = 112  # longer side of a picture


def text_excerpt(item: Any) -> dict[str, str]:
    """Return the beginning of a text, or of a pair with a tab between the two."""
    text = "\t".join(item) if isinstance(item, tuple) else str(item)
    return {"text": text[:_CHARACTERS]}


def picture_excerpt(pixels: Any) -> dict[str, str]:
    """Return a small picture as a base64-encoded PNG."""
    import numpy as np
    from PIL import Image

    image = Image.fromarray(np.asarray(pixels))
    image.thumbnail((_PIXELS, _PIXELS))
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return {"picture": base64.b64encode(file.getvalue()).decode("ascii")}
