# SPDX-License-Identifier: Apache-2.0
"""Tokens as lines: whose, which role, and whether they still hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mainstem.cli.render.grid import grid
from mainstem.cli.render.look import Look
from mainstem.cli.render.words import moment
from mainstem.state import StoredToken


def token_lines(tokens: Sequence[StoredToken], look: Look, *, now: datetime) -> list[str]:
    """List tokens, oldest first."""
    rows = [
        (token.id, token.name, token.role, moment(token.created_at, now), _state(token, now))
        for token in tokens
    ]
    return grid(("id", "name", "role", "made", "state"), rows, look=look)


def _state(token: StoredToken, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    if token.expires_at is None:
        return "valid for good"
    is_over = token.expires_at <= now
    return f"{'expired' if is_over else 'valid until'} {token.expires_at:%Y-%m-%d %H:%M}"
