# SPDX-License-Identifier: Apache-2.0
"""Layout of files: Iceberg partition specs (Iceberg spec, "Partitioning").

Not to be confused with `partitions:`, the unit of work of an asset.
"""

from __future__ import annotations

from typing import Literal

from mainstem.types.value import dataclass

Transform = Literal["identity", "year", "month", "day", "hour"]

PartitionValue = bool | int | float | str | None
"""One partition value as Iceberg stores it: years, months, days or hours since 1970 for the time
transforms; for identity the column's physical value (see `table.Physical`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutColumn:
    """One entry of `partition_by:` as the owner wrote it: `carrier`, `month(time_hour)`."""

    column: str
    transform: Transform = "identity"

    def __str__(self) -> str:
        return self.column if self.transform == "identity" else f"{self.transform}({self.column})"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionField:
    """One field of a partition spec."""

    source_id: int
    field_id: int
    """From 1000 on, unique in the table over all branches."""
    name: str
    transform: Transform


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionSpec:
    """How the files of a table are laid out; a file keeps the spec it was written with."""

    spec_id: int = 0
    fields: tuple[PartitionField, ...] = ()


def layout_text(columns: tuple[LayoutColumn, ...]) -> str:
    """Write `partition_by:` columns in canonical form, for fingerprints and messages."""
    return ", ".join(str(column) for column in columns)
