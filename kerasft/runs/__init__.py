"""The run folder that a fit writes: created, written atomically, read back and verified.

Weights are in `kerasft.runs.weights`, which needs NumPy; the command line finds runs without it.
"""

from kerasft.atomic_files import atomic_path, remove_temporary_files, write_text
from kerasft.runs.files import (
    file_lock,
    open_to_append,
    plain_json,
    read_json,
    read_json_rows,
    sha256,
    write_json,
)
from kerasft.runs.find import find_export, find_run, list_runs, load_run, run_names
from kerasft.runs.resume_command import (
    how_to_resume,
    naming_resume_command,
    resume_command,
    resume_search_command,
)
from kerasft.runs.run import RECIPE, Run
from kerasft.runs.write import (
    check_name,
    check_writable,
    create_run,
    delete_run,
    empty_folder,
    seal,
    was_killed_at_start,
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
    "check_writable",
    "create_run",
    "delete_run",
    "empty_folder",
    "file_lock",
    "find_export",
    "find_run",
    "how_to_resume",
    "list_runs",
    "load_run",
    "naming_resume_command",
    "open_to_append",
    "plain_json",
    "read_json",
    "read_json_rows",
    "remove_temporary_files",
    "resume_command",
    "resume_search_command",
    "run_names",
    "seal",
    "sha256",
    "was_killed_at_start",
    "write_history",
    "write_json",
    "write_manifest",
    "write_recipe",
    "write_record",
    "write_text",
]
