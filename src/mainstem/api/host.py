# SPDX-License-Identifier: Apache-2.0
"""What the API serves: the project as it is now, and who carries out what callers ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from mainstem import state
from mainstem.errors import UserError
from mainstem.service import Backfills, Filter, Reloaded, Subscription
from mainstem.state import Launch, LaunchRequest

if TYPE_CHECKING:
    from mainstem.project import Project


class Host(Protocol):
    """The process that the API is part of: `service.Server` is one."""

    @property
    def project(self) -> Project:
        """The project; another one after it was loaded anew."""
        ...

    @property
    def backfills(self) -> Backfills:
        """Stored plans to build partitions."""
        ...

    def launch(self, request: LaunchRequest) -> Launch:
        """Ask for a run."""
        ...

    def cancel(self, launch_id: int) -> Launch | None:
        """Take a launch out of the queue, or stop its run."""
        ...

    def reload(self) -> Reloaded:
        """Read the project's files again."""
        ...

    def subscribe(
        self,
        matches: Filter | None = None,
        *,
        after: int | None = None,
        notify: Callable[[], None] | None = None,
    ) -> Subscription:
        """Watch what happens."""
        ...


class Alone:
    """A project without a server: launches wait in the queue until one comes."""

    def __init__(self, project: Project) -> None:
        self.project = project

    @property
    def backfills(self) -> Backfills:
        """Stored plans to build partitions, which wait for a server, too."""
        return Backfills(self.project)

    def launch(self, request: LaunchRequest) -> Launch:
        """Put a launch into the queue."""
        now = self.project.clock.now()
        with self.project.services.database.write(durable=True) as transaction:
            launch_id = state.enqueue(transaction, request, now=now)
            found = (
                state.launch_of_key(transaction, request.origin, request.source, request.run_key)
                if launch_id is None
                else state.launch_of(transaction, launch_id)
            )
        assert found is not None, "a launch that was refused is there already"
        return found

    def cancel(self, launch_id: int) -> Launch | None:
        """Take a launch out of the queue, or ask whoever executes it to stop."""
        with self.project.services.database.write(durable=True) as transaction:
            return state.cancel_launch(transaction, launch_id, now=self.project.clock.now())

    def reload(self) -> Reloaded:
        """Not without a server.

        Raises:
            UserError: Always.
        """
        raise _needs_server("Reading the files again")

    def subscribe(
        self,
        matches: Filter | None = None,
        *,
        after: int | None = None,
        notify: Callable[[], None] | None = None,
    ) -> Subscription:
        """Not without a server.

        Raises:
            UserError: Always.
        """
        del matches, after, notify
        raise _needs_server("Watching what goes on")


def _needs_server(what: str) -> UserError:
    return UserError(
        "A8121", f"{what} takes a server.", hint="Start one: mainstem serve, or mainstem dev"
    )
