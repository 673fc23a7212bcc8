# SPDX-License-Identifier: Apache-2.0
"""When others last reported something new of an external asset: for promises of freshness."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

from mainstem.errors import RefNotFound
from mainstem.graph import Graph
from mainstem.lake import Lake
from mainstem.types import AssetKey


def reported_at(
    lake: Lake, graph: Graph, keys: Iterable[AssetKey], branch: str
) -> dict[AssetKey, datetime]:
    """Tell when a new version of external assets was reported last; the others are left out."""
    found = {}
    for key in keys:
        if graph[key].kind != "external":
            continue
        with suppress(RefNotFound):
            at = (lake.cursor(key, branch) or {}).get("at")
            if at:
                found[key] = datetime.fromisoformat(str(at))
    return found
