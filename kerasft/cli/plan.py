"""`kerasft plan`."""

from __future__ import annotations

import dataclasses
from types import ModuleType
from typing import Any

import click

from kerasft.cli.options import given_settings, wants
from kerasft.cli.output import print_facts, print_json, print_table, size
from kerasft.cli.plan_description import short_duration
from kerasft.cli.recipe_group import RecipeGroup
from kerasft.cli.startup import check_sources, working
from kerasft.config import Config
from kerasft.formatting import counted, duration
from kerasft.keras_home import in_backend

_FIT = ("devices", "hosts", "bandwidth", "device_bandwidth")
_SEARCH = (
    "workers", "trials", "tuner", "max_epochs", "executions", "measured", "trial_seconds",
)  # fmt: skip


def plan(module: ModuleType, config: Config, **options: Any) -> None:
    """Predict a fit on many devices or a search on many workers, and print the prediction."""
    given = {name: value for name, value in options.items() if value is not None}
    if any(name in given for name in _SEARCH):
        _refuse_mixed(given)
        _plan_search(module, config, {"workers": 1, **given})
    else:
        _plan_fit(module, config, given)


def _refuse_mixed(given: dict[str, Any]) -> None:
    """Refuse options of a fit beside those of a search."""
    fit = next((name for name in _FIT if name in given), None)
    search = next(name for name in _SEARCH if name in given)
    if fit is not None:
        raise click.UsageError(
            f"{_flag(fit)} is for a fit, {_flag(search)} for a search: give one kind."
        )


def _flag(name: str) -> str:
    return "--from" if name == "measured" else f"--{name.replace('_', '-')}"


def _plan_fit(module: ModuleType, config: Config, options: dict[str, Any]) -> None:
    check_sources(module, config)
    with working():
        import kerasft

        found = kerasft.plan_fit(module, config, progress=not wants("quiet"), **options)
    if wants("json"):
        phases = [
            {**dataclasses.asdict(each), "worthwhile": each.worthwhile} for each in found.phases
        ]
        print_json({**dataclasses.asdict(found), "phases": phases})
    elif wants("quiet"):
        click.echo(found.phases[-1].worthwhile)
    else:
        _print_scales(found)
        print_facts({**_fit_facts(found), "next": _next(module, config, found)})


def _print_scales(found: Any) -> None:
    rows = [
        (
            phase.phase, each.hosts, each.devices, each.rows,
            short_duration(each.compute_seconds), short_duration(each.communication_seconds),
            size(each.sent_bytes), short_duration(each.epoch_seconds), round(each.speedup, 1),
        )
        for phase in found.phases
        for each in phase.scales
    ]  # fmt: skip
    headings = ("phase", "hosts", "all devices", "rows each", "step", "all-reduce", "sent", "epoch")
    print_table((*headings, "speedup"), rows, optional=("sent", "rows each"))
    click.echo()


def _fit_facts(found: Any) -> dict[str, Any]:
    """Return the lines below the table: results, and where each number is from."""
    last = found.phases[-1].scales[-1]
    memory = ", ".join(f"{size(count)} {name}" for name, count in found.device_memory.items())
    assumed = [_link(name, link) for name, link in _links(found) if not link.measured]
    measured = [_link(name, link) for name, link in _links(found) if link.measured]
    facts: dict[str, Any] = {
        "worthwhile": [
            _worthwhile(each.phase, each.worthwhile, last.devices) for each in found.phases
        ],
        "time": f"{_times(found, last.devices)}, without early stopping",
        "memory": f"{memory} on each device, without activations",
        "measured": ["steps with these rows on one device of this machine", *measured],
    }
    if assumed:
        facts["assumed"] = assumed
    computed = "all-reduce in a ring that does not overlap with gradients, epoch, speedup"
    return {**facts, "computed": computed}


def _times(found: Any, most: int) -> str:
    """Return the time on the worthwhile devices, on all of them and on one, as a phrase."""
    one = f"{duration(found.seconds_on_one)} with one device"
    if most == 1:
        return one
    most_and_one = f"{duration(found.seconds)} with all {most} devices, {one}"
    worthwhile = found.phases[-1].worthwhile
    if worthwhile in (1, most):
        return most_and_one
    return f"{duration(found.seconds_on_worthwhile)} with {worthwhile} (worthwhile), {most_and_one}"


def _links(found: Any) -> list[tuple[str, Any]]:
    links = [("devices of a host", found.device_link), ("hosts", found.host_link)]
    return [(name, link) for name, link in links if link is not None]


def _link(name: str, link: Any) -> str:
    latency = f"{1e6 * link.latency:.0f} µs"
    return f"{link.bandwidth / 1e9:.3g} GB/s and {latency} between {name} ({link.source})"


