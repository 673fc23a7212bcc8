# SPDX-License-Identifier: Apache-2.0
"""A project's worker for runs on other machines: same database and warehouse, own processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mainstem import models
from mainstem.errors import ConfigInvalid
from mainstem.types import did_you_mean

if TYPE_CHECKING:
    from mainstem.models import RemoteWorker
    from mainstem.project.project import Project


def remote_worker(
    project: Project, executor: str, *, slots: int, tell: Callable[[str, str], object]
) -> RemoteWorker:
    """Make a worker that takes the steps of an executor of type `remote`.

    Args:
        project: Opened in the environment whose runs it is to serve.
        executor: Name under `executors:`.
        slots: Steps at once.
        tell: Takes an asset and what became of it, for each step that begins or ends.

    Raises:
        ConfigInvalid: There is no such executor, or it is of another type.
    """
    known = tuple(name for name, of in project.settings.executors.items() if of.type == "remote")
    if executor not in known:
        raise ConfigInvalid(
            "A1031",
            f"`{executor}` is not an executor of type remote; there is {', '.join(known)}."
            if known
            else f"mainstem.yml has no executor of type remote, so `{executor}` is none.",
            hint=did_you_mean(executor, known)
            or f"Write under `executors:` in mainstem.yml: {executor}: {{type: remote}}",
            known=known,
        )
    services = project.services
    return models.RemoteWorker(
        services.database,
        executor,
        services.workers,
        project.clock,
        slots=slots,
        tell=tell,
        hold_s=project.settings.serve.hold_s,
    )
