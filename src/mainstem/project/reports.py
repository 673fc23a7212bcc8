# SPDX-License-Identifier: Apache-2.0
"""Reports of what others made: each new version is a row of the asset's table, in one commit.

So a report is ingested data like any other: what reads the asset becomes stale, conditions see it,
branches, reverts and time travel hold for it. A version that was reported last is not new.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from importlib import import_module
from typing import TYPE_CHECKING, Any

import orjson

from mainstem.errors import RefNotFound, UserError
from mainstem.lake import Commit
from mainstem.types import AssetKey, Provenance, TableWrite, dataclass

if TYPE_CHECKING:
    from mainstem.lake import Lake
    from mainstem.project.project import Project

_LONGEST = 500
_MOST_METADATA = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What somebody says to have made."""

    data_version: str
    """In the words of whoever made it: a commit, a snapshot, a date. Equal means unchanged."""
    address: str = ""
    """Where it is."""
    row_count: int | None = None
    metadata: Mapping[str, Any] | None = None
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of a report."""

    asset: AssetKey
    branch: str
    commit: Commit | None
    """Nothing: this version was reported last, so nothing is new."""
    data_version: str
    """Of the asset from now on, as plans compare it."""


def report_materialization(project: Project, asset: str, reported: Reported) -> Report:
    """Write down that something new was made of an external asset, on the project's branch.

    Raises:
        AssetNotFound: There is no such asset.
        UserError: It is made by the project itself, or a field cannot be kept.
    """
    key = _external(project, asset)
    metadata = _checked(reported)
    lake, now = project.lake, project.clock.now()
    branch = _branch(project)
    if _last(lake, key, branch) == reported.data_version:
        return _nothing_new(lake, key, branch)
    changes = lake.changes(branch)
    changes.append(key, _rows(reported, metadata, now))
    write = changes.intents.pop()
    assert isinstance(write, TableWrite), "an append is a table's"
    told = {"reported_version": reported.data_version}
    # Whoever reported meanwhile is seen here: from now on nobody else writes.
    with project.services.database.write(durable=True) as transaction:
        if _last(lake, key, branch) == reported.data_version:
            return _nothing_new(lake, key, branch)
        provenance = _provenance(lake.data_version(key, branch) or "", reported)
        changes.add(replace(write, provenance=provenance))
        cursor = {"kind": "reports", "version": reported.data_version, "at": now.isoformat()}
        changes.cursor(key, cursor)
        commit = lake.commit(
            branch,
            changes.intents,
            message=f"{reported.by or 'somebody'} reported {key} {reported.data_version}",
            author=reported.by,
            meta=told,
            allow_protected=True,
            transaction=transaction,
        )
    return Report(asset=key, branch=branch, commit=commit, data_version=provenance.data_version)


def _external(project: Project, asset: str) -> AssetKey:
    found = project.graph.names.find(asset) or project.graph.resolve(asset)
    declared = project.graph[found]
    if declared.kind != "external":
        raise UserError(
            "A3040",
            f"{found} is made by this project ({declared.file}): nobody else can report it.",
            hint="Declare what others make in an ingest file of `type: external`.",
        )
    return declared.key


def _branch(project: Project) -> str:
    try:
        project.lake.ref(project.branch)
    except RefNotFound:
        project.lake.create_branch(project.branch, at=project.reading_ref)
    return project.branch


def _checked(reported: Reported) -> str:
    """See that what is reported can be kept; gives the metadata as JSON."""
    for name in ("data_version", "address", "by"):
        text = getattr(reported, name)
        if len(text) > _LONGEST or not (text.isprintable() or not text):
            raise _wrong(f"`{name}` has at most {_LONGEST} characters, all of which can be printed")
    if not reported.data_version.strip():
        raise _wrong("`data_version` is empty")
    count = reported.row_count
    if count is not None and not 0 <= count < 2**63:
        raise _wrong("`row_count` is a number of rows")
    try:
        text = orjson.dumps(dict(reported.metadata or {}), option=orjson.OPT_SORT_KEYS).decode()
    except (TypeError, ValueError):
        raise _wrong("`metadata` is an object of JSON") from None
    if len(text) > _MOST_METADATA:
        raise _wrong(f"`metadata` has at most {_MOST_METADATA:,} characters as JSON")
    return text


def _wrong(why: str) -> UserError:
    return UserError(
        "A3041",
        f"The report cannot be kept: {why}.",
        hint="A report says which version there is now, and where; it holds no data.",
    )


def _last(lake: Lake, key: AssetKey, branch: str) -> str:
    cursor = lake.cursor(key, branch) or {}
    return str(cursor.get("version") or "")


def _nothing_new(lake: Lake, key: AssetKey, branch: str) -> Report:
    version = lake.data_version(key, branch) or ""
    return Report(asset=key, branch=branch, commit=None, data_version=version)


def _provenance(before: str, reported: Reported) -> Provenance:
    content = orjson.dumps(["report", before, reported.data_version])
    return Provenance(
        origin="ingested",
        data_version=sha256(content).hexdigest()[:32],
        # Two branches that were told of the same version have the same, and do not add up.
        cursor_interval=sha256(reported.data_version.encode()).hexdigest()[:16],
    )


def _rows(reported: Reported, metadata: str, now: datetime) -> Any:
    pa = import_module("pyarrow")
    return pa.table(
        {
            "reported_at": pa.array([now], pa.timestamp("us", tz="UTC")),
            "data_version": pa.array([reported.data_version], pa.string()),
            "address": pa.array([reported.address], pa.string()),
            "row_count": pa.array([reported.row_count], pa.int64()),
            "reported_by": pa.array([reported.by], pa.string()),
            "metadata": pa.array([metadata], pa.string()),
        }
    )
