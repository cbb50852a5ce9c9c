"""A run of Weights & Biases beside a run of kerasft.

WANDB_MODE (`offline` writes to a folder only), WANDB_PROJECT, WANDB_DIR and other variables of
wandb configure it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from kerasft.config import Config, to_dict
from kerasft.errors import SettingError, first_line
from kerasft.reachable_hosts import require_server
from kerasft.runs import Run
from kerasft.training.tracked_record import tracked_files, tracked_numbers

_LOCAL = ("offline", "dryrun", "disabled")


def open_wandb() -> None:
    """Check that wandb can send a run, unless its mode sends none."""
    import wandb

    settings = wandb.setup().settings
    if settings.mode in _LOCAL:
        return
    require_server(settings.base_url, "wandb")
    try:
        wandb.login()
    except wandb.Error as error:
        raise SettingError(
            f"wandb refuses a run at {settings.base_url}: {first_line(error)}. Run `wandb login`, "
            "or set WANDB_MODE=offline."
        ) from error


@contextlib.contextmanager
def tracked_by_wandb(run: Run, config: Config) -> Iterator[list[keras.callbacks.Callback]]:
    """Create a run of wandb in the project of the recipe; an active run is left alone."""
    import wandb

    sent = wandb.init(
        project=wandb.setup().settings.project or run.recipe,
        name=run.name,
        config=to_dict(config),
        reinit="create_new",
        settings=wandb.Settings(console="off"),  # the terminal is left alone too
    )

    class Epochs(keras.callbacks.Callback):
        """Sends every epoch."""

        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            sent.log({"epoch": epoch + 1, **(logs or {})})

    try:
        yield [Epochs()]
        sent.summary.update(tracked_numbers(run))
        for file in tracked_files(run):
            sent.save(str(file), base_path=str(run.path), policy="now", glob=False)
    except BaseException:  # an interruption too; as a context, the run would print the traceback
        sent.finish(exit_code=1)
        raise
    sent.finish()
