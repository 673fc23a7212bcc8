# SPDX-License-Identifier: Apache-2.0
"""Tokens: made here, shown once, kept as salted hashes, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from mainstem.api.role import Role
from mainstem.database import Database
from mainstem.errors import AssetNotFound, UserError
from mainstem.state import StoredToken, access_tokens, add_token, revoke_token, token_of
from mainstem.types import Clock, dataclass, did_you_mean

_SHAPE = re.compile(r"mst_(?P<id>[0-9a-f]{12})_(?P<secret>[0-9a-f]{64})")
LOOKS_LIKE_ONE = re.compile(r"mst_[0-9a-f]{12}_[0-9a-f]{8}")
"""Long enough to be no accident: what is found so is never logged."""
_LIFE = re.compile(r"(\d+)\s*(m|h|d|w)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_NAME = re.compile(r"[\w.@+-]{1,100}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """What is told once, and never again."""

    text: str
    stored: StoredToken


def create_token(
    database: Database,
    *,
    name: str,
    role: str,
    life: str,
    clock: Clock,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> NewToken:
    """Make a token.

    Args:
        database: Where its hash is kept.
        name: Whose it is; shown in the audit log.
        role: `viewer`, `runner` or `admin`.
        life: `12h`, `90d`, or `never` for one that does not expire.
        clock: Source of time.
        random_bytes: Source of secrets.

    Raises:
        UserError: The name, the role or the life cannot be.
    """
    if not _NAME.fullmatch(name):
        raise UserError(
            "A8116",
            f"`{name}` cannot be the name of a token.",
            hint="Use up to 100 letters, digits and `_ . @ + -`: ci, alice@example.com.",
        )
    now = clock.now()
    secret, salt = random_bytes(32), random_bytes(16)
    stored = StoredToken(
        id=random_bytes(6).hex(),
        name=name,
        role=role_named(role).word,
        salt=salt.hex(),
        digest=_digest(salt, secret),
        created_at=now,
        expires_at=_end_of(life, now),
    )
    with database.write(durable=True) as transaction:
        add_token(transaction, stored)
    return NewToken(text=f"mst_{stored.id}_{secret.hex()}", stored=stored)


def list_tokens(database: Database) -> list[StoredToken]:
    """Give all tokens, those that ended too."""
    with database.read() as transaction:
        return access_tokens(transaction)


def end_token(database: Database, token_id: str, *, clock: Clock) -> None:
    """Revoke a token: the next call with it is refused.

    Raises:
        AssetNotFound: There is none that lives.
    """
    with database.write(durable=True) as transaction:
        known = [token.id for token in access_tokens(transaction) if token.revoked_at is None]
        if not revoke_token(transaction, token_id, at=clock.now()):
            raise AssetNotFound(
                "A8117",
                f"There is no token `{token_id}` to revoke.",
                hint=did_you_mean(token_id, known) or "See them all: mainstem token list",
                known=known[:10],
            )


def live_token(database: Database, text: str, *, now: datetime) -> StoredToken | None:
    """Give the token that a caller sent, if it is right, not revoked and not expired."""
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        return None
    with database.read() as transaction:
        found = token_of(transaction, shape["id"])
    if found is None:
        return None
    digest = _digest(bytes.fromhex(found.salt), bytes.fromhex(shape["secret"]))
    is_right = hmac.compare_digest(digest, found.digest)
    is_over = found.expires_at is not None and found.expires_at <= now
    return found if is_right and not is_over and found.revoked_at is None else None


def role_named(word: str) -> Role:
    """Read a role.

    Raises:
        UserError: There is none of that name.
    """
    try:
        return Role[word.upper()]
    except KeyError:
        known = [role.word for role in Role]
        raise UserError(
            "A8116",
            f"`{word}` is not a role.",
            hint=did_you_mean(word, known) or f"There are {', '.join(known)}.",
            known=known,
        ) from None


def _end_of(life: str, now: datetime) -> datetime | None:
    if life == "never":
        return None
    found = _LIFE.fullmatch(life.strip())
    if found is None or not 0 < int(found[1]) < 100_000:
        raise UserError(
            "A8116",
            f"`{life}` is not how long a token can live.",
            hint="Write 30m, 12h, 90d, 52w, or never.",
        )
    return now + timedelta(**{_UNITS[found[2]]: int(found[1])})


def _digest(salt: bytes, secret: bytes) -> str:
    # The secret is 256 random bits: nothing is gained by a slow hash, and each request needs one.
    return hmac.new(salt, secret, hashlib.sha256).hexdigest()
