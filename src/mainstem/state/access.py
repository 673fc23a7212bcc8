# SPDX-License-Identifier: Apache-2.0
"""Who may call the API, and what they changed: tokens (hashed, never as given) and the audit log.

What a token looks like, how it is hashed and what a role allows is `mainstem.api`'s to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any

import orjson

from mainstem.database import Migration, Transaction
from mainstem.state.times import from_us, to_us
from mainstem.types import dataclass

ACCESS_MIGRATIONS = (
    Migration(
        package="access",
        number=1,
        statements=(
            """
            create table access_token (
              id text primary key, name text not null, role text not null, salt text not null,
              digest text not null, created_at bigint not null, expires_at bigint,
              revoked_at bigint
            )
            """,
            """
            create table audit (
              number bigint primary key, at bigint not null, actor text not null,
              role text not null, address text not null, action text not null,
              arguments text not null, result text not null
            )
            """,
        ),
    ),
)
_TOKEN = "id, name, role, salt, digest, created_at, expires_at, revoked_at"  # noqa: S105  # columns
_AUDIT = "number, at, actor, role, address, action, arguments, result"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredToken:
    """A token as it is kept: its secret can be compared, not read."""

    id: str
    name: str
    role: str
    salt: str
    """Hexadecimal."""
    digest: str
    """Of salt and secret, hexadecimal."""
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One change that somebody asked for, and what came of it."""

    number: int = 0
    """In the order of asking."""
    at: datetime
    actor: str
    """Name of the token, or `local` for a caller on this machine without one."""
    role: str
    address: str
    """Where the call came from."""
    action: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    result: str = ""
    """`ok` or an error's code; empty while it goes on, or if the process died meanwhile."""


def add_token(transaction: Transaction, token: StoredToken) -> None:
    """Keep a new token."""
    transaction.execute(
        f"insert into access_token ({_TOKEN}) values (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            token.id,
            token.name,
            token.role,
            token.salt,
            token.digest,
            to_us(token.created_at),
            None if token.expires_at is None else to_us(token.expires_at),
            None if token.revoked_at is None else to_us(token.revoked_at),
        ),
    )


def token_of(transaction: Transaction, token_id: str) -> StoredToken | None:
    """Give one token, revoked and expired ones too."""
    rows = transaction.execute(f"select {_TOKEN} from access_token where id = ?", (token_id,))
    return _token(rows[0]) if rows else None


def access_tokens(transaction: Transaction) -> list[StoredToken]:
    """Give all tokens there ever were, oldest first."""
    rows = transaction.execute(f"select {_TOKEN} from access_token order by created_at, id")
    return [_token(row) for row in rows]


def revoke_token(transaction: Transaction, token_id: str, *, at: datetime) -> bool:
    """End a token for good; False if there is none, or it was ended before."""
    return bool(
        transaction.execute(
            "update access_token set revoked_at = ? where id = ? and revoked_at is null "
            "returning id",
            (to_us(at), token_id),
        )
    )


def begin_audit(transaction: Transaction, entry: AuditEntry) -> int:
    """Write down what is about to be done, and give its number."""
    rows = transaction.execute(
        f"insert into audit ({_AUDIT}) select coalesce(max(number), 0) + 1, ?, ?, ?, ?, ?, ?, ? "
        "from audit returning number",
        (
            to_us(entry.at),
            entry.actor,
            entry.role,
            entry.address,
            entry.action,
            orjson.dumps(entry.arguments, default=str).decode(),
            entry.result,
        ),
    )
    number: int = rows[0][0]
    return number


def end_audit(transaction: Transaction, number: int, result: str) -> None:
    """Write down what came of it."""
    transaction.execute("update audit set result = ? where number = ?", (result, number))


def audit_entries(
    transaction: Transaction, *, limit: int = 50, before: int | None = None
) -> list[AuditEntry]:
    """Give the audit log, newest first, from below a number on."""
    rows = transaction.execute(
        f"select {_AUDIT} from audit where number < ? order by number desc limit ?",
        (2**62 if before is None else before, limit),
    )
    return [
        AuditEntry(
            number=number,
            at=from_us(at),
            actor=actor,
            role=role,
            address=address,
            action=action,
            arguments=orjson.loads(arguments),
            result=result,
        )
        for number, at, actor, role, address, action, arguments, result in rows
    ]


def prune_audit(transaction: Transaction, *, before: datetime) -> None:
    """Forget what was done long ago."""
    transaction.execute("delete from audit where at < ?", (to_us(before),))


def _token(row: tuple[Any, ...]) -> StoredToken:
    token_id, name, role, salt, digest, created_at, expires_at, revoked_at = row
    return StoredToken(
        id=token_id,
        name=name,
        role=role,
        salt=salt,
        digest=digest,
        created_at=from_us(created_at),
        expires_at=None if expires_at is None else from_us(expires_at),
        revoked_at=None if revoked_at is None else from_us(revoked_at),
    )
