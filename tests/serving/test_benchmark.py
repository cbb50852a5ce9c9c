"""`kerasft benchmark`: latency, scores, agreement and verdicts of runs and exported models."""

import json
import re
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

import kerasft
from kerasft.cli import main
from kerasft.data import Examples
from kerasft.display import Activity
from kerasft.errors import DamagedFileError, SettingError
from kerasft.serving.latency import MAX_CALLS, WARM_UP, measure_latency
from kerasft.serving.verdict import agreement, judge
from kerasft.tasks import Labels

CLASSES = Labels("classification", ("cat", "dog"))
SEVERAL = Labels("multilabel", ("cat", "dog"))
NUMBER = Labels("regression", (), 0.0, 2.0)
EXACT = {"test": "exact", "tolerance": 1e-5}
ROUGH = {"test": "equivalence", "tolerance": 0.01}


def classes(best, sure=0.9):
    """Returns the answers of a model that predicts these classes."""
    best = np.asarray(best)
    probabilities = np.where(best[:, np.newaxis] == [0, 1], sure, 1 - sure)
    return {"best": best, "probability": np.full(len(best), sure), "probabilities": probabilities}


def flipped(y, first, stop):
    return np.concatenate([y[:first], 1 - y[first:stop], y[stop:]])


Y = np.arange(400) % 2


@pytest.mark.parametrize(
    ("wrong", "reference_wrong", "proof", "verdict"),
    [
        (range(20, 60), range(20, 40), None, "worse"),
        (range(20, 40), range(20, 60), None, "better"),
        (range(20, 40), range(20, 40), None, "equivalent"),
        (range(20, 42), range(20, 40), None, "unclear"),
        (range(20, 60), range(20, 40), EXACT, "worse"),
        (range(20, 40), range(20, 40), EXACT, "equivalent"),
        (range(20, 42), range(20, 40), EXACT, "differs"),
    ],
)
def test_the_verdict_follows_from_the_paired_interval(wrong, reference_wrong, proof, verdict):
    one, other = (classes(flipped(Y, r.start, r.stop)) for r in (wrong, reference_wrong))
    found = judge(CLASSES, Y, one, other, proof)
    assert found["verdict"] == verdict
    low, high = found["confidence_interval"]
    assert low < found["difference"] < high
    assert found["difference"] == pytest.approx((len(reference_wrong) - len(wrong)) / 400)


def test_a_worse_model_is_described_in_points():
    found = judge(CLASSES, Y, classes(flipped(Y, 0, 40)), classes(Y), None)
    assert re.fullmatch(r"worse by 10\.0 points \(\d\.\d to 1\d\.\d\)", found["text"])


def test_other_probabilities_differ_though_no_prediction_does():
    found = judge(CLASSES, Y, classes(Y, sure=0.8), classes(Y, sure=0.9), EXACT)
    assert (found["verdict"], found["difference"]) == ("differs", 0)
    assert "mean 0.1, allowed 1e-05" in found["text"]
    assert judge(CLASSES, Y, classes(Y, sure=0.8), classes(Y), None)["verdict"] == "equivalent"
    # Few examples cannot show that two models are equivalent, unless their answers are equal.
    assert judge(CLASSES, Y[:20], classes(Y[:20]), classes(Y[:20]), ROUGH)["verdict"] == "unclear"
    assert (
        judge(CLASSES, Y[:20], classes(Y[:20]), classes(Y[:20]), EXACT)["verdict"] == "equivalent"
    )


def test_several_labels_and_numbers_have_verdicts_too():
    random = np.random.default_rng(0)
    truth = random.random((300, 2)) < 0.5
    noisy = truth ^ (random.random((300, 2)) < 0.2)

    def answers(labels):
        return {"labels": labels, "probabilities": np.where(labels, 0.9, 0.1)}

    found = judge(SEVERAL, truth.astype("float32"), answers(noisy), answers(truth), None)
    assert found["verdict"] == "worse"
    assert agreement(SEVERAL, answers(noisy), answers(truth))["equal"] == pytest.approx(
        0.64, abs=0.08
    )
    y = random.normal(size=300)
    near, far = (y + size * random.normal(size=300) for size in (0.1, 0.2))
    found = judge(NUMBER, y, {"prediction": far}, {"prediction": near}, None)
    assert found["verdict"] == "worse"
    assert found["difference"] == pytest.approx(0.1, abs=0.02)
    low, high = found["confidence_interval"]
    assert 0 < low < 0.1 < high < 0.2
    assert agreement(NUMBER, {"prediction": far}, {"prediction": near})["equal"] is None


@pytest.mark.parametrize("batch_size", [1, 5])
def test_latency_is_that_of_warm_calls_in_batches(batch_size):
    seen = []
    bar = Activity("timing", WARM_UP + MAX_CALLS)
    examples = Examples(["a", "b", "c"], None, ["1", "2", "3"])
    found = measure_latency(lambda batch: seen.append(batch.inputs), examples, batch_size, bar)
    assert len(seen) == found["calls"] + WARM_UP == bar.done
    assert {len(inputs) for inputs in seen} == {batch_size}
    assert [text for inputs in seen for text in inputs][:4] == ["a", "b", "c", "a"]
    assert 0 < found["p50"] <= found["p99"]


