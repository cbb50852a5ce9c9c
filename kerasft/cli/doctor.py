"""`kerasft doctor`."""

from __future__ import annotations

import dataclasses

import click

from kerasft.cli.options import SharedOptions, wants
from kerasft.cli.output import print_facts, print_json
from kerasft.cli.startup import working
from kerasft.errors import name_and_first_line


@click.command("doctor", cls=SharedOptions)
def doctor_command() -> None:
    """Show versions, devices, processes of a training, caches and known conflicts.

    Each conflict is printed with the command that fixes it. The exit code is 1 if there is one.
    """
    from kerasft.cli import device_facts, installation

    facts, conflicts = installation.facts(), installation.conflicts()
    try:
        with working():
            facts |= device_facts.device_facts()
    except Exception as error:  # any error of TensorFlow's start is a finding
        conflict = installation.backend_conflict(name_and_first_line(error))
        conflicts += [conflict] if conflict else []
    facts |= installation.caches()
    if wants("json"):
        print_json({**facts, "conflicts": [dataclasses.asdict(c) for c in conflicts]})
    else:
        if not wants("quiet"):
            print_facts(facts)
            click.echo()
        for conflict in conflicts:
            click.echo(f"conflict  {conflict.text}\n  fix: {conflict.fix}")
        if not conflicts and not wants("quiet"):
            click.echo("No known conflicts.")
    if conflicts:
        click.get_current_context().exit(1)
