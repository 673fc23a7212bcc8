# SPDX-License-Identifier: Apache-2.0
"""What planning wants to know of the outside world: values and callables from `project`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime
from typing import Protocol

from mainstem.graph.asset import Asset
from mainstem.graph.partition import Bounds
from mainstem.types import AssetKey, Provenance, Schema, dataclass


class HeadEntry(Protocol):
    """An asset as it is on the branch; the lake's entries are such."""

    @property
    def kind(self) -> str:
        """`table`, `view` or `cursor`."""
        ...

    @property
    def provenance(self) -> Provenance:
        """Where the version came from."""
        ...

    @property
    def row_count(self) -> int:
        """Rows; 0 for views."""
        ...


class SourceObservation(Protocol):
    """What a look at a source, without reading it, told."""

    @property
    def is_fresh(self) -> bool:
        """Whether there is nothing to read."""
        ...

    @property
    def summary(self) -> str:
        """What would be read: `2 new files, 1.2 MB`; or why nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Linkable:
    """An equal version that a succeeded attempt made elsewhere."""

    version: str
    commit_id: str
    """Where its table can be taken from."""
    made_on: str
    """The branch of the run that made it; `in run 12` if that is the target itself."""
    run_id: int = 0
    is_published: bool = False
    """Whether its checks let it through there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadThrough:
    """The branch whose sources stand for those of the target (SEMANTICS, Environment)."""

    branch: str
    commit_id: str
    entries: Mapping[AssetKey, HeadEntry]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRecord:
    """What is remembered of a data version: how it came from others."""

    version: str
    parent: str = ""
    """The version before it, if it was made by changing that."""
    operation: str = "overwrite"
    """`append`: only rows were added to `parent`. `view`: a definition over `inputs`."""
    code_version: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    is_uniform: bool = True
    """All rows were made by `code_version`; not so once incremental code went forward."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What the command asked for beyond the selection."""

    full_refresh: bool = False
    """Incremental models are built from nothing, all rows, as in dbt."""
    rebuild: bool = False
    """All that is selected is built anew, all rows, though it be up to date."""
    ingest: bool = True
    """Sources are looked at."""
    read_through: bool = False
    """Sources are taken over from the branch that the target comes from."""
    fresh: bool = False
    """Sources are read though they were read lately."""
    force: bool = False
    """Reverted versions may come back."""
    again: bool = False
    """What is selected is executed though it was before, or could be linked; increments stay so."""
    partitions: Mapping[str, str] = field(default_factory=dict)
    """Which partitions are wanted, by folded asset key or `*`: a set as text, or words such as
    `latest`, `missing`, `failed`; without, all that are not up to date."""
    latest_at: datetime | None = None
    """Logical time of the run, by which `latest` is meant: a tick that is made up for builds the
    window that was over then. Without it: now."""


_LATE = datetime(2100, 1, 1, tzinfo=UTC)


def _no_record(_key: AssetKey, _version: str) -> VersionRecord | None:
    return None


def _no_link(_key: AssetKey, _version: str) -> Linkable | None:
    return None


def _no_tombstone(_key: AssetKey, _version: str) -> bool:
    return False


def _no_observation(_asset: Asset) -> SourceObservation | None:
    return None


def _no_parts(_key: AssetKey, _code_version: str) -> Mapping[str, str]:
    return {}


def _no_estimates(
    _keys: Sequence[AssetKey],
) -> Mapping[AssetKey, tuple[int | None, float | None]]:
    return {}


def _no_age(_key: AssetKey, _version: str) -> float | None:
    return None


def _no_files(_key: AssetKey, _old: str, _new: str) -> tuple[Bounds, ...] | None:
    return None


def _no_part_links(_key: AssetKey, _version: str) -> Sequence[tuple[str, Linkable]]:
    return ()


def _no_reverts(_key: AssetKey) -> Sequence[tuple[str, str]]:
    return ()


def _no_failures(_key: AssetKey) -> str:
    return ""


def _no_columns(_key: AssetKey) -> Mapping[str, str]:
    return {}


def _own_lineage(asset: Asset) -> Mapping[str, tuple[tuple[AssetKey, str], ...]]:
    return asset.lineage


def _named_only(_asset: Asset) -> bool:
    return False


def _own_schema(asset: Asset) -> Schema | None:
    return asset.schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The world as one plan sees it; callables are asked only for what is not plainly fresh."""

    entries: Mapping[AssetKey, HeadEntry] = field(default_factory=dict)
    """Of the target branch's head."""
    record_of: Callable[[AssetKey, str], VersionRecord | None] = _no_record
    link_of: Callable[[AssetKey, str], Linkable | None] = _no_link
    """By asset and data version."""
    read_through: ReadThrough | None = None
    """Sources are taken over from there instead of being read."""
    is_tombstone: Callable[[AssetKey, str], bool] = _no_tombstone
    """Whether this version was reverted on the target branch."""
    observe: Callable[[Asset], SourceObservation | None] = _no_observation
    """Look at a source; nothing: it cannot tell without reading, so it is read."""
    parts_of: Callable[[AssetKey, str], Mapping[str, str]] = _no_parts
    """`Asset.change_summary` as it was at an older code version."""
    age_of: Callable[[AssetKey, str], float | None] = _no_age
    """Seconds since the last build of an asset, of which the branch has this version."""
    estimates: Callable[
        [Sequence[AssetKey]], Mapping[AssetKey, tuple[int | None, float | None]]
    ] = _no_estimates
    """Rows and seconds of the last time, of those that ran before; asked once for all work."""
    columns_of: Callable[[AssetKey], Mapping[str, str]] = _no_columns
    """Names and types of the columns that the branch has; empty if unknown."""
    lineage_of: Callable[[Asset], Mapping[str, tuple[tuple[AssetKey, str], ...]]] = _own_lineage
    """For each output column what it is computed from, by today's code; may be costly."""
    compares_unnamed: Callable[[Asset], bool] = _named_only
    """Whether a new column of an input could change rows though no output column is made of it."""
    now: datetime = _LATE
    """Tells which partitions there are."""
    changed_files: Callable[[AssetKey, str, str], tuple[Bounds, ...] | None] = _no_files
    """Bounds of each data file in which two versions of a table differ; nothing: unknown."""
    part_links: Callable[[AssetKey, str], Sequence[tuple[str, Linkable]]] = _no_part_links
    """Partitions of an asset, as text, that were built as this version, and where."""
    reverted_parts: Callable[[AssetKey], Sequence[tuple[str, str]]] = _no_reverts
    """Versions and partitions, as text, of an asset that were reverted on the target."""
    failed_of: Callable[[AssetKey], str] = _no_failures
    """Partitions, as text, whose last attempt on the target failed."""
    schema_of: Callable[[Asset], Schema | None] = _own_schema
    """Columns by today's code; may be costly."""
