"""Throughput, its share of the peak, and the number format chosen by timing."""

import dataclasses

import keras
import numpy as np
import pytest

import kerasft
from kerasft.cli.run_description import reproducing_command
from kerasft.errors import SettingError
from kerasft.frozen.prefix import FrozenPrefix
from kerasft.models.compute_cost import Product
from kerasft.recipes import minilm_tickets, resnet_digits
from kerasft.training import precision_choice as module
from kerasft.training.precision_choice import (
    build_in_precision,
    choose_precision,
    faster_formats,
)
from kerasft.training.speed import epoch_work, measure_peak, speed_line, units


@pytest.fixture
def timed(monkeypatch, tmp_path):
    """Return a function that sets the time of a step in bfloat16, where float32 takes a second."""
    monkeypatch.setenv("KERASFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "LEAST_WORK", 0)
    monkeypatch.setattr(module, "faster_formats", lambda products, rows: ["mixed_bfloat16"])

    def set_time(seconds):
        for file in tmp_path.glob("cache/formats/*"):
            file.unlink()
        monkeypatch.setattr(
            module, "time_steps", lambda steps: {"float32": 1.0, "mixed_bfloat16": seconds}
        )

    return set_time


@pytest.fixture
def config(preset, reviews):
    return minilm_tickets.Config(
        preset=preset("bert"), dataset=reviews, sequence_length=16, trainable_blocks=1,
        head_epochs=1, epochs=3, batch_size=8, patience=0,
    )  # fmt: skip


def layers(frozen):
    inputs = keras.Input((8, 8, 3))
    stack = [
        keras.layers.Conv2D(4, 3, padding="same"),
        keras.layers.Conv2D(5, 1, strides=2),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(7),
    ]
    x = inputs
    for layer in stack:
        x = layer(x)
    for layer in stack[:frozen]:
        layer.trainable = False
    return keras.Model(inputs, x)


def test_products_are_those_of_the_kernels():
    prefix = FrozenPrefix(layers(1))
    assert prefix.products == [
        Product(64, 27, 4, False), Product(16, 4, 5, True), Product(1, 5, 7, True),
    ]  # fmt: skip
    assert prefix.work == 64 * 27 * 4 + 16 * 4 * 5 + 35
    assert prefix.tail.work == 16 * 4 * 5 + 35


def test_an_epoch_passes_back_through_what_is_trained_alone():
    x = np.zeros((10, 8, 8, 3), "uint8")
    train = kerasft.Split(x, np.zeros(10), None)
    validation = kerasft.Split(x[:4], np.zeros(4), None)
    data = kerasft.Data(train, validation, None, None)
    prefix = FrozenPrefix(layers(1))
    learned = 16 * 4 * 5 + 35
    assert (
        epoch_work(prefix, prefix.work, data) == 10 * (prefix.work + 2 * learned) + 4 * prefix.work
    )
    assert epoch_work(prefix, learned, data) == 10 * 3 * learned + 4 * learned


def test_texts_are_counted_by_their_real_tokens(config):
    data = kerasft.load_data(config)
    assert units(data.train) == int((data.train.x["padding_mask"] != 0).sum())


def test_the_peak_is_what_the_machine_reaches():
    found = measure_peak([Product(1, 256, 256, True), Product(1, 2, 2, True)], 256, "float32")
    began_of_orders = 1e8, 1e15  # multiplications a second of anything that runs this
    assert began_of_orders[0] < found < began_of_orders[1]


def test_a_fit_logs_its_throughput(text_run):
    run, speed = text_run, text_run.manifest["speed"]
    assert set(speed) == {"head", "main"}
    rows = [row["seconds"] for row in run.history if row["phase"] == "main"]
    examples = run.manifest["data"]["examples"]["train"]
    expected = examples / np.median(rows[1:])
    assert speed["main"]["examples_per_second"] == pytest.approx(expected, rel=1e-3)
    assert speed["main"]["tokens_per_second"] > speed["main"]["examples_per_second"]
    assert 0 < speed["main"]["share_of_peak"] < 1
    log = (run.path / "run.log").read_text()
    assert speed_line("main", speed["main"]) in log.splitlines()


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.6, ", 60% of measured peak matmul throughput (58 GFLOP/s)"),
        (0.006, ", 1% of measured peak matmul throughput (58 GFLOP/s)"),
        (0.004, ""),
    ],
)
def test_a_share_of_the_peak_that_rounds_to_nothing_is_left_out(share, text):
    speed = {"examples_per_second": 63.4, "share_of_peak": share, "peak_gflops": 58.0}
    assert speed_line("head", speed) == f"speed  head: 63 examples/s{text}"


