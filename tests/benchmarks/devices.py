"""Fits on several devices and in several processes, beside one device.

    python -m tests.benchmarks.devices --equality           # a table, about 20 minutes
    python -m tests.benchmarks.devices --kills 10           # random kills of a process, resumed
    python -m tests.benchmarks.devices --speed              # processes of one core each

Everything runs on loopback, with tiny models. Equality: float32, no dropout, an incomplete last
batch, clipped gradients and class weights, a head phase and a main one; with `cached` the frozen
prefix of a model whose last block alone is trained.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from kerasft.testing import tiny_preset
from tests.conftest import make_photos, make_reviews
from tests.distribution.fits import COMMON, Way, difference, fit, start, the_run


def settings_of(folder: Path, kind: str) -> tuple[str, dict[str, Any]]:
    """Make the data and the preset of a kind; return its recipe and settings."""
    common = {**COMMON, "batch_size": 7, "gradient_clip": 0.5, "class_weight": "balanced"}
    part, _, cached = kind.partition(", ")
    common |= {"trainable_blocks": 1 if cached else -1, "cache": bool(cached)}
    data = folder / part
    if part == "images":
        if not data.exists():
            data.mkdir()
            make_photos(data)
        settings = {"image_size": 16, "augmentation": "none", "dataset": str(data)}
        return "resnet_digits", {**common, **settings, "preset": preset(folder, "resnet")}
    if not data.exists():
        data.mkdir()
        make_reviews(data)
    settings = {"sequence_length": 16, "dataset": str(data / "reviews.csv")}
    return "minilm_tickets", {**common, **settings, "preset": preset(folder, "bert")}


def preset(folder: Path, family: str) -> str:
    """Return a tiny preset whose backbone has no dropout: TensorFlow draws it on each device."""
    path = folder / family
    if not path.exists():
        path = Path(tiny_preset(family, path))
        config = json.loads((path / "config.json").read_text())
        if "dropout" in config["config"]:
            config["config"]["dropout"] = 0.0
            (path / "config.json").write_text(json.dumps(config))
    return str(path)


def compare(folder: Path, backends: list[str]) -> None:
    """Print the largest differences from one device, in histories and in weights."""
    print("| backend | processes x devices | data | history | weights |\n|---|---|---|---|---|")
    for backend in backends:
        ways = [Way(backend, 2), Way(backend, 3), Way(backend, 1, 2), Way(backend, 1, 3)]
        for kind in ("images", "images, cached", "texts", "texts, cached"):
            recipe, settings = settings_of(folder, kind)
            alone = fit(Way(backend), folder / f"{backend} {kind}", recipe, settings)
            for way in ways:
                place = folder / f"{way} {kind}"
                shared = fit(way, place, recipe, settings)
                in_history, in_weights = difference(alone, shared)
                print(
                    f"| {backend} | {way.processes} x {way.devices} | {kind} | "
                    f"{in_history:.1e} | {in_weights:.1e} |",
                    flush=True,
                )
                shutil.rmtree(place)


def kill(folder: Path, kills: int, seed: int) -> None:
    """Kill one of two processes at random moments, and resume until the fit is done."""
    draw = random.Random(seed)
    recipe, settings = settings_of(folder, "images")
    settings |= {"epochs": 40, "learning_rate": 1e-4}
    way = Way("jax", processes=2)
    whole = fit(way, folder / "whole", recipe, settings)
    seconds = sum(row["seconds"] for row in whole.history)
    for count in range(kills):
        place = folder / f"killed {count}"
        started = start(way, place, recipe, settings)
        while not list(place.glob("runs/*/one/state.safetensors")):
            time.sleep(0.05)
        time.sleep(draw.uniform(0, 0.6 * seconds))  # the first epochs, which compile, are over
        rank = draw.randrange(way.processes)
        started[rank].send_signal(signal.SIGKILL)
        killed = time.monotonic()
        codes = [process.wait(120) for process in started]
        ended = time.monotonic() - killed
        epochs = len(the_run(place).history)
        resume = the_run(place).state != "done"
        if resume:
            fit(way, place, recipe, settings, resume=True)
        differs = difference(whole, the_run(place))
        print(
            f"{count + 1}/{kills}: process {rank} killed after {epochs} epochs, all ended in "
            f"{ended:.1f} s with {codes}; resumed: {resume}; differences {differs}",
            flush=True,
        )


def measure(folder: Path, repeats: int) -> None:
    """Print epoch times of one process of one core, two of them, and one device of `--devices`."""
    recipe, settings = settings_of(folder, "images")
    settings |= {
        "image_size": 64, "batch_size": 64, "epochs": 4, "head_epochs": 0,
        "head_start": "random", "dataset": str(many_photos(folder)), "cache": False,
        "class_weight": "none", "gradient_clip": 0.0,
    }  # fmt: skip
    times: dict[str, list[float]] = {"1 process": [], "2 processes": []}
    for repeat in range(repeats):
        for name, way in (("1 process", Way("jax")), ("2 processes", Way("jax", processes=2))):
            place = folder / f"{name} {repeat}"
            run = fit(way, place, recipe, settings, bound=True)
            times[name].append(statistics.median(row["seconds"] for row in run.history[1:]))
            print(f"{name}: {times[name][-1]:.2f} s an epoch", flush=True)
    one, two = (statistics.median(found) for found in times.values())
    print(f"two processes of one core over one: {two / one:.2f} of the time of an epoch")


def many_photos(folder: Path) -> Path:
    import numpy as np
    from PIL import Image

    root = folder / "many"
    if not root.exists():
        draw = np.random.default_rng(0)
        for name in ("dark", "light"):
            (root / name).mkdir(parents=True)
            for count in range(400):
                low = 0 if name == "dark" else 120
                pixels = draw.integers(low, low + 130, (64, 64, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / name / f"{count}.png")
    return root


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--equality", action="store_true")
    parser.add_argument("--backends", default="jax,tensorflow")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kerasft-devices-") as name:
        folder = Path(name)
        if given.equality:
            compare(folder, given.backends.split(","))
        if given.kills:
            kill(folder, given.kills, given.seed)
        if given.speed:
            measure(folder, given.repeats)


if __name__ == "__main__":
    main()
