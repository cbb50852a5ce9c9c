"""How an exported folder of Hugging Face is called."""

from __future__ import annotations

from kerasft.serving.huggingface.folder import SENTENCES


def how_to_call(class_name: str, folder: str, *, pairs: bool) -> list[str]:
    """Return lines of Python that load a folder and answer one input.

    Args:
        class_name: Name of the class that loads it, as `write_folder` returns it.
        folder: Path of the folder.
        pairs: Whether the model reads pairs of texts.
    """
    if class_name == SENTENCES:
        given = "('a text', 'the second text')" if pairs else "'a text'"
        return [
            f"from sentence_transformers import {SENTENCES}",
            f"model = {SENTENCES}({folder!r})",
            f"logits = model.encode([{given}])",
        ]
    if class_name.endswith("ForImageClassification"):
        kind, reader = "AutoModelForImageClassification", "AutoImageProcessor"
        given = "Image.open('image.png').convert('RGB')"
        imports = ["from PIL import Image"]
    else:
        kind, reader = "AutoModelForSequenceClassification", "AutoTokenizer"
        given = "'a text', 'the second text'" if pairs else "'a text'"
        given, imports = f"{given}, truncation=True", []
    return [
        *imports,
        f"from transformers import {reader}, {kind}",
        f"inputs = {reader}.from_pretrained({folder!r})({given}, return_tensors='pt')",
        f"logits = {kind}.from_pretrained({folder!r})(**inputs).logits",
    ]
