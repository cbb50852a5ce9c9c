"""Tiny runs of six kinds, calibrated, exported, and inputs to ask them; made in seconds."""

from pathlib import Path

import kerasft
from kerasft.recipes import minilm_tickets as text_recipe
from kerasft.recipes import resnet_digits as image_recipe
from tests.conftest import write_table
from tests.training.small import fit, image_config, text_config

WORDS = ("red", "green", "blue")
ENDS = ("", " cat", " dog", " rose", " flower", " card")
# Outputs that only a fitted calibration has.
FITTED = {
    "classification": {"prediction_set", "known", "known_score"},
    "multilabel": {"known", "known_score"},
    "number": {"lower", "upper", "known", "known_score"},
}
TASKS = {
    "image": "classification",
    "multilabel": "multilabel",
    "ordinal": "number",
    "pair": "classification",
    "regression": "number",
    "text": "classification",
}


def pair_table(folder):
    rows = [
        {"first": f"a {a} cat{end}", "second": f"the {b} dog", "label": "same" if a == b else "no"}
        for a in WORDS
        for b in WORDS
        for end in ("", " .", " !", " and cat", " in red", " of it")
    ]
    return write_table(folder / "pairs.csv", rows)


def several_table(folder):
    rows = []
    for code in range(8):
        present = [word for index, word in enumerate(WORDS) if code >> index & 1]
        for start in ("the", "a", "my"):
            rows += [
                {"text": " ".join([start, *present]) + end, "label": "|".join(present)}
                for end in ENDS
            ]
    return write_table(folder / "colors.csv", rows)


def stars_table(folder):
    rows = [
        {"text": " ".join(["good"] * (stars - 1) + ["bad"] * (5 - stars)) + end, "label": stars}
        for stars in range(1, 6)
        for end in (*ENDS, " .", " !", " film")
    ]
    return write_table(folder / "stars.csv", rows)


def make(kind, folder, preset, photos, reviews, prices):
    """Fits, calibrates and exports the model of a kind; returns its run."""
    split = {"validation_fraction": 0.4}
    if kind == "image":
        recipe, config = image_recipe, image_config(preset, photos, **split)
    elif kind == "regression":
        settings = {"task": "regression", "label_column": "price", "target_transform": "log",
                    "target_unit": "EUR"}  # fmt: skip
        recipe, config = image_recipe, image_config(preset, prices, **settings, **split)
    else:
        table, settings = {
            "text": (reviews, {}),
            "pair": (pair_table(folder), {"text_column": "first", "text_pair_column": "second"}),
            "multilabel": (several_table(folder), {"task": "multilabel", "label_separator": "|"}),
            "ordinal": (stars_table(folder), {"task": "ordinal"}),
        }[kind]
        settings |= {"trainable_blocks": -1, "learning_rate": 5e-3, "dropout": 0.0}
        recipe, config = text_recipe, text_config(preset, table, **settings, **split)
    run = fit(recipe, config, folder)
    options = {"classification": {"coverage": 0.5, "max_error": 0.4}, "number": {"coverage": 0.5}}
    run.calibrate(**options.get(TASKS[kind], {}), known_coverage=0.5)
    kerasft.export(run, models_dir=folder / "models", name=kind)


def inputs_of(kind, photos, prices):
    """Returns inputs of the signature by name, the last one bad."""
    if kind == "image":
        files = [Path(photos, name, "3.png").read_bytes() for name in ("blue", "green", "red")]
        return {"bytes": [*files, b"no image"]}
    if kind == "regression":
        files = [Path(prices).with_name(f"{number}.png").read_bytes() for number in (1, 5, 9)]
        return {"bytes": [*files, b"no image"]}
    if kind == "pair":
        first = ["a red cat", "a blue cat of it", "Wörds 🎬", "a red cat"]
        return {"text": first, "text_pair": ["the red dog", "the green dog", '"q" \\', " "]}
    return {"text": ["good film", "bad bad bad", "the red blue cat", " "]}
