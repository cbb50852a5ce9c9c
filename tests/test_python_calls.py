"""What the command line does is one call in Python: settings as keywords, runs by name."""

import inspect
import re
from pathlib import Path

import pandas as pd
import pytest

import kerasft
from kerasft.errors import DataError, SettingError
from kerasft.runs import write_record

QUICK = {"epochs": 1, "head_epochs": 0, "batch_size": 32, "trainable_blocks": 0}


@pytest.fixture(scope="module")
def table(reviews):
    return pd.read_csv(reviews)


@pytest.fixture(scope="module")
def run(preset, table, tmp_path_factory):
    """A fit of a DataFrame whose settings are keywords."""
    return kerasft.fit(
        "minilm_tickets", dataset=table, preset=preset("bert"), sequence_length=8, **QUICK,
        name="first", runs_dir=tmp_path_factory.mktemp("python") / "runs", progress=False,
    )  # fmt: skip


def test_keywords_of_a_fit_are_its_settings(run, table):
    assert {name: run.config[name] for name in QUICK} == QUICK
    assert run.config["dataset"] == kerasft.Dataset(table).source


def test_a_mistyped_keyword_is_refused_before_anything_is_computed(tmp_path):
    for call in (
        kerasft.fit, kerasft.tune, kerasft.find_learning_rate, kerasft.compare_baselines,
    ):  # fmt: skip
        with pytest.raises(SettingError, match=r"`epoch` not found\. Did you mean 'epochs'"):
            call("resnet_digits", epoch=1)


def test_keywords_of_a_search_are_fixed(preset, photos, tmp_path):
    search = kerasft.tune(
        "resnet_digits", dataset=photos, preset=preset("resnet"), **QUICK, image_size=16,
        augmentation="none", dropout=0.2, learning_rate=0.001,
        space=["weight_decay=0,0.01"], max_trials=2, searches_dir=tmp_path, progress=False,
    )  # fmt: skip
    assert {"dropout", "trainable_blocks"} <= set(search.header["given"])  # 0.2 is the default
    assert all("dropout" not in trial.values for trial in search.trials)
    assert repr(search) == f"Search('{search.path}')"
    assert repr(search.trials[0]).startswith("Trial(number=0, values={")
    assert "outcome" not in repr(search.trials[0])


@pytest.mark.parametrize("name", ["latest", "minilm_tickets", "first", "minilm_tickets/first"])
def test_a_run_is_found_by_name(run, name, monkeypatch):
    monkeypatch.chdir(run.path.parents[2])
    assert kerasft.load_run(name).path.resolve() == run.path
    assert kerasft.diagnose(name)["findings"] == kerasft.diagnose(run)["findings"]


def test_values_are_shown_in_one_line(run):
    loaded = kerasft.load_model(run)
    data = kerasft.load_data(loaded.config)
    assert repr(run) == f"Run('{run.path}')"
    assert repr(data) == "<Data: 56 train, 12 validation, 12 test, 2 classes, classification>"
    assert repr(data.test) == "<Split: 12 examples>"
    assert repr(data.test.examples) == "<Examples: 12 with labels>"
    assert re.fullmatch(r"<Loaded: minilm_tickets, [\d,]+ parameters>", repr(loaded))
    assert "\n" not in repr(kerasft.list_recipes()[0])


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


def test_a_run_predicts_measures_exports_reports_and_plots(image_run, photos, tmp_path):
    assert image_run.predict([photos]) == kerasft.predict(image_run, [photos])
    assert image_run.evaluate() == kerasft.evaluate(image_run)
    assert image_run.diagnose() == kerasft.diagnose(image_run)
    exported = image_run.export(models_dir=tmp_path, name="mine", format="preset")
    assert exported == tmp_path / "mine-preset" and exported.is_dir()
    assert image_run.report(tmp_path / "a.html") == tmp_path / "a.html"
    figure = image_run.plot(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert figure.axes[0].get_title(loc="left") == "loss"
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_predictions_are_a_frame_with_the_index_of_the_inputs(image_run, photos):
    frame = pd.DataFrame({"image": sorted(Path(photos).rglob("*.png"))[:3]}, index=[5, 6, 7])
    found = image_run.predict(frame, as_frame=True)
    assert list(found.index) == [5, 6, 7]
    rows = image_run.predict(list(frame["image"]))
    assert found["prediction"].tolist() == [row["prediction"] for row in rows]


def test_a_frame_has_the_splits_of_its_file(run, reviews):
    data = kerasft.load_data(kerasft.load_recipe("minilm_tickets").Config(
        **{**run.config, "dataset": reviews}
    ))  # fmt: skip
    assert data.fingerprint == run.manifest["data"]["fingerprint"]


def test_the_frame_of_a_fit_is_its_own_data_and_another_is_not(run, table):
    own = run.metrics["test"]["examples"]
    assert run.evaluate(dataset=table.copy())["examples"] == own < len(table)
    assert run.evaluate(dataset=table[:20])["examples"] == 20
    renamed = table.rename(columns={"text": "body"})
    found = run.evaluate(dataset=kerasft.Dataset(renamed, text="body"))
    assert found["examples"] == len(table)


def test_another_process_asks_for_the_frame_of_a_fit(run, copied_run):
    run = copied_run(run)
    settings = {**run.config, "dataset": "memory:0123456789abcdef"}
    write_record(run, "config.json", settings)
    with pytest.raises(DataError, match="was given in memory, and this process does not have it"):
        run.evaluate()
    assert run.predict("a great film")[0]["prediction"] in ("good", "bad")


@pytest.mark.parametrize("engine", [{"workers": 2}, {"scheduler": "local:2"}])
def test_other_processes_cannot_search_on_a_frame(engine, table, tmp_path):
    (name,) = engine
    with pytest.raises(SettingError, match=f"`{name}` cannot be combined with a dataset in memory"):
        kerasft.tune("minilm_tickets", dataset=table, searches_dir=tmp_path, **engine)
    assert not list(tmp_path.iterdir())
