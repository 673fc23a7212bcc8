# SPDX-License-Identifier: Apache-2.0
"""The step that builds one SQL model: a view, a table, or an increment of a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mainstem.errors import AssetNotFound, MainstemError, SqlInvalid, Where, united
from mainstem.graph import Asset
from mainstem.models.compiled import CompiledSql, unknown_names
from mainstem.models.contract import require_contract
from mainstem.models.definition import SqlModel
from mainstem.models.inputs import pinned, register_inputs
from mainstem.models.rows import Rows, RulesOf
from mainstem.runs import StepContext, StepOutcome
from mainstem.sql import expand, relocate, table_name
from mainstem.types import (
    AssetKey,
    Engine,
    Provenance,
    Schema,
    Session,
    TableRef,
    ViewRef,
    ViewWrite,
    dataclass,
)

_ENGINE_SQL = "<sql>"
"""What the engine calls the file of a query that it was given as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A query ready to run in a session."""

    sql: str
    schema: Schema


class SqlStep:
    """Implements `mainstem.runs.Step` for SQL models.

    Args:
        asset: The model, resolved.
        compiled: Its SQL with full names (`compiled_sql`).
        engine: What computes.
        is_full_rebuild: Replace all rows, also of an incremental model, as the plan said.
        quarantine: Gives for the columns of the result the rules that send rows aside.
    """

    def __init__(
        self,
        asset: Asset,
        compiled: CompiledSql,
        engine: Engine,
        *,
        is_full_rebuild: bool = False,
        quarantine: RulesOf | None = None,
    ) -> None:
        assert isinstance(asset.definition, SqlModel), "a SqlStep builds SQL models"
        assert asset.materialized != "ephemeral", "ephemeral models are part of their readers"
        self.asset = asset
        self.model = asset.definition
        self.compiled = compiled
        self.engine = engine
        self.is_full_rebuild = is_full_rebuild
        self._rows = Rows(asset, asset.definition.strategy, quarantine=quarantine)
        self.outputs: tuple[AssetKey, ...] = (asset.key,)
        self.inputs: tuple[AssetKey, ...] = compiled.reads

    def execute(self, context: StepContext) -> StepOutcome:
        """Build the model.

        Raises:
            MainstemError: With the model's file as its place.
        """
        try:
            with self.engine.session() as session:
                deregister = context.cancel.on_cancel(session.interrupt)
                try:
                    register_inputs(session, context, self.compiled.reads)
                    return self._build(session, context)
                finally:
                    deregister()
        except MainstemError as error:
            error.where = self._place(error.where)
            raise

    def _place(self, where: Where | None) -> Where:
        """Give the place in the model's file of what went wrong in the SQL that ran."""
        asset = str(self.asset.key)
        if where is not None and where.file not in {"", _ENGINE_SQL}:
            return where if where.asset else replace(where, asset=asset)
        plain = Where(file=self.asset.file, line=self.asset.line, asset=asset)
        if where is None or not where.excerpt:
            return plain
        found = relocate(where, self.model.template or self.model.sql)
        return replace(found, file=self.asset.file, asset=asset) if found.line else plain

    def _build(self, session: Session, context: StepContext) -> StepOutcome:
        if self.asset.materialized == "view":
            return self._build_view(session, context)
        current = self._increments(context)
        if current is not None:
            return self._build_increment(session, context, current)
        return self._build_whole(session, context)

    def _increments(self, context: StepContext) -> TableRef | None:
        """Give the table to add to; nothing if all rows are to be built."""
        is_full = self.is_full_rebuild or context.partition is not None
        return None if is_full else self._rows.grows(context)

    def _build_view(self, session: Session, context: StepContext) -> StepOutcome:
        key = self.asset.key
        sql = expand(self.compiled.sql, when=context.logical_time).strip()
        schema = self._described(session, context, sql)
        require_contract(session, self.asset, schema)
        if _is_same_view(context, key, sql, schema):
            return StepOutcome(unchanged=(key,))
        write = ViewWrite(
            key=key,
            sql=sql,
            schema=schema,
            inputs=self.compiled.reads,
            provenance=Provenance(origin="derived", data_version=""),
        )
        return StepOutcome(changes=(write,))

    def _build_whole(self, session: Session, context: StepContext) -> StepOutcome:
        prepared = self._prepared(session, context, self.compiled.sql, newer_than=_always)
        return self._rows.whole(session, context, prepared.sql, prepared.schema)

    def _build_increment(
        self, session: Session, context: StepContext, current: TableRef
    ) -> StepOutcome:
        session.register(current)
        newer = _newer_than(session, current)
        prepared = self._prepared(session, context, self.compiled.incremental_sql, newer_than=newer)
        return self._rows.increment(session, context, current, prepared.sql, prepared.schema)

    def _prepared(
        self,
        session: Session,
        context: StepContext,
        sql: str,
        *,
        newer_than: Callable[[str, str], str],
    ) -> Prepared:
        filled = expand(sql, when=context.logical_time, newer_than=newer_than)
        filled = pinned(session, filled, context.logical_time)
        schema = self._described(session, context, filled)
        require_contract(session, self.asset, schema)
        return Prepared(sql=filled, schema=schema)

    def _described(self, session: Session, context: StepContext, sql: str) -> Schema:
        """Describe a query; a name that does not exist is told with its place in the file.

        The engine knows the query as it ran; only the model's own text has the owner's lines.
        """
        try:
            return session.describe(sql)
        except SqlInvalid:
            inputs = {key.folded: context.relation(key).schema for key in self.compiled.reads}
            problems = unknown_names(self.asset, inputs)
            if problems:
                raise united(problems) from None
            raise


def _is_same_view(context: StepContext, key: AssetKey, sql: str, schema: Schema) -> bool:
    current = context.current(key)
    if not isinstance(current, ViewRef) or current.sql != sql:
        return False
    before = [(field.name, str(field.type)) for field in current.schema]
    return before == [(field.name, str(field.type)) for field in schema]


def _always(_column: str, _lookback: str) -> str:
    return "true"


def _newer_than(session: Session, current: TableRef) -> Callable[[str, str], str]:
    """Give what `newer_than(...)` means now: above the newest value that the table holds."""

    def condition(column: str, lookback: str) -> str:
        name = column.rpartition(".")[2].strip().strip('"')
        field = current.schema.field(name)
        if field is None:
            raise AssetNotFound(
                "A2045",
                f"newer_than('{column}') looks for the newest `{name}` in {current.key}, which has "
                "no such column.",
                hint=f"Keep `{name}` in the model's output under this name.",
                known=current.schema.names,
            )
        quoted = '"' + field.name.replace('"', '""') + '"'
        back = f" - interval '{lookback}'" if lookback else ""
        table = table_name(current.key)
        rows = session.rows(
            f"select cast(newest as varchar), typeof(newest) "
            f"from (select max({quoted}){back} as newest from {table})"
        )
        newest, of = rows[0]
        # A literal, not a subquery: it prunes the files and row groups that are read.
        return "true" if newest is None else f"({column} > cast('{newest}' as {of}))"

    return condition
