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

from mainstem.automation.expression import (
    LASTING,
    LATEST,
    Condition,
    Operand,
    operands_of,
    timing_of_cron,
)
from mainstem.automation.incremental import Change, Evaluator, Fact, Request
from mainstem.automation.noticing import Notice, set_name
from mainstem.automation.observed import Observed
from mainstem.automation.record import TickRecord, claim_tick
from mainstem.automation.remembered import (
    Facts,
    Turn,
    last_turn,
    load_facts,
    save_facts,
    save_turn,
)
from mainstem.automation.switching import conditions_off
from mainstem.automation.target import Target
from mainstem.automation.ticking import SET_BACK
from mainstem.automation.world import ALL, AssetWorld
from mainstem.database import Transaction
from mainstem.graph import Asset, PartitionSet
from mainstem.state import enqueue
from mainstem.types import AssetKey

_LONGEST_TEXT = 80


class Reactor:
    """The conditions of one loaded project, for one branch.

    Args:
        conditions: By asset.
        assets: All of the project, as planning sees them.
        branch: The target.
        environment: Of the launches.
    """

    def __init__(
        self,
        conditions: Mapping[AssetKey, Condition],
        assets: Mapping[AssetKey, Asset],
        *,
        branch: str,
        environment: str,
    ) -> None:
        self._conditions = {key.folded: condition for key, condition in conditions.items()}
        self._world = AssetWorld(assets)
        self._names = {key.folded: str(key) for key in assets}
        self._branch = branch
        self._environment = environment
        self._turn = -1
        self._at: datetime | None = None
        self._facts: dict[str, Facts] = {}
        self._last: Observed | None = None
        """What the facts were compared with; nothing if they were just loaded."""
        self._digests: dict[int, tuple[Condition, str]] = {}
        self._evaluator: Evaluator | None = None
        self._crons = self._operands("cron")
        self._windows = self._operands(LATEST)

    def ended_before(self, transaction: Transaction) -> datetime | None:
        """Tell until when the ends of runs were heard; nothing at the very first turn."""
        turn = last_turn(transaction, self._branch)
        return None if turn is None else turn.ended_at

    def is_due(self, now: datetime) -> bool:
        """Tell whether a cron of a condition, or a partition, is due, though nothing changed."""
        start, until = self._at, self._world.until
        if start is None or start > now + SET_BACK or (until is not None and until <= now):
            return True
        return any(timing_of_cron(cron).latest(start, now) is not None for cron in self._crons)

    def due_at(self, now: datetime) -> datetime | None:
        """Tell when a cron of a condition, or a partition, is due next."""
        crons = (timing_of_cron(cron).next(now) for cron in self._crons)
        moments = (self._world.until, *crons)
        return min((moment for moment in moments if moment is not None), default=None)

    def turn(
        self, transaction: Transaction, observed: Observed, *, now: datetime
    ) -> list[TickRecord]:
        """Take what changed, and ask for one launch of all that became true."""
        stored = last_turn(transaction, self._branch)
        begun = stored or Turn(number=0, at=now, ended_at=now, commit=observed.commit)
        was_set_back = begun.at > now + SET_BACK
        if was_set_back:
            # The clock: what is due from now on must not wait until it has caught up.
            begun = replace(begun, at=now, ended_at=min(begun.ended_at, now))
        evaluator = self._loaded(transaction, begun)
        grown = self._world.advance(now)
        noticed, changes = self._noticed(evaluator, observed, grown, begun.commit)
        changes += self._ticks(evaluator, begun.at, now)
        if stored is not None and not (changes or grown or was_set_back):
            self._at, self._last = begun.at, observed
            return []
        requests = evaluator.turn(changes, grown)
        self._save(transaction, evaluator, noticed)
        turn = Turn(
            number=begun.number + 1,
            at=now,
            ended_at=observed.ended_at or begun.ended_at,
            commit=observed.commit,
        )
        save_turn(transaction, self._branch, turn)
        self._turn, self._at, self._last = turn.number, now, observed
        allowed = self._allowed(transaction, requests, now) if requests else []
        return self._launch(transaction, allowed, now) if allowed else []

    def _operands(self, name: str) -> frozenset[Operand]:
        conditions = set(self._conditions.values())
        return frozenset(one for condition in conditions for one in operands_of(condition, name))

    def _loaded(self, transaction: Transaction, turn: Turn) -> Evaluator:
        """Give the evaluator; made anew if another server, or a lost transaction, came between."""
        if self._evaluator is not None and self._turn == turn.number:
            return self._evaluator
        self._world.advance(turn.at)
        self._facts = load_facts(transaction, self._branch, self._world)
        self._evaluator = Evaluator(self._world, self._conditions, self._kept)
        self._turn, self._last = turn.number, None
        return self._evaluator

    def _kept(self, asset: str, condition: Condition) -> PartitionSet | None:
        facts = self._facts.get(asset)
        return None if facts is None else facts.sets.get(self._set_name(condition))

    def _set_name(self, condition: Condition) -> str:
        if isinstance(condition, Operand) and condition.name in LASTING:
            return set_name(condition)
        found = self._digests.get(id(condition))
        if found is None:
            digest = sha256(repr(condition).encode()).hexdigest()[:16]
            found = self._digests[id(condition)] = (condition, digest)
        return found[1]

    def _noticed(
        self, evaluator: Evaluator, observed: Observed, grown: frozenset[str], commit: str
    ) -> tuple[dict[str, Facts], list[Change]]:
        """Look at all assets at first, and then at those that moved."""
        asked = evaluator.assets
        looked: Iterable[str] = asked
        if self._last is not None:
            moved = observed.moved(self._last)
            seen_as = {view for asset in moved for view in self._world.views(asset)}
            looked = asked & (moved | seen_as | grown)
        notice = Notice(world=self._world, observed=observed, commit=commit, windows=self._windows)
        facts: dict[str, Facts] = {}
        changes: list[Change] = []
        for name in sorted(looked):
            noticed = notice.of(name, self._facts.get(name))
            facts[name] = noticed.facts
            changes += noticed.changes
        return facts, changes

    def _ticks(self, evaluator: Evaluator, start: datetime, now: datetime) -> Iterator[Change]:
        for cron in self._crons:
            if timing_of_cron(cron).latest(start, now) is not None:
                for asset in evaluator.assets:
                    yield Change(asset=asset, operand=cron, some=self._world.existing(asset))

    def _save(
        self, transaction: Transaction, evaluator: Evaluator, noticed: Mapping[str, Facts]
    ) -> None:
        """Write the facts that changed, with what conditions hold."""
        held: dict[str, dict[str, PartitionSet]] = {}
        for asset, condition, some in evaluator.moved():
            if not isinstance(condition, Operand):
                held.setdefault(asset, {})[self._set_name(condition)] = some
        written = []
        for asset in sorted({*noticed, *held}):
            before = self._facts.get(asset)
            facts = noticed.get(asset) or before or Facts()
            if asset in held:
                sets = {**facts.sets, **held[asset]}
                facts = replace(facts, sets={name: some for name, some in sets.items() if some})
            if facts != before:
                self._facts[asset] = facts
                written.append((asset, facts))
        save_facts(transaction, self._branch, written)

    def _allowed(
        self, transaction: Transaction, requests: Sequence[Request], now: datetime
    ) -> list[Request]:
        """Leave those that somebody turned off; what became of them is on record."""
        off = conditions_off(transaction)
        for request in requests:
            if request.asset in off:
                tick = TickRecord(
                    kind="condition",
                    name=self._name(request.asset),
                    scheduled_for=now,
                    evaluated_at=now,
                    outcome="skipped",
                    reason=f"is off; {', '.join(map(self._said, request.facts))}",
                    facts={"partitions": request.some.text()} if _is_parted(request.some) else {},
                )
                claim_tick(transaction, tick)
        return [request for request in requests if request.asset not in off]

    def _launch(
        self, transaction: Transaction, requests: Sequence[Request], now: datetime
    ) -> list[TickRecord]:
        """Ask for one run of all that is requested: of each asset exactly these partitions."""
        asked: dict[str, PartitionSet] = {}
        facts: dict[str, list[str]] = {}
        for request in requests:
            name = self._name(request.asset)
            asked[name] = asked[name] | request.some if name in asked else request.some
            told = facts.setdefault(name, [])
            told += [text for fact in request.facts if (text := self._said(fact)) not in told]
        partitions = {name: some.text() for name, some in sorted(asked.items()) if _is_parted(some)}
        assets = sorted(asked)
        target = Target(environment=self._environment, select=tuple(assets), partitions=partitions)
        key = f"{self._branch}:{self._turn}"
        launched = target.request("condition", self._branch, key, at=now, cause={"facts": facts})
        launch = enqueue(transaction, replace(launched, branch=self._branch), now=now)
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
                facts={"partitions": partitions[asset]} if asset in partitions else {},
            )
            if claim_tick(transaction, record):
                written.append(record)
        return written

    def _name(self, asset: str) -> str:
        return self._names.get(asset, asset)

    def _said(self, fact: Fact) -> str:
        """Say a fact, of a partitioned asset with the partitions that it is about."""
        name = self._name(self._world.asset_of(fact.asset))
        if self._world.is_parted(fact.asset):
            text = fact.some.text()
            ends = fact.some.ranges(limit=1)
            name += f"@{text if len(text) < _LONGEST_TEXT else f'{ends[0].text},...'}"
        return f"{name} {fact.words}"


def _is_parted(some: PartitionSet) -> bool:
    return some.definition != ALL.definition
