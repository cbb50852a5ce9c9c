"""The models of a server: versions on disk, loaded and replaced while requests are answered."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException

from kerasft.errors import name_and_first_line
from kerasft.serving.server.batching import Batcher
from kerasft.serving.server.model_folders import ModelFolder, content_of
from kerasft.serving.server.saved_model import ServedSavedModel
from kerasft.serving.server.settings import Limits

_WAIT = {"Retry-After": "1"}


@dataclass(frozen=True, eq=False)
class Version:
    """A loaded version; it stays in memory as long as a request uses it.

    Attributes:
        number: Number of the version.
        model: The SavedModel.
        batcher: What answers requests for it.
    """

    number: int
    model: ServedSavedModel
    batcher: Batcher


class Model:
    """A model by its name: the newest version that loads, and versions with a label.

    Args:
        folder: Its folder on disk.
        limits: Limits of a request.
        observe: Function that receives the rows of every batch.
    """

    def __init__(self, folder: ModelFolder, limits: Limits, observe: Callable[[int], None]) -> None:
        self.name = folder.name
        self._folder, self._limits, self._observe = folder, limits, observe
        self._loaded: Mapping[int, Version] = {}
        self._loading: int | None = None
        self._failed: Mapping[int, tuple[Any, str]] = {}
        self.pending = 0

    @property
    def ready(self) -> bool:
        """Whether a version is loaded."""
        return bool(self._loaded)

    @property
    def versions(self) -> list[int]:
        """Numbers of the loaded versions."""
        return sorted(self._loaded)

    def states(self) -> dict[int, tuple[str, str]]:
        """Return state and error of each version, as TensorFlow Serving names them."""
        found = dict.fromkeys(self._loaded, ("AVAILABLE", ""))
        if self._loading is not None:
            found[self._loading] = ("LOADING", "")
        failed = {number: ("END", error) for number, (_, error) in self._failed.items()}
        return dict(sorted({**failed, **found}.items(), reverse=True))

    def version(self, number: str | None = None, label: str | None = None) -> Version:
        """Return a loaded version: the newest, that of a number, or that of a label.

        Raises:
            HTTPException: It is not loaded.
        """
        loaded = self._loaded
        if not loaded:
            raise HTTPException(503, f"No version of {self.name!r} is loaded yet.", _WAIT)
        if label is not None:
            if label not in self._folder.labels:
                raise HTTPException(404, f"Model {self.name!r} has no label {label[:80]!r}.")
            number = str(self._folder.labels[label])
        if number is None:
            return loaded[max(loaded)]
        found = {str(key): version for key, version in loaded.items()}.get(
            number.lstrip("0") or "0"
        )
        if found is None:
            known = ", ".join(map(str, self.versions))
            raise HTTPException(
                404, f"Version {number[:20]!r} of {self.name!r} is not loaded. Loaded: {known}."
            )
        return found

    @contextlib.contextmanager
    def admitted(self, most: int) -> Iterator[None]:
        """Count a request while the body runs.

        Args:
            most: Most requests at one time.

        Raises:
            HTTPException: There are as many already.
        """
        if self.pending >= most:
            raise HTTPException(
                429, f"{most} requests for {self.name!r} are waiting. Send this one again.", _WAIT
            )
        self.pending += 1
        try:
            yield
        finally:
            self.pending -= 1

    def refresh(self, report: Callable[[str], None]) -> None:
        """Load new versions, then let go of replaced ones.

        It may run in another thread than `version`: what that reads is replaced as a whole.

        Args:
            report: Function that receives a line about every change.

        Raises:
            OSError: The folder cannot be read.
        """
        on_disk = self._folder.versions()
        self._failed = {
            number: failure
            for number, failure in self._failed.items()
            if number in on_disk and content_of(on_disk[number]) == failure[0]
        }
        while missing := self._wanted(on_disk) - set(self._loaded):
            self._load(max(missing), on_disk[max(missing)], report)
        wanted = self._wanted(on_disk)
        replaced = sorted(set(self._loaded) - wanted) if wanted else []
        if replaced:
            self._loaded = {number: self._loaded[number] for number in wanted}
            gc.collect()  # graphs have reference cycles
            report(f"{self.name}: version {', '.join(map(str, replaced))} replaced")

    def _wanted(self, on_disk: Mapping[int, Path]) -> set[int]:
        usable = set(on_disk) - set(self._failed)
        return usable & {*self._folder.labels.values(), max(usable, default=0)}

    def _load(self, number: int, path: Path, report: Callable[[str], None]) -> None:
        self._loading, content = number, content_of(path)
        report(f"{self.name}: loading version {number}")
        try:
            model = ServedSavedModel(path)
            model.warm_up((1, self._limits.batch))
            version = Version(number, model, Batcher(model, self._limits, self._observe))
            self._loaded = {**self._loaded, number: version}
            report(f"{self.name}: version {number} ready")
        except Exception as error:  # in whatever way a folder is damaged, the others are served
            self._failed = {**self._failed, number: (content, name_and_first_line(error))}
            report(f"{self.name}: version {number} cannot be loaded: {name_and_first_line(error)}")
        finally:
            self._loading = None
