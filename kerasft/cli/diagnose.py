"""`kerasft diagnose`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from kerasft.cli.comparison_table import print_comparison
from kerasft.cli.completion import complete_runs
from kerasft.cli.options import SharedOptions, wants
from kerasft.cli.output import print_json, print_table, terminal_width, wrapped
from kerasft.cli.run_argument import load_runs, with_runs_dir
from kerasft.formatting import group_name

if TYPE_CHECKING:
    from kerasft.insight.notebook import Diagnosis


@click.command("diagnose", cls=SharedOptions)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", shell_complete=complete_runs)
@with_runs_dir
def diagnose_command(runs: tuple[str, ...], runs_dir: str) -> None:
    """Diagnose a RUN and suggest what to change next.

    Only the files of the run are read. Findings are ordered by importance, each with its evidence
    and the command to run next. Several runs are also compared: which change helped, and whether
    the difference exceeds the noise. The faults of runs that differ only in their seed are counted.
    """
    from kerasft import insight

    chosen = load_runs(runs, runs_dir)
    found = [insight.diagnose(run) for run in chosen]
    scored = any(run.metrics.get("validation") for run in chosen)
    apart = insight.why_incomparable(chosen)
    several = len(chosen) > 1 and not apart
    compared = insight.compare(chosen) if several and scored else None
    if wants("json"):
        together = {"runs": found, "comparison": compared}
        print_json(together if len(found) > 1 else found[0])
        return
    for number, diagnosis in enumerate(found):
        if number and not wants("quiet"):
            click.echo()
        if wants("quiet"):
            names = [f["name"] for f in diagnosis["findings"] if f["fault"]]
            click.echo(" ".join(names) or "healthy")
        else:
            _print(diagnosis, several=len(found) > 1)
    if several and not wants("quiet"):
        for group in insight.seeds_of_settings(chosen):
            _print_faults_by_seed(found, [str(run.path) for run in group])
    if compared and not wants("quiet"):
        click.echo()
        print_comparison(compared)
    elif apart and not wants("quiet"):
        click.echo(f"\nNot compared: {apart}.")


def _print(diagnosis: Diagnosis, *, several: bool) -> None:
    if several:
        click.echo(f"{diagnosis['run']}")
    click.echo(diagnosis.text(min(92, terminal_width() - 5)))


def _print_faults_by_seed(found: Sequence[Diagnosis], runs: Sequence[str]) -> None:
    """Print how many of some runs, which differ only in their seed, have each fault.

    Seeds can have contradictory faults; what most of them have is changed first.
    """
    counts = Counter(
        each["title"]
        for diagnosis in found
        for each in diagnosis["findings"]
        if each["fault"] and diagnosis["run"] in runs
    )
    if len(runs) < 2 or not counts:
        return
    click.secho(f"\nFaults of {group_name(runs)}", bold=True)
    rows = [(title, f"{count} of {len(runs)}") for title, count in counts.most_common()]
    print_table(("fault", "seeds"), rows)
    if min(counts.values()) < len(runs):
        first = " Begin with the most frequent one." * (len(set(counts.values())) > 1)
        note = f"A fault that only some seeds have may be chance.{first}"
        click.echo("\n".join(wrapped(note, terminal_width())))