@pytest.mark.slow
def test_the_faster_number_format_is_chosen_and_recorded(config, tmp_path, timed):
    auto = dataclasses.replace(config, precision="auto", head_epochs=0, epochs=1)
    for fastest, chosen in ((0.5, "mixed_bfloat16"), (0.95, "float32")):
        timed(fastest)
        run = kerasft.fit(minilm_tickets, auto, runs_dir=tmp_path, name=chosen, progress=False)
        assert run.config["precision"] == chosen
        assert f"precision {chosen} chosen" in (run.path / "run.log").read_text()
        named = dataclasses.replace(auto, precision=chosen)
        again = kerasft.fit(minilm_tickets, named, runs_dir=tmp_path, progress=False)
        assert [row["loss"] for row in again.history] == [row["loss"] for row in run.history]


@pytest.mark.slow
def test_rate_and_format_are_found_in_one_fit(config, tmp_path, timed):
    auto = dataclasses.replace(
        config, precision="auto", learning_rate="auto", head_epochs=0, epochs=1
    )
    run = kerasft.fit(minilm_tickets, auto, runs_dir=tmp_path, progress=False)
    assert run.config["precision"] in ("float32", "mixed_bfloat16")
    assert isinstance(run.config["learning_rate"], float)
    log = (run.path / "run.log").read_text().splitlines()
    (line,) = (line for line in log if line.startswith("speed  precision"))
    assert f"precision {run.config['precision']} chosen" in line
    assert "float32" in line and "mixed_bfloat16" in line and " ms" in line


def test_adapters_are_timed_and_then_put_into_a_backbone_of_their_own(config, timed):
    auto = dataclasses.replace(config, precision="auto", lora_rank=2)
    data = kerasft.load_data(auto)
    chosen, model = build_in_precision(minilm_tickets, auto, data, print)
    assert chosen == dataclasses.replace(auto, precision=chosen.precision)
    assert model.get_layer("head").compute_dtype == "float32"
    named, twin = build_in_precision(minilm_tickets, chosen, data, print)
    assert named == chosen
    assert [weight.shape for weight in model.weights] == [weight.shape for weight in twin.weights]


class LinearRecipe:
    """Stands for a recipe: a head alone, which is built and traced in no time."""

    @staticmethod
    def build_model(config, data):
        inputs = keras.Input((config.image_size, config.image_size, 3))
        x = keras.layers.Flatten()(inputs)
        return keras.Model(inputs, kerasft.head(x, config, data.labels))


@pytest.mark.parametrize(("fastest", "chosen"), [(0.5, "mixed_bfloat16"), (0.95, "float32")])
def test_another_format_is_chosen_where_it_is_worth_it(photos, timed, fastest, chosen):
    timed(fastest)
    auto = resnet_digits.Config(dataset=photos, image_size=16, precision="auto")
    lines = []
    found = choose_precision(LinearRecipe, auto, kerasft.load_data(auto), lines.append)
    assert found == dataclasses.replace(auto, precision=chosen)
    assert f"precision {chosen} chosen" in lines[0]


def linear(photos, **values):
    auto = resnet_digits.Config(dataset=photos, image_size=16, precision="auto", **values)
    lines = []
    found = choose_precision(LinearRecipe, auto, kerasft.load_data(auto), lines.append)
    return found.precision, lines


def test_the_times_of_formats_are_stored(photos, monkeypatch, timed):
    timed(0.5)
    first, (line,) = linear(photos)
    monkeypatch.setattr(module, "time_steps", lambda steps: pytest.fail("timed again"))
    again, (stored,) = linear(photos, epochs=7)
    assert first == again == "mixed_bfloat16"
    assert "; measured in " in line
    assert "; measured by an earlier fit)" in stored
    with pytest.raises(pytest.fail.Exception, match="timed again"):
        linear(photos, batch_size=1)


@pytest.mark.parametrize(
    "text",
    ["", '{"seconds": {"float32": "x"}}',
     *(pytest.param(text, marks=pytest.mark.slow)
       for text in ("[]", '{"seconds": 3}', '{"seconds": {"x": 1}}'))],
)  # fmt: skip
def test_damaged_times_are_measured_again(photos, tmp_path, timed, text):
    timed(0.5)
    linear(photos)
    (file,) = tmp_path.glob("cache/formats/*.json")
    file.write_text(text)
    assert "; measured in " in linear(photos)[1][0]
    assert "; measured by an earlier fit)" in linear(photos)[1][0]


def test_a_fit_needs_no_folder_for_times(photos, tmp_path, monkeypatch, timed):
    timed(0.5)
    (tmp_path / "file").touch()
    monkeypatch.setenv("KERASFT_CACHE", str(tmp_path / "file"))
    chosen, (note, line) = linear(photos)
    assert chosen == "mixed_bfloat16"
    assert note.startswith("note   The times of number formats cannot be stored: ")
    assert "; measured in " in line


def test_a_short_fit_stays_in_float32_and_logs_nothing(photos, monkeypatch):
    monkeypatch.setattr(module, "measure_peak", lambda *a, **k: pytest.fail("timed"))
    assert linear(photos) == ("float32", [])


