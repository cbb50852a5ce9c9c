"""Does `kerasft diagnose` name a rate that is too low on photographs? Fits at several rates.

Photographs of clothing10, drawn anew for every seed, with the settings of `efficientnet_pets`
and a rate of each. A fit whose rate is named too low is right if the rate of the list that is
nearest to the advised one has a higher validation accuracy. Fits with `--json` are not
made again.

    python -m tests.benchmarks.low_rates --data DATA --only clothing10-300 --seeds 0,1,2
"""

from __future__ import annotations

import os
import statistics
from argparse import Namespace
from pathlib import Path
from typing import Any

from tests.benchmarks.head_start import SETS
from tests.benchmarks.plain import read_values
from tests.benchmarks.series import fits_in_folder, series_parser
from tests.benchmarks.ways import timed_fit

# TensorFlow reads both at its import, which comes later.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

RATES = (3e-5, 1e-4, 3e-4, 1e-3)


def measure(name: str, seed: int, a: Namespace, made: Path) -> dict[str, Any]:
    """Fits with a rate, and returns its scores and what the diagnosis advises about the rate."""
    import kerasft
    from kerasft.catalog import load_recipe

    chosen, rate = name.split()
    recipe_name, prepare = SETS[chosen]
    recipe = load_recipe(recipe_name)
    settings = {**prepare(a.data, seed, made), **read_values(recipe, a.set)}
    config = recipe.Config(seed=seed, learning_rate=float(rate), **settings)
    run, _ = timed_fit(recipe, config, None, str(made / "runs"))
    findings = {one["name"]: one for one in kerasft.diagnose(run)["findings"]}
    low = findings.get("learning_rate_too_low")
    return {
        "validation": run.metrics["validation"]["accuracy"],
        "test": run.metrics["test"]["accuracy"],
        "advised": low and low["advice"][0]["changes"]["learning_rate"],
        "named": list(findings),
    }


def show(found: list[dict[str, Any]], sets: list[str]) -> None:
    """Prints the table."""
    print("| set, rate | validation accuracy | test accuracy | named too low | "
          "then higher |\n|---|---|---|---|---|")  # fmt: skip
    for chosen in sets:
        for rate in RATES:
            fits = [fit for fit in found if fit["set"] == f"{chosen} {rate:g}"]
            if not fits:
                continue
            scores = [statistics.fmean(fit[key] for fit in fits) for key in ("validation", "test")]
            named = [fit for fit in fits if fit["advised"]]
            right = [risen(fit, found) for fit in named]
            known = [one for one in right if one is not None]
            print(
                f"| {chosen} {rate:g} | {scores[0]:.3f} | {scores[1]:.3f} | "
                f"{len(named)} of {len(fits)} | {sum(known)} of {len(known)} |"
            )


def risen(fit: dict[str, Any], found: list[dict[str, Any]]) -> bool | None:
    """Returns whether the advised rate has a higher validation accuracy; None if it is unknown."""
    chosen, _ = fit["set"].split()
    near = min(RATES, key=lambda rate: abs(rate - fit["advised"]))
    for other in found:
        if other["set"] == f"{chosen} {near:g}" and other["seed"] == fit["seed"]:
            return bool(other["validation"] > fit["validation"])
    return None


def main() -> None:
    """Makes the fits that are missing and prints the table."""
    parser = series_parser(__doc__, only="clothing10-300,clothing10-800", seeds="0,1,2")
    a = parser.parse_args()
    sets = a.only.split(",")
    names = [f"{chosen} {rate:g}" for chosen in sets for rate in RATES]
    show(fits_in_folder(a, names, measure), sets)


if __name__ == "__main__":
    main()
