"""The plan of a fit: its times, what it needs, and downloads."""

import re
import socket

import numpy as np
import pytest

import kerasft


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """Refuses every connection; nothing is in the caches of downloads."""

    def refuse(*args, **kwargs):
        raise AssertionError("a check must not use the network")

    monkeypatch.setattr(socket, "create_connection", refuse)
    for name in ("KAGGLEHUB_CACHE", "HF_HUB_CACHE", "KERAS_HOME", "TFDS_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))


SMALL = {"image_size": 16, "batch_size": 8, "augmentation": "none", "progress": False}


@pytest.fixture(scope="module")
def plan(preset, photos, tmp_path_factory):
    return kerasft.check(
        "resnet_digits", dataset=photos, preset=preset("resnet"), trainable_blocks=1,
        head_epochs=1, epochs=3, runs_dir=tmp_path_factory.mktemp("runs"), **SMALL,
    ).plan  # fmt: skip


def test_every_phase_has_its_steps_and_a_measured_time(plan):
    assert sum(plan.examples.values()) == 36
    assert [(phase.phase, phase.epochs) for phase in plan.model.phases] == [
        ("head", 1),
        ("main", 3),
    ]
    for phase in plan.model.phases:
        assert phase.steps == plan.steps_per_epoch == -(-plan.examples["train"] // 8)
        assert phase.seconds_per_epoch > phase.steps * phase.seconds_per_step > 0
    total = sum(phase.epochs * phase.seconds_per_epoch for phase in plan.model.phases)
    assert plan.model.seconds >= total


def test_frozen_features_are_timed_where_a_fit_caches_them(plan):
    head, _ = plan.model.phases
    assert head.cached
    assert head.feature_seconds > 0
    assert plan.model.memory.parts["frozen features"] > 0


def test_what_a_fit_needs_is_that_of_its_model(plan, preset, photos):
    parts = plan.model.memory.parts
    assert parts["parameters"] >= 4 * plan.model.parameters
    assert 0 < plan.model.trained < plan.model.parameters
    assert parts["gradients"] == 4 * plan.model.trained
    assert parts["optimizer"] >= 2 * parts["gradients"]  # two moments of AdamW
    assert parts["inputs"] == 36 * 16 * 16 * 3
    assert plan.model.memory.total < plan.model.memory.free
    assert plan.model.disk.parts["training state"] > plan.model.disk.parts["weights"]


def test_without_timing_no_model_is_built(photos, monkeypatch):
    recipe = kerasft.load_recipe("resnet_digits")
    monkeypatch.setattr(recipe, "build_model", None)
    plan = kerasft.check(recipe, dataset=photos, timing=False, **SMALL).plan
    assert plan.model is None
    assert plan.steps_per_epoch == 4


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("nosuch", "size unknown"),
        ("food101", r"about \d,\d\d\d MB"),
        ("clinc_oos", r"about 0\.\d MB"),
        ("eurosat/rgb", r"at most \d,\d\d\d MB"),
    ],
)
def test_a_dataset_that_must_be_downloaded_is_named_with_its_preset(name, size):
    found = kerasft.check("resnet_digits", dataset=f"tfds:{name}", preset="resnet_50_imagenet")
    dataset, preset = found.plan.downloads
    assert dataset.host == "storage.googleapis.com"
    assert re.fullmatch(rf"the dataset tfds:{name} \({size}\)", dataset.what)
    assert "94 MB" in preset.what
    assert (found.findings, found.plan.examples, found.plan.model) == ((), {}, None)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", ["hf://google/bert_uncased", "bert_small_en_uncased"])
def test_texts_are_audited_before_their_preset_is_downloaded(reviews, name):
    found = kerasft.check("minilm_tickets", dataset=reviews, preset=name, progress=False)
    (download,) = found.plan.downloads
    assert name in download.what
    names = [x.name for x in found.findings]
    assert names == [
        *["near_duplicates_in_splits"] * 3,
        "split_off",
        "small_test",
        "near_duplicates",
    ]
    assert found.plan.examples == {"train": 56, "validation": 12, "test": 12}
    assert found.plan.steps_per_epoch > 0


@pytest.mark.usefixtures("offline")
def test_a_missing_download_is_an_error_where_the_network_must_not_be_used(reviews, monkeypatch):
    monkeypatch.setenv("KERASFT_OFFLINE", "1")
    name = "bert_small_en_uncased"
    found = kerasft.check("minilm_tickets", dataset=reviews, preset=name, progress=False)
    first, *_ = found.findings
    assert not found.ok
    assert (first.name, first.level) == ("download", "error")
    assert name in first.text
    assert "without --offline" in first.advice


@pytest.mark.usefixtures("offline")
def test_images_are_audited_before_their_preset_is_downloaded(pets):
    found = kerasft.check("resnet_digits", dataset=str(pets), preset="resnet_50_imagenet", **SMALL)
    assert [x.name for x in found.findings] == ["small_test"]
    assert found.plan.model is None


@pytest.mark.slow
def test_a_need_above_what_is_free_has_a_warning(pets, monkeypatch):
    monkeypatch.setattr("kerasft.checks.needs.free_memory", lambda: -(10**12))
    found = kerasft.check("resnet_digits", dataset=str(pets), epochs=1, **SMALL)
    assert "memory" in [x.name for x in found.findings if x.level == "warning"]


@pytest.mark.slow
def test_rendered_data_are_timed_too():
    plan = kerasft.check("resnet_glyphs", epochs=1, **SMALL).plan
    assert plan.examples.keys() <= {"validation", "test"}
    assert [phase.cached for phase in plan.model.phases] == [False] * len(plan.model.phases)
    assert all(np.isfinite(phase.seconds) for phase in plan.model.phases)
