"""Numbers, durations and values as text for people."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# Controls except tab and line feed, changes of the writing direction, and lone surrogates.
_CONTROLS = re.compile(r"[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Return a text in which nothing can command a terminal: control characters as escapes.

    Example:
        >>> len(printable("cat" + chr(27)))  # four characters for the escape
        7
    """
    return _CONTROLS.sub(lambda match: ascii(match[0])[1:-1], text)


def is_blank(text: str) -> bool:
    """Return whether a text has no visible character: only spaces, controls or zero-width ones.

    Example:
        >>> is_blank(" " + chr(0x200B)), is_blank(" a")
        (True, False)
    """
    return all(c.isspace() or unicodedata.category(c) in ("Cc", "Cf") for c in text)


def shortened(text: str, longest: int) -> str:
    """Return a text of at most `longest` characters, without its middle if it is longer.

    Example:
        >>> shortened("a very long name", 9)
        'a ve…name'
    """
    if len(text) <= longest:
        return text
    half = (longest - 1) // 2
    return f"{text[: longest - 1 - half]}…{text[-half:]}"


def duration(seconds: float) -> str:
    """Return a duration as `9s`, `1m05s` or `2h03m`.

    Example:
        >>> duration(65)
        '1m05s'
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def number(value: float) -> str:
    """Return a number for a person: four significant digits, thousands separators.

    Whole numbers keep all digits.

    Example:
        >>> number(0.98321), number(0.00003), number(68412.3), number(68412)
        ('0.9832', '3e-05', '68,412', '68,412')
    """
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"


def counted(count: int, singular: str, plural: str = "") -> str:
    """Return a count with the form of a noun, or of a noun and its verb.

    Args:
        count: Count, at least 0.
        singular: Form for one.
        plural: Form for any other count; by default that for one and an s.

    Example:
        >>> counted(1200, "example"), counted(1, "image is", "images are")
        ('1,200 examples', '1 image is')
    """
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def epoch_text(epoch: int) -> str:
    """Return an epoch of a history from 1; 0 is the state before training.

    Example:
        >>> epoch_text(3), epoch_text(0)
        ('3', '0, the start as a linear probe')
    """
    return str(epoch) if epoch else "0, the start as a linear probe"


def percent(share: float) -> str:
    """Return a probability or share in whole percent; never 0 % or 100 % for what is between.

    Example:
        >>> percent(0.548), percent(0.9999), percent(0.002)
        ('55 %', '>99 %', '<1 %')
    """
    rounded = round(100 * share)
    if rounded == 100 and share < 1:
        return ">99 %"
    return "<1 %" if rounded == 0 and share > 0 else f"{rounded} %"


def shown(value: Any) -> str:
    """Return any value for a person: numbers as `number` formats them, nothing for None."""
    return number(value) if _is_number(value) else printable(setting_text(value))


def run_name(path: str | Path) -> str:
    """Return the name of a run for people: its recipe and its folder.

    Example:
        >>> run_name("runs/resnet_digits/a")
        'resnet_digits/a'
    """
    return "/".join(Path(path).parts[-2:])


def group_name(runs: Sequence[str]) -> str:
    """Return the name of runs that differ in their seeds: the first, and the number of others.

    Example:
        >>> group_name(["runs/resnet_digits/a", "runs/resnet_digits/b"])
        'resnet_digits/a and 1 more'
    """
    more = len(runs) - 1
    return run_name(runs[0]) + (f" and {more} more" if more else "")


def option_name(setting: str) -> str:
    """Return the option of a setting.

    Example:
        >>> option_name("learning_rate")
        '--learning-rate'
    """
    return f"--{setting.replace('_', '-')}"


def setting_text(value: Any) -> str:
    """Return the value of a setting as the command line accepts it, without separators.

    Example:
        >>> setting_text(64_000), setting_text(1e-5), setting_text(None)
        ('64000', '1e-05', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"
    return str(value)


def settings_text(values: Mapping[str, Any]) -> str:
    """Return settings with their values, for a sentence.

    Example:
        >>> settings_text({"learning_rate": 1e-4, "augmentation": "light"})
        'learning_rate 0.0001, augmentation light'
    """
    return ", ".join(f"{name} {setting_text(value)}" for name, value in values.items())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
