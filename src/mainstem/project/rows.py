# SPDX-License-Identifier: Apache-2.0
"""Rows of one table or view for a stranger: columns, a condition and a limit, as a stream.

What is asked for is pinned to one commit, so that the version told is that of the rows given.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from mainstem.errors import SelectionInvalid
from mainstem.project.condition import condition_sql
from mainstem.project.reading import ReadingSession
from mainstem.types import AssetKey, dataclass, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

    from mainstem.project.project import Project

    Stopping = Callable[[Callable[[], None]], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsRequest:
    """What is asked for."""

    asset: str
    branch: str = ""
    """The environment's without."""
    at: str = ""
    """A ref, a commit, or a time of the branch."""
    columns: tuple[str, ...] = ()
    """All without, in this order."""
    condition: str = ""
    """As `condition` reads it."""
    limit: int | None = None
    offset: int = 0
    order_by: tuple[str, ...] = ()
    """Columns; with a `-` before, the greatest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRows:
    """Where the rows are, before any is read."""

    key: AssetKey
    commit_id: str
    data_version: str
    request: RowsRequest

    @property
    def tag(self) -> str:
        """A name for exactly these rows: of the data's version and of what is asked of it."""
        asked = self.request
        parts = (
            self.key.folded,
            self.data_version,
            *asked.columns,
            "\0",
            asked.condition,
            str(asked.limit),
            str(asked.offset),
            *asked.order_by,
        )
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def find_rows(project: Project, request: RowsRequest) -> FoundRows:
    """Find the commit and the version that are meant; reads no data.

    Raises:
        AssetNotFound: There is no such table there.
        RefNotFound: There is no such branch, commit or time.
    """
    lake = project.lake
    commit = lake.resolve(place_of(project, branch=request.branch, at=request.at))
    key = project.key(request.asset, at=commit.id)
    lake.relation(key, commit.id)
    version = lake.data_version(key, commit.id) or ""
    return FoundRows(key=key, commit_id=commit.id, data_version=version, request=request)


@contextmanager
def open_rows(
    project: Project, found: FoundRows, *, stopping: Stopping
) -> Iterator[pa.RecordBatchReader]:
    """Read the rows, within the block.

    Args:
        project: Whose rows.
        found: Which rows.
        stopping: Makes a block in which what it is given may be called, from any thread, to stop
            the reading: a query computes before it gives its first row, so it begins in there.

    Raises:
        SelectionInvalid: A column is not there, or the condition cannot be read.
    """
    reading = ReadingSession(project.services.engine, project.lake, at=found.commit_id)
    with reading, stopping(reading.session.interrupt):
        reading.register(found.key)
        schema = reading.columns(found.key)
        query = _query(found, schema.names)
        yield reading.session.reader(query)


def place_of(project: Project, *, branch: str, at: str) -> str:
    """Give the ref expression of a branch and a place that are asked for apart.

    A commit or a time alone is looked for on the branch; a name that is no branch's stands alone.
    """
    if not at:
        return branch or project.reading_ref
    return f"{branch}@{at}" if branch else at


def _query(found: FoundRows, names: tuple[str, ...]) -> str:
    asked = found.request
    known = {name.casefold(): name for name in names}
    chosen = ", ".join(_column(name, known) for name in asked.columns) or "*"
    table = ".".join(map(_quoted, (found.key.namespace, found.key.name)))
    sql = f"select {chosen} from {table}"
    if asked.condition.strip():
        sql += f" where {condition_sql(asked.condition, names)}"
    if asked.order_by:
        parts = [_ordering(name, known) for name in asked.order_by]
        sql += f" order by {', '.join(parts)}"
    if asked.limit is not None:
        sql += f" limit {int(asked.limit)}"
    if asked.offset:
        sql += f" offset {int(asked.offset)}"
    return sql


def _ordering(name: str, known: dict[str, str]) -> str:
    is_falling = name.startswith("-")
    return _column(name.removeprefix("-"), known) + (" desc" if is_falling else "")


def _column(name: str, known: dict[str, str]) -> str:
    found = known.get(name.strip().casefold())
    if found is None:
        raise SelectionInvalid(
            "A8113",
            f"There is no column `{name}` here.",
            hint=did_you_mean(name, known.values())
            or f"There are {', '.join(list(known.values())[:30])}.",
            known=tuple(known.values())[:30],
        )
    return _quoted(found)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
