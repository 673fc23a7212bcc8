# SPDX-License-Identifier: Apache-2.0
"""What observers may ask of a table that a step has built."""

from __future__ import annotations

from collections.abc import Mapping

from mainstem.types import AssetKey, Schema, dataclass

Lineage = Mapping[str, tuple[tuple[AssetKey, str], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFacts:
    """What is known of a table that a step has built."""

    schema: Schema | None = None
    lineage: Lineage | None = None
    """For each column the columns that it is computed from."""