def test_short_fits_of_a_long_search_are_timed(photos, timed, monkeypatch):
    timed(0.5)
    monkeypatch.setattr(module, "LEAST_WORK", 1e8)
    auto = resnet_digits.Config(dataset=photos, image_size=16, precision="auto")
    data = kerasft.load_data(auto)
    for trainings, chosen in ((1, "float32"), (1_000_000, "mixed_bfloat16")):
        found = choose_precision(LinearRecipe, auto, data, print, trainings=trainings)
        assert found.precision == chosen


def test_it_is_stored_too_that_no_format_can_be_faster(photos, monkeypatch, timed):
    timed(0.5)
    monkeypatch.setattr(module, "faster_formats", lambda products, rows: [])
    chosen, (line,) = linear(photos)
    monkeypatch.setattr(module, "faster_formats", lambda products, rows: pytest.fail("timed again"))
    again, (stored,) = linear(photos)
    assert chosen == again == "float32"
    assert line.startswith("speed  precision float32: matrix products are no faster")
    assert stored.endswith("(measured by an earlier fit)")


def test_too_little_memory_for_timing_leaves_float32(photos, monkeypatch, tmp_path, timed):
    def fail(steps):
        raise MemoryError

    timed(0.5)
    monkeypatch.setattr(module, "time_steps", fail)
    chosen, (line,) = linear(photos)
    assert chosen == "float32"
    assert "the memory is too small for timing" in line
    assert not list(tmp_path.glob("cache/formats/*"))


@pytest.mark.parametrize(("peak", "formats"), [(1.5, ["mixed_bfloat16"]), (1.1, [])])
def test_steps_are_timed_where_matrix_products_are_faster(monkeypatch, peak, formats):
    peaks = {"float32": 1.0, "mixed_bfloat16": peak, "mixed_float16": 0.1}
    monkeypatch.setattr(module, "measure_peak", lambda products, rows, name, seconds: peaks[name])
    assert faster_formats([Product(1, 8, 8, True)], 32) == formats


def test_a_format_that_is_set_is_not_timed(photos):
    named = resnet_digits.Config(dataset=photos, image_size=16, precision="mixed_bfloat16")
    assert choose_precision(LinearRecipe, named, kerasft.load_data(named), pytest.fail) is named


@pytest.mark.slow
def test_a_search_in_the_fastest_format_goes_on_in_it(config, tmp_path, monkeypatch, timed):
    timed(0.5)
    auto = dataclasses.replace(config, precision="auto", head_epochs=0, epochs=1)
    options = {"tuner": "random", "searches_dir": tmp_path, "name": "one", "progress": False}
    kerasft.tune(minilm_tickets, auto, max_trials=1, **options)
    timed(2.0)
    monkeypatch.setattr(module, "time_steps", lambda steps: pytest.fail("timed again"))
    search = kerasft.tune(minilm_tickets, auto, max_trials=2, resume=True, **options)
    assert [trial.state for trial in search.trials] == ["completed"] * 2
    assert search.header["config"]["precision"] == "mixed_bfloat16"


def search(photos, tmp_path, **options):
    config = resnet_digits.Config(
        dataset=photos, image_size=16, head_epochs=0, epochs=1, trainable_blocks=0
    )
    return kerasft.tune(
        resnet_digits, config, searches_dir=tmp_path, name="formats", progress=False,
        tuner="random", **options,
    )  # fmt: skip


@pytest.mark.slow
def test_a_search_of_formats_is_not_timed_and_can_be_resumed(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LEAST_WORK", 0)
    monkeypatch.setattr(module, "faster_formats", lambda *_: pytest.fail("timed"))
    formats = ["precision=mixed_bfloat16,float32"]
    search(photos, tmp_path, space=formats, max_trials=1)
    found = search(photos, tmp_path, space=formats, max_trials=2, resume=True)
    assert found.header["config"]["precision"] == "mixed_bfloat16"
    assert [trial.state for trial in found.trials] == ["completed"] * 2


def test_auto_is_no_format_of_a_search(photos, tmp_path):
    with pytest.raises(SettingError, match="cannot be auto in a search"):
        search(photos, tmp_path, space=["precision=auto,float32"])


@pytest.mark.slow
def test_commands_have_the_format_that_was_chosen(config, tmp_path, timed):
    timed(0.5)
    auto = dataclasses.replace(config, precision="auto", head_epochs=0, epochs=1)
    run = kerasft.fit(minilm_tickets, auto, runs_dir=tmp_path, progress=False)
    assert "--precision mixed_bfloat16" in reproducing_command(run)
    assert "precision" not in run.manifest["given"]
    options = {"searches_dir": tmp_path, "progress": False}
    found = kerasft.tune(minilm_tickets, auto, tuner="random", max_trials=1, **options)
    assert "--precision mixed_bfloat16" in found.fit_command
    timed(2.0)
    run = kerasft.fit(minilm_tickets, auto, runs_dir=tmp_path, name="32", progress=False)
    assert "--precision" not in reproducing_command(run)
