"""Trials on Dask workers: real schedulers and workers in processes of this machine."""

import dataclasses
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import dask
import pytest
from click.testing import CliRunner

from kerasft.catalog import load_recipe
from kerasft.cli import main
from kerasft.config import to_dict
from kerasft.errors import NetworkError, SettingError
from kerasft.runs.files import is_locked
from kerasft.runs.provenance import describe_recipe
from kerasft.runs.run import FIT_LOCK
from kerasft.tuning.dask_client import connect
from kerasft.tuning.dask_workers import DaskWorkers, prepared_workers
from kerasft.tuning.journal import JOURNAL
from kerasft.tuning.remote_search import (
    RemoteSearch,
    check_worker,
    has_search_folder,
    installed_versions,
)
from kerasft.tuning.trial_job import TrialJob


def scores(search):
    """Return values and scores of the trials; several workers may change their order."""
    return [
        (t.number, t.values, t.state, t.score, t.outcome.get("val_loss")) for t in search.trials
    ]


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.2)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("local:0", "local:N with N from 1 to 1024"),
        ("local:many", "local:N"),
        ("local:²", "local:N"),
        ("tcp://localhost:abc", "tcp://HOST:PORT"),
        ("tcp://localhost:99999", "tcp://HOST:PORT"),
        ("tcp://[::1", "tcp://HOST:PORT"),
        ("http://127.0.0.1:8786", "tcp://HOST:PORT or tls://HOST:PORT"),
        ("tcp://127.0.0.1", "tcp://HOST:PORT"),
        ("tcp://8.8.8.8:8786", "public address without TLS"),
        ("tls://127.0.0.1:8786", "--tls-ca"),
    ],
)
def test_a_wrong_address_is_one_sentence(address, words):
    with pytest.raises(SettingError, match=words), connect(address):
        pass


@pytest.mark.parametrize("address", ["local:1", "tcp://127.0.0.1:8786"])
def test_certificates_without_tls_are_one_sentence(address):
    with pytest.raises(SettingError, match="tls://HOST:PORT"), connect(address, ["a", "b", "c"]):
        pass


def test_a_scheduler_that_does_not_run_is_one_sentence():
    with (
        pytest.raises(NetworkError, match=r"127\.0\.0\.1:9 cannot be reached"),
        connect("tcp://127.0.0.1:9"),
    ):
        pass


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--workers", "2", "--scheduler", "local:1"], "cannot be combined"),
        (["--tls-ca", __file__], "must be given together"),
        ([f"--tls-{name}={__file__}" for name in ("ca", "cert", "key")], "need --scheduler"),
    ],
)
def test_wrong_options_are_a_usage_error(options, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["tune", "resnet_digits", *options])
    assert result.exit_code == 2
    assert words in result.stderr


@pytest.fixture
def remote(tmp_path):
    """A search as a worker gets it."""
    (tmp_path / JOURNAL).write_bytes(b'{"event": "search"}\n')
    recipe = {"name": "resnet_digits", "source": "resnet_digits", "sha256": None}
    return RemoteSearch(
        "key", tmp_path, b'{"event": "search"}\n', recipe, None, 0, installed_versions()
    )


def test_a_worker_with_another_version_is_refused(remote):
    check_worker(remote.versions)
    other = {**remote.versions, "keras": "3.0"}
    with pytest.raises(SettingError, match=r"keras .* \(expected 3\.0\)"):
        check_worker(other)
    with pytest.raises(SettingError, match=r"grain missing \(expected 1\.0\)"):
        check_worker({**remote.versions, "grain": "1.0"})


def test_a_worker_sees_the_folder_of_the_same_search_only(remote, tmp_path):
    assert has_search_folder(remote)
    assert not has_search_folder(dataclasses.replace(remote, header=b'{"event": "another"}\n'))
    assert not has_search_folder(dataclasses.replace(remote, folder=tmp_path / "elsewhere"))


@pytest.mark.slow
def test_the_scores_are_those_of_one_process(tune):
    one = tune(name="one")
    dask = tune(name="dask", scheduler="local:2")
    assert scores(one) == scores(dask)


