"""Fits of seconds, on tiny real models."""

import kerasft
from kerasft.recipes import minilm_tickets as text_recipe
from kerasft.recipes import resnet_digits as image_recipe


def image_config(get_preset, photos, **settings):
    quick = {
        "preset": get_preset("resnet"), "dataset": photos, "image_size": 16, "epochs": 2,
        "head_epochs": 1, "batch_size": 8, "augmentation": "none", "trainable_blocks": 1,
    }  # fmt: skip
    return image_recipe.Config(**{**quick, **settings})


def text_config(get_preset, reviews, **settings):
    quick = {
        "preset": get_preset("bert"), "dataset": reviews, "sequence_length": 16, "epochs": 3,
        "head_epochs": 1, "batch_size": 8, "trainable_blocks": 1, "patience": 0, "dropout": 0.3,
    }  # fmt: skip
    return text_recipe.Config(**{**quick, **settings})


def fit(recipe, config, folder, **options):
    return kerasft.fit(recipe, config, runs_dir=folder / "runs", progress=False, **options)
