# SPDX-License-Identifier: Apache-2.0
"""Backfills as lines: the list, and one in detail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mainstem.cli.render.grid import grid
from mainstem.cli.render.look import Look, Mark
from mainstem.cli.render.words import moment, seconds, shorten
from mainstem.service import BackfilledAsset, BackfillReport
from mainstem.types import plural


def backfill_list_lines(
    reports: Sequence[BackfillReport], look: Look, *, now: datetime
) -> list[str]:
    """List backfills, newest first."""
    rows = [
        (
            f"backfill {report.backfill.id}",
            report.backfill.status,
            ", ".join(report.backfill.request.get("select", ())),
            f"{report.done} of {report.target}",
            report.failed or "",
            "" if report.seconds_left is None else seconds(report.seconds_left),
            moment(report.backfill.created_at, now),
            report.backfill.note,
        )
        for report in reports
    ]
    names = ("backfill", "status", "what", "done", "failed", "left", "made (UTC)", "note")
    return grid(names, rows, look=look, rule=False)


def backfill_lines(report: BackfillReport, look: Look) -> list[str]:
    """Show one backfill: each asset, what failed, how long it will take."""
    backfill = report.backfill
    name = f"backfill {backfill.id}" if backfill.id else "backfill"
    head = [look.paint(name, "bold"), backfill.status if backfill.id else "not stored"]
    head += [f"{backfill.environment} · branch {backfill.branch}"]
    head += [f"{report.done:,} of {plural(report.target, 'partition')}"]
    if report.seconds_left is not None:
        head.append(f"about {seconds(report.seconds_left)} left")
    lines = [" · ".join(head)]
    if backfill.note:
        lines.append(f"  {backfill.note}")
    width = max((len(str(asset.key)) for asset in report.assets), default=0) + 2
    for asset in report.assets:
        lines += _asset_lines(asset, look, width)
    if report.failed and backfill.id:
        lines.append(f"to do again what failed: mainstem backfill retry {backfill.id}")
    return lines


def _asset_lines(asset: BackfilledAsset, look: Look, width: int) -> list[str]:
    counts = [f"{asset.done:,} of {asset.target:,}"]
    counts += [f"{asset.flying:,} under way"] if asset.flying else []
    counts += [f"{asset.stuck:,} wait for what failed"] if asset.stuck else []
    mark: Mark = "fail" if asset.failed else "ok" if asset.done == asset.target else "skip"
    text = shorten(asset.partitions, 60)
    lines = [f"  {look.mark(mark)} {asset.key!s:<{width}}{', '.join(counts)}   {text}"]
    if asset.failed:
        lines.append(f"       failed: {shorten(asset.failed_partitions, 80)}")
    return lines
