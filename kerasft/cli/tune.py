"""`kerasft tune`."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import click

from kerasft.cli.options import given_settings, wants
from kerasft.cli.output import print_facts, print_json
from kerasft.cli.recipe_group import RecipeGroup
from kerasft.cli.run_summary import report as run_report
from kerasft.cli.search_summary import describe_search, search_facts
from kerasft.cli.startup import check_sources, working
from kerasft.config import Config

_FILE = click.Path(exists=True, dir_okay=False)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Duration(click.ParamType):
    """A duration such as 90s, 30m, 2h or 1h30m; a plain number is in seconds."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds."""
        text = str(value).strip()
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return float(text)
        parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            self.fail(f"{text!r} is not a duration such as 90s, 30m, 2h or 1h30m.", param, ctx)
        return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def tune(module: ModuleType, config: Config, **options: Any) -> None:
    """Search, and print the best trial and the command that fits it."""
    fixed = list(given_settings(click.get_current_context(), type(config)))
    soup = config.average_weights == "soup"
    if soup:  # of the search, not of its trials
        config = replace(config, average_weights="none")
        fixed = [name for name in fixed if name != "average_weights"]
    if "epochs" in fixed and options["max_epochs"] not in (None, config.epochs):
        raise click.UsageError(
            "--epochs and --max-epochs both set the epochs of a trial: give one."
        )
    if options["fit_best"] and soup:
        raise click.UsageError(
            "--fit-best and --average-weights soup both make a run of the search: give one."
        )
    if not options["resume"]:
        check_sources(module, config)
    space, warm_start = options.pop("space"), options.pop("from_")
    fit_best = options.pop("fit_best")
    certificates = [options.pop(name) for name in ("tls_ca", "tls_cert", "tls_key")]
    with working(), _connected(options.pop("scheduler"), certificates) as scheduler:
        import kerasft

        search = kerasft.tune(
            module,
            config,
            fixed=fixed,
            space=list(space),
            warm_start=warm_start,
            scheduler=scheduler,
            progress=not wants("quiet"),
            **options,
        )
        report, run, failure = describe_search(search), None, None
        try:
            run = _make_run(module, config, search, fit_best=fit_best, soup=soup)
        except kerasft.KerasftError as error:  # the search is printed first
            failure = error
        if run is not None:
            report["run"], report["metrics"] = run.path, run.metrics
    if wants("json"):
        print_json(report)
    elif wants("quiet"):
        click.echo(search.path)
    else:
        facts = search_facts(report)
        if run is not None:
            del facts["next"]  # it fits the best trial
            facts |= run_report(run)
        print_facts(facts)
    if failure is not None:
        raise failure


def _make_run(
    module: ModuleType, config: Config, search: Any, *, fit_best: bool, soup: bool
) -> Any:
    """Fit the best trial, or average the best ones, as the options say; None without."""
    import kerasft

    progress = not wants("quiet")
    if soup:
        return kerasft.average(search.best_runs, progress=progress)
    if fit_best:
        return kerasft.fit(module, type(config)(**search.best_settings), progress=progress)
    return None


@contextlib.contextmanager
def _connected(address: str | None, certificates: list[str | None]) -> Iterator[Any]:
    """Give the Dask scheduler for `kerasft.tune`: its address, or a client with certificates."""
    if not all(certificates) and any(certificates):
        raise click.UsageError("--tls-ca, --tls-cert and --tls-key must be given together.")
    if any(certificates) and address is None:
        raise click.UsageError(
            "--tls-ca, --tls-cert and --tls-key need --scheduler tls://HOST:PORT."
        )
    if not any(certificates) or address is None:
        yield address
        return
    from kerasft.tuning.dask_client import connect

    files = [file for file in certificates if file is not None]
    with connect(address, files or None) as client:
        yield client


def _make_options() -> list[click.Option]:
    whole = click.IntRange(min=1)
    return [
        click.Option(
            ["--tuner"], type=click.Choice(["random", "hyperband", "bayesian", "grid"]),
            help="Search algorithm  [default: random]",
        ),
        click.Option(
            ["--max-trials"], type=whole,
            help="Total number of trials  [default: 20; hyperband and grid: the whole plan]",
        ),
        click.Option(
            ["--max-epochs"], type=whole,
            help="Epochs of a trial's main phase  [default: --epochs]",
        ),
        click.Option(
            ["--budget"], type=Duration(), metavar="TIME",
            help="Start no epoch after this time: 90s, 30m, 2h; continue with --resume",
        ),
        click.Option(
            ["--space"], multiple=True, metavar="NAME=VALUES",
            help="A dimension to search: learning_rate=1e-5..1e-2:log, dropout=0,0.1,0.3 or"
            " epochs=4..12:4 (repeatable)",
        ),
        click.Option(
            ["--executions"], type=whole,
            help="Fits per trial, with different seeds  [default: 1]",
        ),
        *_worker_options(),
        click.Option(
            ["--from", "from_"], metavar="FOLDER",
            help="Search or run whose best settings narrow the search space",
        ),
        click.Option(
            ["--resume"], is_flag=True, help="Continue the search --name, or the latest one",
        ),
        click.Option(["--fit-best"], is_flag=True, help="Fit the best trial at the end, as a run"),
        click.Option(
            ["--searches-dir"], type=click.Path(file_okay=False), default="searches",
            show_default=True, metavar="DIR", help="Folder of searches",
        ),
        click.Option(["--name"], help="Name of the search's folder  [default: timestamp]"),
    ]  # fmt: skip


def _worker_options() -> list[click.Option]:
    return [
        click.Option(
            ["--workers"], type=click.IntRange(min=1), default=1, show_default=True,
            help="Number of trials in parallel, each in a process; with GPUs, one GPU each",
        ),
        click.Option(
            ["--scheduler"], metavar="ADDRESS",
            help="Dask scheduler whose workers run the trials: tcp://HOST:8786, or local:4 for 4"
            " processes here",
        ),
        click.Option(["--tls-ca"], type=_FILE, help="Certificate authority of a tls:// scheduler"),
        click.Option(["--tls-cert"], type=_FILE, help="Certificate for a tls:// scheduler"),
        click.Option(["--tls-key"], type=_FILE, help="Key of that certificate"),
    ]  # fmt: skip


tune_command = RecipeGroup(
    "tune",
    action=tune,
    make_options=_make_options,
    help="""Search for better settings of a RECIPE with many short fits.

    Settings you pass are fixed. The search space is the recipe's search_space, and --space. Trial 0
    has the recipe's defaults. Trials are scored on the validation split; the test split is unused.
    """,
)