def _worthwhile(phase: str, largest: int, most: int, noun: str = "devices") -> str:
    name = f"{phase}: " if phase else ""
    if largest == 1:
        return f"{name}one {noun.removesuffix('s')}"
    if largest == most:
        return f"{name}all {most} {noun}"
    return f"{name}up to {largest} of {most} {noun}"


def _next(module: ModuleType, config: Config, found: Any) -> str:
    """Return the command of the fit, with the worthwhile devices of this host."""
    from kerasft.insight import fit_command
    from kerasft.planning.interconnect import on_accelerator
    from kerasft.runs.provenance import describe_recipe

    described = describe_recipe(module)
    given = given_settings(click.get_current_context(), type(config))
    command = in_backend(fit_command(described["source"] or described["name"], given))
    worthwhile = found.phases[-1].worthwhile
    if worthwhile == 1:
        return command
    if not on_accelerator():  # devices of a plan are processes; those of --devices are not faster
        return f"{command}  # in {worthwhile} processes: see Scale out in the docs"
    if found.host_link is None:
        return f"{command} --devices {worthwhile}"
    return f"{command}  # once on each host: see Scale out in the docs"


def _plan_search(module: ModuleType, config: Config, options: dict[str, Any]) -> None:
    if not {"measured", "trial_seconds"} & options.keys():
        check_sources(module, config)
    with working():
        import kerasft

        found = kerasft.plan_search(module, config, progress=not wants("quiet"), **options)
    if wants("json"):
        print_json({**dataclasses.asdict(found), "worthwhile": found.worthwhile})
    elif wants("quiet"):
        click.echo(found.worthwhile)
    else:
        rows = [
            (
                each.workers,
                duration(each.seconds),
                f"{each.utilization:.0%}",
                round(each.speedup, 1),
            )
            for each in found.scales
        ]
        print_table(("workers", "time", "utilization", "speedup"), rows)
        click.echo()
        print_facts(_search_facts(found))


def _search_facts(found: Any) -> dict[str, Any]:
    costs = found.costs
    mean = sum(costs.seconds_per_epoch) / len(costs.seconds_per_epoch)
    most = found.scales[-1].workers
    worthwhile = _worthwhile("", found.worthwhile, most, "workers")
    return {
        "search": f"{counted(found.trials, 'trial')}, {found.tuner}",
        **({"worthwhile": worthwhile} if most > 1 else {}),
        "epoch": f"{short_duration(mean)} ({found.source})",
        **({"start": f"{short_duration(costs.start)} of each worker"} if costs.start else {}),
        "scheduler": f"{short_duration(costs.scheduling)} for each trial",
        "computed": "time, utilization and speedup, by a simulation of the scheduler",
    }


def _make_options() -> list[click.Option]:
    whole, positive = click.IntRange(min=1), click.FloatRange(min=0, min_open=True)
    return [
        click.Option(["--devices"], type=whole, help="Devices of each host  [default: 1]"),
        click.Option(["--hosts"], type=whole, help="Number of hosts  [default: 1]"),
        click.Option(
            ["--bandwidth"], type=positive, metavar="GB/S",
            help="Bandwidth between hosts  [default: 1.25, typical of 10 Gbit/s Ethernet]",
        ),
        click.Option(
            ["--device-bandwidth"], type=positive, metavar="GB/S",
            help="Bandwidth between the devices of a host  [default: measured between threads"
            " here; for GPUs 25, typical of PCI Express 4.0]",
        ),
        click.Option(["--workers"], type=whole, help="Plan a search: number of workers"),
        click.Option(
            ["--trials"], type=whole,
            help="Number of its trials  [default: 20; hyperband: the whole plan]",
        ),
        click.Option(
            ["--tuner"], type=click.Choice(["random", "hyperband"]),
            help="Search algorithm; grid and bayesian take as long as random  [default: random]",
        ),
        click.Option(
            ["--max-epochs"], type=whole,
            help="Epochs of a trial's main phase  [default: --epochs]",
        ),
        click.Option(
            ["--executions"], type=whole,
            help="Trainings of each trial  [default: as in --from, else 1]",
        ),
        click.Option(
            ["--from", "measured"], metavar="SEARCH",
            help="Name or folder of a search of this recipe to take trial times from",
        ),
        click.Option(
            ["--trial-seconds"], type=positive, metavar="SECONDS",
            help="Time of a trial  [default: from --from, or from steps timed here]",
        ),
    ]  # fmt: skip


plan_command = RecipeGroup(
    "plan",
    action=plan,
    make_options=_make_options,
    help="""Predict a fit of a RECIPE on many devices, or a search on many workers.

    With --devices and --hosts: time of an epoch, communication and memory of each device, from a
    few steps timed here. --batch-size is that of all devices together. With --workers and --trials:
    time and utilization of a search, by a simulation of its scheduler. Both say how many devices or
    workers are worthwhile, and what is measured, assumed and computed. Nothing is trained.
    """,
)
