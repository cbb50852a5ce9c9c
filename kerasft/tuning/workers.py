"""Workers that run trials: a thread of this process, or several processes, one GPU each.

`dask_workers.py` has those on a Dask scheduler, with the same methods.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from kerasft.errors import ResourceError, SettingError
from kerasft.threads import cores
from kerasft.tuning import worker_process


class Workers:
    """Runs trials with one thread here, or with `count` processes.

    Args:
        recipe: Description of the recipe (`describe_recipe`), for processes.
        trial_models: Shared models of this process, for the thread.
        seed: Seed of the splits.
        count: Number of trials at the same time, at least 1.
    """

    def __init__(self, recipe: Mapping[str, Any], trial_models: Any, seed: int, count: int) -> None:
        self.number, self._trial_models = count, trial_models
        self.options = ["--workers", str(count)] if count > 1 else []
        self._cancelled = threading.Event()
        self._others = set(multiprocessing.active_children())  # of the caller
        self._executor: Executor
        if count == 1:
            self._executor = ThreadPoolExecutor(1)
            return
        context = multiprocessing.get_context("spawn")
        indices = context.Queue()
        for index in range(count):
            indices.put(index)
        self._executor = ProcessPoolExecutor(
            count, context, _start_worker, (dict(recipe), seed, indices, count)
        )

    def submit(self, task: Any) -> Future[dict[str, Any]]:
        """Start a trial."""
        if self.number == 1:
            from kerasft.tuning.trial import run_trial

            return self._executor.submit(run_trial, self._trial_models, task, self._cancelled)
        with _killed_worker_reported():
            return self._executor.submit(worker_process.run, task)

    def outcome(self, ended: Future[dict[str, Any]]) -> dict[str, Any]:
        """Return the outcome of a trial that has ended.

        Raises:
            ResourceError: The system killed a worker process.
        """
        with _killed_worker_reported():
            return ended.result()

    def end(self, *, now: bool) -> None:
        """Wait for running trials, or kill them (`now`); their states stay on disk."""
        self._cancelled.set()
        if now and self.number > 1:
            for process in set(multiprocessing.active_children()) - self._others:
                process.kill()
        self._executor.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _killed_worker_reported() -> Iterator[None]:
    """Report a worker process that was killed, usually because memory ran out."""
    try:
        yield
    except BrokenProcessPool as error:
        raise ResourceError(
            "A worker was killed, probably because memory ran out. Use fewer --workers or a "
            "smaller --batch-size."
        ) from error


def _start_worker(recipe: dict[str, Any], seed: int, indices: Any, count: int) -> None:
    """Prepare a worker process before it imports TensorFlow."""
    use_own_gpu(indices.get())
    os.environ.update(thread_limits(count))
    worker_process.prepare()
    worker_process.start(recipe, seed)


def use_own_gpu(index: int) -> None:
    """Let this process see one of the GPUs, if there are any; call it before Keras is imported.

    Args:
        index: Index of the process among those of this machine.
    """
    devices = os.environ.get("CUDA_VISIBLE_DEVICES")
    known = [str(i) for i in range(_count_gpus())]
    if devices is not None:  # empty to use no GPU
        known = [device for device in devices.split(",") if device]
    if known:
        os.environ["CUDA_VISIBLE_DEVICES"] = known[index % len(known)]


def thread_limits(count: int) -> dict[str, str]:
    """Return environment variables that share the cores among several processes of this machine.

    Those that the user has set stay.
    """
    share = str(max(cores() // count, 1))
    names = ("TF_NUM_INTRAOP_THREADS", "PJRT_NPROC")  # of TensorFlow, of JAX
    return {name: os.environ.get(name, share) for name in names}


def check_script() -> None:
    """Refuse a script that new processes would run from its beginning, the search included.

    Each of them imports the main script first, as Python's `spawn` does.

    Raises:
        SettingError: It has no `if __name__ == "__main__":`.
    """
    main = sys.modules["__main__"]
    path = Path(getattr(main, "__file__", None) or "")
    as_script = getattr(main, "__spec__", None) is None and path.suffix == ".py" and path.is_file()
    if as_script and "__name__" not in path.read_text(encoding="utf-8", errors="replace"):
        raise SettingError(
            f"{path.name} starts processes, each of which runs it again. Put the call of `tune` "
            'below a line `if __name__ == "__main__":`.'
        )


def _count_gpus() -> int:
    """Count NVIDIA devices without starting TensorFlow, which would reserve them all."""
    return sum(path.name[6:].isdigit() for path in Path("/dev").glob("nvidia*"))
