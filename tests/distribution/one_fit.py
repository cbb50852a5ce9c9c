"""A fit in a process of its own: `python -m tests.distribution.one_fit FILE`.

FILE is JSON: `recipe`, `settings`, `devices`, `runs_dir` and perhaps `resume`.
"""

import json
import sys
from pathlib import Path

import kerasft

given = json.loads(Path(sys.argv[1]).read_text())
run = kerasft.fit(
    given["recipe"], runs_dir=given["runs_dir"], name="one", devices=given["devices"],
    progress=False, resume=given.get("resume", False), **given["settings"],
)  # fmt: skip
print(run.path)
