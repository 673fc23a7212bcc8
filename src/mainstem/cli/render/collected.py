# SPDX-License-Identifier: Apache-2.0
"""What garbage collection removed, as lines. Pure."""

from __future__ import annotations

from mainstem.cli.render.words import listing, size
from mainstem.project import Collected
from mainstem.types import plural


def collected_lines(collected: Collected) -> list[str]:
    """Say what went, or would go, and how much room that gives."""
    pruned = collected.pruned
    rows = [
        (len(collected.branches), "branch", listing(collected.branches), 0),
        (collected.files, "file", "that nothing leads to", collected.file_bytes),
        (collected.commits + collected.objects, "row", "of the catalog", 0),
        (collected.versions, "version", "that is linked no more", 0),
        (pruned.logs, "run", "of which the logs are old", pruned.log_bytes),
        (pruned.days, "day", "of history", pruned.day_bytes),
        (collected.failures, "failure", "not seen for long", 0),
        (collected.alerts, "message", "sent or given up", 0),
    ]
    lines = [
        f"  {plural(count, noun):<14} {what}" + (f", {size(held)}" if held else "")
        for count, noun, what, held in rows
        if count
    ]
    if not lines:
        return ["There is nothing to remove."]
    verb = "Would remove" if collected.is_dry_run else "Removed"
    return [f"{verb}, {size(collected.size_bytes)} in all:", *lines]
