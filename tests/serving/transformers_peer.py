"""Logits of exported folders by transformers, as its users call it.

It is run by a Python that has PyTorch and transformers, and nothing of this project:
`python transformers_peer.py REQUEST`. The request is a JSON list of objects with `folder`, `inputs`
(texts, pairs of texts, or paths of images) and `sentences`, true for sentence-transformers.
"""

import json
import sys

import torch
from PIL import Image
from transformers import (
    AutoImageProcessor,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)


def answers(folder, inputs, sentences):
    if sentences:
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(folder, device="cpu")
        return {"logits": model.encode(inputs).tolist()}
    if isinstance(inputs[0], str) and inputs[0].endswith(".png"):
        images = [Image.open(path) for path in inputs]
        given = AutoImageProcessor.from_pretrained(folder)(images, return_tensors="pt")
        model, info = AutoModelForImageClassification.from_pretrained(
            folder, output_loading_info=True
        )
    else:
        columns = [inputs] if isinstance(inputs[0], str) else map(list, zip(*inputs, strict=True))
        read = AutoTokenizer.from_pretrained(folder)
        given = read(*columns, truncation=True, padding=True, return_tensors="pt")
        model, info = AutoModelForSequenceClassification.from_pretrained(
            folder, output_loading_info=True
        )
    problems = {name: sorted(map(str, found)) for name, found in info.items() if found}
    with torch.no_grad():
        logits = model.eval()(**given).logits.tolist()
    names = {str(index): name for index, name in model.config.id2label.items()}
    pixels = given["pixel_values"].tolist() if "pixel_values" in given else None
    return {"logits": logits, "id2label": names, "problems": problems, "pixels": pixels}


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        request = json.load(file)
    print(json.dumps([answers(**given) for given in request]))
