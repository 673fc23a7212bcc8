# SPDX-License-Identifier: Apache-2.0
"""Conditions in the database: what changed since the last turn, and the launch it leads to.

Facts are compared with what was seen last (versions on the branch, code, leases), so a merge, a
revert or a write by hand counts like a run. Facts, what conditions remember, ticks and the launch
are one transaction; a server that takes over goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson

from mainstem.automation.expression import Condition, Operand, crons_of, timing_of_cron
from mainstem.automation.incremental import Change, Evaluator, Request
from mainstem.automation.record import TickRecord, claim_tick
from mainstem.automation.switching import conditions_off
from mainstem.automation.target import Target
from mainstem.database import Transaction
from mainstem.graph import PartitionSet, static_partitions
from mainstem.state import enqueue, from_us, to_us
from mainstem.types import AssetKey, dataclass

_ONE = static_partitions(("all",))
_ALL = PartitionSet.of_keys(_ONE, ("all",))
"""An asset without partitions is a set of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What is to be seen at one moment; assets by folded key."""

    versions: Mapping[str, str]
    """Data version of what is on the branch."""
    codes: Mapping[str, str]
    """Code version of what is in the project."""
    busy: frozenset[str]
    """Being built for the branch, or waiting for it."""
    failed: frozenset[str] = frozenset()
    """Failed or held in a run that ended since the last turn."""
    ended_at: datetime | None = None
    """When the last of these runs ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What was known of an asset at the last turn."""

    version: str = ""
    code: str = ""
    holds: tuple[str, ...] = ()
    """Parts of conditions that hold and must be remembered, by digest."""


class Reactor:
    """The conditions of one loaded project, for one branch.

    Args:
        conditions: By asset.
        deps: Of every asset.
        branch: The target.
        environment: Of the launches.
    """

    def __init__(
        self,
        conditions: Mapping[AssetKey, Condition],
        deps: Mapping[AssetKey, Sequence[AssetKey]],
        *,
        branch: str,
        environment: str,
    ) -> None:
        self._conditions = {key.folded: condition for key, condition in conditions.items()}
        self._deps = {key.folded: [dep.folded for dep in found] for key, found in deps.items()}
        self._names = {key.folded: str(key) for key in deps}
        self._branch = branch
        self._environment = environment
        self._turn = -1
        self._at: datetime | None = None
        self._facts: dict[str, _Facts] = {}
        self._digests: dict[int, tuple[Condition, str]] = {}
        self._evaluator: Evaluator | None = None
        self._crons = {cron for condition in conditions.values() for cron in crons_of(condition)}

    def ended_before(self, transaction: Transaction) -> datetime | None:
        """Tell until when the ends of runs were heard; nothing at the very first turn."""
        rows = transaction.execute(
            "select ended_at from condition_turn where branch = ?", (self._branch,)
        )
        return from_us(rows[0][0]) if rows else None

    def is_due(self, now: datetime) -> bool:
        """Tell whether a cron of a condition is due, though nothing else changed."""
        start = self._at
        return start is None or any(
            timing_of_cron(cron).latest(start, now) is not None for cron in self._crons
        )

    def turn(
        self, transaction: Transaction, observed: Observed, *, now: datetime
    ) -> list[TickRecord]:
        """Take what changed, and ask for one launch of all assets whose condition became true."""
        turn, at, ended_at = self._read(transaction, now)
        evaluator = self._loaded(transaction, turn)
        seen = evaluator.assets
        changes = [*self._changes(seen, observed), *self._ticks(seen, at, now)]
        self._at = at if turn else now
        if not changes and turn:
            return []
        self._at = now
        requests = [] if not changes else evaluator.turn(changes)
        self._turn = turn + 1
        self._save(transaction, evaluator, seen, observed)
        ended = observed.ended_at or ended_at
        transaction.execute(
            "insert into condition_turn (branch, turn, at, ended_at) values (?, ?, ?, ?) "
            "on conflict (branch) do update set turn = excluded.turn, at = excluded.at, "
            "ended_at = excluded.ended_at",
            (self._branch, self._turn, to_us(now), to_us(ended)),
        )
        allowed = self._allowed(transaction, requests, now) if requests else []
        return self._launch(transaction, allowed, now) if allowed else []

    def _read(self, transaction: Transaction, now: datetime) -> tuple[int, datetime, datetime]:
        rows = transaction.execute(
            "select turn, at, ended_at from condition_turn where branch = ?", (self._branch,)
        )
        if not rows:
            return 0, now, now
        turn, at, ended_at = rows[0]
        return turn, from_us(at), from_us(ended_at)

    def _loaded(self, transaction: Transaction, turn: int) -> Evaluator:
        """Give the evaluator; made anew if another server, or a lost transaction, came between."""
        if self._evaluator is not None and self._turn == turn:
            return self._evaluator
        rows = transaction.execute(
            "select asset, facts from condition_asset where branch = ?", (self._branch,)
        )
        self._facts = {asset: _facts(orjson.loads(text)) for asset, text in rows}
        self._evaluator = Evaluator(self, self._conditions, self._kept)
        self._turn = turn
        return self._evaluator

    def deps(self, asset: str) -> Sequence[str]:
        """Give what an asset reads (port `World`)."""
        return self._deps.get(asset, ())

    def existing(self, asset: str) -> PartitionSet:
        """Give the one partition (port `World`)."""
        del asset
        return _ALL

    def down(self, asset: str, dep: str, some: PartitionSet) -> PartitionSet:
        """What changed of an input concerns its reader as a whole (port `World`)."""
        del asset, dep
        return some

    def _kept(self, asset: str, condition: Condition) -> PartitionSet | None:
        facts = self._facts.get(asset)
        holds = facts is not None and self._digest(condition) in facts.holds
        return _ALL if holds else None

    def _digest(self, condition: Condition) -> str:
        found = self._digests.get(id(condition))
        if found is None:
            digest = sha256(repr(condition).encode()).hexdigest()[:16]
            found = self._digests[id(condition)] = (condition, digest)
        return found[1]

    def _changes(self, seen: Iterable[str], observed: Observed) -> Iterator[Change]:
        for asset in seen:
            facts = self._facts.get(asset)
            before = facts or _Facts(version=observed.versions.get(asset, ""))
            version, code = observed.versions.get(asset, ""), observed.codes.get(asset, "")
            busy = asset in observed.busy
            was = {name: self._held(asset, name) for name in ("missing", "in_progress", "failed")}
            is_updated = bool(version) and version != before.version
            if (not version) != was["missing"]:
                yield _change(asset, "missing", added=not version)
            if is_updated:
                yield _change(asset, "newly_updated")
            if code and before.code and code != before.code:
                yield _change(asset, "code_changed")
            if busy != was["in_progress"]:
                yield _change(asset, "in_progress", added=busy)
            if asset in observed.failed:
                yield _change(asset, "newly_failed")
            has_failed = asset in observed.failed or (was["failed"] and not is_updated)
            if has_failed != was["failed"]:
                yield _change(asset, "failed", added=has_failed)

    def _held(self, asset: str, name: str) -> bool:
        facts = self._facts.get(asset)
        return facts is not None and self._digest(_OPERANDS[name]) in facts.holds

    def _ticks(self, seen: Iterable[str], start: datetime, now: datetime) -> Iterator[Change]:
        for cron in self._crons:
            if timing_of_cron(cron).latest(start, now) is not None:
                for asset in seen:
                    yield Change(asset=asset, operand=cron, some=_ALL)

    def _save(
        self,
        transaction: Transaction,
        evaluator: Evaluator,
        seen: Iterable[str],
        observed: Observed,
    ) -> None:
        holds: dict[str, list[str]] = {}
        for asset, condition in evaluator.kept():
            holds.setdefault(asset, []).append(self._digest(condition))
        for asset in seen:
            facts = _Facts(
                version=observed.versions.get(asset, ""),
                code=observed.codes.get(asset, ""),
                holds=tuple(sorted({*holds.get(asset, ()), *self._lasting(asset, observed)})),
            )
            if facts != self._facts.get(asset):
                self._facts[asset] = facts
                document = {"version": facts.version, "code": facts.code, "holds": facts.holds}
                transaction.execute(
                    "insert into condition_asset (branch, asset, facts) values (?, ?, ?) "
                    "on conflict (branch, asset) do update set facts = excluded.facts",
                    (self._branch, asset, orjson.dumps(document).decode()),
                )

    def _lasting(self, asset: str, observed: Observed) -> Iterator[str]:
        """Facts are remembered though no condition asks: a later one may."""
        was_failed = self._held(asset, "failed")
        facts = self._facts.get(asset)
        version = observed.versions.get(asset, "")
        is_same = facts is None or facts.version == version
        if not version:
            yield self._digest(_OPERANDS["missing"])
        if asset in observed.busy:
            yield self._digest(_OPERANDS["in_progress"])
        if asset in observed.failed or (was_failed and is_same):
            yield self._digest(_OPERANDS["failed"])

    def _allowed(
        self, transaction: Transaction, requests: Sequence[Request], now: datetime
    ) -> list[Request]:
        """Leave those that somebody turned off; what became of them is on record."""
        off = conditions_off(transaction)
        for request in requests:
            if request.asset in off:
                tick = TickRecord(
                    kind="condition",
                    name=self._names.get(request.asset, request.asset),
                    scheduled_for=now,
                    evaluated_at=now,
                    outcome="skipped",
                    reason=f"is off; {', '.join(map(self._named, request.facts))}",
                )
                claim_tick(transaction, tick)
        return [request for request in requests if request.asset not in off]

    def _launch(
        self, transaction: Transaction, requests: Sequence[Request], now: datetime
    ) -> list[TickRecord]:
        assets = sorted(self._names.get(request.asset, request.asset) for request in requests)
        facts = {
            self._names.get(request.asset, request.asset): [
                self._named(fact) for fact in request.facts
            ]
            for request in requests
        }
        target = Target(environment=self._environment, select=tuple(assets))
        key = f"{self._branch}:{self._turn}"
        request = target.request("condition", self._branch, key, at=now, cause={"facts": facts})
        launch = enqueue(transaction, replace(request, branch=self._branch), now=now)
        written = []
        for asset in assets:
            record = TickRecord(
                kind="condition",
                name=asset,
                scheduled_for=now,
                evaluated_at=now,
                outcome="launched",
                launch_id=launch,
                reason=", ".join(facts[asset]),
            )
            if claim_tick(transaction, record):
                written.append(record)
        return written

    def _named(self, fact: str) -> str:
        asset, space, rest = fact.partition(" ")
        return f"{self._names.get(asset, asset)}{space}{rest}"


_OPERANDS = {name: Operand(name) for name in ("missing", "in_progress", "failed")}


def _change(asset: str, name: str, *, added: bool = True) -> Change:
    operand = _OPERANDS.get(name) or Operand(name)
    return Change(asset=asset, operand=operand, some=_ALL, is_added=added)


def _facts(document: Mapping[str, Any]) -> _Facts:
    return _Facts(
        version=document["version"], code=document["code"], holds=tuple(document["holds"])
    )
