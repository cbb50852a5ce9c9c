"""A fit, a search and an export that are killed at random moments; see `kills.py`."""

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_what_is_killed_ends_as_what_is_not():
    line = [sys.executable, "-m", "tests.attacks.kills", "--fits=1", "--searches=1", "--exports=1"]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3/3" in done.stdout
