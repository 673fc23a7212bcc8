# SPDX-License-Identifier: Apache-2.0
"""Deliveries to hooks: kept, with the launch they ask for, before the sender is answered.

The caller opens the transaction as durable, and answers 202 only after it was committed: what was
acknowledged survives a power failure. What is not genuine is not stored at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Literal

import orjson

from mainstem.automation.hook import Hook, dedup_key, refusal, value_at
from mainstem.database import Transaction
from mainstem.errors import UserError
from mainstem.state import LaunchRequest, enqueue, from_us, to_us
from mainstem.types import dataclass, did_you_mean, nearest

_HIDDEN = ("authorization", "cookie", "signature", "token", "secret", "proxy-authorization")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a request to a hook."""

    status: Literal["accepted", "duplicate", "refused", "too_large", "off"]
    http_status: int
    """To answer with: 202, 200, 401, 413, 403."""
    reason: str = ""
    """For the log; a sender whose request was refused is not told why."""
    delivery_id: int | None = None
    launch_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A delivery as stored."""

    id: int
    hook: str
    dedup_key: str
    received_at: datetime
    headers: Mapping[str, str]
    """Without those that may hold secrets."""
    body: str
    launch_id: int | None
    repeats: int
    """How often it came again."""


def receive(
    transaction: Transaction,
    hook: Hook,
    headers: Mapping[str, str],
    body: bytes,
    *,
    secrets: Iterable[str],
    now: datetime,
) -> Receipt:
    """Take a request: check it, keep it, and ask for its launch; once for each delivery.

    Args:
        transaction: Opened with `durable=True`; answer after it was committed.
        hook: Which one was called.
        headers: Of the request, in any case.
        body: At most `hook.max_bytes` of it need to be read.
        secrets: Of the hook, resolved.
        now: Of the clock.
    """
    if len(body) > hook.max_bytes:
        return Receipt(status="too_large", http_status=413, reason=f"over {hook.max_bytes} bytes")
    folded = {name.lower(): value for name, value in headers.items()}
    reason = refusal(hook, secrets, folded, body, now)
    if reason:
        return Receipt(status="refused", http_status=401, reason=reason)
    if not hook.enabled:
        return Receipt(status="off", http_status=403, reason="the hook is off")
    key = dedup_key(hook, folded, body)
    last: int = transaction.execute("select coalesce(max(id), 0) from hook_delivery")[0][0]
    kept = {
        name: value for name, value in folded.items() if not any(word in name for word in _HIDDEN)
    }
    rows = transaction.execute(
        "insert into hook_delivery (id, hook, dedup_key, received_at, headers, body) "
        "values (?, ?, ?, ?, ?, ?) on conflict (hook, dedup_key) do update set "
        "repeats = hook_delivery.repeats + 1 returning id, repeats, launch_id",
        (
            last + 1,
            hook.name,
            key,
            to_us(now),
            orjson.dumps(kept).decode(),
            body.decode("utf-8", errors="replace").replace("\x00", "\ufffd"),
        ),
    )
    delivery_id, repeats, launch_id = rows[0]
    if repeats:
        return Receipt(
            status="duplicate",
            http_status=200,
            reason=f"delivery {delivery_id} came again",
            delivery_id=delivery_id,
            launch_id=launch_id,
        )
    request = delivery_request(hook, key, body, delivery_id=delivery_id, at=now)
    launch_id = enqueue(transaction, request, now=now)
    transaction.execute(
        "update hook_delivery set launch_id = ? where id = ?", (launch_id, delivery_id)
    )
    return Receipt(status="accepted", http_status=202, delivery_id=delivery_id, launch_id=launch_id)


def delivery_request(
    hook: Hook, key: str, body: bytes, *, delivery_id: int, at: datetime
) -> LaunchRequest:
    """Give the launch that a delivery asks for."""
    target = hook.target
    if hook.vars:
        found = {name: value_at(body, path) for name, path in hook.vars.items()}
        own = target.options.get("vars") or {}
        target = replace(target, options={**target.options, "vars": {**own, **found}})
    cause = {"hook": hook.name, "delivery": delivery_id, "received": at.isoformat()}
    return target.request("webhook", hook.name, key, at=at, cause=cause)


def deliveries(transaction: Transaction, hook: str, *, limit: int = 20) -> list[Delivery]:
    """Give the latest deliveries to a hook, newest first."""
    return deliveries_of(transaction, (hook,), limit=limit).get(hook, [])


def deliveries_of(
    transaction: Transaction, hooks: Iterable[str], *, limit: int
) -> dict[str, list[Delivery]]:
    """Give the latest deliveries to each of many hooks, newest first; in one query."""
    names = list(hooks)
    if not names:
        return {}
    rows = transaction.execute(
        f"with wanted (label) as (values {', '.join('(?)' for _ in names)}) "
        "select came.id, came.hook, came.dedup_key, came.received_at, came.headers, came.body, "
        "came.launch_id, came.repeats from wanted join hook_delivery came "
        "on came.hook = wanted.label and came.id in (select late.id from hook_delivery late "
        "where late.hook = wanted.label order by late.id desc limit ?) order by came.id desc",
        (*names, limit),
    )
    found: dict[str, list[Delivery]] = {}
    for delivery_id, name, key, received_at, headers, body, launch_id, repeats in rows:
        found.setdefault(name, []).append(
            Delivery(
                id=delivery_id,
                hook=name,
                dedup_key=key,
                received_at=from_us(received_at),
                headers=orjson.loads(headers),
                body=body,
                launch_id=launch_id,
                repeats=repeats,
            )
        )
    return found


def prune_deliveries(transaction: Transaction, *, before: datetime) -> None:
    """Forget what old deliveries said; that they came is kept, so that none launches again."""
    transaction.execute(
        "update hook_delivery set headers = '{}', body = '' where received_at < ? and body <> ''",
        (to_us(before),),
    )


def find_hook(hooks: Mapping[str, Hook], name: str) -> Hook:
    """Find a hook by name.

    Raises:
        UserError: There is none (A2214).
    """
    found = hooks.get(name)
    if found is None:
        raise UserError(
            "A2214",
            f"There is no hook `{name}`.",
            hint=did_you_mean(name, hooks) or "Hooks are written under `hooks:` in mainstem.yml.",
            known=nearest(name, hooks) or tuple(hooks),
        )
    return found
