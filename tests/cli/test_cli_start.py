"""Help, lists and typos answer at once, without the heavy libraries."""

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import kerasft
from kerasft import dataset_check
from kerasft.cli import main
from kerasft.errors import NetworkError

HEAVY = {
    "tensorflow",
    "keras",
    "keras_hub",
    "keras_tuner",
    "numpy",
    "pandas",
    "sklearn",
    "PIL",
    "rich",
}
HEAVY |= {"importlib.metadata", "rich", "statistics"}
QUICK = [
    ["--help"],
    ["--version"],
    ["list"],
    ["show", "resnet_digits"],
    ["fit", "--help"],
    ["fit", "resnet_digits", "--help"],
    ["fit", "resnet_digits", "--dropuot", "1"],
    ["fit", "resnet_digits", "--dropout", "1.5"],
    ["fit", "resnet_digits", "--class-weight", "balnced"],
    ["fit", "resnet_digts"],
    ["fit", "resnet_digits", "--help-all"],
    ["fti"],
    ["train"],
    ["help", "fit"],
    ["show", "nosuch"],
    ["fit", "minilm"],
    ["fit", "texts.csv"],
    ["fit", "resnet_digits", "--lr", "1"],
    ["fit", "--like", "nothing"],
    ["evaluate", "latest"],
    ["predict", "nothing", "text"],
    ["predict", "latest", "text", "-o", "table.xlsx"],
    ["export", "nothing", "--format", "preste"],
    ["serve", "nothing"],
    ["serve", "--help"],
    ["copy", "resnet_digts", "mine.py"],
    ["fit", "resnet_digits", "--dataset", "nowhere"],
    ["fit", "resnet_digits", "--preset", "resnet_51_imagenet"],
    ["tune", "resnet_digits", "--dataset", "builtin:digit"],
    ["find-lr", "minilm_tickets", "--dataset", "nowhere.csv"],
    ["check", "resnet_digits", "--dataset", "nowhere"],
]


def environment() -> dict[str, str]:
    root = Path(kerasft.__file__).parent.parent
    return {**os.environ, "PYTHONPATH": str(root)}


@pytest.mark.parametrize("words", QUICK, ids=" ".join)
def test_quick_lines_import_nothing_heavy(words, tmp_path):
    program = (
        "import json, sys\n"
        "from kerasft.cli import main\n"
        "try:\n"
        "    main(sys.argv[1:], prog_name='kerasft')\n"
        "finally:\n"
        "    sys.stdout.write('\\x00' + json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 2, 3), done.stderr
    assert "Traceback" not in done.stderr
    assert not HEAVY & set(json.loads(done.stdout.rpartition("\x00")[2]))


def seconds(arguments, folder) -> float:
    began = time.monotonic()
    subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        check=False,
    )
    return time.monotonic() - began


@pytest.mark.parametrize("words", [QUICK[0], QUICK[2], QUICK[6]], ids=" ".join)
def test_quick_lines_take_a_few_times_what_the_import_of_click_takes(words, tmp_path):
    # The best of several of each: neither how fast the machine is nor its other work is ours to
    # measure.
    least = started = math.inf
    for _ in range(10):
        least = min(least, seconds(["-c", "import click"], tmp_path))
        started = min(started, seconds(["-m", "kerasft", *words], tmp_path))
        if started < 5 * least:
            return
    raise AssertionError(f"{started / least:.1f} times as long as the import of click")


def test_tensorflow_starts_without_chatter_and_stdout_is_one_document(tmp_path):
    clean = {k: v for k, v in environment().items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-m", "kerasft", "doctor", "--json"],
        cwd=tmp_path,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == "...    importing Keras\n"
    assert json.loads(done.stdout)["devices"]


def test_a_user_who_set_the_log_level_is_left_alone(tmp_path):
    program = (
        "import os\n"
        "from kerasft.tensorflow_log import quiet_tensorflow\n"
        "with quiet_tensorflow():\n"
        "    os.write(2, b'I0000 00:00:17.27 5 a.cc:1] seen\\n')\n"
        "print(os.environ['TF_CPP_MIN_LOG_LEVEL'])\n"
    )
    # 3 is what a child process inherits from a quiet parent.
    for level, seen in (("0", "I0000 00:00:17.27 5 a.cc:1] seen\n"), (None, ""), ("3", "")):
        own = {k: v for k, v in environment().items() if k != "TF_CPP_MIN_LOG_LEVEL"}
        own |= {"TF_CPP_MIN_LOG_LEVEL": level} if level else {}
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr) == (f"{level or 3}\n", seen)


def test_an_error_while_starting_is_not_swallowed():
    program = (
        "import os\n"
        "from kerasft.tensorflow_log import quiet_tensorflow\n"
        "with quiet_tensorflow():\n"
        "    os.write(2, b'I0000 00:00:17.27 5 a.cc:1] noise\\nlibcuda is broken\\n')\n"
        "    raise ImportError('no keras')\n"
    )
    clean = {k: v for k, v in environment().items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=clean, capture_output=True, text=True, check=False)
    assert done.stderr.startswith("libcuda is broken\n")
    assert done.stderr.endswith("ImportError: no keras\n")


def test_a_missing_network_is_an_error_before_tensorflow_starts(monkeypatch, capsys):
    monkeypatch.setattr(dataset_check, "require_host", no_network)
    monkeypatch.setattr("kerasft.cli.startup.start_keras", lambda: pytest.fail("TensorFlow starts"))
    with pytest.raises(SystemExit) as ended:
        main(["fit", "bert_imdb", "--data-dir", "nowhere"])
    assert ended.value.code == NetworkError.exit_code
    assert "the dataset tfds:imdb_reviews" in capsys.readouterr().err


def no_network(host, *, to_fetch, instead):
    raise NetworkError(f"No network: {to_fetch}. {instead}")