def test_slow_calls_are_few(monkeypatch):
    clock = iter(np.arange(0, 1e6, 5.0))
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    bar = Activity("timing", WARM_UP + MAX_CALLS)
    examples = Examples(["a"], None, ["1"])
    found = measure_latency(lambda batch: None, examples, 2, bar)
    assert found == {"p50": 5000.0, "p99": 5000.0, "per_second": 0.4, "calls": 10}
    assert bar.done == bar.total


@pytest.fixture
def quick(monkeypatch):
    """Times few calls."""
    monkeypatch.setattr("kerasft.serving.latency.MAX_CALLS", 10)


def test_an_export_is_equivalent_to_its_run(quick, artifact, text_run, reviews):
    folder = artifact("texts")
    runs_dir = text_run.path.parent.parent
    options = ["--runs-dir", str(runs_dir), "--batch-sizes", "1,3", "--json"]
    done = CliRunner().invoke(main, ["benchmark", str(folder), *options])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["reference"] == str(text_run.path)  # the manifest names it
    run, export = found["models"]
    assert (run["format"], export["format"]) == ("run", "saved_model")
    assert found["examples"] == text_run.metrics["test"]["examples"]
    assert run["score"] == export["score"] == text_run.metrics["test"]["accuracy"]
    assert run["confidence_interval"] == export["confidence_interval"]
    assert export["agreement"]["equal"] == 1
    assert export["agreement"]["largest_difference"] < 1e-5
    assert export["verdict"]["verdict"] == "equivalent"
    assert run["verdict"] is None
    for row in (run, export):
        assert set(row["latency"]) == {"1", "3"}
        assert row["latency"]["1"]["p50"] > 0
        assert row["bytes"] > 1000
    assert export["bytes"] < sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "verdict"), [("labels", "worse"), ("resize", "differs")])
def test_the_faults_of_a_graph_show_in_the_table(quick, faulty, image_run, photos, fault, verdict):
    words = ["benchmark", str(image_run.path), str(faulty(fault)), "--dataset", photos]
    done = CliRunner().invoke(main, [*words, "--batch-sizes", "2"])
    assert done.exit_code == 4, done.output
    assert {"worse": "worse by ", "differs": "answers differ (mean "}[verdict] in done.stdout
    found = kerasft.benchmark([image_run, faulty(fault)], dataset=photos, batch_sizes=[2])
    assert found["models"][1]["verdict"]["verdict"] == verdict


def test_a_manifest_does_not_lead_out_of_the_runs(artifact, text_run, tmp_path):
    folder = shutil.copytree(artifact("texts"), tmp_path / "model" / "1")
    manifest = json.loads((folder / "manifest.json").read_text())
    recipe, run = text_run.path.parent, text_run.name
    for names, runs_dir in [
        ((str(recipe), run), tmp_path),
        ((f"../{recipe.name}", run), recipe),
        ((recipe.name, f"../{recipe.name}/{run}"), recipe.parent),
    ]:
        changed = {**manifest, **dict(zip(("recipe", "run"), names, strict=True))}
        (folder / "manifest.json").write_text(json.dumps(changed))
        with pytest.raises(SettingError, match="its run was not found"):
            kerasft.benchmark(folder, runs_dir=runs_dir)


def test_what_cannot_answer_is_refused_before_anything_is_measured(
    artifact, text_run, copied_run, tmp_path
):
    folder = shutil.copytree(artifact("texts"), tmp_path / "model" / "1")
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "kind": "huggingface"}))
    failed = copied_run(text_run)
    failed.weights.unlink()
    # The failed run would be opened first.
    with pytest.raises(SettingError, match="a folder of Hugging Face, which kerasft does not run"):
        kerasft.benchmark([failed, folder])
    with pytest.raises(DamagedFileError, match=r"has no weights\.safetensors"):
        kerasft.benchmark(failed)


def test_what_cannot_be_compared_is_refused(quick, artifact, text_run, reviews, tmp_path):
    folder = artifact("texts")
    with pytest.raises(SettingError, match="its run was not found"):
        kerasft.benchmark(folder, runs_dir=tmp_path)
    with pytest.raises(SettingError, match="another task or other classes"):
        kerasft.benchmark([folder, artifact("images")], dataset=reviews, runs_dir=tmp_path)
    with pytest.raises(SettingError, match="no models"):
        kerasft.benchmark([])
    with pytest.raises(SettingError, match="above 0"):
        kerasft.benchmark(text_run, batch_sizes=[0])
    done = CliRunner().invoke(main, ["benchmark", str(folder), "--batch-sizes", "1,x"])
    assert done.exit_code == 2
    assert "must be whole numbers above 0" in done.output
