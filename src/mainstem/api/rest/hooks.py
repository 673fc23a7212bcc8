# SPDX-License-Identifier: Apache-2.0
"""`/hooks/{name}`: deliveries from outside, kept before they are acknowledged.

Who calls is known by the signature, not by a token; one whose call is refused is not told why.
"""

from __future__ import annotations

import logging
from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response

from mainstem.api.host import Host
from mainstem.api.problem import refused
from mainstem.api.work import Deadline, Workbench
from mainstem.automation import Receipt
from mainstem.errors import UserError
from mainstem.types import dataclass

_LOG = logging.getLogger("mainstem.hooks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """The route."""

    host: Host
    bench: Workbench

    async def answer(self, request: Request) -> Response:
        """Take a delivery."""
        name = request.path_params["name"]
        body = await request.body()
        headers = {key.lower(): value for key, value in request.headers.items()}
        receipt = await self.bench.run(partial(self._receive, name, headers, body))
        if receipt.status in {"refused", "off"}:
            _LOG.warning("hook %s: %s", name, receipt.reason)
            return refused("A8122", "The delivery was not taken.").response(receipt.http_status)
        if receipt.status == "too_large":
            return refused("A8104", "The delivery is too large.").response()
        told = {"status": receipt.status, "delivery": receipt.delivery_id}
        return Response(
            orjson.dumps(told), status_code=receipt.http_status, media_type="application/json"
        )

    def _receive(
        self, name: str, headers: dict[str, str], body: bytes, deadline: Deadline
    ) -> Receipt:
        del deadline
        hooks = self.host.project.automation.hooks
        try:
            hooks.find(name)
        except UserError:
            # A stranger learns no names from us.
            raise UserError("A8119", "There is nothing at this address.") from None
        return hooks.receive(name, headers, body)
