"""What the start `auto` of the output layer stands for."""

import shutil

import pytest

import kerasft
from kerasft.insight import LearningRateCurve
from kerasft.insight.facts import read_facts
from kerasft.modalities import head_epochs, modality_of, settled
from kerasft.recipes import minilm_tickets
from kerasft.training.learning_rate_finder import use_found
from kerasft.training.phases import plan_phases
from tests.training.small import fit


@pytest.mark.parametrize(
    ("task", "start"),
    [("classification", "linear"), ("multilabel", "random"), ("ordinal", "random"),
     ("regression", "random")],
)  # fmt: skip
def test_classes_of_images_begin_as_a_linear_probe(task, start):
    config = kerasft.ImageConfig(task=task)
    assert config.head_start == "auto"
    assert modality_of(config).head_start(config) == start


@pytest.mark.parametrize(
    ("given", "epochs"),
    [
        ({}, 0),
        ({"head_start": "random"}, 2),
        ({"task": "regression"}, 2),
        ({"task": "regression", "head_start": "linear"}, 0),
        ({"task": "regression", "trainable_blocks": 0}, 0),
        ({"head_epochs": 3}, 3),
        ({"head_epochs": 0, "head_start": "random"}, 0),
    ],
)
def test_a_random_output_layer_of_images_has_a_head_phase(given, epochs):
    config = kerasft.ImageConfig(**given)
    assert head_epochs(config) == settled(config).head_epochs == epochs
    planned = {phase.name: phase.epochs for phase in plan_phases(config, None)}
    assert planned.get("head", 0) == epochs


def test_a_sentence_encoder_has_its_head_phase_with_auto_too(preset, tmp_path):
    folder = shutil.copytree(preset("bert"), tmp_path / "preset")
    (folder / "config_sentence_transformers.json").write_text("{}")
    config = minilm_tickets.Config(preset=str(folder), head_epochs="auto")
    assert modality_of(config).head_start(config) == "class_means"
    assert head_epochs(config) == 2


@pytest.mark.parametrize(
    ("settings", "encoder", "start", "norm"),
    [
        ({}, True, "class_means", "rms"),
        ({}, False, "random", "none"),
        ({"trainable_blocks": 0, "head_epochs": 0}, True, "linear", "rms"),
        ({"head_epochs": 0}, True, "random", "none"),
        ({"task": "multilabel"}, True, "linear", "none"),
        ({"task": "regression"}, True, "random", "none"),
        ({"head_start": "random"}, True, "random", "none"),
        ({"head_start": "linear", "feature_norm": "none"}, True, "linear", "none"),
    ],
)
def test_classes_of_a_sentence_encoder_begin_as_their_means(
    settings, encoder, start, norm, preset, tmp_path
):
    folder = shutil.copytree(preset("bert"), tmp_path / "preset")
    if encoder:
        (folder / "config_sentence_transformers.json").write_text("{}")
    config = minilm_tickets.Config(preset=str(folder), **settings)
    assert modality_of(config).head_start(config) == start
    assert modality_of(config).settle(config).feature_norm == norm


@pytest.mark.parametrize(("start", "rate"), [("class_means", 3e-4), ("linear", 1e-2)])
def test_class_means_are_trained_at_the_rate_of_the_main_phase(start, rate, preset):
    config = minilm_tickets.Config(preset=preset("bert"), head_start=start)
    assert (config.head_learning_rate, config.learning_rate) == (1e-2, 3e-4)
    head, main = plan_phases(config, None)
    assert (head.learning_rate, main.learning_rate) == (rate, 3e-4)


@pytest.mark.parametrize(("start", "rate"), [("class_means", 2e-4), ("random", 0.1)])
def test_a_suggested_rate_of_the_head_is_the_one_it_has(start, rate, preset):
    config = minilm_tickets.Config(preset=preset("bert"), head_start=start, learning_rate="auto")
    curves = [LearningRateCurve("head", [], [], 0.1, 0.1),
              LearningRateCurve("main", [], [], 2e-4, 2e-4)]  # fmt: skip
    found = use_found(config, curves)
    assert (found.head_learning_rate, found.learning_rate) == (rate, 2e-4)


@pytest.mark.slow
def test_a_fit_records_its_start_and_the_rate_of_its_head(preset, reviews, tmp_path):
    encoder = shutil.copytree(preset("bert"), tmp_path / "encoder")
    (encoder / "config_sentence_transformers.json").write_text("{}")
    settings = {"preset": str(encoder), "dataset": reviews, "sequence_length": 16, "epochs": 1,
                "trainable_blocks": 1}  # fmt: skip
    run = fit(minilm_tickets, minilm_tickets.Config(**settings), tmp_path)
    assert run.manifest["head_start"] == "class_means"
    assert run.manifest["learning_rates"] == {"head": 3e-4, "main": 3e-4}
    assert read_facts(run).settings["head_learning_rate"] == 3e-4
    assert run.config["feature_norm"] == "rms"  # chosen by auto, so it is not given
    assert set(run.manifest["given"]) == set(settings)
    plain = fit(minilm_tickets, minilm_tickets.Config(**settings, head_start="random"), tmp_path)
    assert (plain.manifest["head_start"], plain.config["feature_norm"]) == ("random", "none")
    assert set(plain.manifest["given"]) == {*settings, "head_start"}
    other = fit(minilm_tickets, minilm_tickets.Config(**settings, feature_norm="none"), tmp_path)
    assert set(other.manifest["given"]) == {*settings, "feature_norm"}
