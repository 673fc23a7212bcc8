# SPDX-License-Identifier: Apache-2.0
"""At the end of a run: failures are counted, what was fixed is closed, alerts are written.

All in the transaction that ends the run: neither is lost by a kill, and none is told of a run that
did not end so. Delivery comes later and elsewhere (`outbox`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from mainstem import state
from mainstem.database import Transaction
from mainstem.errors import SelectionInvalid
from mainstem.graph import Graph, select
from mainstem.observers import outbox
from mainstem.observers.blast import blast_of
from mainstem.observers.failure import Failure, add_failure, fix_failures
from mainstem.observers.fingerprint import Fingerprint, fingerprint_of, fingerprint_of_checks
from mainstem.observers.rule import AlertEvent, AlertRule, Told, tell
from mainstem.runs import RunEnding, StepFinished
from mainstem.types import AssetKey, dataclass

_WELL = frozenset({"built", "read", "linked", "unchanged"})
_STALE_LIMIT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """An asset that is not as fresh as was promised."""

    key: AssetKey
    branch: str
    environment: str
    promise: str
    """What was promised: `daily by 09:00 Europe/Berlin`."""
    since: datetime
    """When it became late: the same lateness is told of once."""
    job: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    """One asset that failed or was held in this run."""

    step: StepFinished
    mark: Fingerprint
    known: Failure

    @property
    def subject(self) -> str:
        return f"{self.known.fingerprint}/{self.known.asset.folded}/{self.known.branch}"


class Teller:
    """Writes failures and alerts of the runs of one project.

    Args:
        project: Its name.
        graph: For owners, and for what is downstream.
        rules: Who is told what.
        root: Project folder, for fingerprints.
        job_of: Gives the job that launched a run; empty for none.
    """

    def __init__(
        self,
        project: str,
        graph: Graph,
        rules: Sequence[AlertRule],
        *,
        root: str,
        job_of: Callable[[Transaction, int], str],
    ) -> None:
        self._project = project
        self._graph = graph
        self._rules = rules
        self._root = root
        self._job_of = job_of

    def close(self, transaction: Transaction, ending: RunEnding) -> None:
        """Take in how a run ended; called in the transaction that writes it."""
        faults = self._faults(transaction, ending)
        fixed = fix_failures(
            transaction,
            ending.run.branch,
            [step.key for step in ending.steps if step.status in _WELL],
            run_id=ending.run.id,
            git=ending.run.git,
            at=ending.at,
        )
        if not self._rules:
            return
        is_bad = bool(faults) or (ending.status in {"failed", "crashed"} and bool(ending.error))
        job = self._job_of(transaction, ending.run.id)
        came_through = ending.status in {"succeeded", "held"}
        whole = (
            outbox.forget_told_below(transaction, _of_whole_runs(ending.run.branch, job))
            if came_through
            else {}
        )
        for rule in self._rules:
            if is_bad:
                self._tell_of_faults(transaction, rule, ending, faults, job)
            self._tell_of_recovery(transaction, rule, ending, fixed, whole.get(rule.name, []), job)

    def lost(
        self,
        transaction: Transaction,
        launch: state.Launch,
        why: str,
        *,
        environment: str,
        branch: str,
        at: datetime,
    ) -> None:
        """Write alerts for a launch that is not begun again, whether it ever became a run."""
        request = launch.request
        what = f"launch {launch.id} ({request.origin} {request.source}".rstrip() + ") is lost"
        keys = _selected(self._graph, request)
        for rule in self._rules:
            start = _of_whole_runs(branch, request.job)
            subject = f"{start}lost/{request.origin}/{request.source}"
            if not rule.hears(
                "failed", environment=environment, job=request.job
            ) or not self._is_to_tell(transaction, rule, subject, at):
                continue
            body = self._body("failed", environment, branch, [], at=at, keys=keys)
            body |= {
                "run_id": launch.run_id or 0,
                "job": request.job,
                "error": f"{what}: {why}; it is not begun again",
                "command": "mainstem queue",
            }
            self._put(transaction, rule, "failed", f"launch-{launch.id}/lost", body)

    def late(self, transaction: Transaction, lates: Sequence[Late], *, at: datetime) -> None:
        """Write alerts for assets that are late; the same lateness is told of once."""
        for rule in self._rules:
            heard = [
                one
                for one in lates
                if rule.hears("late", environment=one.environment, job=one.job)
                and self._is_to_tell(transaction, rule, f"late/{one.key.folded}/{one.branch}", at)
            ]
            if not heard:
                continue
            items = [
                self._item(one.key, message=f"late since {_time(one.since)}: {one.promise}")
                for one in heard
            ]
            first = heard[0]
            names = "|".join(sorted(f"{one.key.folded}@{one.since.isoformat()}" for one in heard))
            digest = hashlib.sha256(names.encode()).hexdigest()[:12]
            self._put(
                transaction,
                rule,
                "late",
                f"late/{digest}/{_time(at)}",
                self._body("late", first.environment, first.branch, items, at=at),
            )

    def on_time(self, transaction: Transaction, again: Sequence[Late], *, at: datetime) -> None:
        """Forget that assets were late: the next time is a new one; who was told hears of it."""
        for rule in self._rules:
            was_told = [
                (one, known)
                for one in again
                for known in [
                    outbox.forget_told(
                        transaction, rule.name, f"late/{one.key.folded}/{one.branch}"
                    )
                ]
                if known is not None
            ]
            if not was_told:
                continue
            first = was_told[0][0]
            if not rule.hears("recovered", environment=first.environment, job=first.job):
                continue
            items = [
                self._item(
                    one.key,
                    message=f"fresh again: {one.promise}; late was told {_time(known.told_at)}",
                )
                for one, known in was_told
            ]
            names = "|".join(sorted(f"{one.key.folded}@{known.told_at}" for one, known in was_told))
            digest = hashlib.sha256(names.encode()).hexdigest()[:12]
            self._put(
                transaction,
                rule,
                "recovered",
                f"on_time/{digest}/{_time(at)}",
                self._body("recovered", first.environment, first.branch, items, at=at),
            )

    def _faults(self, transaction: Transaction, ending: RunEnding) -> list[_Fault]:
        bad = [step for step in ending.steps if step.status in {"failed", "held"}]
        # What only waits for another one is no failure of its own.
        bad = [step for step in bad if step.error is not None or _failed_checks(step)]
        run = ending.run
        good = state.last_success(
            transaction, run.branch, [step.key for step in bad], before=run.id
        )
        return [self._fault(transaction, ending, step, good.get(step.key)) for step in bad]

    def _fault(
        self,
        transaction: Transaction,
        ending: RunEnding,
        step: StepFinished,
        good: tuple[int, str] | None,
    ) -> _Fault:
        name, error = str(step.key), step.error
        if error is not None:
            mark = fingerprint_of(error, root=self._root, asset=name)
            code, message = error.code, error.summary
        else:
            mark = fingerprint_of_checks(step.checks, asset=name)
            code, message = "", "; ".join(_failed_checks(step)) or step.reason
        known = add_failure(
            transaction,
            Failure(
                fingerprint=mark.id,
                asset=step.key,
                branch=ending.run.branch,
                kind=step.status,
                code=code,
                title=mark.title,
                message=message,
                runs=1,
                first_at=ending.at,
                last_at=ending.at,
                first_run=ending.run.id,
                last_run=ending.run.id,
                good_run=None if good is None else good[0],
                good_git="" if good is None else good[1],
            ),
        )
        return _Fault(step=step, mark=mark, known=known)

    def _tell_of_faults(
        self,
        transaction: Transaction,
        rule: AlertRule,
        ending: RunEnding,
        faults: Sequence[_Fault],
        job: str,
    ) -> None:
        run = ending.run
        heard = [
            fault
            for fault in faults
            if rule.hears(_event(fault.step), environment=run.environment, job=job)
        ]
        is_new = [self._is_to_tell(transaction, rule, one.subject, ending.at) for one in heard]
        error = ""
        if not faults and rule.hears("failed", environment=run.environment, job=job):
            error = ending.error
            digest = hashlib.sha256(_kind(error).encode()).hexdigest()[:16]
            subject = f"{_of_whole_runs(run.branch, job)}{digest}"
            is_new.append(self._is_to_tell(transaction, rule, subject, ending.at))
        if not any(is_new):
            return
        event: AlertEvent = (
            "held" if heard and all(_event(one.step) == "held" for one in heard) else "failed"
        )
        items = [self._fault_item(fault) for fault in heard]
        keys = [fault.step.key for fault in faults]
        body = self._body(event, run.environment, run.branch, items, at=ending.at, keys=keys)
        body |= {
            "run_id": run.id,
            "job": job,
            "git": run.git,
            "error": error,
            "command": f"mainstem runs log {run.id}",
        }
        self._put(transaction, rule, event, f"run-{run.id}/{event}", body)

    def _tell_of_recovery(
        self,
        transaction: Transaction,
        rule: AlertRule,
        ending: RunEnding,
        fixed: Sequence[Failure],
        whole: Sequence[Told],
        job: str,
    ) -> None:
        """Tell whoever was told that what failed is well again: assets, and runs as a whole."""
        run = ending.run
        was_told = [
            (failure, known)
            for failure in fixed
            for known in [
                outbox.forget_told(
                    transaction,
                    rule.name,
                    f"{failure.fingerprint}/{failure.asset.folded}/{failure.branch}",
                )
            ]
            if known is not None
        ]
        is_over = bool(was_told or whole)
        if not is_over or not rule.hears("recovered", environment=run.environment, job=job):
            return
        items = [
            self._item(
                failure.asset,
                message=f"well again after {_runs(known.count)} since {_time(known.first_at)}",
                fingerprint=failure.fingerprint,
                fixed_git=run.git,
            )
            for failure, known in was_told
        ]
        body = self._body("recovered", run.environment, run.branch, items, at=ending.at)
        body |= {
            "run_id": run.id,
            "job": job,
            "git": run.git,
            "command": f"mainstem runs show {run.id}",
        }
        if whole:
            count, since = sum(one.count for one in whole), min(one.first_at for one in whole)
            body["note"] = f"a run came through after {_runs(count)} since {_time(since)}"
        self._put(transaction, rule, "recovered", f"run-{run.id}/recovered", body)

    def _is_to_tell(
        self, transaction: Transaction, rule: AlertRule, subject: str, at: datetime
    ) -> bool:
        is_new, known = tell(outbox.told(transaction, rule.name, subject), rule, at)
        outbox.note_told(transaction, rule.name, subject, known)
        return is_new

    def _fault_item(self, fault: _Fault) -> dict[str, Any]:
        known, error = fault.known, fault.step.error
        where = error.where if error is not None else None
        return self._item(
            fault.step.key,
            code=known.code,
            message=known.message,
            place=str(where) if where is not None and where.file else "",
            title=known.title,
            fingerprint=known.fingerprint,
            count=known.runs,
            first_at=_time(known.first_at),
            good_git=known.good_git,
        )

    def _item(self, key: AssetKey, *, message: str, **more: Any) -> dict[str, Any]:
        asset = self._graph.assets.get(key)
        owner = asset.owner if asset is not None else ""
        return {"asset": str(key), "owner": owner, "message": message, **more}

    def _body(
        self,
        event: AlertEvent,
        environment: str,
        branch: str,
        items: Sequence[Mapping[str, Any]],
        *,
        at: datetime,
        keys: Sequence[AssetKey] = (),
    ) -> dict[str, Any]:
        blast = blast_of(self._graph, keys)
        return {
            "event": event,
            "project": self._project,
            "environment": environment,
            "branch": branch,
            "at": at.isoformat(),
            "run_id": 0,
            "git": "",
            "items": list(items),
            "stale_count": len(blast.stale),
            "stale": [str(key) for key in blast.stale[:_STALE_LIMIT]],
            "promises": list(blast.promises),
        }

    def _put(
        self,
        transaction: Transaction,
        rule: AlertRule,
        event: AlertEvent,
        name: str,
        body: dict[str, Any],
    ) -> None:
        outbox.put_alert(
            transaction,
            id=f"{self._project}/{rule.name}/{name}",
            alert=rule.name,
            event=event,
            run_id=body["run_id"],
            body=body,
            at=datetime.fromisoformat(body["at"]),
        )


def _of_whole_runs(branch: str, job: str) -> str:
    """Give what the subjects of a job's runs that failed as a whole start with.

    The next one on the same branch that comes through ends them all.
    """
    return f"run|{branch}|{job}|"


def _runs(count: int) -> str:
    return f"{count} failed run{'s' if count != 1 else ''}"


def _selected(graph: Graph, request: state.LaunchRequest) -> Sequence[AssetKey]:
    try:
        return select(graph, request.select, request.exclude)
    except SelectionInvalid:
        return ()  # a launch of other files, which named what is no more


def _event(step: StepFinished) -> AlertEvent:
    return "held" if step.status == "held" else "failed"


def _failed_checks(step: StepFinished) -> list[str]:
    return list(_messages(step))


def _messages(step: StepFinished) -> Iterator[str]:
    for result in step.checks:
        if result.holds_publishing:
            yield result.message or result.check_id


def _kind(error: str) -> str:
    """Give an error of a run as a whole without its values."""
    return "".join(letter for letter in error if not letter.isdecimal())


def _time(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"
