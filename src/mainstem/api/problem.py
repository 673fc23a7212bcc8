# SPDX-License-Identifier: Apache-2.0
"""Errors as the API tells them: fields in GraphQL's `extensions`, problem documents in REST.

Nothing of our own inside leaves the process: who calls gets the code, the log the traceback.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
from starlette.responses import Response

from mainstem.errors import (
    AssetNotFound,
    ConflictError,
    DataError,
    ErrorGroup,
    InternalError,
    MainstemError,
    RefNotFound,
    RemoteError,
    UserError,
)
from mainstem.types import dataclass

_LONGEST = 2_000
_STATUS_OF_CODE = {
    "A8101": 421,
    "A8102": 403,
    "A8104": 413,
    "A8106": 415,
    "A8107": 401,
    "A8108": 403,
    "A8109": 504,
    "A8110": 503,
    "A8112": 405,
    "A8115": 406,
    "A8119": 404,
    "A6001": 404,
}
_STATUS_OF_KIND: tuple[tuple[type[MainstemError], int], ...] = (
    (AssetNotFound, 404),
    (RefNotFound, 404),
    (UserError, 400),
    (DataError, 422),
    (ConflictError, 409),
    (RemoteError, 503),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What a caller is told of an error."""

    status: int
    code: str
    summary: str
    hint: str = ""
    known: tuple[str, ...] = ()
    where: dict[str, Any] | None = None
    is_retryable: bool = False
    errors: tuple[Problem, ...] = ()
    """The single faults, where several were found at once."""

    def fields(self) -> dict[str, Any]:
        """Give the fields that are set, as plain values."""
        found: dict[str, Any] = {
            "code": self.code,
            "summary": self.summary,
            "hint": self.hint,
            "retryable": self.is_retryable,
        }
        if self.known:
            found["known"] = list(self.known)
        if self.where is not None:
            found["where"] = self.where
        if self.errors:
            found["errors"] = [error.fields() for error in self.errors]
        return found

    def response(self, status: int | None = None) -> Response:
        """Give the problem document (RFC 9457); with another status, if one is asked for."""
        status = status or self.status
        document = {
            "type": f"urn:mainstem:{self.code}",
            "title": self.summary,
            "status": status,
            **self.fields(),
        }
        headers = {"Cache-Control": "no-store"}
        if status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="mainstem"'
        if status == 503:
            headers["Retry-After"] = "1"
        return Response(
            orjson.dumps(document),
            status_code=status,
            headers=headers,
            media_type="application/problem+json",
        )


HIDDEN = Problem(
    status=500,
    code="A9000",
    summary="Something failed inside Mainstem; its log says what.",
    hint="Please report it, with the traceback of the server's log.",
)


def problem_of(error: BaseException) -> Problem:
    """Tell of an error what a caller may know."""
    if isinstance(error, ErrorGroup):
        return replace(_told(error), status=400, errors=tuple(map(_told, error.errors[:50])))
    if isinstance(error, MainstemError) and not isinstance(error, InternalError):
        return _told(error)
    return HIDDEN


def refused(code: str, summary: str, hint: str = "") -> Problem:
    """Make a problem that is no exception: its status goes by its code."""
    return Problem(status=_STATUS_OF_CODE.get(code, 400), code=code, summary=summary, hint=hint)


def _told(error: MainstemError) -> Problem:
    by_kind = next((code for kind, code in _STATUS_OF_KIND if isinstance(error, kind)), 500)
    return Problem(
        status=_STATUS_OF_CODE.get(error.code, by_kind),
        code=error.code,
        summary=_cut(error.summary),
        hint=_cut(error.hint),
        known=tuple(map(_cut, error.known[:20])),
        where=error.to_json()["where"],  # type: ignore[arg-type]  # a dictionary, or nothing
        is_retryable=error.is_retryable,
    )


def _cut(text: str) -> str:
    """Shorten what repeats a caller's own words: they may be a megabyte."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
