# SPDX-License-Identifier: Apache-2.0
"""How the partitions of an asset stand, as lines: ranges, however many partitions there are."""

from __future__ import annotations

from mainstem.cli.render.look import Look, Paint
from mainstem.cli.render.words import count
from mainstem.project import PartitionsStatus
from mainstem.types import plural

_RANGES = 8
_FAILURES = 5
_COLORS: dict[str, Paint] = {
    "stale": "yellow",
    "missing": "dim",
    "failed": "red",
    "running": "bold",
}


def partitions_lines(status: PartitionsStatus, look: Look) -> list[str]:
    """Render the sets that are not empty, then why partitions failed."""
    total = status.existing.count
    lines = [f"{status.key} · branch {status.branch} · {plural(total, 'partition')}"]
    for name, some in status.sets():
        if not some:
            continue
        ranges = some.ranges(limit=_RANGES + 1)
        text = ", ".join(one.text for one in ranges[:_RANGES])
        more = ", ..." if len(ranges) > _RANGES else ""
        word = f"{name:<9}"
        painted = look.paint(word, _COLORS[name]) if name in _COLORS else word
        lines.append(f"  {painted}{count(some.count):>9}  {text}{more}")
    lines.extend(
        f"  {failure.partition}: {failure.status} in run {failure.run_id}: {failure.reason}"
        for failure in status.failures[:_FAILURES]
    )
    if status.failed or status.missing or status.stale:
        wanted = "failed" if status.failed else "missing" if status.missing else ""
        option = f" --partition {wanted}" if wanted else ""
        lines.append(f"build them: mainstem run {status.key}{option}")
    return lines


def partitions_document(status: PartitionsStatus) -> dict[str, object]:
    """Give the same as one document."""
    return {
        "key": str(status.key),
        "branch": status.branch,
        "count": status.existing.count,
        "partitions": {
            name: {
                "count": some.count,
                "ranges": [
                    {"text": one.text, "first": one.first, "last": one.last, "count": one.count}
                    for one in some.ranges()
                ],
            }
            for name, some in status.sets()
        },
        "failures": status.failures,
    }
