# SPDX-License-Identifier: Apache-2.0
"""What every mutation is wrapped in: the role it takes, and its line in the audit log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
import strawberry
from strawberry import field
from strawberry.extensions import FieldExtension

from mainstem.api.graphql.arguments import After, First
from mainstem.api.graphql.context import Context, Info
from mainstem.api.graphql.paging import Connection, number_in, page, size_of
from mainstem.api.graphql.scalars import Json
from mainstem.api.problem import problem_of
from mainstem.api.role import Role
from mainstem.errors import MainstemError
from mainstem.state import AuditEntry, audit_entries, begin_audit, end_audit

_LONGEST = 4_000


class Audited(FieldExtension):
    """Lets in whoever has the role, and writes down who did what, and what came of it."""

    def __init__(self, role: Role) -> None:
        self.role = role

    def resolve(
        self, next_: Callable[..., Any], source: Any, info: strawberry.Info, **kwargs: Any
    ) -> Any:
        """Call the mutation."""
        context: Context = info.context
        database, clock = context.project.services.database, context.project.clock
        who = context.principal
        entry = AuditEntry(
            at=clock.now(),
            actor=who.name,
            role=who.role.word,
            address=who.address,
            action=info.field_name,
            arguments=_shown(context, kwargs),
        )
        with database.write(durable=True) as transaction:
            number = begin_audit(transaction, entry)
        result = HIDDEN
        try:
            who.require(self.role)
            found = next_(source, info, **kwargs)
            result = "ok"
        except MainstemError as error:
            result = problem_of(error).code
            raise
        finally:
            with database.write() as transaction:
                end_audit(transaction, number, result)
        return found


HIDDEN = "A9000"


def mutation(role: Role, resolver: Callable[..., Any], description: str) -> Any:
    """Make a field of `Mutation` that takes a role."""
    return strawberry.mutation(
        resolver=resolver,
        description=f"{description} Takes the role `{role.word}`.",
        extensions=[Audited(role)],
    )


@strawberry.type(description="A change that somebody asked for, and what came of it.")
class Audit:
    """A line of the audit log."""

    number: int = field(description="In the order of asking.")
    at: datetime = field(description="When it was asked for.")
    actor: str = field(description="Name of the token; `local` for callers without one.")
    role: str = field(description="What the caller may do.")
    address: str = field(description="Where the call came from.")
    action: str = field(description="The mutation.")
    arguments: Json = field(description="What it was given; secrets are masked.")
    result: str = field(description="`ok`, or an error's code; empty while it goes on.")


def audit_log(info: Info, first: First = 50, after: After = None) -> Connection[Audit]:
    """Give the audit log, newest first."""
    context = info.context
    context.principal.require(Role.ADMIN)
    found = audit_entries(context.transaction, limit=size_of(first) + 1, before=number_in(after))
    return page(found, first=first, after=after, name=lambda entry: entry.number, node=_line)


def _line(entry: AuditEntry) -> Audit:
    return Audit(
        number=entry.number,
        at=entry.at,
        actor=entry.actor,
        role=entry.role,
        address=entry.address,
        action=entry.action,
        arguments=Json(dict(entry.arguments)),
        result=entry.result,
    )


def _shown(context: Context, arguments: dict[str, Any]) -> dict[str, Any]:
    """Give arguments as the log keeps them: plain, without secrets, and not too long."""
    text = orjson.dumps(arguments, default=str).decode()
    redactor = context.project.services.redactor
    if len(text) > _LONGEST:
        return {"cut": redactor.text(text[:_LONGEST])}
    masked: dict[str, Any] = redactor.value(orjson.loads(text))
    return masked
