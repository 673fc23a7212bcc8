# SPDX-License-Identifier: Apache-2.0
"""What may be set of the API: whom it answers, and how much one request may cost."""

from __future__ import annotations

import logging
from collections.abc import Callable

from mainstem.config import Settings
from mainstem.types import dataclass

_LOG = logging.getLogger("mainstem.access")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One line of the access log; made so that it can hold no secret: no query, no header."""

    method: str
    path: str
    status: int
    elapsed_s: float
    actor: str
    """Name of the token, `local`, or `-`."""
    address: str


def log_access(entry: Access) -> None:
    """Write a line to the logger `mainstem.access`."""
    _LOG.info(
        "%s %s %s %d %.1fms",
        entry.actor,
        entry.method,
        entry.path,
        entry.status,
        entry.elapsed_s * 1000,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """Whom the API answers, and within which limits."""

    host: str = "127.0.0.1"
    """What it is bound to; beyond this machine every call needs a token."""
    hosts: tuple[str, ...] = ()
    """Further names it is called by, as browsers send them in `Host`, without a port."""
    origins: tuple[str, ...] = ()
    """Other origins whose pages may call it: `https://ui.example.com`."""
    require_token: bool = False
    """Ask for a token on this machine, too: where others can log in."""
    max_body_bytes: int = 1_048_576
    max_depth: int = 15
    """Fields within fields of one GraphQL operation; introspection is not counted."""
    max_cost: int = 120_000
    """Fields that one GraphQL operation may ask for, lists counted by their limits."""
    max_tokens: int = 4_000
    """Words of one GraphQL document."""
    max_rows: int = 10_000
    """Rows that GraphQL's `data` gives; `/api/data` streams any number."""
    timeout_s: float = 30.0
    """For one answer, and for each piece of a stream to be taken."""
    threads: int = 8
    """Requests that are worked on at once; the others wait."""
    waiting: int = 64
    """How many may wait; who comes then is told to come again."""
    streams: int = 32
    """Subscriptions that may be open at once."""
    log: Callable[[Access], None] = log_access

    @classmethod
    def of(cls, settings: Settings, *, host: str) -> ApiSettings:
        """Take what mainstem.yml says.

        Args:
            settings: Of the project.
            host: What the server is bound to.
        """
        access = settings.api
        return cls(
            host=host,
            hosts=access.hosts,
            origins=access.origins,
            require_token=access.token_required,
        )
