# SPDX-License-Identifier: Apache-2.0
"""`mainstem.Lake`: the versioned lake for programs that need no project.

A thin face over `mainstem.lake.Lake` (tables, branches, commits) and an engine (SQL at any ref).
Nothing is protected here; a project's `main` is (SEMANTICS, Branches and merges).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from mainstem.database import open_database
from mainstem.engines import open_engine
from mainstem.lake import Commit, MergeResult
from mainstem.lake import Lake as LakeCatalog
from mainstem.project.reading import ReadingSession
from mainstem.types import AssetKey, SystemClock

if TYPE_CHECKING:
    import pyarrow as pa

    from mainstem.lake import LakeTransaction
    from mainstem.types import Clock, Engine


class Lake:
    """A lake in a folder: tables as Arrow, SQL at any ref, branches over all tables.

    Args:
        folder: Holds `lake.db` and the data files; made if missing.
        clock: Source of commit times; the machine's by default.

    Example:
        >>> lake = Lake("warehouse")
        >>> lake.append("shop.orders", orders)
        >>> lake.branch("experiment")
        >>> lake.sql("select count(*) from shop.orders", at="experiment")
    """

    def __init__(self, folder: str | Path, *, clock: Clock | None = None) -> None:
        self.folder = Path(folder).absolute()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._database = open_database(str(self.folder / "lake.db"))
        self.catalog = LakeCatalog.open(
            self._database, str(self.folder / "data"), clock=clock or SystemClock()
        )
        self._engine: Engine | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exit_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Release connections and the engine's memory."""
        if self._engine is not None:
            self._engine.close()
        self._database.close()

    def append(self, key: str, data: pa.Table, *, branch: str = "main") -> Commit:
        """Add rows; the table is made if missing, and columns it lacks are added."""
        return self.catalog.append(AssetKey.parse(key), data, branch=branch)

    def overwrite(self, key: str, data: pa.Table, *, branch: str = "main") -> Commit:
        """Replace all rows, and the columns by those of `data`."""
        return self.catalog.overwrite(AssetKey.parse(key), data, branch=branch)

    def upsert(
        self, key: str, data: pa.Table, *, on: Sequence[str], branch: str = "main"
    ) -> Commit:
        """Replace the rows whose key columns `on` are equal, and add the others."""
        return self.catalog.upsert(AssetKey.parse(key), data, on=tuple(on), branch=branch)

    def delete(
        self, key: str, keys: pa.Table, *, on: Sequence[str], branch: str = "main"
    ) -> Commit:
        """Delete the rows whose key columns `on` are among `keys`."""
        return self.catalog.delete(AssetKey.parse(key), keys, on=tuple(on), branch=branch)

    def drop(self, key: str, *, branch: str = "main") -> Commit:
        """Remove a table from a branch; other branches and history keep it."""
        return self.catalog.drop(AssetKey.parse(key), branch=branch)

    @contextmanager
    def transaction(self, branch: str = "main", *, message: str = "") -> Iterator[LakeTransaction]:
        """Collect several writes into one commit; an exception in the block discards them all."""
        with self.catalog.transaction(branch, message=message) as changes:
            yield changes

    def table(self, key: str, *, at: str = "main") -> pa.Table:
        """Read a table as Arrow, as of any ref: branch, tag, commit, `main@2026-01-31T10:00`."""
        return self.catalog.arrow(AssetKey.parse(key), at=at)

    def tables(self, *, at: str = "main") -> list[str]:
        """List the tables and views at a ref."""
        entries = self.catalog.entries(at).values()
        return sorted(str(entry.key) for entry in entries if entry.kind != "cursor")

    def sql(self, query: str, *, at: str = "main") -> pa.Table:
        """Run a query over the tables as of a ref."""
        if self._engine is None:
            self._engine = open_engine("duckdb", temp_directory=str(self.folder / "spill"))
        with ReadingSession(self._engine, self.catalog, at=at) as session:
            return session.arrow(query)

    def branch(self, name: str, *, at: str = "main") -> None:
        """Make a branch over all tables; costs the same however much data there is."""
        self.catalog.create_branch(name, at=at)

    def delete_branch(self, name: str) -> None:
        """Remove a branch; its commits stay until they expire."""
        self.catalog.delete_branch(name)

    def tag(self, name: str, *, at: str = "main") -> None:
        """Name a commit."""
        self.catalog.tag(name, at=at)

    def branches(self) -> list[str]:
        """List the branches."""
        return [ref.name for ref in self.catalog.refs("branch")]

    def log(self, ref: str = "main", *, limit: int = 50) -> list[Commit]:
        """List commits, newest first."""
        return list(self.catalog.log(ref, limit=limit))

    def merge(
        self,
        source: str,
        into: str = "main",
        *,
        on_conflict: Literal["fail", "ours", "theirs"] = "fail",
        dry_run: bool = False,
        message: str = "",
    ) -> MergeResult:
        """Bring what changed on `source` into `into`, in one commit or not at all.

        Args:
            source: The branch to take from.
            into: The branch to change.
            on_conflict: What to do where changes do not commute: fail, or take one side's.
            dry_run: Say what would happen, conflicts included, and change nothing.
            message: Of the commit.

        Raises:
            BranchConflict: Changes that do not commute, per table, partition and key.
        """
        result = self.catalog.merge(
            source, into, message=message, on_conflict=on_conflict, dry_run=dry_run
        )
        return result if dry_run else result.require()

    def revert(self, commit: str, *, branch: str = "main", **options: Any) -> Commit:
        """Undo one commit by a new commit on the head."""
        return self.catalog.revert(branch, self.catalog.resolve(commit).id, **options)

    def metadata_path(self, key: str, *, at: str = "main") -> str:
        """Write, if needed, Iceberg's metadata for a version and tell its path."""
        return self.catalog.metadata_path(AssetKey.parse(key), at=at)
