# SPDX-License-Identifier: Apache-2.0
"""In the worker: call a sensor, and make what it gives plain and bounded before it is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from mainstem.errors import MainstemError, StepFailed, Where
from mainstem.models.worker.message import Sense
from mainstem.types import Cursor, RunRequest, SensorAnswer, Skip

MOST_REQUESTS = 1000
MOST_BYTES = 1 << 20
"""Of all requests and the cursor, as JSON: what a look may put into the database."""


def answer_of(function: Callable[..., Any], request: Sense) -> SensorAnswer:
    """Look once.

    Raises:
        StepFailed: It gave something else, too much, or what JSON cannot hold (A7120, A7121).
    """
    known: dict[str, Any] = {
        "cursor": orjson.loads(request.cursor) if request.cursor else None,
        "now": request.now,
    }
    result = function(**{name: known[name] for name in request.parameters})
    requests: list[RunRequest] = []
    skip, cursor, size = "", None, 0
    for item in _items(result, request):
        match item:
            case RunRequest():
                requests.append(item)
                size += len(_json(item, request))
                if len(requests) > MOST_REQUESTS:
                    raise _too_much(request, f"more than {MOST_REQUESTS:,} runs")
            case Skip():
                skip = str(item.reason)[:1000]
            case Cursor():
                cursor = _json(item.value, request).decode()
            case _:
                raise _wrong(request, item)
        if size + len(cursor or "") > MOST_BYTES:
            raise _too_much(request, "more than 1 MB")
    return SensorAnswer(requests=tuple(requests), skip=skip, cursor=cursor)


def _items(result: Any, request: Sense) -> Iterable[Any]:
    if result is None:
        return ()
    if isinstance(result, RunRequest | Skip | Cursor):
        return (result,)
    if isinstance(result, Iterable) and not isinstance(result, str | bytes | dict):
        return result
    raise _wrong(request, result)


def _json(value: Any, request: Sense) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError as error:
        raise StepFailed(
            "A7120",
            f"sensor {request.sensor} gave a value that JSON cannot hold: {error}.",
            hint="Cursors, partitions and vars are text, numbers, lists and mappings.",
            where=Where(file=request.file),
        ) from error


def _wrong(request: Sense, item: object) -> MainstemError:
    return StepFailed(
        "A7120",
        f"sensor {request.sensor} gave `{type(item).__qualname__}`; allowed are RunRequest, Skip "
        "and Cursor, or several of them.",
        where=Where(file=request.file),
    )


def _too_much(request: Sense, what: str) -> MainstemError:
    return StepFailed(
        "A7121",
        f"sensor {request.sensor} gave {what} in one look.",
        hint="Give some of them with a Cursor, and the rest at the next look.",
        where=Where(file=request.file),
    )
