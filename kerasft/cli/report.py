"""`kerasft report`."""

from __future__ import annotations

from pathlib import Path

import click

from kerasft.cli.completion import complete_runs
from kerasft.cli.options import SharedOptions, wants
from kerasft.cli.output import print_json
from kerasft.cli.run_argument import find_run, with_runs_dir


@click.command("report", cls=SharedOptions)
@click.argument("run", metavar="RUN|SEARCH", shell_complete=complete_runs)
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="File of the report  [default: report.html in the folder]")  # fmt: skip # noqa: E501
@with_runs_dir
def report_command(run: str, output: str | None, runs_dir: str) -> None:
    """Write an HTML report of a RUN or a search: scores, curves, errors, advice.

    The report is one self-contained file: open it in a browser, print it or send it.
    """
    if (Path(run) / "journal.jsonl").is_file():
        from kerasft.tuning.results import load_search, write_search_report

        path = write_search_report(load_search(run), output)
    else:
        from kerasft.insight import write_report
        from kerasft.runs import load_run

        path = write_report(load_run(find_run(run, runs_dir)), output)
    if wants("json"):
        print_json({"report": path})
    else:
        click.echo(path)