@pytest.mark.slow
def test_a_worker_without_the_folder_gets_states_and_sends_files(config, tmp_path):
    folder = tmp_path / "search"
    jobs = [
        TrialJob(0, folder / "trials" / "0000", to_dict(config(epochs=1)), keep_state=True),
        TrialJob(
            1, folder / "trials" / "0001", to_dict(config(epochs=2)),
            continues=folder / "trials" / "0000",
        ),
    ]  # fmt: skip
    for job in jobs:
        job.folder.mkdir(parents=True)
    (folder / JOURNAL).write_bytes(b'{"event": "search"}\n')
    described = describe_recipe(load_recipe("resnet_digits"))
    with connect("local:1") as client:
        client.cluster.scale(0)
        wait_for(lambda: not client.nthreads())
        workers = DaskWorkers(described, 0, folder, client)  # no worker yet: it may be anywhere
        (folder / JOURNAL).write_bytes(b"of another search, as on another machine\n")
        client.cluster.scale(1)
        first, second = (workers.outcome(workers.submit(job)) for job in jobs)
        workers.end(now=False)
    assert (first["state"], first["epochs"]) == ("completed", 1)
    assert (second["state"], second["epochs"]) == ("completed", 2)
    assert "files" not in second
    written = {path.name for path in jobs[0].folder.iterdir()}
    assert {"manifest.json", "weights.safetensors", "state-0.safetensors"} <= written


@pytest.mark.slow
def test_a_killed_worker_loses_no_trial(tune, tmp_path):
    plain = tune(name="plain", max_trials=6)
    trials = tmp_path / "searches" / "resnet_digits" / "killed" / "trials"
    met = []

    def kill_workers(client):
        wait_for(lambda: any(is_locked(path) for path in trials.glob(f"*/{FIT_LOCK}")))
        for pid in client.run(os.getpid).values():  # all, so that a trial is met
            os.kill(pid, signal.SIGKILL)
            met.append(pid)

    with connect("local:2") as client:
        killer = threading.Thread(target=kill_workers, args=(client,))
        killer.start()
        killed = tune(name="killed", max_trials=6, scheduler=client)
        killer.join()
    assert len(met) == 2
    assert scores(killed) == scores(plain)


@pytest.mark.slow
def test_a_process_is_prepared_while_a_search_is_planned_and_ends_with_it(tune):
    with connect("local:1") as client:
        with prepared_workers(client):
            assert children(client) == 1
        wait_for(lambda: not children(client))
        tune(name="s", max_trials=1, scheduler=client)
        wait_for(lambda: not children(client))


@pytest.mark.slow
def test_a_refused_worker_leaves_no_folder(tune, tmp_path):
    with connect("local:1") as client:
        client.run(lambda: os.environ.update(KERAS_BACKEND="other"))
        with pytest.raises(SettingError, match=r"backend other \(expected tensorflow\)"):
            tune(name="s", scheduler=client)
    assert not (tmp_path / "searches" / "resnet_digits" / "s").exists()


@pytest.mark.slow
def test_an_interrupt_of_a_terminal_ends_a_search_in_a_sentence(tmp_path):
    """It reaches the workers too, which leave their end to the search."""
    command = [sys.executable, "-m", "kerasft", "tune", "resnet_digits", "--scheduler", "local:2",
               "--name", "s", "--epochs", "30"]  # fmt: skip
    search = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    wait_for(lambda: any(tmp_path.glob(f"searches/*/s/trials/*/{FIT_LOCK}")), 180)
    os.killpg(search.pid, signal.SIGINT)
    _, errors = search.communicate(timeout=50)
    assert search.returncode == 130
    assert "Traceback" not in errors
    command = "kerasft tune resnet_digits --resume --name s --scheduler local:2"
    assert f"stop   continue with {command}\n" in errors


@pytest.mark.slow
def test_two_searches_of_one_machine_do_not_warn_of_each_other():
    with connect("local:1") as one, connect("local:1") as other:
        assert one.scheduler.address != other.scheduler.address
        assert set(other.run(os.getpid)) == set(other.nthreads())


