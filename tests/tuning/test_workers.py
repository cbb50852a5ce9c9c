"""Worker processes of a search: ended without harm to others, reported when killed."""

import multiprocessing
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import pytest

from kerasft.errors import ResourceError
from kerasft.tuning import worker_process
from kerasft.tuning.workers import Workers, thread_limits


@pytest.fixture
def other():
    """A process of the caller's own."""
    process = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    process.start()
    yield process
    process.kill()
    process.join()


def test_only_the_processes_of_the_search_are_killed(other):
    workers = Workers({"source": None, "name": "resnet_digits", "sha256": ""}, None, 0, 2)
    workers.submit(None)
    started = set(multiprocessing.active_children()) - {other}
    assert started
    workers.end(now=True)
    for process in started:
        process.join()
    other.join(1)  # a killed process takes a moment to end
    assert other.is_alive()


SEARCH = 'import kerasft; kerasft.tune("resnet_digits", dataset="nowhere/", {processes})'


@pytest.mark.parametrize("processes", ["workers=2", "scheduler='local:2'"])
def test_a_script_that_processes_would_run_again_is_refused(processes, tmp_path):
    script = tmp_path / "search.py"
    script.write_text(SEARCH.format(processes=processes))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert "search.py starts processes, each of which runs it again. Put" in done.stderr


def test_a_script_with_its_calls_below_main_is_not_refused(tmp_path):
    script = tmp_path / "search.py"
    script.write_text(f"if __name__ == '__main__':\n    {SEARCH.format(processes='workers=2')}")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert "nowhere" in done.stderr
    assert "starts processes" not in done.stderr


def start_without_a_module():
    sys.modules["kerasft.tuning.trial_models"] = None  # it cannot be imported
    worker_process.start({"source": None, "name": "resnet_digits", "sha256": ""}, 0)


def test_a_worker_that_cannot_start_says_why():
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, start_without_a_module) as pool:
        ended = pool.submit(worker_process.run, None)
        with pytest.raises(ImportError, match="trial_models"):
            ended.result(60)


def test_a_killed_worker_is_a_lack_of_memory_with_a_fix():
    workers = Workers({"source": None, "name": "resnet_digits", "sha256": ""}, None, 0, 2)
    ended = workers.submit(None)
    for process in multiprocessing.active_children():
        process.kill()
    with pytest.raises(ResourceError, match="Use fewer --workers or a smaller --batch-size"):
        workers.outcome(ended)
    with pytest.raises(ResourceError, match="A worker was killed"):
        workers.submit(None)
    workers.end(now=True)


@pytest.mark.parametrize(("count", "threads"), [(1, "6"), (4, "1"), (9, "1")])
def test_processes_share_the_cores_that_this_process_may_use(monkeypatch, count, threads):
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(6)))
    assert thread_limits(count)["TF_NUM_INTRAOP_THREADS"] == threads
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
    assert thread_limits(count)["TF_NUM_INTRAOP_THREADS"] == "3"
