"""What the command line does is one call in Python: settings as keywords, runs by name."""

import inspect
import re
from pathlib import Path

import pandas as pd
import pytest

import kerasft
from kerasft.errors import DataError, SettingError

QUICK = {
    "image_size": 16, "epochs": 1, "head_epochs": 0, "batch_size": 16, "trainable_blocks": 0,
    "augmentation": "none",
}  # fmt: skip


@pytest.fixture(scope="module")
def run(preset, photos, tmp_path_factory):
    """A fit whose settings are keywords."""
    return kerasft.fit(
        "resnet_digits", dataset=photos, preset=preset("resnet"), **QUICK, name="first",
        runs_dir=tmp_path_factory.mktemp("python") / "runs", progress=False,
    )  # fmt: skip


def test_keywords_of_a_fit_are_its_settings(run, photos):
    assert {name: run.config[name] for name in QUICK} == QUICK
    assert run.config["dataset"] == photos


def test_a_mistyped_keyword_is_refused_before_anything_is_computed(tmp_path):
    for call in (
        kerasft.fit, kerasft.tune, kerasft.find_learning_rate, kerasft.compare_baselines,
    ):  # fmt: skip
        with pytest.raises(SettingError, match=r"`epoch` not found\. Did you mean 'epochs'"):
            call("resnet_digits", epoch=1)


def test_keywords_of_a_search_are_fixed(preset, photos, tmp_path):
    search = kerasft.tune(
        "resnet_digits", dataset=photos, preset=preset("resnet"), **QUICK, dropout=0.2,
        space=["weight_decay=0,0.01"], max_trials=2, searches_dir=tmp_path, progress=False,
    )  # fmt: skip
    assert {"dropout", "trainable_blocks"} <= set(search.header["given"])  # 0.2 is the default
    assert all("dropout" not in trial.values for trial in search.trials)
    assert repr(search) == f"Search('{search.path}')"
    assert repr(search.trials[0]).startswith("Trial(number=0, values={")
    assert "outcome" not in repr(search.trials[0])


@pytest.mark.parametrize("name", ["latest", "resnet_digits", "first", "resnet_digits/first"])
def test_a_run_is_found_by_name(run, name, monkeypatch):
    monkeypatch.chdir(run.path.parents[2])
    assert kerasft.load_run(name).path.resolve() == run.path
    assert kerasft.diagnose(name)["findings"] == kerasft.diagnose(run)["findings"]


def test_values_are_shown_in_one_line(run):
    data = kerasft.load_data(kerasft.ImageConfig(dataset=run.config["dataset"], image_size=8))
    assert repr(run) == f"Run('{run.path}')"
    assert repr(data) == "<Data: 26 train, 5 validation, 5 test, 3 classes, classification>"
    assert repr(data.test) == "<Split: 5 examples>"
    assert repr(data.test.examples) == "<Examples: 5 with labels>"
    assert re.fullmatch(
        r"<Loaded: resnet_digits, [\d,]+ parameters>", repr(kerasft.load_model(run))
    )
    assert repr(kerasft.list_recipes()[0]).count("\n") == 0


def test_methods_take_what_the_functions_take():
    functions = {
        "predict": kerasft.predict, "evaluate": kerasft.evaluate, "export": kerasft.export,
        "diagnose": kerasft.diagnose, "report": kerasft.write_report, "plot": kerasft.plot_curves,
    }  # fmt: skip
    for name, function in functions.items():
        method = inspect.signature(getattr(kerasft.Run, name)).parameters
        taken = inspect.signature(function).parameters
        assert list(method)[1:] == list(taken)[1:], name
        assert all(method[n].default == taken[n].default for n in list(taken)[1:]), name


def test_a_run_predicts_measures_exports_reports_and_plots(run, photos, tmp_path):
    assert run.predict([photos]) == kerasft.predict(run, [photos])
    assert run.evaluate() == kerasft.evaluate(run)
    assert run.diagnose() == kerasft.diagnose(run)
    exported = run.export(models_dir=tmp_path, name="mine", format="preset")
    assert exported == tmp_path / "mine-preset" and exported.is_dir()
    assert run.report(tmp_path / "a.html") == tmp_path / "a.html"
    figure = run.plot(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert figure.axes[0].get_title(loc="left") == "loss"
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_predictions_are_a_frame_with_the_index_of_the_inputs(run, photos):
    frame = pd.DataFrame({"image": sorted(Path(photos).rglob("*.png"))[:3]}, index=[5, 6, 7])
    found = run.predict(frame, as_frame=True)
    assert list(found.index) == [5, 6, 7]
    assert found["prediction"].tolist() == [row["prediction"] for row in run.predict(frame)]
    assert list(run.predict([photos], as_frame=True).index) == list(range(36))


@pytest.fixture(scope="module")
def table(reviews):
    return pd.read_csv(reviews)


@pytest.fixture(scope="module")
def kept(preset, table, tmp_path_factory):
    """A fit of a DataFrame."""
    return kerasft.fit(
        "minilm_tickets", dataset=table, preset=preset("bert"), sequence_length=8, epochs=1,
        head_epochs=0, trainable_blocks=0, batch_size=32, progress=False,
        runs_dir=tmp_path_factory.mktemp("kept"),
    )  # fmt: skip


def test_a_frame_is_fitted_like_its_file(kept, reviews, preset, table, tmp_path):
    settings = {**kept.config, "dataset": reviews}
    other = kerasft.fit("minilm_tickets", **settings, runs_dir=tmp_path, progress=False)
    assert other.metrics["test"] == kept.metrics["test"]
    assert other.manifest["data"]["fingerprint"] == kept.manifest["data"]["fingerprint"]
    assert kept.config["dataset"] == kerasft.Dataset(table).source


def test_the_frame_of_a_fit_is_its_own_data_and_another_is_not(kept, table):
    own = kept.metrics["test"]["examples"]
    assert kept.evaluate(dataset=table.copy())["examples"] == own < len(table)
    assert kept.evaluate()["examples"] == own
    assert kept.evaluate(dataset=table[:20])["examples"] == 20
    renamed = table.rename(columns={"text": "body"})
    found = kept.evaluate(dataset=kerasft.Dataset(renamed, text="body"))
    assert found["examples"] == len(table)


def test_another_process_asks_for_the_frame_of_a_fit(kept):
    path = kept.path / "config.json"
    settings = path.read_text()
    path.write_text(settings.replace(kept.config["dataset"], "memory:0123456789abcdef"))
    with pytest.raises(DataError, match="was given in memory, and this process does not have it"):
        kept.evaluate()
    assert kept.predict("a great film")[0]["prediction"] in ("good", "bad")
    path.write_text(settings)


def test_several_processes_cannot_search_on_a_frame(table, preset, tmp_path):
    with pytest.raises(SettingError, match=r"`workers` must be 1 for a dataset in memory"):
        kerasft.tune("minilm_tickets", dataset=table, workers=2, searches_dir=tmp_path)
    assert not list(tmp_path.iterdir())
