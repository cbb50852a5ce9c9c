"""The run folder that a fit writes: created, written atomically, read back and verified.

Weights are in `kerasft.runs.weights`, which needs NumPy; the command line finds runs without it.
"""

from kerasft.runs.files import (
    atomic_path,
    file_lock,
    plain_json,
    read_json,
    read_json_rows,
    sha256,
    write_json,
    write_text,
)
from kerasft.runs.find import find_export, find_run, load_run, run_names
from kerasft.runs.run import RECIPE, Run, list_runs
from kerasft.runs.write import (
    check_name,
    create_run,
    delete_run,
    seal,
    write_history,
    write_manifest,
    write_recipe,
    write_record,
)

__all__ = [
    "RECIPE",
    "Run",
    "atomic_path",
    "check_name",
    "create_run",
    "delete_run",
    "file_lock",
    "find_export",
    "find_run",
    "list_runs",
    "load_run",
    "plain_json",
    "read_json",
    "read_json_rows",
    "run_names",
    "seal",
    "sha256",
    "write_history",
    "write_json",
    "write_manifest",
    "write_recipe",
    "write_record",
    "write_text",
]
