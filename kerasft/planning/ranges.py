"""Checks of the numbers that a plan is asked for."""

from __future__ import annotations

from kerasft.errors import SettingError


def check_counts(**counts: int | None) -> None:
    """Raise SettingError if a number of devices, workers, ... is below 1."""
    for name, count in counts.items():
        if count is not None and count < 1:
            raise SettingError(f"`{name}` must be at least 1. Received: {name}={count}.")


def check_positive(**values: float | None) -> None:
    """Raise SettingError if a bandwidth or a time is not above 0."""
    for name, value in values.items():
        if value is not None and not value > 0:
            raise SettingError(f"`{name}` must be above 0. Received: {name}={value}.")
