"""What must hold for every family: a new one is tested by being listed in `kerasft.testing`."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import kerasft
from kerasft.models.blocks import find_backbone
from kerasft.recipes import minilm_tickets, resnet_digits
from kerasft.testing import FAMILIES, IMAGE_FAMILIES

# Everything is trained, from random weights.
SETTINGS = {
    "trainable_blocks": -1, "head_epochs": 0, "epochs": 15, "learning_rate": 5e-3, "batch_size": 8,
    "patience": 0, "dropout": 0.0,
}  # fmt: skip
FILES = ("inception", "convnext")  # models of Keras, not of KerasHub


@pytest.fixture
def case(preset, photos, reviews):
    """Returns a function from a family to its recipe, its settings, and inputs."""

    def make(family):
        if family not in IMAGE_FAMILIES:
            config = minilm_tickets.Config(
                preset=preset(family), dataset=reviews, sequence_length=16, **SETTINGS
            )
            return minilm_tickets, config, ["a great movie", "bad", "the film is awful to me"]
        config = resnet_digits.Config(
            preset=preset(family), dataset=photos, image_size=32, augmentation="none",
            **{**SETTINGS, "learning_rate": 1e-2},
        )  # fmt: skip
        folders = sorted(Path(photos).iterdir())
        return resnet_digits, config, [next(folder.iterdir()) for folder in folders]

    return make


# The quick tests fit ResNet and BERT many times. Blocks and cuts of every family are quick tests.
@pytest.mark.slow
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_family_is_fitted_saved_served_and_exported_as_a_preset(family, case, tmp_path):
    recipe, config, inputs = case(family)
    run = kerasft.fit(recipe, config, runs_dir=tmp_path / "runs", progress=False)
    assert run.metrics["test"]["accuracy"] >= 0.8  # a separable task is learned
    found = kerasft.evaluate(run)
    assert found["loss"] == pytest.approx(run.metrics["test"]["loss"], abs=1e-5)
    served_as_predicted(run, inputs, tmp_path / "models")
    if family not in FILES:
        folder = kerasft.export(run, models_dir=tmp_path / "models", format="preset")
        tuned, again = (
            find_backbone(kerasft.load_model(run).model),
            kerasft.load_backbone(str(folder)),
        )
        for one, two in zip(tuned.weights, again.weights, strict=True):
            # DINOv2 has its positions twice, and writes those that are used over the others.
            if one.name != "position_embeddings":
                np.testing.assert_allclose(one.numpy(), two.numpy(), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["InceptionV3", "InceptionResNetV2", "ConvNeXtTiny"])
def test_a_whole_network_of_keras_applications_is_tuned_and_served(name, photos, tmp_path):
    config = resnet_digits.Config(
        preset=f"applications:{name}", pretrained=False, freeze_batch_norm=False, dataset=photos,
        image_size=96, augmentation="none", trainable_blocks=1, head_epochs=1, epochs=1,
        batch_size=8,
    )  # fmt: skip
    run = kerasft.fit(resnet_digits, config, runs_dir=tmp_path / "runs", progress=False)
    blocks = {row["name"]: row["trained_parameters"] > 0 for row in run.manifest["blocks"]}
    assert list(blocks.values()) == [*[False] * (len(blocks) - 2), True, True]  # top block, head
    assert kerasft.evaluate(run)["loss"] == pytest.approx(run.metrics["test"]["loss"], abs=1e-5)
    inputs = [next(folder.iterdir()) for folder in sorted(Path(photos).iterdir())]
    served_as_predicted(run, inputs, tmp_path / "models")


@pytest.mark.slow
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_family_is_searched_by_trials_that_share_its_backbone(family, case, tmp_path):
    recipe, config, _ = case(family)
    config = dataclasses.replace(config, epochs=2, learning_rate=1e-2, monitor="val_loss")
    space = ["trainable_blocks=1,-1", "learning_rate=1e-3,1e-2"]
    search = kerasft.tune(
        recipe, config, tuner="grid", space=space, fixed=["dropout"], searches_dir=tmp_path,
        progress=False,
    )  # fmt: skip
    assert [trial.state for trial in search.trials] == ["completed"] * 4
    # A trial is what a fit of its settings alone gives, whatever was trained before it.
    last = search.trials[-1]
    settings = dataclasses.replace(config, **last.values)
    alone = kerasft.fit(recipe, settings, runs_dir=tmp_path / "runs", progress=False)
    assert last.score == pytest.approx(alone.metrics["validation"]["loss"], rel=1e-3)


TOGETHER: dict[str, dict] = {
    "adapters": {"lora_rank": 1, "layer_decay": 0.9, "unfreeze_every": 1, "head_epochs": 1},
    "held": {"pretrained_l2": 0.01, "backbone_l2": 1e-4, "layer_decay": 0.8, "head_epochs": 1,
             "unfreeze_every": 1, "precision": "mixed_bfloat16"},
    "partly frozen": {"trainable_blocks": 1, "head_epochs": 2, "cache_precision": "bfloat16",
                      "optimizer": "sgd"},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("ways", TOGETHER)
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_ways_to_tune_go_together_in_a_family(family, ways, case, tmp_path):
    recipe, config, inputs = case(family)
    config = dataclasses.replace(config, **{**TOGETHER[ways], "epochs": 5})
    if ways == "held" and family not in IMAGE_FAMILIES:
        config = dataclasses.replace(config, freeze_embeddings=True)
    run = kerasft.fit(recipe, config, runs_dir=tmp_path / "runs", progress=False)
    found = kerasft.evaluate(run)
    exact = config.precision == "float32"
    assert found["loss"] == pytest.approx(run.metrics["test"]["loss"], abs=1e-5 if exact else 0.02)
    if ways == "adapters":
        served_as_predicted(run, inputs, tmp_path / "models")  # merged


def served_as_predicted(run, inputs, folder):
    import tensorflow as tf

    raw = [item.read_bytes() if isinstance(item, Path) else item for item in inputs]
    served = tf.saved_model.load(str(kerasft.export(run, models_dir=folder)))
    answer = served.serve(tf.constant(raw))
    names = [name.decode() for name in answer["classes"].numpy()[0]]
    wanted = [[row[f"p({name})"] for name in names] for row in kerasft.predict(run, inputs)]
    np.testing.assert_allclose(answer["probabilities"].numpy(), wanted, atol=1e-5)