def children(client):
    """Return the number of child processes of the only worker."""
    (number,) = client.run(lambda: len(multiprocessing.active_children())).values()
    return number


@pytest.mark.slow
def test_a_local_worker_that_dask_drops_is_replaced():
    with connect("local:1") as client:
        with dask.config.set({"distributed.deploy.lost-worker-timeout": "1ms"}):
            (before,) = client.run(os.getpid).values()
            os.kill(before, signal.SIGKILL)
            wait_for(lambda: not client.nthreads())
        wait_for(lambda: client.nthreads())
        (after,) = client.run(os.getpid).values()
    assert after != before


@pytest.fixture
def start(tmp_path):
    """Returns a function that starts a program of Dask; all end after the test."""
    started = []

    def run(program, *words):
        command = [sys.executable, "-m", f"distributed.cli.dask_{program}", *words]
        environment = {**os.environ, "DASK_DISTRIBUTED__WORKER__DAEMON": "False"}
        with open(tmp_path / f"{program}{len(started)}.log", "w") as log:
            process = subprocess.Popen(
                command, cwd=tmp_path, env=environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def ended_trials(folder):
    """Return the number of trials that have ended in the search in a folder."""
    journals = list(folder.glob(f"*/*/{JOURNAL}"))
    return journals[0].read_text().count('"end"') if journals else 0


@pytest.mark.slow
def test_a_search_goes_on_after_its_scheduler_died(tune, start, free_port, tmp_path):
    plain = tune(name="plain", max_trials=5, searches_dir=tmp_path / "plain")
    address = f"tcp://127.0.0.1:{free_port}"
    scheduler = ["--host", "127.0.0.1", "--port", str(free_port), "--no-dashboard"]
    worker = [address, "--nthreads", "1", "--memory-limit", "0", "--no-dashboard"]
    folder = tmp_path / "searches"

    def kill_after_one_trial(process):
        wait_for(lambda: ended_trials(folder) >= 1)
        os.killpg(process.pid, signal.SIGKILL)

    first = start("scheduler", *scheduler)
    lost = start("worker", *worker)
    wait_for(lambda: answers(address))
    killer = threading.Thread(target=kill_after_one_trial, args=(first,))
    killer.start()
    with pytest.raises(NetworkError, match=r"scheduler was lost.*--resume"):
        tune(name="s", max_trials=5, scheduler=address)
    killer.join()
    lost.wait(60)  # its processes end with it
    start("scheduler", *scheduler)
    start("worker", *worker)
    wait_for(lambda: answers(address))
    resumed = tune(name="s", max_trials=5, resume=True, scheduler=address)
    assert scores(resumed) == scores(plain)


def answers(address):
    """Return whether a scheduler with a worker answers."""
    try:
        with connect(address) as client:
            return bool(client.nthreads())
    except NetworkError:
        return False


@pytest.mark.slow
def test_a_worker_that_comes_later_gets_trials(tune, start, free_port, tmp_path):
    address = f"tcp://127.0.0.1:{free_port}"
    worker = [address, "--nthreads", "1", "--memory-limit", "0", "--no-dashboard", "--name"]
    start("scheduler", "--host", "127.0.0.1", "--port", str(free_port), "--no-dashboard")
    early = start("worker", *worker, "early")
    wait_for(lambda: answers(address))

    def come_later(client):
        wait_for(lambda: ended_trials(tmp_path / "searches") >= 1, 180)
        os.killpg(early.pid, signal.SIGSTOP)  # else it may run all trials before the late one
        start("worker", *worker, "late")
        wait_for(lambda: len(client.nthreads()) == 2, 180)
        os.killpg(early.pid, signal.SIGCONT)

    with connect(address) as client:
        comes = threading.Thread(target=come_later, args=(client,))
        comes.start()
        tune(name="s", max_trials=8, scheduler=client)
        kept = client.run(lambda: "kerasft.tuning.dask_trial" in sys.modules)
    comes.join()
    assert len(kept) == 2
    assert all(kept.values())


@pytest.fixture
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
