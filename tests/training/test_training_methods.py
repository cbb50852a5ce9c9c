"""Fits with every training method and objective: they learn, and frozen weights stay frozen."""

import dataclasses

import keras
import numpy as np
import pytest

import kerasft
from kerasft.errors import SettingError
from kerasft.models import find_blocks
from kerasft.recipes import minilm_tickets, resnet_digits
from kerasft.training import compile_model

LEARNS = {"epochs": 6, "head_epochs": 0, "batch_size": 8, "patience": 0, "dropout": 0.0}


@pytest.fixture
def texts(preset, reviews):
    return minilm_tickets.Config(
        preset=preset("bert"), dataset=reviews, sequence_length=16, trainable_blocks=2,
        learning_rate=1e-2, **LEARNS,
    )  # fmt: skip


@pytest.fixture
def images(photos):
    return resnet_digits.Config(
        dataset=photos, image_size=16, augmentation="none", trainable_blocks=1,
        learning_rate=3e-3, **LEARNS,
    )  # fmt: skip


def fitted(recipe, config, folder):
    return kerasft.fit(recipe, config, runs_dir=folder, progress=False)


PENALTY = {"pretrained_l2": 0.01, "freeze_embeddings": True, "trainable_blocks": -1}
DECAY = {"layer_decay": 0.7, "optimizer": "adamw"}
FOCAL = {"loss": "focal", "label_smoothing": 0.05}
WORDS = {"word_dropout": 0.1}
LORA = {"lora_rank": 4, "layer_decay": 0.9, "unfreeze_every": 3, "epochs": 6, "learning_rate": 5e-2}


@pytest.mark.parametrize(
    "way",
    [
        PENALTY | DECAY | FOCAL | WORDS,
        *(
            pytest.param(way, marks=pytest.mark.slow)
            for way in (LORA, PENALTY, DECAY, DECAY | {"optimizer": "rmsprop"}, FOCAL, WORDS)
        ),
    ],
    ids=lambda way: "-".join(map(str, way)),
)
def test_texts_are_learned_in_this_way(way, texts, tmp_path):
    run = fitted(minilm_tickets, dataclasses.replace(texts, **way), tmp_path)
    assert run.metrics["test"]["accuracy"] >= 0.8
    found = kerasft.evaluate(run)
    assert found["loss"] == pytest.approx(run.metrics["test"]["loss"], abs=1e-5)


MIXED = {"mixup": 0.2, "cutmix": 1.0}
NOISY = {"augmentation": "randaugment", "random_erasing": 0.3}


@pytest.mark.parametrize(
    "way",
    [
        MIXED | NOISY,
        *(pytest.param(way, marks=pytest.mark.slow) for way in (MIXED, NOISY)),
    ],
    ids=lambda way: "-".join(map(str, way)),
)
def test_images_are_learned_in_this_way(way, images, tmp_path):
    run = fitted(resnet_digits, dataclasses.replace(images, **way), tmp_path)
    assert run.metrics["test"]["accuracy"] >= 0.8


@pytest.mark.slow
def test_paths_are_left_out_while_it_trains_and_not_when_it_is_measured(preset, photos, tmp_path):
    config = resnet_digits.Config(
        preset=preset("swin"), dataset=photos, image_size=32, augmentation="none",
        trainable_blocks=-1, learning_rate=1e-2, **{**LEARNS, "epochs": 12},
    )  # fmt: skip
    plain = fitted(resnet_digits, dataclasses.replace(config, epochs=1), tmp_path)
    run = fitted(resnet_digits, dataclasses.replace(config, stochastic_depth=0.5), tmp_path)
    assert run.history[0]["loss"] != plain.history[0]["loss"]
    assert run.metrics["test"]["accuracy"] >= 0.8
    assert kerasft.evaluate(run)["loss"] == pytest.approx(run.metrics["test"]["loss"], abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["absolute", "huber"])
def test_numbers_are_learned_with_another_loss(loss, prices, tmp_path):
    config = resnet_digits.Config(
        dataset=prices, task="regression", label_column="price", image_size=16, loss=loss,
        augmentation="none", trainable_blocks=1, learning_rate=3e-3, **{**LEARNS, "epochs": 12},
    )  # fmt: skip
    run = fitted(resnet_digits, config, tmp_path)
    assert run.metrics["test"]["r2"] > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "lion"])
def test_lower_blocks_move_by_smaller_steps(optimizer, texts):
    data = kerasft.load_data(texts)

    def moved(decay):
        config = dataclasses.replace(
            texts, layer_decay=decay, optimizer=optimizer, epochs=1, learning_rate=1e-3,
            weight_decay=0.0, gradient_clip=0.0, trainable_blocks=-1,
        )  # fmt: skip
        keras.utils.set_random_seed(0)
        model = minilm_tickets.build_model(config, data)
        blocks = [[w for x in block.layers for w in x.weights] for block in find_blocks(model)]
        before = [[weight.numpy() for weight in block] for block in blocks]
        compile_model(model, config, data)
        model.fit(data.train.x, data.train.y, batch_size=config.batch_size, verbose=0)
        return [
            np.sqrt(np.mean([np.mean((weight.numpy() - old) ** 2)
                             for weight, old in zip(block, values, strict=True)]))
            for block, values in zip(blocks, before, strict=True)
        ]  # fmt: skip

    usual, decayed = moved(1.0), moved(0.1)
    shares = [d / u for d, u in zip(decayed, usual, strict=True)]
    assert shares == sorted(shares)  # the lowest block least
    assert shares[0] < 0.2 * shares[-1]


def test_too_few_epochs_for_all_blocks_leave_no_run_behind(texts, tmp_path):
    with pytest.raises(SettingError, match="`epochs` is 3, but unfreeze_every=3 needs at least 4"):
        fitted(minilm_tickets, dataclasses.replace(texts, unfreeze_every=3, epochs=3), tmp_path)
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.slow
def test_gradual_unfreezing_trains_lower_blocks_later(texts, tmp_path):
    config = dataclasses.replace(texts, unfreeze_every=2, head_epochs=1)
    run = fitted(minilm_tickets, config, tmp_path)
    assert [row["phase"] for row in run.history] == ["head", *["top 1"] * 2, *["main"] * 4]
    assert run.metrics["test"]["accuracy"] >= 0.8
    log = (run.path / "run.log").read_text()
    assert "phase  top 1: 2 epochs" in log
