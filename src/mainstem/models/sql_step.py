# SPDX-License-Identifier: Apache-2.0
"""The step that builds one SQL model: a view, a table, or an increment of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from mainstem.errors import AssetNotFound, ErrorGroup, MainstemError, SqlInvalid, Where
from mainstem.graph import Asset
from mainstem.models.contract import require_contract
from mainstem.models.definition import SqlModel
from mainstem.models.increment import Increment, write_increment
from mainstem.models.inputs import pinned, register_inputs
from mainstem.models.partition_rows import write_partitions
from mainstem.models.quarantine import BadRows, Rule, part_rows
from mainstem.models.resolved import CompiledSql, unknown_names
from mainstem.models.row_key import key_columns, require_unique_files
from mainstem.runs import StepContext, StepOutcome
from mainstem.sql import expand, relocate, table_name
from mainstem.types import (
    AssetKey,
    Engine,
    Provenance,
    Schema,
    Session,
    TableRef,
    TableWrite,
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
        quarantine: Callable[[Schema], Sequence[Rule]] | None = None,
    ) -> None:
        assert isinstance(asset.definition, SqlModel), "a SqlStep builds SQL models"
        assert asset.materialized != "ephemeral", "ephemeral models are part of their readers"
        self.asset = asset
        self.model = asset.definition
        self.compiled = compiled
        self.engine = engine
        self.is_full_rebuild = is_full_rebuild
        self.quarantine = quarantine
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
        if context.partition is not None:
            return self._build_partitions(session, context)
        current = self._increments(context)
        if current is not None:
            return self._build_increment(session, context, current)
        return self._build_table(session, context)

    def _increments(self, context: StepContext) -> TableRef | None:
        """Give the table to add to; nothing if all rows are to be built."""
        if self.asset.materialized != "incremental" or self.is_full_rebuild or context.full_refresh:
            return None
        current = context.current(self.asset.key)
        return current if isinstance(current, TableRef) and current.row_count else None

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

    def _build_table(self, session: Session, context: StepContext) -> StepOutcome:
        key = self.asset.key
        prepared = self._prepared(session, context, self.compiled.sql, newer_than=_always)
        good, bad = self._part(session, context, prepared)
        target = context.target(
            key, prepared.schema, partition_by=self.asset.partition_by, replaces=True
        )
        if self._upserts:
            key_columns(self.asset, prepared.schema)
        files = session.write(good, target)
        if self._upserts and files:
            require_unique_files(session, self.asset, files, target)
        row_count = sum(file.record_count for file in files)
        write = TableWrite(
            key=key,
            operation="overwrite",
            provenance=Provenance(origin="derived", data_version=""),
            schema=target.schema,
            spec=target.spec,
            table_id=target.table_id,
            added=files,
            row_key=self.asset.row_key,
        )
        context.progress(rows=row_count)
        changes, notes = bad.write(session, context, replaces=True) if bad else ((), ())
        return StepOutcome(changes=(write, *changes), rows={key: row_count}, notes=notes)

    def _build_partitions(self, session: Session, context: StepContext) -> StepOutcome:
        key = self.asset.key
        prepared = self._prepared(session, context, self.compiled.sql, newer_than=_always)
        good, bad = self._part(session, context, prepared)
        write, row_count, target = write_partitions(
            session, context, self.asset, good, prepared.schema
        )
        if self._upserts and write.added:
            require_unique_files(session, self.asset, write.added, target)
        context.progress(rows=row_count)
        changes, notes = bad.write(session, context, replaces=False) if bad else ((), ())
        return StepOutcome(changes=(write, *changes), rows={key: row_count}, notes=notes)

    @property
    def _upserts(self) -> bool:
        """Whether rows are matched by key: then no key may repeat from the first build on."""
        is_incremental = self.asset.materialized == "incremental"
        return is_incremental and self.model.strategy == "upsert"

    def _build_increment(
        self, session: Session, context: StepContext, current: TableRef
    ) -> StepOutcome:
        session.register(current)
        newer = _newer_than(session, current)
        prepared = self._prepared(session, context, self.compiled.incremental_sql, newer_than=newer)
        good, bad = self._part(session, context, prepared)
        increment = Increment(
            asset=self.asset,
            strategy=self.model.strategy,
            current=current,
            sql=good,
            schema=prepared.schema,
        )
        write, row_count = write_increment(session, context, increment)
        context.progress(rows=row_count)
        side, notes = bad.write(session, context, replaces=False) if bad else ((), ())
        key = self.asset.key
        # Nothing new: the table keeps its version, and nothing downstream is built again.
        is_same = not row_count and not _adds_columns(write.schema, current.schema)
        return StepOutcome(
            changes=side if is_same else (write, *side),
            rows={key: row_count},
            unchanged=(key,) if is_same else (),
            notes=notes,
        )

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
                raise problems[0] if len(problems) == 1 else ErrorGroup(problems) from None
            raise

    def _part(
        self, session: Session, context: StepContext, prepared: Prepared
    ) -> tuple[str, BadRows | None]:
        rules = self.quarantine(prepared.schema) if self.quarantine is not None else ()
        if not rules:
            return prepared.sql, None
        return part_rows(session, context, self.asset, prepared.sql, rules)


def _is_same_view(context: StepContext, key: AssetKey, sql: str, schema: Schema) -> bool:
    current = context.current(key)
    if not isinstance(current, ViewRef) or current.sql != sql:
        return False
    before = [(field.name, str(field.type)) for field in current.schema]
    return before == [(field.name, str(field.type)) for field in schema]


def _adds_columns(schema: Schema, current: Schema) -> bool:
    return {field.id: str(field.type) for field in schema} != {
        field.id: str(field.type) for field in current
    }


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
