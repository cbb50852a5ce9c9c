"""The run: a folder that is created by a fit and read back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasft.errors import DamagedFileError, DataError
from kerasft.modalities import Modality, recorded_modality
from kerasft.runs.files import is_locked, read_json, read_json_rows, sha256
from kerasft.runs.manifest import read_manifest
from kerasft.runs.resume_command import how_to_resume

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WEIGHTS = "weights.safetensors"
RECIPE = "recipe.py"
FIT_LOCK = "fit.lock"  # held by the process that trains
CALIBRATION = "calibration.json"
CALIBRATION_ARRAYS = "calibration.npz"


@dataclass(frozen=True, repr=False)
class Run:
    """A run folder, whose files are read on access.

    Its methods are the functions of the package on this run. They are looked up in `kerasft` when
    they are called: their rooms are above this one, and opening a run starts neither Keras nor
    matplotlib.

    Attributes:
        path: Folder `runs/<recipe>/<run>/`.

    Example:
        >>> run = kerasft.load_run("latest")
        >>> run.metrics["test"]["accuracy"]
        >>> run.predict(["picture.png"])
    """

    path: Path

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def recipe(self) -> str:
        """Name of the recipe."""
        return str(read_manifest(self.path / "manifest.json", "recipe")["recipe"]["name"])

    @property
    def config(self) -> dict[str, Any]:
        """The settings."""
        return read_json(self.record_file("config.json"))

    @property
    def manifest(self) -> dict[str, Any]:
        """Versions, seed, preset, blocks, data, state, and hashes of files."""
        return read_manifest(self.path / "manifest.json")

    @property
    def state(self) -> str:
        """`running`, `done`, `failed`, `interrupted`, or `damaged` if it cannot be read.

        A killed fit is interrupted: no process holds the lock of its run.
        """
        try:
            state = str(self.manifest.get("state", "damaged"))
        except DamagedFileError:
            return "damaged"
        killed = state == "running" and not is_locked(self.path / FIT_LOCK)
        return "interrupted" if killed else state

    @property
    def labels(self) -> dict[str, Any]:
        """Task, class names, and the unit of regression targets."""
        return read_json(self.record_file("labels.json"), "task")

    @property
    def modality(self) -> Modality:
        """What the model reads: images or texts."""
        return recorded_modality(self.manifest, self.config)

    @property
    def pairs(self) -> bool:
        """Whether the model reads pairs of texts; the data decide if a recipe allows both."""
        given = self.manifest.get("data", {}).get("pairs")
        return bool(self.config.get(self.modality.pair_column) if given is None else given)

    @property
    def history(self) -> list[dict[str, Any]]:
        """One record per epoch."""
        return read_json_rows(self.record_file("history.json"))

    @property
    def metrics(self) -> dict[str, dict[str, Any]]:
        """Metrics by split, of the splits that were evaluated."""
        path = self.record_file("metrics.json")
        return read_json(path) if path.exists() else {}

    @property
    def weights(self) -> Path:
        """Path of the trained weights, after their checksum was verified.

        An unfinished run has those of its best epoch so far, `best_epoch` of the manifest.

        Raises:
            DamagedFileError: They are missing, or their checksum differs.
        """
        if WEIGHTS in self.manifest.get("files", {}) and (self.path / WEIGHTS).exists():
            return self.verified(WEIGHTS)
        state = self.state
        text = f"{self.path} has no {WEIGHTS} (state of its fit: {state})."
        if state == "interrupted":
            how = how_to_resume(self.path, self.manifest["recipe"], self.config["dataset"])
            text = f"{text} {how}"
        raise DamagedFileError(text)

    @property
    def recipe_source(self) -> bytes | None:
        """Source of the recipe as it was executed; None if the run has no copy.

        Raises:
            DamagedFileError: The copy is missing, or its checksum differs.
        """
        if RECIPE not in self.manifest.get("files", {}):
            return None
        return self.verified(RECIPE).read_bytes()

    @property
    def calibration(self) -> dict[str, Any]:
        """Record of what was fitted on the validation split; empty for older runs.

        Raises:
            DamagedFileError: It is missing, or its checksum differs.
        """
        if CALIBRATION not in self.manifest.get("files", {}):
            return {}
        return read_json(self.verified(CALIBRATION))

    def record_file(self, name: str) -> Path:
        """Return the path of a file, after its checksum was compared if the manifest has one.

        Raises:
            DamagedFileError: The file is missing, or its checksum differs.
        """
        return self.verified(name) if name in self.manifest.get("files", {}) else self.path / name

    def verified(self, name: str) -> Path:
        """Return the path of a file, after its checksum was compared with the manifest.

        Raises:
            DamagedFileError: The file is missing, or its checksum differs.
        """
        path = self.path / name
        if not path.is_file():
            raise DamagedFileError(f"{path} is missing. Restore the file or fit again.")
        if sha256(path) != self.manifest["files"][name]:
            raise DamagedFileError(
                f"{path} is damaged: checksum mismatch. Restore the file or fit again."
            )
        return path

    def predict(
        self,
        inputs: Any,
        *,
        columns: Mapping[str, str] | None = None,
        on_error: Callable[[DataError], None] | None = None,
        as_frame: bool = False,
        stream: bool = False,
    ) -> Any:
        """Predict images or texts; see `kerasft.predict`.

        Example:
            >>> run.predict(["where is my parcel?"], as_frame=True)
        """
        import kerasft

        return kerasft.predict(
            self, inputs, columns=columns, on_error=on_error, as_frame=as_frame, stream=stream
        )

    def evaluate(
        self,
        *,
        dataset: Any = None,
        split: str = "test",
        columns: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Measure a split of the run, or another dataset; see `kerasft.evaluate`.

        Example:
            >>> run.evaluate(dataset="other.csv")["accuracy"]
        """
        import kerasft

        return kerasft.evaluate(self, dataset=dataset, split=split, columns=columns)

    def calibrate(
        self,
        *,
        coverage: float = 0.9,
        known_coverage: float = 0.95,
        max_error: float | None = None,
        min_precision: float | None = None,
        min_recall: float | None = None,
    ) -> dict[str, Any]:
        """Fit probabilities, thresholds and sets again; see `kerasft.calibrate`.

        Example:
            >>> run.calibrate(max_error=0.02)["notes"]
        """
        import kerasft

        return kerasft.calibrate(
            self,
            coverage=coverage,
            known_coverage=known_coverage,
            max_error=max_error,
            min_precision=min_precision,
            min_recall=min_recall,
        )

    def export(  # noqa: PLR0913 (public)
        self,
        *,
        models_dir: str | Path = "saved_models",
        name: str | None = None,
        format: str = "saved_model",
        quantize: str | None = None,
        margin: float | None = None,
        proof_data: Any = None,
        force: bool = False,
    ) -> Path:
        """Export the model; see `kerasft.export`.

        Example:
            >>> run.export(format="preset")
        """
        import kerasft

        return kerasft.export(
            self,
            models_dir=models_dir,
            name=name,
            format=format,
            quantize=quantize,
            margin=margin,
            proof_data=proof_data,
            force=force,
        )

    def diagnose(self) -> dict[str, Any]:
        """Return findings and the changes to try next; see `kerasft.diagnose`."""
        import kerasft

        return kerasft.diagnose(self)

    def report(self, path: str | Path | None = None) -> Path:
        """Write the HTML report; see `kerasft.write_report`."""
        import kerasft

        return kerasft.write_report(self, path)

    def plot(self, path: str | Path | None = None) -> Figure:
        """Draw the curves, into a PNG file too if given; see `kerasft.plot_curves`."""
        import kerasft

        return kerasft.plot_curves(self, path)

    def _repr_html_(self) -> str:
        import kerasft

        return kerasft.run_html(self)
