"""Dynamic batching: requests that wait while a batch is computed form the next one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasft.serving.server.images import TOGETHER
from kerasft.serving.server.saved_model import Arrays, ServedSavedModel, Signature
from kerasft.serving.server.settings import Limits


@dataclass(frozen=True, eq=False)
class _Job:
    signature: Signature
    inputs: Arrays
    pixels: int
    answer: asyncio.Future[Arrays]

    @property
    def rows(self) -> int:
        return len(next(iter(self.inputs.values()))) if self.signature.batched else 1

    @property
    def form(self) -> Any:
        """What jobs have in common that fit in one batch."""
        shapes = [(name, array.shape[1:]) for name, array in self.inputs.items()]
        return self.signature.name, tuple(shapes)


class Batcher:
    """Answers requests in batches, one batch at a time, in one thread.

    There is no wait for a batch to fill: a request that finds the model idle is computed at once.

    Args:
        model: Model that answers.
        limits: Limits of a request, which are those of a batch too.
        observe: Function that receives the rows of every batch.
    """

    def __init__(
        self, model: ServedSavedModel, limits: Limits, observe: Callable[[int], None]
    ) -> None:
        self._model, self._observe = model, observe
        self._rows, self._pixels = limits.batch, TOGETHER * limits.pixels
        self._waiting: deque[_Job] = deque()
        self._runner: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "model")

    async def answer(self, signature: Signature, inputs: Arrays, pixels: int = 0) -> Arrays:
        """Return the outputs for the inputs of one request.

        Args:
            signature: Signature that it asks for.
            inputs: Inputs by name.
            pixels: Pixels of all images in them.

        Raises:
            HTTPException: The model refuses the inputs.
        """
        loop = asyncio.get_running_loop()
        job = _Job(signature, inputs, pixels, loop.create_future())
        self._waiting.append(job)
        if self._runner is None:
            self._runner = loop.create_task(self._run())
        return await job.answer

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while jobs := self._next_batch():
            self._observe(sum(job.rows for job in jobs))
            answers = await loop.run_in_executor(self._thread, self._call, jobs)
            for job, answer in zip(jobs, answers, strict=True):
                if job.answer.done():  # its request has timed out
                    continue
                if isinstance(answer, Exception):
                    job.answer.set_exception(answer)
                else:
                    job.answer.set_result(answer)
        self._runner = None

    def _next_batch(self) -> list[_Job]:
        """Take the oldest job and those behind it that fit with it in a batch."""
        jobs: list[_Job] = []
        rows = pixels = 0
        while self._waiting:
            job = self._waiting[0]
            if job.answer.done():
                self._waiting.popleft()
                continue
            mergeable = job.signature.batched and (not jobs or job.form == jobs[0].form)
            fits = rows + job.rows <= self._rows and pixels + job.pixels <= self._pixels
            if jobs and not (mergeable and fits):
                break
            jobs.append(self._waiting.popleft())
            rows, pixels = rows + job.rows, pixels + job.pixels
            if not job.signature.batched:
                break
        return jobs

    def _call(self, jobs: Sequence[_Job]) -> list[Arrays | Exception]:
        """Return the outputs, or the error, of each job; a bad one does not affect the others."""
        try:
            if len(jobs) > 1 and (answers := self._call_merged(jobs)) is not None:
                return list(answers)
            if len(jobs) == 1:
                return [self._model.call(jobs[0].signature, jobs[0].inputs)]
        except Exception as error:  # it belongs to the request that waits for it
            if len(jobs) == 1:
                return [error]
        return [answer for job in jobs for answer in self._call([job])]

    def _call_merged(self, jobs: Sequence[_Job]) -> list[Arrays] | None:
        """Return the outputs of each job, None if the outputs have no row for every input."""
        signature = jobs[0].signature
        merged = {
            name: np.concatenate([job.inputs[name] for job in jobs]) for name in signature.inputs
        }
        outputs = self._model.call(signature, merged)
        ends = np.cumsum([job.rows for job in jobs])
        if any(array.shape[:1] != (ends[-1],) for array in outputs.values()):
            return None
        parts = {name: np.split(array, ends[:-1]) for name, array in outputs.items()}
        answers = [{name: part[i] for name, part in parts.items()} for i in range(len(jobs))]
        if signature.numbers_items:
            for start, answer in zip([0, *ends[:-1]], answers, strict=True):
                answer["index"] = answer["index"] - np.asarray(start, answer["index"].dtype)
        return answers
