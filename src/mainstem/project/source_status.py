# SPDX-License-Identifier: Apache-2.0
"""How the file sources of a project stand: what was loaded of them, and what waits to be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from mainstem.graph import Asset
from mainstem.ingest import FileTable, Observation
from mainstem.lake import Commit
from mainstem.project.sources import Sources
from mainstem.state import reverted_commits, updated_at
from mainstem.types import AssetKey, dataclass

if TYPE_CHECKING:
    from mainstem.project.project import Project

FileState = Literal["loaded", "new", "changed", "gone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One file of a source, as it is and as it was loaded."""

    name: str
    """Relative to the project; absolute if outside."""
    state: FileState
    size: int
    """Bytes; of one that is gone as it was loaded."""
    mtime_ns: int
    """0: not known any more."""
    digest: str
    """SHA-256 of what was loaded; empty if that was never read."""
    is_pending: bool
    """A run would read it; where all rows are replaced, one that did not change, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """A source, compared with what the branch has of it."""

    asset: Asset
    definition: FileTable
    seen: Observation
    files: tuple[SourceFile, ...]
    """By name."""
    loaded_at: datetime | None
    """When a run last read it, or found nothing new in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLoad:
    """A commit by which files came in, or went."""

    commit: Commit
    files: tuple[str, ...]
    """That were read."""
    removed: tuple[str, ...]
    """Whose rows were no longer kept track of from then on."""
    row_count: int
    """Of the table after it,"""
    row_count_before: int
    """and before."""
    data_version: str


def source_statuses(
    project: Project,
    assets: Sequence[Asset],
    *,
    at: str,
    check: Callable[[], None] = lambda: None,
) -> list[SourceStatus]:
    """Look at the files of sources: names, sizes and times; content only where those differ.

    Args:
        project: An open one.
        assets: Those that are no file source are left out.
        at: What was loaded is compared with the branch, tag or commit.
        check: Called between sources; what it raises ends the look.
    """
    files = [asset for asset in assets if asset.kind == "file"]
    with project.services.database.read() as transaction:
        reverted = reverted_commits(transaction, project.branch)
        loaded = updated_at(transaction, project.branch, [asset.key for asset in files])
    lake = project.lake
    sources = Sources(lake, project.folder, project.variables, at=at, reverted=reverted)
    cursors = lake.cursors(at)
    found = []
    for asset in files:
        check()
        seen = sources.observe(asset)
        assert seen is not None, "it is of kind file"
        assert isinstance(asset.definition, FileTable), "it is of kind file"
        known = _files_of(cursors.get(asset.key))
        found.append(
            SourceStatus(
                asset=asset,
                definition=asset.definition,
                seen=seen,
                files=tuple(_files(seen, known)),
                loaded_at=loaded.get(asset.key),
            )
        )
    return found


def source_loads(project: Project, key: AssetKey, *, at: str, limit: int) -> list[SourceLoad]:
    """Tell which files came into a table by which commit, newest first.

    Asks the lake twice for each load: `limit` bounds it.
    """
    lake = project.lake
    commits = lake.log(at, limit=limit + 1, key=key)
    states = []
    for commit in commits:
        entry = lake.entry(key, commit.id)
        states.append((_files_of(lake.cursor(key, commit.id)), entry))
    # What a commit began with is what the next older one that changed the table left.
    states.append(({}, None))
    return [
        SourceLoad(
            commit=commit,
            files=tuple(
                name
                for name, file in after.items()
                if before.get(name, {}).get("digest") != file["digest"]
            ),
            removed=tuple(name for name in before if name not in after),
            row_count=0 if entry is None else entry.row_count,
            row_count_before=0 if older is None else older.row_count,
            data_version="" if entry is None else entry.provenance.data_version,
        )
        for commit, (after, entry), (before, older) in zip(
            commits[:limit], states, states[1:], strict=False
        )
    ]


def _files(seen: Observation, known: Mapping[str, Mapping[str, Any]]) -> list[SourceFile]:
    pending = {file.name for file in seen.files}
    kept = {file.name for file in seen.kept}
    files = {file.name: file for file in (*seen.files, *seen.kept)}
    found = []
    for name in sorted({*files, *known}):
        file, loaded = files.get(name), known.get(name)
        state: FileState = "loaded"
        if file is None:
            # Of a source that cannot be looked at nothing is known to be gone.
            state = "gone" if name in seen.removed else "loaded"
        elif name not in kept:
            state = "new" if loaded is None else "changed"
        found.append(
            SourceFile(
                name=name,
                state=state,
                size=file.size if file is not None else int((loaded or {}).get("size", 0)),
                mtime_ns=file.mtime_ns if file is not None else 0,
                digest="" if loaded is None else str(loaded.get("digest", "")),
                is_pending=name in pending,
            )
        )
    return found


def _files_of(cursor: Mapping[str, Any] | None) -> Mapping[str, Mapping[str, Any]]:
    files: Mapping[str, Mapping[str, Any]] = (cursor or {}).get("files") or {}
    return files
