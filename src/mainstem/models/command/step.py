# SPDX-License-Identifier: Apache-2.0
"""The step that runs a command: gives it files and facts, hears it out, and takes what it wrote."""

from __future__ import annotations

import errno
import signal
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

from mainstem.config import Variables, secrets_in
from mainstem.errors import Cancelled, MainstemError, ModelInvalid, StepFailed, Where
from mainstem.graph import Asset
from mainstem.models.command.definition import Command, variable_of
from mainstem.models.command.exchange import give, readable
from mainstem.models.command.process import CommandProcess, Ended
from mainstem.models.command.report import Report
from mainstem.models.command.surroundings import argv_of, environment_of, facts_of
from mainstem.models.rows import Rows, RulesOf
from mainstem.models.worker.output import Output
from mainstem.models.worker.wear import oom_kills
from mainstem.records import Redactor
from mainstem.runs import StepContext, StepOutcome, required_condition
from mainstem.types import AssetKey, Clock, Engine, Session, dataclass

_GRACE_S = 4.5
"""Less than what the run waits for a step that was told to stop."""
_LAST_LINES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What commands need of the project that they run in."""

    engine: Engine
    folder: Path
    variables: Variables
    hide: Callable[[Callable[[], frozenset[str]]], None]
    """Adds secrets to those that are masked everywhere."""
    redactor: Callable[[], Redactor]
    clock: Clock


class CommandStep:
    """Implements `mainstem.runs.Step` for commands.

    Args:
        asset: What the command builds.
        host: The project.
        rowless: Inputs that have no rows to give: effects, ephemeral models.
        is_full_rebuild: Replace all rows, also of an incremental asset, as the plan said.
        quarantine: Gives for the columns of the result the rules that send rows aside.
    """

    def __init__(
        self,
        asset: Asset,
        host: Host,
        *,
        rowless: Collection[AssetKey] = (),
        is_full_rebuild: bool = False,
        quarantine: RulesOf | None = None,
    ) -> None:
        assert isinstance(asset.definition, Command), "a CommandStep runs commands"
        self.asset = asset
        self.command = asset.definition
        self.host = host
        self.outputs: tuple[AssetKey, ...] = (asset.key,)
        self.inputs: tuple[AssetKey, ...] = asset.inputs
        self._rowless = frozenset(rowless)
        self._is_full_rebuild = is_full_rebuild
        self._rows = Rows(asset, asset.definition.strategy, quarantine=quarantine)

    def execute(self, context: StepContext) -> StepOutcome:
        """Run the command.

        Raises:
            StepFailed: It ended badly, could not be started, or wrote no table.
            Cancelled: The run stopped it.
        """
        try:
            with tempfile.TemporaryDirectory(prefix="mainstem-command-") as scratch:
                return self._execute(context, Path(scratch))
        except MainstemError as error:
            if error.where is None:
                place = Where(file=self.asset.file, line=self.asset.line)
                error.where = replace(place, asset=str(self.asset.key))
            self.host.redactor().error(error)
            raise

    def _execute(self, context: StepContext, scratch: Path) -> StepOutcome:
        facts = {
            **facts_of(context, self.asset.key, self.host.folder),
            **self._given(context, scratch),
            "MAINSTEM_REPORT": str(scratch / "report"),
        }
        target = scratch / f"output.{self.command.output}"
        if self.command.output is not None:
            facts["MAINSTEM_OUTPUT"] = str(target)
        report = Report(lambda rows, note: context.progress(rows=rows, note=note))
        ended = self._run(context, facts, report)
        redactor = self.host.redactor()
        notes = tuple(redactor.text(f"{name}: {it}") for name, it in report.metadata.items())
        outcome = self._taken(context, report, target)
        return replace(
            outcome,
            notes=(*outcome.notes, *notes),
            warnings=tuple(map(redactor.text, report.warnings)),
            usage=ended.usage,
        )

    def _given(self, context: StepContext, scratch: Path) -> dict[str, str]:
        """Write the inputs; gives the path of each by its variable."""
        files: dict[str, str] = {}
        if not self.command.inputs:
            return files
        with self.host.engine.session() as session:
            deregister = context.cancel.on_cancel(session.interrupt)
            try:
                for name, key in self.command.inputs.items():
                    self._require_rows(key)
                    path = scratch / f"input-{len(files)}.{self.command.input_format}"
                    give(session, context, key, path, self.command.input_format)
                    files[variable_of(name)] = str(path)
            finally:
                deregister()
        return files

    def _require_rows(self, key: AssetKey) -> None:
        if key in self._rowless:
            raise ModelInvalid(
                "A2072",
                f"{self.asset.key} has {key} under `inputs`, which has no rows of its own.",
                hint="An effect stands under `deps`; a model that is ephemeral can be a view.",
            )

    def _run(self, context: StepContext, facts: Mapping[str, str], report: Report) -> Ended:
        host, asset = self.host, str(self.asset.key)
        environment = environment_of(self.command, facts, host.variables, asset=asset)
        words = {f"argument {number}": word for number, word in enumerate(self.command.argv)}
        host.hide(lambda: secrets_in({**self.command.env, **words}, host.variables))
        argv = argv_of(self.command, environment, host.variables, asset=asset)
        output = Output(
            lambda text, stream: context.log(text, stream=stream),
            redactor=host.redactor(),
            clock=host.clock,
        )
        kills_before = oom_kills()
        try:
            process = CommandProcess(
                argv,
                folder=host.folder,
                environment=environment,
                report=Path(facts["MAINSTEM_REPORT"]),
                clock=host.clock,
            )
        except OSError as error:
            raise _not_started(asset, argv[0], error) from error
        try:
            deregister = context.cancel.on_cancel(process.cancel)
            try:
                ended = process.wait(output, report, grace_s=_GRACE_S)
            finally:
                deregister()
        finally:
            process.close()
        if ended.was_stopped:
            raise Cancelled("A7109", f"{asset} was cancelled.")
        if ended.code not in {0, *self.command.skip_codes} or report.error:
            raise self._failed(ended, report, output, is_oom=oom_kills() > kills_before)
        if ended.code and report.skip is None:
            report.skip = f"exit code {ended.code}"
        return ended

    def _failed(self, ended: Ended, report: Report, output: Output, *, is_oom: bool) -> StepFailed:
        program, names = self.command.program, [f"exit_{ended.code}"]
        hint = "Its last lines are below; all of them: mainstem runs log."
        if ended.code < 0:
            name = _signal_name(-ended.code)
            names, how = [name], f"was killed by {name}"
            if is_oom and name == "SIGKILL":
                names, how = [name, "MemoryError"], "was killed by the kernel: memory ran out"
                hint = "Say what it needs with `memory:`, so that less runs beside it."
        else:
            how = f"ended with exit code {ended.code}"
        summary = f"`{program}` {how}."
        if report.error:
            summary = f"{report.error.rstrip('.')}."
        return StepFailed(
            "A7150",
            summary,
            hint=hint,
            details=output.tail("stderr", lines=_LAST_LINES)
            or output.tail("stdout", lines=_LAST_LINES),
            raised=names,
        )

    def _taken(self, context: StepContext, report: Report, target: Path) -> StepOutcome:
        """Make the table of what the command wrote."""
        key = self.asset.key
        if report.skip is not None:
            return self._skipped(context, report.skip)
        if self.command.output is None:
            return StepOutcome()
        with self.host.engine.session() as session:
            deregister = context.cancel.on_cancel(session.interrupt)
            try:
                sql = readable(session, self.command, target, asset=str(key))
                return self._written(session, context, sql)
            finally:
                deregister()

    def _written(self, session: Session, context: StepContext, sql: str) -> StepOutcome:
        schema = session.describe(sql)
        is_full = self._is_full_rebuild or context.partition is not None
        current = None if is_full else self._rows.grows(context)
        if current is not None:
            session.register(current)
            return self._rows.increment(session, context, current, sql, schema)
        if context.partition is not None:
            own = required_condition(context.partition.rows, schema, self.asset.key)
            others = session.rows(f"select count(*) from ({sql}) where ({own}) is not true")
            if others[0][0]:
                raise StepFailed(
                    "A2068",
                    f"{self.asset.key} gave {others[0][0]:,} rows that are not of the partition "
                    f"{context.partition.text}.",
                    hint="MAINSTEM_PARTITION_START and _END say which are; the end is not.",
                )
        return self._rows.whole(session, context, sql, schema)

    def _skipped(self, context: StepContext, reason: str) -> StepOutcome:
        key = self.asset.key
        note = f"skipped: {self.host.redactor().text(reason)}"
        if self.command.output is None:
            return StepOutcome(notes=(note,))
        if context.partition is not None:
            raise StepFailed(
                "A7155",
                f"{key} skipped the partition {context.partition.text} ({reason}); what is asked "
                "for is its rows.",
                hint="Write a file with columns and no rows if it has none.",
            )
        if context.current(key) is None:
            raise StepFailed(
                "A7155",
                f"{key} skipped ({reason}), but there is no table yet that could stay.",
                hint="Write an empty file with columns the first time.",
            )
        return StepOutcome(unchanged=(key,), notes=(note,))


def _not_started(asset: str, program: str, error: OSError) -> StepFailed:
    if error.errno == errno.E2BIG:
        return StepFailed(
            "A7153",
            f"{asset}: `{program}` cannot run: its arguments and variables are too long.",
            hint="MAINSTEM_PARTITION_KEYS has each partition of a step: let `batch` be a number.",
        )
    why = (
        "is not found" if isinstance(error, FileNotFoundError) else f"cannot run: {error.strerror}"
    )
    return StepFailed(
        "A7153",
        f"{asset}: `{program}` {why}.",
        hint="Write a path relative to the project folder, or install it where PATH leads. A "
        "script needs a first line such as #!/bin/sh, and `chmod +x`.",
    )


def _signal_name(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
