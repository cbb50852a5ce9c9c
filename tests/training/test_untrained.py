"""What frozen features score without training is measured, recorded and compared."""

import dataclasses
import shutil

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import normalize

import kerasft
from kerasft.evaluation.predict import predict_arrays
from kerasft.insight import rules
from kerasft.models import with_features
from kerasft.training.untrained import (
    COSINE,
    NEAREST_MEAN,
    NEAREST_NAME,
    as_words,
    nearest_means,
)
from tests.conftest import write_table
from tests.insight.made_facts import facts
from tests.training.small import fit, text_config, text_recipe


def test_the_nearest_mean_is_that_of_directions():
    rng = np.random.default_rng(0)
    centers, y = rng.normal(size=(3, 8)), np.repeat([0, 1, 3], 20)
    x = np.repeat(centers, 20, axis=0) + 0.1 * rng.normal(size=(60, 8))
    x *= rng.uniform(0.1, 10, (60, 1))  # lengths do not count
    found = nearest_means(x, y, x, 4)
    assert (found.argmax(axis=1) == y).all()
    assert (found[:, 2] == -1).all()  # class 2 has no example
    mean = normalize(normalize(x)[y == 1].mean(axis=0, keepdims=True))
    assert np.allclose(found[:, 1], normalize(x) @ mean[0])
    assert not np.isnan(nearest_means(np.zeros((2, 3)), y[[0, 20]], np.zeros((1, 3)), 2)).any()


def features(config, split):
    """Return the features of a split by the untrained model."""
    data = kerasft.load_data(config)
    model = with_features(text_recipe.build_model(config, data))
    return predict_arrays(model, getattr(data, split).x)[1], getattr(data, split).y


@pytest.mark.slow
def test_a_fit_records_the_nearest_mean(preset, reviews, tmp_path):
    config = text_config(preset, reviews)
    run = fit(text_recipe, config, tmp_path)
    found = run.manifest["untrained"]
    train, y = features(config, "train")
    others, truth = features(config, "validation")
    cosines = nearest_means(train, y, others, 2)
    assert (found["by"], found["metric"]) == (NEAREST_MEAN, "accuracy")
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, cosines.argmax(axis=1)))
    assert (
        "nearest class mean, without training: val_accuracy" in (run.path / "run.log").read_text()
    )
    assert "without training" in kerasft.write_report(run).read_text()


@pytest.mark.parametrize(
    ("name", "words"),
    [("card_arrival", "card arrival"), ("top-up", "top up"), ("lostCard", "lost Card"),
     ("IT", "IT"), ("C++", "C++"), ("-", "-"), ("हिन्दी", "हिन्दी"), ("体育", "体育")],
)  # fmt: skip
def test_class_names_become_words(name, words):
    assert as_words(name) == words


@pytest.mark.slow
def test_a_fit_of_a_sentence_encoder_records_the_nearest_class_name(preset, tmp_path):
    encoder = tmp_path / "encoder"
    shutil.copytree(preset("bert"), encoder)
    (encoder / "config_sentence_transformers.json").write_text("{}")
    names, rng = ("good_film", "bad_cat"), np.random.default_rng(0)
    # A training text has one random word; a validation text has the words of its class.
    rows = [{"text": f"{rng.choice(['the', 'was', 'red'])} {n}", "label": names[n % 2],
             "split": "train"} for n in range(20)]  # fmt: skip
    rows += [{"text": f"{names[n % 2].replace('_', ' ')}{' a' * (n // 2)}", "label": names[n % 2],
              "split": split} for split in ("validation", "test") for n in range(6)]  # fmt: skip
    table = write_table(tmp_path / "texts.csv", rows)
    run = fit(text_recipe, text_config(preset, table, preset=str(encoder)), tmp_path)
    log = (run.path / "run.log").read_text()
    assert "nearest class mean, without training" in log
    assert "nearest class name, without training: val_accuracy 1" in log
    assert (run.manifest["untrained"]["by"], run.manifest["untrained"]["accuracy"]) == (
        NEAREST_NAME, 1.0
    )  # fmt: skip


@pytest.mark.slow
def test_a_fit_of_pairs_records_the_cosine(preset, tmp_path):
    words = ("good", "bad", "old", "film", "cat", "red", "blue", "late")
    rng = np.random.default_rng(0)
    texts = [[" ".join(rng.choice(words, 3)) for _ in range(2)] for _ in range(60)]
    rows = [{"first": a, "second": b, "alike": float(rng.uniform(0, 5))} for a, b in texts]
    config = text_config(
        preset, write_table(tmp_path / "pairs.csv", rows), task="regression",
        label_column="alike", text_column="first", text_pair_column="second", pair_mode="towers",
    )  # fmt: skip
    found = fit(text_recipe, config, tmp_path).manifest["untrained"]
    terms, y = features(config, "validation")
    assert (found["by"], found["metric"]) == (COSINE, "spearman")
    assert found["spearman"] == pytest.approx(spearmanr(terms.sum(axis=1), y).statistic, abs=1e-3)


@pytest.mark.parametrize(("ended", "named"), [(0.8, True), (0.81, False)])
def test_a_fit_that_gained_nothing_is_named(ended, named):
    untrained = {"by": NEAREST_MEAN, "metric": "accuracy", "accuracy": 0.8, "f1": 0.7}
    found = facts(untrained=untrained, metrics={"validation": {"accuracy": ended}})
    finding = rules.gain.no_better_than_untrained(found)
    assert (finding is not None) == named
    if finding is not None:
        assert "nearest class mean" in finding.evidence and not finding.fault
    probed = dataclasses.replace(found, probe={"accuracy": 0.85})  # the stronger one is named
    assert rules.gain.no_better_than_untrained(probed) is None


@pytest.mark.parametrize(("start", "advised"), [("random", True), ("class_means", False)])
def test_a_linear_probe_is_no_advice_after_class_means(start, advised):
    untrained = {"by": NEAREST_MEAN, "metric": "accuracy", "accuracy": 0.8, "f1": 0.7}
    ended = {"validation": {"accuracy": 0.8}}
    found = facts(untrained=untrained, metrics=ended, head_start=start)
    finding = rules.gain.no_better_than_untrained(found)
    changes = [advice.changes for advice in finding.advice]
    assert ({"head_start": "linear"} in changes) == advised
