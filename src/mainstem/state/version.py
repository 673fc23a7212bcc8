# SPDX-License-Identifier: Apache-2.0
"""The registry of data versions: how each came about, and where its table can be linked from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import field
from datetime import datetime
from typing import Any

import orjson

from mainstem.database import Transaction
from mainstem.state.times import from_us, to_us
from mainstem.types import AssetKey, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVersion:
    """One version as one run made it."""

    key: AssetKey
    version: str
    run_id: int
    parent: str = ""
    operation: str = "overwrite"
    fingerprint: str = ""
    code_version: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    is_uniform: bool = True
    branch: str = ""
    """Target branch of the run."""
    commit_id: str = ""
    """Commit whose table it is; empty for versions of views, which nobody links."""
    row_count: int = 0
    created_at: datetime
    expires_at: datetime | None = None
    """After this it is not linked; nothing: it was published, so history keeps it."""


_AT_ONCE = 500
_COLUMNS = (
    "asset, data_version, run_id, parent, operation, fingerprint, code_version, inputs, "
    "is_uniform, branch, commit_id, row_count, created_at, expires_at"
)


def add_versions(transaction: Transaction, versions: Iterable[StoredVersion]) -> None:
    """Remember versions; one that the run already remembered is left as it is."""
    transaction.executemany(
        f"insert into version ({_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "on conflict (asset, data_version, run_id) do nothing",
        [
            (
                item.key.folded,
                item.version,
                item.run_id,
                item.parent,
                item.operation,
                item.fingerprint,
                item.code_version,
                orjson.dumps(item.inputs, option=orjson.OPT_SORT_KEYS).decode(),
                int(item.is_uniform),
                item.branch,
                item.commit_id,
                item.row_count,
                to_us(item.created_at),
                None if item.expires_at is None else to_us(item.expires_at),
            )
            for item in versions
        ],
    )


def versions_of(transaction: Transaction, key: AssetKey, version: str) -> list[StoredVersion]:
    """Give all records of a version, latest run first."""
    rows = transaction.execute(
        f"select {_COLUMNS} from version where asset = ? and data_version = ? order by run_id desc",
        (key.folded, version),
    )
    return [_version(key, row) for row in rows]


def mark_published(
    transaction: Transaction,
    run_id: int,
    keys: Collection[AssetKey],
    *,
    commit_id: str,
    versions: Mapping[AssetKey, str] | None = None,
) -> None:
    """Let the versions of a run that were published be linked from the target's own history.

    Args:
        transaction: Open.
        run_id: The run.
        keys: What it published.
        commit_id: The target's commit.
        versions: Of partitioned tables the one that was published: each of their steps made one,
            and the others are no longer linked as a whole, so nothing keeps their commits.
    """
    known = versions or {}
    transaction.executemany(
        "update version set commit_id = ?, expires_at = null "
        "where run_id = ? and asset = ? and commit_id <> ''",
        [(commit_id, run_id, key.folded) for key in keys if key not in known],
    )
    transaction.executemany(
        "update version set commit_id = ?, expires_at = null "
        "where run_id = ? and asset = ? and data_version = ? and commit_id <> ''",
        [(commit_id, run_id, key.folded, version) for key, version in known.items()],
    )
    transaction.executemany(
        "update version set commit_id = '' where run_id = ? and asset = ? and data_version <> ?",
        [(run_id, key.folded, version) for key, version in known.items()],
    )


def expire_versions(transaction: Transaction, *, now: datetime) -> int:
    """Stop linking what expired; how it came about stays known. Gives the number."""
    rows = transaction.execute(
        "select count(*) from version where commit_id <> '' and expires_at < ?", (to_us(now),)
    )
    transaction.execute(
        "update version set commit_id = '' where commit_id <> '' and expires_at < ?",
        (to_us(now),),
    )
    count: int = rows[0][0]
    return count


def linkable_commits(transaction: Transaction, *, now: datetime) -> frozenset[str]:
    """Give the commits that linkable versions point to: roots that sweeping must keep."""
    rows = transaction.execute(
        "select distinct commit_id from version where commit_id <> '' "
        "and (expires_at is null or expires_at >= ?)",
        (to_us(now),),
    )
    return frozenset(commit_id for (commit_id,) in rows)


def save_parts(
    transaction: Transaction, parts: Iterable[tuple[AssetKey, str, Mapping[str, str]]]
) -> None:
    """Remember what code consisted of, by code version, so that a plan can say what changed."""
    transaction.executemany(
        "insert into code (asset, code_version, parts) values (?, ?, ?) "
        "on conflict (asset, code_version) do nothing",
        [
            (key.folded, code_version, orjson.dumps(summary).decode())
            for key, code_version, summary in parts
            if summary
        ],
    )


def save_texts(transaction: Transaction, texts: Iterable[tuple[AssetKey, str, str]]) -> None:
    """Remember which raw text had which code version: asset, hash of the text, version."""
    transaction.executemany(
        "insert into code_text (asset, text_hash, code_version) values (?, ?, ?) "
        "on conflict (asset, text_hash, code_version) do nothing",
        [(key.folded, text, code_version) for key, text, code_version in texts if text],
    )


def codes_of_texts(
    transaction: Transaction, texts: Mapping[AssetKey, str]
) -> dict[AssetKey, frozenset[str]]:
    """Give the code versions that assets had with these texts; nothing of what was never seen."""
    found: dict[AssetKey, frozenset[str]] = {}
    pairs = list(texts.items())
    for start in range(0, len(pairs), _AT_ONCE):
        some = pairs[start : start + _AT_ONCE]
        keys = {key.folded: key for key, _text in some}
        rows = transaction.execute(
            "select asset, code_version from code_text where (asset, text_hash) in "
            f"(values {', '.join(['(?, ?)'] * len(keys))})",
            [part for key, text in some for part in (key.folded, text)],
        )
        for folded, code_version in rows:
            key = keys[folded]
            found[key] = found.get(key, frozenset()) | {code_version}
    return found


def parts_of(transaction: Transaction, key: AssetKey, code_version: str) -> Mapping[str, str]:
    """Give what code consisted of; empty if it was never seen."""
    rows = transaction.execute(
        "select parts from code where asset = ? and code_version = ?", (key.folded, code_version)
    )
    parts: Mapping[str, str] = orjson.loads(rows[0][0]) if rows else {}
    return parts


def _version(key: AssetKey, row: tuple[Any, ...]) -> StoredVersion:
    _asset, version, run_id, parent, operation, mark, code_version, inputs, is_uniform = row[:9]
    branch, commit_id, row_count, created_at, expires_at = row[9:]
    return StoredVersion(
        key=key,
        version=version,
        run_id=run_id,
        parent=parent,
        operation=operation,
        fingerprint=mark,
        code_version=code_version,
        inputs=orjson.loads(inputs),
        is_uniform=bool(is_uniform),
        branch=branch,
        commit_id=commit_id,
        row_count=row_count,
        created_at=from_us(created_at),
        expires_at=None if expires_at is None else from_us(expires_at),
    )
