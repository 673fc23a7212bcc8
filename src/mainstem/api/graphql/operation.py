# SPDX-License-Identifier: Apache-2.0
"""One GraphQL operation as it is sent: a JSON object, or the parameters of an address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request

from mainstem.errors import UserError
from mainstem.types import dataclass

_KEYS = {"query", "variables", "operationName", "extensions"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What was sent."""

    query: str
    variables: Mapping[str, Any]
    name: str | None


async def of_body(request: Request) -> Operation:
    """Read the body of a POST.

    Raises:
        UserError: It is no operation.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise UserError(
            "A8106",
            "An operation is sent as `application/json`.",
            hint='{"query": "{ version { mainstem } }"}',
        )
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise _no_operation(f"the body is not JSON: {error}") from None
    if isinstance(body, list):
        raise _no_operation("several operations in one list are not taken")
    if not isinstance(body, dict):
        raise _no_operation("the body is no object")
    unknown = set(body) - _KEYS
    if unknown:
        raise _no_operation(f"`{min(unknown)[:50]}` is no key of it")
    return _operation(body.get("query"), body.get("variables"), body.get("operationName"))


def of_query(request: Request) -> Operation:
    """Read the address of a GET.

    Raises:
        UserError: It is no operation.
    """
    given = request.query_params
    try:
        variables = orjson.loads(given["variables"]) if "variables" in given else None
    except orjson.JSONDecodeError:
        raise _no_operation("`variables` is not JSON") from None
    return _operation(given.get("query"), variables, given.get("operationName"))


def _operation(query: Any, variables: Any, name: Any) -> Operation:
    if not isinstance(query, str) or not query.strip():
        raise _no_operation("`query` is no text")
    if variables is not None and not isinstance(variables, dict):
        raise _no_operation("`variables` is no object")
    if name is not None and not isinstance(name, str):
        raise _no_operation("`operationName` is no text")
    return Operation(query=query, variables=variables or {}, name=name)


def _no_operation(why: str) -> UserError:
    return UserError(
        "A8105",
        f"This is not a GraphQL operation: {why}.",
        hint='Send {"query": ..., "variables": ...}.',
    )
