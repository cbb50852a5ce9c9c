"""The run folder that a fit writes: created, written atomically, read back and verified."""

from kerasft.runs.files import (
    atomic_path,
    file_lock,
    plain_json,
    read_json,
    sha256,
    write_json,
    write_text,
)
from kerasft.runs.run import (
    Run,
    check_name,
    create_run,
    delete_run,
    list_runs,
    load_run,
    write_history,
    write_manifest,
)
from kerasft.runs.weights import restore_weights, save_weights, write_tensors

__all__ = [
    "Run",
    "atomic_path",
    "check_name",
    "create_run",
    "delete_run",
    "file_lock",
    "list_runs",
    "load_run",
    "plain_json",
    "read_json",
    "restore_weights",
    "save_weights",
    "sha256",
    "write_history",
    "write_json",
    "write_manifest",
    "write_tensors",
    "write_text",
]
