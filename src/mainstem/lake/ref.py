# SPDX-License-Identifier: Apache-2.0
"""Branches and tags: names for commits, each move of them written to a log.

Not here: expressions such as `main~2` (`revision`), and what may be committed where (`writing`).
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from mainstem.errors import BranchConflict, RefNotFound, SelectionInvalid
from mainstem.lake.catalog import Catalog, microseconds, time_of
from mainstem.lake.commit import load_commit
from mainstem.lake.values import Commit, Ref, RefKind
from mainstem.types import did_you_mean, nearest

MAIN = "main"
_COLUMNS = "name, kind, commit_id, protected, sealed, expires_at, created_from"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*")


def find_ref(catalog: Catalog, name: str) -> Ref | None:
    """Look a branch or tag up."""
    rows = catalog.transaction.execute(f"select {_COLUMNS} from lake_ref where name = ?", (name,))
    return _read(rows[0]) if rows else None


def load_ref(catalog: Catalog, name: str, *, kind: RefKind | None = None) -> Ref:
    """Look up a branch or tag that must exist.

    Raises:
        RefNotFound: It does not, or is of the other kind; names the nearest ones.
    """
    found = find_ref(catalog, name)
    if found is None:
        raise unknown_ref(catalog, name, kind=kind)
    if kind is not None and found.kind != kind:
        raise RefNotFound(
            "A5011",
            f"`{name}` is a {found.kind}, and a {kind} is needed.",
            hint=f"A tag never moves; make a branch at it with `mainstem branch NAME --at {name}`."
            if found.kind == "tag"
            else "",
        )
    return found


def load_open(catalog: Catalog, branch: str) -> Ref:
    """Look up a branch that may be moved, if only by way of a merge.

    Raises:
        RefNotFound: There is no such branch.
        BranchConflict: It is sealed.
    """
    ref = load_ref(catalog, branch, kind="branch")
    if ref.sealed:
        raise is_sealed(branch)
    return ref


def list_refs(catalog: Catalog, kind: RefKind | None = None) -> list[Ref]:
    """Give all branches and tags, by name."""
    rows = catalog.transaction.execute(f"select {_COLUMNS} from lake_ref order by name")
    refs = [_read(row) for row in rows]
    return refs if kind is None else [ref for ref in refs if ref.kind == kind]


def create_ref(
    catalog: Catalog,
    name: str,
    commit: Commit,
    *,
    kind: RefKind,
    protected: bool = False,
    expires_at: datetime | None = None,
) -> Ref:
    """Name a commit; costs the same however large the lake is.

    Raises:
        SelectionInvalid: The name cannot be one.
        BranchConflict: The name is taken.
    """
    check_ref_name(name)
    taken = find_ref(catalog, name)
    if taken is not None:
        raise BranchConflict(
            "A5012",
            f"There is a {taken.kind} `{name}` already, at {taken.commit_id[:8]}.",
            hint="Choose another name, or delete that one first.",
        )
    expires = None if expires_at is None else microseconds(expires_at)
    catalog.transaction.execute(
        f"insert into lake_ref ({_COLUMNS}) values (?, ?, ?, ?, 0, ?, ?)",
        (name, kind, commit.id, int(protected), expires, commit.id),
    )
    _log(catalog, name, old="", new=commit.id, why=f"{kind} created")
    return Ref(
        name=name,
        kind=kind,
        commit_id=commit.id,
        protected=protected,
        expires_at=expires_at,
        created_from=commit.id,
    )


def move_branch(catalog: Catalog, ref: Ref, to: Commit, *, why: str) -> None:
    """Let a branch point to a new commit, in the transaction that `ref` was read in."""
    catalog.transaction.execute(
        "update lake_ref set commit_id = ? where name = ?", (to.id, ref.name)
    )
    _log(catalog, ref.name, old=ref.commit_id, new=to.id, why=why)


def delete_ref(catalog: Catalog, name: str, *, kind: RefKind) -> None:
    """Remove a name; the commits stay until they are swept.

    Raises:
        RefNotFound: It does not exist.
        BranchConflict: It is protected, or the lake's own `main`.
    """
    ref = load_ref(catalog, name, kind=kind)
    if ref.protected or (kind == "branch" and name == MAIN):
        raise BranchConflict(
            "A5013",
            f"The {kind} `{name}` is protected and cannot be deleted.",
            hint="Remove its protection first." if name != MAIN else "Every lake keeps its main.",
        )
    catalog.transaction.execute("delete from lake_ref where name = ?", (name,))
    _log(catalog, name, old=ref.commit_id, new="", why=f"{kind} deleted")


def change_ref(
    catalog: Catalog,
    name: str,
    *,
    protected: bool | None = None,
    sealed: bool | None = None,
    expires_at: datetime | None = None,
) -> Ref:
    """Protect, seal or let a branch expire; `None` leaves a property as it is.

    Raises:
        RefNotFound: There is no such branch.
    """
    load_ref(catalog, name, kind="branch")
    for column, value in (
        ("protected", None if protected is None else int(protected)),
        ("sealed", None if sealed is None else int(sealed)),
        ("expires_at", None if expires_at is None else microseconds(expires_at)),
    ):
        if value is not None:
            catalog.transaction.execute(
                f"update lake_ref set {column} = ? where name = ?", (value, name)
            )
    return load_ref(catalog, name)


def head_of(catalog: Catalog, ref: Ref) -> Commit:
    """Load the commit a ref points to."""
    return load_commit(catalog, ref.commit_id)


def was_at(catalog: Catalog, name: str, when: datetime) -> str | None:
    """Give the id of the commit that a branch pointed to at a time, if the log knows."""
    rows = catalog.transaction.execute(
        "select new from lake_reflog where name = ? and moved_at <= ? order by number desc limit 1",
        (name, microseconds(when)),
    )
    return rows[0][0] or None if rows else None


def moves_since(catalog: Catalog, when: datetime) -> list[str]:
    """Give the ids of all commits that any ref pointed to since a time, deleted refs included."""
    rows = catalog.transaction.execute(
        "select old, new from lake_reflog where moved_at >= ?", (microseconds(when),)
    )
    return [commit_id for row in rows for commit_id in row if commit_id]


def unknown_ref(catalog: Catalog, name: str, *, kind: RefKind | None = None) -> RefNotFound:
    """Say that a name is not there, and what is."""
    names = [ref.name for ref in list_refs(catalog, kind)]
    what = kind or "branch, tag or commit"
    return RefNotFound(
        "A5010",
        f"There is no {what} `{name}`.",
        hint=did_you_mean(name, names) or "`mainstem branch` lists the branches and tags.",
        known=nearest(name, names) or names[:10],
    )


def is_sealed(name: str) -> BranchConflict:
    """Say that a branch is closed."""
    return BranchConflict(
        "A5032",
        f"The branch `{name}` is sealed: it is kept as a failed run left it.",
        hint="Look at it, but neither write to it, nor merge it, nor branch from it.",
    )


def check_ref_name(name: str) -> None:
    """Check that a branch or tag may have this name.

    Raises:
        SelectionInvalid: It may not.
    """
    if not _NAME.fullmatch(name) or ".." in name or len(name) > 200:
        raise SelectionInvalid(
            "A5014",
            f"`{name}` cannot be the name of a branch or tag.",
            hint="Use letters, digits, `_`, `-`, `.`, `+`, in parts joined by `/`: dev/alice.",
        )


def _log(catalog: Catalog, name: str, *, old: str, new: str, why: str) -> None:
    catalog.transaction.execute(
        "insert into lake_reflog (name, number, moved_at, old, new, why) values (?, coalesce("
        "(select max(number) from lake_reflog where name = ?), 0) + 1, ?, ?, ?, ?)",
        (name, name, microseconds(catalog.now), old, new, why),
    )


def _read(row: tuple[Any, ...]) -> Ref:
    name, kind, commit_id, protected, sealed, expires_at, created_from = row
    return Ref(
        name=name,
        kind=kind,
        commit_id=commit_id,
        protected=bool(protected),
        sealed=bool(sealed),
        expires_at=None if expires_at is None else time_of(expires_at),
        created_from=created_from,
    )
