"""The command `kerasft`."""

from __future__ import annotations

from typing import Any

import click

from kerasft import __version__
from kerasft.cli.average import average_command
from kerasft.cli.benchmark import benchmark_command
from kerasft.cli.blocks import blocks_command
from kerasft.cli.calibrate import calibrate_command
from kerasft.cli.check import check_command
from kerasft.cli.copy import copy_command
from kerasft.cli.diagnose import diagnose_command
from kerasft.cli.doctor import doctor_command
from kerasft.cli.evaluate import evaluate_command
from kerasft.cli.export import export_command
from kerasft.cli.failures import (
    leaving_on_second_interrupt,
    report_errors,
    stopping_on_sigterm,
    use_color,
)
from kerasft.cli.find_lr import find_lr_command
from kerasft.cli.fit import fit_command
from kerasft.cli.list import list_command
from kerasft.cli.options import SharedGroup
from kerasft.cli.plan import plan_command
from kerasft.cli.predict import predict_command
from kerasft.cli.report import report_command
from kerasft.cli.runs import runs_command
from kerasft.cli.serve import serve_command
from kerasft.cli.show import show_command
from kerasft.cli.startup import replace_closed_streams
from kerasft.cli.tune import tune_command
from kerasft.cli.verify import verify_command


class App(SharedGroup):
    """The outermost command, which reports errors and sets the exit code."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the line; `kerasft help fit` is `kerasft fit --help`."""
        if args[:1] == ["help"]:
            args = [*args[1:], "--help"]
        return super().parse_args(ctx, args)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line with all standard streams open."""
        replace_closed_streams()
        return super().main(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command line."""
        ctx.color = use_color()
        with leaving_on_second_interrupt(), stopping_on_sigterm(), report_errors(ctx):
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which they are used."""
        return list(self.commands)


@click.group(cls=App, context_settings={"max_content_width": 100})
@click.version_option(__version__, package_name="kerasft", prog_name="kerasft")
def main() -> None:
    """Fine-tune pretrained Keras models.

    \b
    kerasft fit resnet_digits                      a first run, works offline
    kerasft fit resnet_digits --dataset photos/    your images, a folder per class
    kerasft fit minilm_tickets --dataset texts.csv your texts: columns text, label

    Results go to standard output, progress to standard error. Exit codes: 0 done, 1 failed,
    2 usage, 3 bad data, 4 a record that does not match, 5 damaged file, 6 out of disk
    or memory, or a lost process, 7 no trial completed, 130 and 143 for signals.
    """  # noqa: D301 (click reads the character as "do not wrap")


for command in (
    list_command,
    show_command,
    copy_command,
    blocks_command,
    check_command,
    plan_command,
    fit_command,
    tune_command,
    average_command,
    calibrate_command,
    evaluate_command,
    predict_command,
    find_lr_command,
    diagnose_command,
    report_command,
    runs_command,
    export_command,
    verify_command,
    benchmark_command,
    serve_command,
    doctor_command,
):
    main.add_command(command)
