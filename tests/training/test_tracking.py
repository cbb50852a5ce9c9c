"""Experiment tracking, and callbacks of the user."""

import json
import struct
import time

import keras
import pytest

import kerasft
from kerasft.errors import NetworkError, SettingError
from kerasft.recipes import minilm_tickets


@pytest.fixture
def config(preset, reviews):
    return minilm_tickets.Config(
        preset=preset("bert"), dataset=reviews, sequence_length=16, trainable_blocks=1,
        head_epochs=1, epochs=2, batch_size=8, patience=0,
    )  # fmt: skip


@pytest.mark.slow
def test_mlflow_and_callbacks_get_the_epochs_of_both_phases(config, tmp_path, monkeypatch):
    """MLflow gets settings, scores and files, too."""
    import mlflow

    seen = []
    logger = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append((epoch, logs["val_loss"], logs["loss"]))
    )
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "tracked").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    run = kerasft.fit(
        minilm_tickets, config, runs_dir=tmp_path / "runs", name="one", progress=False,
        track="mlflow", callbacks=[logger],
    )  # fmt: skip
    assert seen == [(i, row["val_loss"], row["loss"]) for i, row in enumerate(run.history)]
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("minilm_tickets")
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.run_name == "one" and found.info.status == "FINISHED"
    assert found.data.params["head_epochs"] == "1"
    described = {metric.step: metric.value for metric in client.get_metric_history(
        found.info.run_id, "val_loss")}  # fmt: skip
    assert described == {i: pytest.approx(row["val_loss"]) for i, row in enumerate(run.history)}
    assert found.data.metrics["test_accuracy"] == run.metrics["test"]["accuracy"]
    files = {file.path for file in client.list_artifacts(found.info.run_id)}
    assert {"curves.png", "metrics.json", "history.csv"} <= files


def test_a_missing_tracker_is_reported_before_anything_else(config, tmp_path, monkeypatch):
    with pytest.raises(
        SettingError, match=r"`track` must be mlflow or wandb\. Received: track='other'"
    ):
        kerasft.fit(minilm_tickets, config, runs_dir=tmp_path, track="other")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SettingError, match=r"pip install -e .*\[mlflow\]"):
        kerasft.fit(minilm_tickets, config, runs_dir=tmp_path, track="mlflow")
    assert not list(tmp_path.iterdir())


def wandb_records(path):
    """Yields what wandb wrote in offline mode: a log as of LevelDB, in blocks of 32 KiB."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, place, record = path.read_bytes(), 7, b""
    while place + 7 <= len(content):
        left = 32768 - place % 32768
        if left < 7:  # no room for another header
            place += left
            continue
        _, length, kind = struct.unpack_from("<IHB", content, place)
        record += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or its last part
            yield Record.FromString(record)
            record = b""


def values(items):
    return {item.key or item.nested_key[0]: json.loads(item.value_json) for item in items}


def test_wandb_gets_settings_epochs_scores_and_files(config, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    run = kerasft.fit(
        minilm_tickets, config, runs_dir=tmp_path / "runs", name="one", progress=False,
        track="wandb",
    )  # fmt: skip
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    (log,) = folder.glob("*.wandb")
    records = list(wandb_records(log))
    sent = next(record.run for record in records if record.HasField("run"))
    assert (sent.project, sent.display_name) == ("minilm_tickets", "one")
    settings = values(sent.config.update)
    assert (settings["head_epochs"], settings["dataset"]) == (1, run.config["dataset"])
    epochs = [values(row.history.item) for row in records if row.HasField("history")]
    assert [(row["epoch"], row["val_loss"]) for row in epochs] == [
        (row["epoch"], pytest.approx(row["val_loss"])) for row in run.history
    ]
    summary = {}
    for record in records:
        summary |= values(record.summary.update)
    assert summary["test_accuracy"] == run.metrics["test"]["accuracy"]
    files = {path.name for path in (folder / "files").iterdir()}
    assert {"curves.png", "metrics.json", "history.csv"} <= files
    assert [record.exit.exit_code for record in records if record.HasField("exit")] == [0]


def test_a_missing_server_of_wandb_is_reported_first(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    wandb.teardown()  # it keeps the settings of its first use
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    monkeypatch.delenv("https_proxy", raising=False)
    with pytest.raises(NetworkError, match=r"wandb server http://127.0.0.1:9 cannot be reached"):
        kerasft.fit(minilm_tickets, runs_dir=tmp_path, track="wandb")
    assert not list(tmp_path.iterdir())
    wandb.teardown()


def test_a_missing_server_and_a_refusing_store_are_reported_first(config, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    began = time.monotonic()
    with pytest.raises(NetworkError, match=r"server http://127.0.0.1:9 cannot be reached"):
        kerasft.fit(minilm_tickets, config, runs_dir=tmp_path, track="mlflow")
    assert time.monotonic() - began < 20  # importing MLflow takes a while
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "tracked").as_uri())
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    with pytest.raises(SettingError, match=r"MLflow refuses a run at .*database"):
        kerasft.fit(minilm_tickets, config, runs_dir=tmp_path / "runs", track="mlflow")
    assert not (tmp_path / "runs").exists()
