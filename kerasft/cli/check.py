"""`kerasft check`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import click

from kerasft.cli.options import given_settings, wants
from kerasft.cli.output import print_facts, print_json, print_table
from kerasft.cli.plan_description import describe_plan, plan_facts
from kerasft.cli.recipe_group import RecipeGroup
from kerasft.cli.run_argument import runs_dir_option
from kerasft.cli.startup import check_folder, working
from kerasft.config import Config
from kerasft.data_finding import DataFinding
from kerasft.downloads import find_downloads
from kerasft.errors import DataError


def check(module: ModuleType, config: Config, runs_dir: str, timing: bool) -> None:
    """Check a recipe on its data; print the findings, the plan and the command that fits."""
    find_downloads(module, config)  # a mistyped dataset or preset is reported at once
    check_folder(module, config)
    given = given_settings(click.get_current_context(), type(config))
    with working():
        import kerasft
        from kerasft.runs.provenance import describe_recipe

        found = kerasft.check(
            module, config, runs_dir=runs_dir, timing=timing, progress=not wants("quiet")
        )
        described = describe_recipe(module)
    recipe = str(described["source"] or described["name"])
    errors = [finding for finding in found.findings if finding.level == "error"]
    if wants("json"):
        rows = [_described(finding, recipe, given) for finding in found.findings]
        print_json({"ok": found.ok, "findings": rows, "plan": describe_plan(found.plan)})
    elif wants("quiet"):
        click.echo(len(errors))
    else:
        _print_findings(found.findings)
        print_facts({**plan_facts(found.plan), "next": _next(recipe, given, errors)})
    if errors:
        click.get_current_context().exit(DataError.exit_code)


def _next(recipe: str, given: Mapping[str, Any], errors: Sequence[DataFinding]) -> str:
    """Return the command of the fit, or what to do first where settings do not mend an error."""
    if not all(finding.changes for finding in errors):
        return f"fix the {'error' if len(errors) == 1 else 'errors'} above, then check again"
    changes = {name: value for finding in errors for name, value in finding.changes.items()}
    return _command(recipe, {**given, **changes})


def _described(finding: DataFinding, recipe: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON of a finding, with the command that has its changes."""
    command = _command(recipe, {**given, **finding.changes}) if finding.changes else None
    return {**dataclasses.asdict(finding), "command": command}


def _command(recipe: str, settings: Mapping[str, Any]) -> str:
    from kerasft.insight import fit_command

    return fit_command(recipe, settings)


def _print_findings(findings: tuple[DataFinding, ...]) -> None:
    from kerasft.insight.commands import fit_options

    if not findings:
        click.echo("No problems found.\n")
        return
    rows = [(x.level, x.text, fit_options(x.changes) or x.advice) for x in findings]
    print_table(("level", "finding", "fix"), rows)
    click.echo()


def _make_options() -> list[click.Option]:
    return [
        runs_dir_option(),
        click.Option(
            ["--timing/--no-timing"],
            default=True,
            help="Build the model and time a few steps of each phase  [default: timing]",
        ),
    ]


check_command = RecipeGroup(
    "check",
    action=check,
    make_options=_make_options,
    help="""Check a RECIPE on its data, and plan its fit, without training.

    Lists what makes training wrong or impossible (error), what makes scores unreliable or training
    worse (warning), and notes, with the fix of a problem: options to add, or what to do with the
    data. Exit code 3 if there is an error, such as a missing download with --offline. The plan has
    the measured time of an epoch, memory, disk space and downloads. Nothing is downloaded.
    """,
)
