"""Numbers and values as a person reads them, the same in every place."""

from __future__ import annotations

from typing import Any


def duration(seconds: float) -> str:
    """Return a time as `9s`, `1m05s` or `2h03m`.

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
    """Return a metric or rate in about four figures.

    Example:
        >>> number(0.98321), number(0.00003), number(68412.3)
        ('0.9832', '3e-05', '68,412')
    """
    if value and abs(value) < 1e-3:
        return f"{value:.2g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def shown(value: Any) -> str:
    """Return any value: numbers with four significant digits, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"
    return str(value)
