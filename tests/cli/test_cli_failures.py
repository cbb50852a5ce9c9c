"""Every failure is one sentence and a documented exit code."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import kerasft
from kerasft import errors


class ResourceExhaustedError(Exception):
    """Named like TensorFlow's."""


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (errors.KerasftError("Failed."), 1, "Failed."),
        (errors.DivergedError("Diverged."), 1, "Diverged."),
        (errors.SettingError("Usage."), 2, "Usage."),
        (errors.DataError("Data."), 3, "Data."),
        (errors.ResumeError("Resume."), 4, "Resume."),
        (errors.DamagedFileError("Damaged."), 5, "Damaged."),
        (errors.ResourceError("Full."), 6, "Full."),
        (
            OSError(errno.ENOSPC, "No space left on device", "x"),
            6,
            "Out of disk space: [Errno 28] No space left on device: 'x'.",
        ),
        (
            OSError(errno.ENAMETOOLONG, "File name too long", "x" * 999),
            2,
            "The path or name " + "x" * 40 + "…" + "x" * 39 + " is too long. Shorten it.",
        ),
        (MemoryError(), 6, "Out of memory: MemoryError. Try a smaller --batch-size."),
        (
            ResourceExhaustedError("OOM when allocating tensor\n\t[[node]]"),
            6,
            "Out of memory: OOM when allocating tensor. Try a smaller --batch-size.",
        ),
        (
            ResourceExhaustedError("events.v2; No space left on device"),
            6,
            "Out of disk space: events.v2; No space left on device.",
        ),
        (
            OSError(errno.EFBIG, "File too large"),
            6,
            "Out of disk space: [Errno 27] File too large.",
        ),
        (
            ImportError("No module named 'keras'"),
            1,
            "ImportError: No module named 'keras' "
            "(kerasft doctor lists what is missing; use --debug for the traceback)",
        ),
        (
            RuntimeError("Broken thing.\nmore"),
            1,
            "RuntimeError: Broken thing (use --debug for the traceback)",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_errors_have_their_exit_code_and_one_sentence(
    kerasft_line, recipe_file, api, error, code, message
):
    api("fit", error)
    result = kerasft_line("fit", recipe_file)
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", f"Error: {message}\n")


@pytest.mark.parametrize("place", [0, 2])
def test_debug_shows_the_traceback(kerasft_line, recipe_file, api, place):
    api("fit", errors.DataError("Row 17."))
    words = ["fit", str(recipe_file)]
    words.insert(place, "--debug")
    result = kerasft_line(*words)
    assert result.exit_code == 3
    assert result.stderr.startswith("Traceback (most recent call last):")
    assert result.stderr.endswith("Error: Row 17.\n")


def test_errors_of_json_lines_are_on_stderr_too(kerasft_line, recipe_file, api):
    api("fit", errors.DataError("Row 17."))
    result = kerasft_line("fit", recipe_file, "--json")
    assert (result.stdout, result.stderr) == ("", "Error: Row 17.\n")


def test_ctrl_c_leaves_with_130(kerasft_line, recipe_file, api):
    api("fit", KeyboardInterrupt())
    result = kerasft_line("fit", recipe_file)
    assert (result.exit_code, result.stderr) == (130, "\nInterrupted.\n")


def run_terminated(folder, after):
    """Fit a recipe that gets SIGTERM while it is imported; `after` is the end of its `try`."""
    recipe = folder / "slow.py"
    lines = ["import os, signal, time", "try:", "    os.kill(os.getpid(), signal.SIGTERM)",
             "    time.sleep(30)", *after]  # fmt: skip
    recipe.write_text("\n".join(lines), encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "kerasft", "fit", str(recipe)],
        env={**os.environ, "PYTHONPATH": str(Path(kerasft.__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )


def test_sigterm_unwinds_and_leaves_with_143(tmp_path):
    done = run_terminated(tmp_path, ["finally:", "    print('unwound')"])
    assert (done.returncode, done.stdout, done.stderr) == (143, "unwound\n", "")


def test_an_error_that_sigterm_became_is_no_failure(tmp_path):
    error = "    raise SystemError('bad argument to internal function') from None"
    done = run_terminated(tmp_path, ["except SystemExit:", error])
    assert (done.returncode, done.stderr) == (143, "")


# A shell lets its background processes, such as those of a CI, ignore SIGINT.
FROM_A_TERMINAL = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from kerasft.cli import main
main()
"""
BEGAN = "print('began', flush=True)"
# The call handles no signal. A thread says half a second later that it began: one that comes before
# the call is handled.
IN_A_LONG_CALL = f"""
threading.Timer(0.5, lambda: {BEGAN}).start()
hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)
"""
WHILE_SAVING = f"try: {BEGAN}; time.sleep(60)\nfinally: print('saving', flush=True); time.sleep(60)"


@pytest.mark.parametrize("doing", [IN_A_LONG_CALL, WHILE_SAVING], ids=["in a call", "saving"])
@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_second_ctrl_c_leaves_at_once(tmp_path, first, doing):
    recipe = tmp_path / "slow.py"
    recipe.write_text(f"import hashlib, threading, time\n{doing}\n")
    process = subprocess.Popen(
        [sys.executable, "-c", FROM_A_TERMINAL, "fit", str(recipe)],
        env={**os.environ, "PYTHONPATH": str(Path(kerasft.__file__).parent.parent)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "began\n"
        process.send_signal(first)
        if doing is WHILE_SAVING:
            assert process.stdout.readline() == "saving\n"
        # Two signals of one kind can arrive as one on a busy machine: press until it ends.
        for _ in range(40):
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.5)
                break
        assert process.poll() == 130
    finally:
        process.kill()
        process.communicate()


def test_the_handler_of_sigterm_is_given_back(kerasft_line):
    before = signal.getsignal(signal.SIGTERM)
    kerasft_line("list")
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_closed_pipe_is_no_traceback(tmp_path):
    program = f"'{sys.executable}' -m kerasft show resnet_digits | true"
    done = subprocess.run(
        ["bash", "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(kerasft.__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""


def test_no_color_is_respected(kerasft_line, monkeypatch):
    assert "\x1b[" in kerasft_line("fit", "nothing", color=True).stderr
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in kerasft_line("fit", "nothing", color=True).stderr
    assert "\x1b[" not in kerasft_line("list", color=True).stdout


def test_no_color_without_a_terminal(kerasft_line):
    assert "\x1b[" not in kerasft_line("list").stdout + kerasft_line("fit", "nothing").stderr


def test_closed_streams_are_replaced(tmp_path):
    program = (
        "import os; from kerasft.cli.startup import replace_closed_streams as replace; replace(); "
        "numbers = [os.fstat(n).st_rdev for n in range(3)]; file = open('kept', 'w'); "
        "os.write(2, b'notice'); file.write(f'{numbers.count(os.stat(os.devnull).st_rdev)}')"
    )
    subprocess.run(
        ["bash", "-c", f"'{sys.executable}' -c \"{program}\" <&- >&- 2>&-"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(kerasft.__file__).parent.parent)},
        check=True,
    )
    assert (tmp_path / "kept").read_text() == "3"
