# SPDX-License-Identifier: Apache-2.0
"""An asset described: what it is, who reads it, its columns."""

from __future__ import annotations

from mainstem.cli.render.grid import grid
from mainstem.cli.render.look import Look
from mainstem.cli.render.words import size
from mainstem.project import DescribedAsset
from mainstem.types import plural


def asset_lines(asset: DescribedAsset, look: Look) -> list[str]:
    """Render what `show` says above the rows."""
    what = [
        asset.kind if asset.kind == asset.materialized else f"{asset.kind} {asset.materialized}"
    ]
    if asset.row_count is not None:
        what.append(plural(asset.row_count, "row"))
    if asset.size_bytes is not None and asset.file_count is not None:
        what.append(f"{size(asset.size_bytes)} in {plural(asset.file_count, 'file')}")
    if asset.run_id:
        what.append(f"run {asset.run_id}")
    if asset.file:
        what.append(asset.file)
    lines = [" · ".join([look.paint(str(asset.key), "bold"), *what])]
    if asset.description:
        lines.append(asset.description)
    for label, names in (
        ("reads", [str(key) for key in asset.inputs]),
        ("read by", [str(key) for key in asset.readers]),
        ("checks", list(asset.checks)),
    ):
        if names:
            lines.append(f"{label:<9}{', '.join(names)}")
    if asset.columns:
        has_text = any(column.description for column in asset.columns)
        titles = ("column", "type", "description") if has_text else ("column", "type")
        rows = [
            (column.name, column.type, column.description)[: len(titles)]
            for column in asset.columns
        ]
        lines += ["", *grid(titles, rows, look=look)]
    return lines
