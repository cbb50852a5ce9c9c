"""Tiny real presets and datasets, made once a test session and loaded through the real path."""

import csv
import fcntl
import os
import resource
import shutil
import signal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
if "PYTEST_XDIST_WORKER" in os.environ:  # one of several on the cores
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

import numpy as np
import pytest
from PIL import Image

import kerasft
from kerasft.testing import FAMILIES, tiny_preset

TEXTS = {
    "good": [
        "good film",
        "a great movie",
        "the movie is good",
        "great and good",
        "my good old film",
    ],
    "bad": ["bad film", "awful movie", "the movie is bad", "awful and bad", "my bad old film"],
}


@pytest.fixture(scope="session", autouse=True)
def cache_of_prepared_data(tmp_path_factory):
    """Prepared data go into a folder of the session, not into the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERASFT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory):
    """Returns a function that fills a folder once for all workers: (name, make) -> folder.

    `make(folder)` runs in the first worker that asks for the name; others wait for it. Tests only
    read the folder, and copy what they change.
    """
    own = tmp_path_factory.getbasetemp()
    root = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    root.mkdir(exist_ok=True)

    def get(name, make):
        folder, made = root / name, root / f"{name}.made"
        with open(root / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                shutil.rmtree(folder, ignore_errors=True)  # a maker that failed
                folder.mkdir()
                make(folder)
                made.touch()
        return folder

    return get


@pytest.fixture(scope="session")
def shared_run(shared_folder):
    """Returns a function that fits a run once for all workers: (name, make) -> run.

    `make(folder)` fits it with `runs_dir=folder / "runs"`. Tests only read the run, and copy it
    with `copied_run` to change it.
    """

    def get(name, make):
        (path,) = shared_folder(f"run-{name}", make).glob("runs/*/*")
        return kerasft.load_run(path)

    return get


@pytest.fixture(scope="session")
def image_run(shared_run, preset, photos):
    """A finished run on photos, a head phase and a main one, for tests that only read it."""
    from tests.training.small import fit, image_config, image_recipe

    return shared_run(
        "images", lambda folder: fit(image_recipe, image_config(preset, photos), folder)
    )


@pytest.fixture(scope="session")
def text_run(shared_folder):
    """A finished run on reviews, a head phase and a main one, for tests that only read it."""
    return make_text_run(shared_folder)


def make_text_run(filled):
    from tests.training.small import fit, text_config, text_recipe

    config = text_config(preset_maker(filled), str(filled("reviews", make_reviews) / "reviews.csv"))
    (path,) = filled("run-texts", lambda path: fit(text_recipe, config, path)).glob("runs/*/*")
    return kerasft.load_run(path)


@pytest.fixture
def copied_run(tmp_path):
    """Returns a function from a run to a copy of it that a test may change."""
    return lambda run: kerasft.load_run(shutil.copytree(run.path, tmp_path / "copied" / run.name))


@pytest.fixture(scope="session")
def preset(shared_folder):
    """Returns a function from the name of a family to the folder of its tiny preset."""
    return preset_maker(shared_folder)


def preset_maker(filled):
    def get(family: str) -> str:
        def make(folder):
            path = tiny_preset(family, folder / family)
            (folder / "path").write_text(path)

        return (filled(f"preset-{family}", make) / "path").read_text()

    return get


@pytest.fixture(params=sorted(FAMILIES))
def family(request):
    return request.param


@pytest.fixture(scope="session")
def photos(shared_folder):
    """A folder of three classes that differ in color, 12 pictures each."""
    return str(shared_folder("photos", make_photos))


def make_photos(root):
    rng = np.random.default_rng(0)
    for index, name in enumerate(("blue", "green", "red")):
        (root / name).mkdir()
        for count in range(12):
            pixels = rng.integers(0, 90, (24, 24, 3), dtype=np.uint8)
            pixels[..., 2 - index] += 150
            Image.fromarray(pixels).save(root / name / f"{count}.png")


@pytest.fixture(scope="session")
def prices(shared_folder):
    """A table of pictures with a number: 1000 plus 100 times their brightness."""
    return str(shared_folder("prices", make_prices) / "prices.csv")


def make_prices(root):
    rng = np.random.default_rng(1)
    rows = []
    for count in range(48):
        level = int(rng.integers(0, 200))
        pixels = rng.integers(level, level + 50, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{count}.png")
        rows.append({"image": f"{count}.png", "price": 1000 + 100 * level})
    write_table(root / "prices.csv", rows)


@pytest.fixture(scope="session")
def reviews(shared_folder):
    """A table of short texts in two classes."""
    return str(shared_folder("reviews", make_reviews) / "reviews.csv")


def make_reviews(root):
    ends = ["", " .", " !", " to me", " of it", " in red", " in blue", " and cat"]
    rows = [
        {"text": text + end, "label": label}
        for label, texts in TEXTS.items()
        for text in texts
        for end in ends
    ]
    write_table(root / "reviews.csv", rows)


def write_table(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


@pytest.fixture
def file_size_limit():
    """Returns a function after which no file can grow beyond so many bytes, or with None again.

    Stands for a full disk: the operating system refuses the write in the same way.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size or before[0], before[1]))

    yield limit
    limit(None)
    signal.signal(signal.SIGXFSZ, handler)
