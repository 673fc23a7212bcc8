# SPDX-License-Identifier: Apache-2.0
"""`/api/data/{asset}`: rows as JSON, CSV, Arrow or Parquet, streamed, with the version as ETag."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, cast

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from mainstem.api.door import principal_of
from mainstem.api.host import Host
from mainstem.api.problem import Problem
from mainstem.api.rest.stream import Broken, Pipe
from mainstem.api.work import Deadline, Workbench, too_long
from mainstem.errors import Cancelled, UserError
from mainstem.project import FoundRows, RowsRequest, export_rows, find_rows, open_rows
from mainstem.types import dataclass

if TYPE_CHECKING:
    from mainstem.project import Project, RowsFormat

_TYPES: dict[RowsFormat, str] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}
_KNOWN = ("format", "branch", "at", "limit", "offset", "columns", "filter", "order")
_MOST = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """The route."""

    host: Host
    bench: Workbench
    patience_s: float

    async def answer(self, request: Request) -> Response:
        """Answer with rows, or with 304 if the caller has them."""
        principal = principal_of(request.scope)
        if isinstance(principal, Problem):
            return principal.response()
        file_format, asked = _read(request)
        project = self.host.project
        found = await self.bench.run(lambda _deadline: find_rows(project, asked))
        tag = f'"{found.tag}-{file_format}"'
        headers = {
            "ETag": tag,
            # A caller may keep it, and asks each time whether it is still the version.
            "Cache-Control": "private, no-cache",
            "Vary": "Accept, Authorization",
            "Mainstem-Commit": found.commit_id,
            "Mainstem-Version": found.data_version,
        }
        if _matches(request.headers.get("if-none-match", ""), tag):
            return Response(status_code=304, headers=headers)
        if request.method == "HEAD":
            return Response(headers=headers, media_type=_TYPES[file_format])
        name = f"{found.key.name}.{file_format}".encode("ascii", "replace").decode()
        safe = "".join(char if char.isalnum() or char in "._-" else "_" for char in name)
        headers["Content-Disposition"] = f'attachment; filename="{safe}"'
        body = await self._begin(project, found, file_format)
        return StreamingResponse(body, headers=headers, media_type=_TYPES[file_format])

    async def _begin(
        self, project: Project, found: FoundRows, file_format: RowsFormat
    ) -> AsyncIterator[bytes]:
        """Start the query, and give its bytes once the first are there: errors come before."""
        pipe = Pipe(asyncio.get_running_loop(), patience_s=self.patience_s)
        deadline = Deadline()

        def ended(future: asyncio.Future[None]) -> None:
            error = None if future.cancelled() else future.exception()
            if error is not None:
                pipe.fail(error)

        work = partial(_write, project, found, file_format, pipe)
        self.bench.start(work, deadline).add_done_callback(ended)
        pieces = pipe.pieces()
        try:
            async with asyncio.timeout(self.patience_s):
                first = await anext(pieces, b"")
        except TimeoutError:
            await _give_up(pipe, deadline)
            raise too_long() from None
        return _pieces(first, pieces, pipe, deadline)


async def _pieces(
    first: bytes, pieces: AsyncIterator[bytes], pipe: Pipe, deadline: Deadline
) -> AsyncIterator[bytes]:
    try:
        yield first
        # A failure from here on breaks the connection: that is all that is left to tell it.
        async for piece in pieces:
            yield piece
    finally:
        await _give_up(pipe, deadline)


async def _give_up(pipe: Pipe, deadline: Deadline) -> None:
    pipe.break_off()
    await asyncio.to_thread(deadline.end)


def _write(
    project: Project, found: FoundRows, file_format: RowsFormat, pipe: Pipe, deadline: Deadline
) -> None:
    """Read and write all rows; in a thread."""
    # Broken and Cancelled: the client left, so there is nobody to tell.
    with (
        suppress(Broken, Cancelled),
        open_rows(project, found, stopping=deadline.stopping) as rows,
    ):
        export_rows(rows, cast("BinaryIO", pipe), file_format)
        pipe.finish()


def _read(request: Request) -> tuple[RowsFormat, RowsRequest]:
    given = request.query_params
    unknown = [name for name in given if name not in _KNOWN]
    if unknown:
        raise UserError(
            "A8113",
            f"`{unknown[0][:50]}` is no parameter of this address.",
            hint=f"There are {', '.join(_KNOWN)}.",
            known=_KNOWN,
        )
    limit = given.get("limit")
    return _format(request), RowsRequest(
        asset=request.path_params["asset"],
        branch=given.get("branch", ""),
        at=given.get("at", ""),
        columns=tuple(filter(None, given.get("columns", "").split(","))),
        condition=given.get("filter", ""),
        limit=None if limit is None else _number("limit", limit),
        offset=_number("offset", given.get("offset", "0")),
        order_by=tuple(filter(None, given.get("order", "").split(","))),
    )


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 17 and int(text) <= _MOST):
        raise UserError("A8113", f"`{name}` is a whole number from 0 on, not `{text[:50]}`.")
    return int(text)


def _format(request: Request) -> RowsFormat:
    named = request.query_params.get("format")
    if named is not None:
        for file_format in _TYPES:
            if named == file_format:
                return file_format
        raise UserError(
            "A8115",
            f"Rows are not given as `{named[:50]}`.",
            hint=f"There are {', '.join(_TYPES)}.",
            known=_TYPES,
        )
    accepted = request.headers.get("accept", "*/*")
    for part in sorted(accepted.split(","), key=_quality, reverse=True):
        media = part.partition(";")[0].strip().lower()
        for file_format, given in _TYPES.items():
            if media in {given.partition(";")[0], "*/*"}:
                return file_format
    raise UserError(
        "A8115",
        "Rows are not given in any of the accepted types.",
        hint=f"There are {', '.join(_TYPES.values())}.",
    )


def _quality(part: str) -> float:
    _media, _semicolon, parameters = part.partition(";")
    for parameter in parameters.split(";"):
        name, _equals, value = parameter.strip().partition("=")
        if name == "q":
            with suppress(ValueError):
                return float(value)
    return 1.0


def _matches(given: str, tag: str) -> bool:
    """Compare weakly, as RFC 9110 asks of `If-None-Match`."""
    tags = {part.strip().removeprefix("W/") for part in given.split(",")}
    return tag in tags or "*" in tags
