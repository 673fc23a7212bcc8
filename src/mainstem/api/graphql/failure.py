# SPDX-License-Identifier: Apache-2.0
"""What failed, each kind of failure once, and who was told: failures and the outbox of alerts."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated

import strawberry
from strawberry import ID, argument, field

from mainstem.api.graphql.arguments import First, Name
from mainstem.api.graphql.context import Info
from mainstem.api.graphql.paging import size_of
from mainstem.api.graphql.scalars import Json
from mainstem.graph import Asset
from mainstem.observers import Alert as Stored
from mainstem.observers import AlertRule as Declared
from mainstem.observers import Failure as Known
from mainstem.observers import alerts as stored_alerts
from mainstem.observers import failures as stored_failures


@strawberry.type(description="One way in which an asset failed on a branch, however often it did.")
class Failure:
    """A group of failures."""

    id: ID = field(description="Stable.")
    fingerprint: str = field(description="What failures of this kind have in common.")
    asset: str = field(description="Key of the asset.")
    branch: str = field(description="The branch that was published to.")
    kind: str = field(description="failed, or held by checks.")
    code: str = field(description="Of the error, if it has one.")
    title: str = field(description="What they have in common, in a line.")
    message: str = field(description="As it was the last time.")
    owner: str = field(description="Of the asset, as the project says now.")
    runs: int = field(description="How many runs it failed.")
    first_at: datetime = field(description="When it came first.")
    last_at: datetime = field(description="When it came last.")
    first_run: int = field(description="Number of the run in which it came first.")
    last_run: int = field(description="Number of the run in which it came last.")
    good_run: int | None = field(description="The last run before, in which the asset did well.")
    good_git: str = field(description="State of the code in that run: the fault came behind it.")
    fixed_run: int | None = field(description="The run since which it does well; null: it is open.")
    fixed_git: str = field(description="State of the code in that run.")
    fixed_at: datetime | None = field(description="When that was.")


@strawberry.enum(description="How a message is on its way.")
class AlertStatus(Enum):
    """Of messages."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"


@strawberry.type(description="One message to one receiver, in the outbox.")
class Alert:
    """A message."""

    id: ID = field(description="The same at every try: receivers tell repeats by it.")
    alert: str = field(description="Name under `alerts:` in mainstem.yml.")
    event: str = field(description="failed, held, late, recovered.")
    run: int | None = field(description="Number of the run that it speaks of.")
    body: Json = field(description="What is told; secrets are masked.")
    status: AlertStatus = field(description="How it is on its way.")
    created_at: datetime = field(description="When it was written: with the end of the run.")
    not_before: datetime = field(description="When it is tried next, while it is pending.")
    attempts: int = field(description="How often it was tried.")
    error: str = field(description="Why the last try failed.")
    sent_at: datetime | None = field(description="When it arrived.")


@strawberry.type(description="Somebody who is told of failures.")
class AlertRule:
    """A receiver; its address may be secret, and is not told."""

    name: str = field(description="Under `alerts:` in mainstem.yml.")
    type: str = field(description="slack, email, webhook.")
    events: list[str] = field(description="Of what it is told: failed, held, late, recovered.")
    environments: list[str] = field(description="Only of these; empty: of all.")
    jobs: list[str] = field(description="Only of runs of these; empty: of all runs.")
    window_seconds: float = field(
        description="The same failure within this time of the last is counted, not told."
    )
    remind_seconds: float = field(description="One that goes on is told again after this time.")


@strawberry.type(description="Whether a message for trying arrived.")
class AlertTest:
    """A test of a receiver."""

    name: str = field(description="Under `alerts:` in mainstem.yml.")
    is_sent: bool = field(description="Whether it took the message.")
    error: str = field(description="What went wrong; empty if it arrived.")


def failures(
    info: Info,
    branch: Annotated[str, argument(description="Only of this one; empty: of all.")] = "",
    first: First = 50,
    *,
    is_open: Annotated[bool, argument(description="Only those that still stand.")] = False,
) -> list[Failure]:
    """Give failures grouped by what they have in common, the latest first."""
    context = info.context
    found = stored_failures(
        context.transaction, branch=branch, is_open=is_open, limit=size_of(first)
    )
    return [_failure(context.project.graph.assets.get(each.asset), each) for each in found]


def alerts(info: Info, first: First = 50) -> list[Alert]:
    """Give the messages of the outbox, newest first."""
    redactor = info.context.project.services.redactor
    found = stored_alerts(info.context.transaction, limit=size_of(first))
    return [_alert(each, redactor.value(dict(each.body))) for each in found]


def alert_rules(info: Info) -> list[AlertRule]:
    """Give who is told of what."""
    return [_rule(each) for each in info.context.project.recording.rules]


def send_test(info: Info, name: Name) -> AlertTest:
    """Send a message for trying now."""
    project = info.context.project
    error = project.services.redactor.text(project.recording.test_alert(name))
    return AlertTest(name=name, is_sent=not error, error=error)


def _failure(declared: Asset | None, known: Known) -> Failure:
    return Failure(
        id=ID(f"failure:{known.branch}/{known.asset}/{known.fingerprint}"),
        fingerprint=known.fingerprint,
        asset=str(known.asset),
        branch=known.branch,
        kind=known.kind,
        code=known.code,
        title=known.title,
        message=known.message,
        owner="" if declared is None else declared.owner,
        runs=known.runs,
        first_at=known.first_at,
        last_at=known.last_at,
        first_run=known.first_run,
        last_run=known.last_run,
        good_run=known.good_run,
        good_git=known.good_git,
        fixed_run=known.fixed_run,
        fixed_git=known.fixed_git,
        fixed_at=known.fixed_at,
    )


def _alert(stored: Stored, body: object) -> Alert:
    return Alert(
        id=ID(stored.id),
        alert=stored.alert,
        event=stored.event,
        run=stored.run_id or None,
        body=Json(body),
        status=AlertStatus(stored.status),
        created_at=stored.created_at,
        not_before=stored.not_before,
        attempts=stored.attempts,
        error=stored.error,
        sent_at=stored.sent_at,
    )


def _rule(declared: Declared) -> AlertRule:
    return AlertRule(
        name=declared.name,
        type=declared.type,
        events=list(declared.events),
        environments=list(declared.environments),
        jobs=list(declared.jobs),
        window_seconds=declared.window.total_seconds(),
        remind_seconds=declared.remind.total_seconds(),
    )
