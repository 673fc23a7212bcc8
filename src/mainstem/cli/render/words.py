# SPDX-License-Identifier: Apache-2.0
"""Numbers, sizes, times and lists as every command writes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from mainstem.types import plural

_UNITS = ("kB", "MB", "GB", "TB")


def count(number: int) -> str:
    """Write `336,776`."""
    return f"{number:,}"


def size(size_bytes: int) -> str:
    """Write `1.2 MB`, in powers of ten as disks are sold."""
    if size_bytes < 1000:
        return plural(size_bytes, "byte")
    power = next((at for at, _ in enumerate(_UNITS, 1) if size_bytes < 999.5 * 1000**at), 4)
    value = size_bytes / 1000**power
    return (
        f"{value:.1f} {_UNITS[power - 1]}" if value < 99.95 else f"{value:.0f} {_UNITS[power - 1]}"
    )


def seconds(elapsed_s: float) -> str:
    """Write `0.4 s`, `12.0 s`, `2 min 5 s`, `1 h 2 min`."""
    if elapsed_s < 59.95:
        return f"{elapsed_s:.1f} s"
    whole = round(elapsed_s)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def about_seconds(estimated_s: float) -> str:
    """Write an estimate: `1 s`, `2 min`; never less than a second."""
    whole = max(1, round(estimated_s))
    return f"{whole} s" if whole < 100 else f"{round(whole / 60)} min"


def share(part: int, whole: int) -> str:
    """Write `2.3 %`; tiny shares are not rounded to nothing."""
    if not whole:
        return "0 %"
    percent = 100 * part / whole
    return f"{percent:.1f} %" if percent >= 0.05 or not part else "< 0.1 %"


def moment(when: datetime, now: datetime) -> str:
    """Write `today 03:02`, `yesterday 03:02`, or the date; in UTC."""
    day = when.date()
    if day == now.date():
        return f"today {when:%H:%M}"
    if day == now.date() - timedelta(days=1):
        return f"yesterday {when:%H:%M}"
    return f"{when:%Y-%m-%d %H:%M}"


def listing(names: Sequence[str], *, limit: int = 5) -> str:
    """Write `a, b and 3 more`."""
    shown = list(names[:limit])
    rest = len(names) - len(shown)
    return ", ".join(shown) + (f" and {count(rest)} more" if rest else "")


def shorten(text: str, width: int) -> str:
    """Cut a text to a number of places, with an ellipsis."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"
