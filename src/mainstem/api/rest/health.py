# SPDX-License-Identifier: Apache-2.0
"""`/health`: whether the process lives, and whether it can do its work. Tells nothing else."""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response

from mainstem.api.host import Host
from mainstem.api.work import Deadline, Workbench
from mainstem.errors import MainstemError
from mainstem.types import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The routes `/health`, `/health/live` and `/health/ready`."""

    host: Host
    bench: Workbench

    async def answer(self, request: Request) -> Response:
        """Answer 200, or 503 if the database cannot be read."""
        is_ready = True
        if not request.url.path.endswith("/live"):
            try:
                is_ready = await self.bench.run(self._look)
            except MainstemError:
                is_ready = False
        return Response(
            orjson.dumps({"live": True, "ready": is_ready}),
            status_code=200 if is_ready else 503,
            media_type="application/json",
        )

    def _look(self, deadline: Deadline) -> bool:
        del deadline
        with self.host.project.services.database.read() as transaction:
            return transaction.execute("select 1") == [(1,)]
