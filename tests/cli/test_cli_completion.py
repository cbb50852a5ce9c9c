"""Completion by the shell: commands, recipes, runs, settings and their values."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import kerasft


def complete(kerasft_line, line):
    """Returns what bash is offered for the last word of a line."""
    words = line.split(" ")
    env = {
        "_KERASFT_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    result = kerasft_line(env=env)
    assert result.exit_code == 0, result.output
    return [row.partition(",")[2] for row in result.stdout.split()]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("kerasft pre", ["predict"]),
        ("kerasft fit minilm", ["minilm_tickets", "minilm_urgency"]),
        ("kerasft tune resnet_d", ["resnet_digits"]),
        ("kerasft copy resnet_d", ["resnet_digits"]),
        ("kerasft show resnet_d", ["resnet_digits"]),
        ("kerasft fit resnet_digits --learning-rate-s", ["--learning-rate-schedule"]),
        ("kerasft fit resnet_digits --optimizer a", ["adam", "adamw"]),
        ("kerasft fit resnet_digits --epochs 3 --no-pre", ["--no-pretrained"]),
        ("kerasft fit resnet_digits --dataset builtin:d", ["builtin:digits"]),
        ("kerasft evaluate ma", ["mail", "mail/first", "mail/second"]),
        ("kerasft diagnose mail/first mail/s", ["mail/second"]),
        ("kerasft benchmark mail/first mail/s", ["mail/second"]),
        ("kerasft predict la", ["latest"]),
        ("kerasft fit --like mail/f", ["mail/first"]),
        ("kerasft fit nosuch --epo", []),
        ("kerasft fit resnet_digits --config sett", ["sett"]),  # a path, for the shell
    ],
)
def test_the_shell_is_offered_what_can_follow(kerasft_line, make_run, line, offered):
    make_run("first")
    make_run("second")
    assert complete(kerasft_line, line) == offered


def test_completion_imports_nothing_heavy(tmp_path):
    program = (
        "import sys\n"
        "from kerasft.cli import main\n"
        "try:\n"
        "    main(prog_name='kerasft')\n"
        "finally:\n"
        "    print(sorted({'keras', 'tensorflow', 'numpy'} & set(sys.modules)))\n"
    )
    env = {
        **os.environ,
        "PYTHONPATH": str(Path(kerasft.__file__).parent.parent),
        "_KERASFT_COMPLETE": "bash_complete",
        "COMP_WORDS": "kerasft fit resnet_digits --learning-rate-s",
        "COMP_CWORD": "3",
    }
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout == "plain,--learning-rate-schedule\n[]\n", done.stderr
