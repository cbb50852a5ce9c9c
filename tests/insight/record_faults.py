"""Fit every injected fault, and keep the records that a diagnosis reads.

    python -m tests.insight.record_faults

The quick tests diagnose these records; the slow tests fit the faults again. Run it after a change
of what a run records, or of how a fit trains.
"""

import json
import shutil
import tempfile
from pathlib import Path

from kerasft.recipes import resnet_digits
from kerasft.runs import write_json
from tests.insight.injected_faults import FAULTS, changed, fit, spoiled

RECORDS = Path(__file__).parent / "fault_records"
SEED = 7  # tests/benchmarks/planted.py has the fits that thresholds were chosen on, and more
# A linear probe as the start would hide faults: the model is good before its first step.
SETTINGS = {"trainable_blocks": 1, "epochs": 6, "head_start": "random"}
FITTED = sorted(set(FAULTS) - {"truncated"})  # a fault of texts
LEFT_OUT = shutil.ignore_patterns(
    "*.safetensors", "*.png", "*.npz", "*.log", "*.py", "tensorboard", "worst.json",
    "confusions.json",
)  # fmt: skip


def record_of(fault):
    """Return the folder of a fault's record."""
    return RECORDS / fault.replace(" (", "_").rstrip(")")


def fit_fault(fault, folder):
    """Fit resnet_digits with a fault."""
    changes = dict(FAULTS[fault])
    how = changes.pop("data", "")
    module = spoiled(resnet_digits, how, SEED) if how else resnet_digits
    config = changed(resnet_digits.Config(seed=SEED), {**SETTINGS, **changes})
    return fit(module, config, str(folder))


def main():
    for fault in FITTED:
        with tempfile.TemporaryDirectory() as folder:
            run = fit_fault(fault, folder)
            kept = record_of(fault)
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(run.path, kept, ignore=LEFT_OUT)
            manifest = json.loads((kept / "manifest.json").read_text())
            manifest["versions"]["platform"] = "Linux"  # records do not describe a machine
            files = manifest["files"].items()
            manifest["files"] = {name: value for name, value in files if (kept / name).is_file()}
            write_json(kept / "manifest.json", manifest)


if __name__ == "__main__":
    main()
