# SPDX-License-Identifier: Apache-2.0
"""Data files that hold rows of some partitions and of others: each part goes to files of its own.

Partitions that were built together share files. One that is built or held alone is cut out of them,
so that everything else about partitions exchanges whole files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from mainstem.engines import quote_key
from mainstem.graph import Asset, RowRule
from mainstem.lake import Lake
from mainstem.runs.rows import conditions_around, layout_for, required_condition, with_files
from mainstem.types import AssetKey, DataFile, Engine, TableRef, dataclass

_PART = AssetKey("__mainstem", "part")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutter:
    """What cutting needs, and where the new files go."""

    lake: Lake
    engine: Callable[[], Engine] | None
    """Called when there is something to cut."""
    branch: str
    attempt: str
    """Begins the names of the files."""


def rows_within(
    cutter: Cutter, asset: Asset, table: TableRef, files: Sequence[DataFile], rule: RowRule
) -> tuple[DataFile, ...]:
    """Write the rows of some files that belong to partitions to new files; commits nothing."""
    belongs = required_condition(rule, table.schema, asset.key)
    return _written(cutter, asset, table, files, (belongs,))


def rows_outside(
    cutter: Cutter, asset: Asset, table: TableRef, files: Sequence[DataFile], rule: RowRule
) -> tuple[DataFile, ...]:
    """Write the other rows of some files to new files; commits nothing."""
    around = conditions_around(rule, table.schema, asset.key)
    return _written(cutter, asset, table, files, around)


def _written(
    cutter: Cutter,
    asset: Asset,
    table: TableRef,
    files: Sequence[DataFile],
    conditions: Sequence[str],
) -> tuple[DataFile, ...]:
    if not files:
        return ()
    assert cutter.engine is not None, "who has partitions has an engine"
    target = cutter.lake.target(
        cutter.branch,
        table.key,
        table.schema,
        attempt=cutter.attempt,
        partition_by=layout_for(asset, table.schema) if table.key == asset.key else (),
        replaces=False,
    )
    part = f"select * from {quote_key(_PART)} where "
    with cutter.engine().session() as session:
        session.register(replace(with_files(table, files), key=_PART))
        return tuple(
            file for condition in conditions for file in session.write(part + condition, target)
        )
