# SPDX-License-Identifier: Apache-2.0
"""What a project keeps of its runs and tells of them: history, failures, alerts, retention.

Composition only: rules are in `observers`, files in `records`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mainstem.config import Settings, Variables, names_of
from mainstem.database import Transaction
from mainstem.errors import ConfigInvalid, DatabaseUnavailable, MainstemError, Where
from mainstem.graph import Graph
from mainstem.observers import (
    Alert,
    AlertRule,
    Failure,
    HistoryObserver,
    Late,
    TableFacts,
    Teller,
    alerts,
    deliver_due,
    failures,
)
from mainstem.project.services import Services
from mainstem.records import Pruned, RecordFiles, Retention
from mainstem.runs import RunEnding, RunEvent
from mainstem.state import Launch, launch_of_run, unfinished_runs
from mainstem.types import AssetKey, did_you_mean, duration_of

if TYPE_CHECKING:
    from mainstem.project.work import Work

Observer = Callable[[RunEvent], None]


class Recording:
    """The records of one project.

    Args:
        settings: mainstem.yml.
        graph: For owners, and for what is downstream of a failure.
        services: Database and folders.
        variables: To resolve addresses and passwords when something is delivered.
        environment: Name of the environment.
        work: Gives what knows columns; asked by those that tell of lineage.
    """

    def __init__(
        self,
        settings: Settings,
        graph: Graph,
        services: Services,
        variables: Variables,
        *,
        environment: str,
        work: Callable[[], Work],
    ) -> None:
        self._work = work
        self._settings = settings
        self._graph = graph
        self._services = services
        self._variables = variables
        self._environment = environment

    @contextlib.contextmanager
    def observing(self, listener: Observer | None) -> Iterator[Observer]:
        """Give what hears the events of one run: history, telemetry, and whoever asked for them.

        Raises:
            ConfigInvalid: Telemetry is asked for, and its libraries are not installed.
        """
        observers: list[Observer] = [HistoryObserver(self._services.history, self._services.clock)]
        with contextlib.ExitStack() as stack:
            for remote in (self._openlineage(), self._telemetry()):
                if remote is not None:
                    observers.append(remote)
                    stack.callback(remote.close)
            if listener is not None:
                observers.append(listener)

            def hear(event: RunEvent) -> None:
                for observer in observers:
                    observer(event)

            yield hear

    def end_run(self, transaction: Transaction, ending: RunEnding) -> None:
        """Write failures and alerts, in the transaction that ends a run."""
        self._teller.close(transaction, ending)
        if ending.status == "crashed":
            line = {"event": "run_finished", "run_id": ending.run.id, "status": "crashed"}
            self._services.history.add(ending.at, [{**line, "text": ending.error}])

    def tell_lost(self, launch: Launch, why: str, *, branch: str) -> None:
        """Write alerts for a launch that is lost: told once, however often this is called."""
        if self.rules:
            with self._services.database.write() as transaction:
                self._teller.lost(
                    transaction,
                    launch,
                    why,
                    environment=self._environment,
                    branch=branch,
                    at=self._services.clock.now(),
                )

    def tell_late(self, transaction: Transaction, lates: Sequence[Late], *, now: datetime) -> None:
        """Write alerts for assets that became late, where that is noted: told once each."""
        if lates and self.rules:
            self._teller.late(transaction, lates, at=now)

    def tell_on_time(
        self, transaction: Transaction, again: Sequence[Late], *, now: datetime
    ) -> None:
        """Write that assets are late no more, for whom it was told that they were."""
        if again and self.rules:
            self._teller.on_time(transaction, again, at=now)

    def deliver(self, *, limit: int = 50) -> tuple[int, int]:
        """Send the alerts that are due, of all runs; raises nothing of what receivers do.

        Called after a run, and by the loop of a server; at most a read if nothing is due.

        Returns:
            How many arrived, and how many did not.
        """
        clock = self._services.clock
        with contextlib.suppress(DatabaseUnavailable):  # what is due stays so
            return deliver_due(self._services.database, self._send, now=clock.now, limit=limit)
        return 0, 0

    @cached_property
    def rules(self) -> tuple[AlertRule, ...]:
        """`alerts:` of mainstem.yml."""
        return tuple(_rule(name, self._settings) for name in self._settings.alerts)

    def alerts(self, *, limit: int = 50) -> list[Alert]:
        """List messages, sent and waiting, the latest first."""
        with self._services.database.read() as transaction:
            return alerts(transaction, limit=limit)

    def test_alert(self, name: str) -> str:
        """Send a message to one receiver now; gives what went wrong, empty if it arrived.

        Raises:
            ConfigInvalid: There is no such alert, or a variable that it needs is not set.
        """
        rule = next((rule for rule in self.rules if rule.name == name), None)
        if rule is None:
            known = tuple(self._settings.alerts)
            raise ConfigInvalid(
                "A1095",
                f"`{name}` is not an alert of this project.",
                hint=did_you_mean(name, known) or "Write it under `alerts:` in mainstem.yml.",
                where=Where(file=self._settings.file),
                known=known,
            )
        now = self._services.clock.now()
        item = {"asset": "main.example", "owner": "", "message": "this is a test; nothing failed"}
        body = {
            "event": "failed",
            "project": self._settings.name,
            "environment": self._environment,
            "branch": "main",
            "at": now.isoformat(),
            "run_id": 0,
            "git": "",
            "items": [item],
        }
        alert = Alert(
            id=f"{self._settings.name}/{name}/test/{now.isoformat()}",
            alert=name,
            event="failed",
            run_id=0,
            body=body,
            status="pending",
            created_at=now,
            not_before=now,
        )
        return _channel().send(alert, rule.type, self._options(rule))  # type: ignore[no-any-return]  # imported late, with what sends mail

    def failures(
        self, *, branch: str = "", is_open: bool = False, limit: int = 100
    ) -> list[Failure]:
        """List failures grouped by what they have in common, the latest first."""
        with self._services.database.read() as transaction:
            return failures(transaction, branch=branch, is_open=is_open, limit=limit)

    @cached_property
    def retention(self) -> Retention:
        """How long what is kept."""
        written, default = self._settings.retention, Retention()
        return Retention(
            logs=duration_of(written.get("logs")) or default.logs,
            history=duration_of(written.get("history")) or default.history,
            steps=duration_of(written.get("steps")) or default.steps,
        )

    def prune_daily(self) -> None:
        """Remove old logs and history, unless that was done within a day."""
        if self._files.is_due(self._services.clock.now()):
            self.prune()

    def prune(self, *, dry_run: bool = False) -> Pruned:
        """Remove logs and history that are older than they are to be kept."""
        with self._services.database.read() as transaction:
            running = [run.id for run in unfinished_runs(transaction)]
        now = self._services.clock.now()
        return self._files.prune(self.retention, now=now, running=running, dry_run=dry_run)

    @cached_property
    def _files(self) -> RecordFiles:
        return RecordFiles(self._services.logs.folder, self._services.history.folder)

    @cached_property
    def _teller(self) -> Teller:
        return Teller(
            self._settings.name,
            self._graph,
            self.rules,
            root=str(self._services.folder),
            job_of=_job_of,
        )

    def _openlineage(self) -> Any:
        options = self._resolved("openlineage", self._settings.openlineage)
        if not options:
            return None
        return import_module("mainstem.observers.openlineage").OpenLineage(
            options["url"],
            namespace=options.get("namespace") or self._settings.name,
            api_key=options.get("api_key") or "",
            graph=self._graph,
            facts=self._table_facts,
            clock=self._services.clock,
        )

    def _telemetry(self) -> Any:
        options = self._resolved("telemetry", self._settings.telemetry)
        if not options:
            return None
        try:
            module = import_module("mainstem.observers.telemetry")
        except ImportError as error:
            raise ConfigInvalid(
                "A1096",
                f"`telemetry:` is set, and {error.name} is not installed.",
                hint='Install it: pip install "mainstem[telemetry]"; or remove `telemetry:`.',
                where=Where(file=self._settings.file),
            ) from error
        return module.Telemetry(
            options["otlp"],
            headers=options.get("headers") or {},
            project=self._settings.name,
            clock=self._services.clock,
        )

    def _table_facts(self, key: AssetKey, run_id: int) -> TableFacts:
        """Look up what a run has built; nothing where that is not to be known."""
        lake = self._services.lake
        with contextlib.suppress(MainstemError):
            at = lake.resolve(f"run/{run_id}").id
            lineage = self._work().analysis(at).lineage_of(key)
            return TableFacts(schema=lake.relation(key, at).schema, lineage=lineage)
        return TableFacts()

    def _resolved(self, name: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
        resolved: Mapping[str, Any] = self._variables.expand_all(options, of=f"`{name}:`")
        return resolved

    def _send(self, alert: Alert) -> str:
        rule = next((rule for rule in self.rules if rule.name == alert.alert), None)
        if rule is None:
            return f"`{alert.alert}` is no longer under `alerts:` of mainstem.yml"
        try:
            options = self._options(rule)
        except ConfigInvalid as error:
            return error.summary
        answer: str = _channel().send(alert, rule.type, options)
        return self._services.redactor.text(answer)

    def _options(self, rule: AlertRule) -> Mapping[str, Any]:
        return self._resolved(f"alerts.{rule.name}", rule.options)


def _rule(name: str, settings: Settings) -> AlertRule:
    options = dict(settings.alerts[name].options)
    default = AlertRule(name=name, type=options["type"])
    return AlertRule(
        name=name,
        type=options.pop("type"),
        events=tuple(names_of(options.pop("on", None))) or default.events,  # type: ignore[arg-type]  # choices were checked
        environments=tuple(names_of(options.pop("environments", None))),
        jobs=tuple(
            job.name for job in settings.jobs.values() if name in names_of(job.options.get("alert"))
        ),
        window=duration_of(options.pop("window", None)) or default.window,
        remind=duration_of(options.pop("remind", None)) or default.remind,
        options=options,
    )


def _job_of(transaction: Transaction, run_id: int) -> str:
    launch = launch_of_run(transaction, run_id)
    return launch.request.job if launch is not None else ""


def _channel() -> Any:
    """Import what sends: HTTP and mail are half of what `mainstem run` would import."""
    return import_module("mainstem.observers.channel")
