# SPDX-License-Identifier: Apache-2.0
"""From the rows of a query to a change of a table: all of it, some partitions, or an increment.

Used by every kind of step whose rows a session of the engine can read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mainstem.graph import Asset
from mainstem.models.definition import Strategy
from mainstem.models.increment import Increment, write_increment
from mainstem.models.partition_rows import write_partitions
from mainstem.models.quarantine import BadRows, Rule, part_rows
from mainstem.models.row_key import key_columns, require_unique_files
from mainstem.runs import StepContext, StepOutcome, required_condition
from mainstem.types import Provenance, Schema, Session, TableRef, TableWrite

RulesOf = Callable[[Schema], Sequence[Rule]]


class Rows:
    """How rows become the table of one asset.

    Args:
        asset: Whose table.
        strategy: Of an incremental asset.
        quarantine: Gives for the columns of the result the rules that send rows aside.
    """

    def __init__(
        self, asset: Asset, strategy: Strategy, *, quarantine: RulesOf | None = None
    ) -> None:
        self.asset = asset
        self.strategy = strategy
        self.quarantine = quarantine

    def grows(self, context: StepContext) -> TableRef | None:
        """Give the table to add to; nothing if all rows are to be written."""
        if self.asset.materialized != "incremental" or context.full_refresh:
            return None
        current = context.current(self.asset.key)
        return current if isinstance(current, TableRef) and current.row_count else None

    def whole(
        self, session: Session, context: StepContext, sql: str, schema: Schema
    ) -> StepOutcome:
        """Write all rows of the table, or of the step's partitions."""
        if context.partition is not None:
            return self._partitions(session, context, sql, schema)
        key = self.asset.key
        good, bad = self._part(session, context, sql, schema)
        target = context.target(key, schema, partition_by=self.asset.partition_by, replaces=True)
        if self._upserts:
            key_columns(self.asset, schema)
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

    def increment(
        self, session: Session, context: StepContext, current: TableRef, sql: str, schema: Schema
    ) -> StepOutcome:
        """Add rows to the table by the asset's strategy."""
        good, bad = self._part(session, context, sql, schema)
        increment = Increment(
            asset=self.asset, strategy=self.strategy, current=current, sql=good, schema=schema
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

    def _partitions(
        self, session: Session, context: StepContext, sql: str, schema: Schema
    ) -> StepOutcome:
        key, slice_ = self.asset.key, context.partition
        if self.quarantine is not None and slice_ is not None:
            # Bad rows of other partitions are theirs to set aside.
            belongs = required_condition(slice_.rows, schema, key)
            sql = f"select * from (\n{sql}\n) as result where {belongs}"
        good, bad = self._part(session, context, sql, schema)
        write, target = write_partitions(session, context, self.asset, good, schema)
        row_count = sum(file.record_count for file in write.added)
        if self._upserts and write.added:
            require_unique_files(session, self.asset, write.added, target)
        context.progress(rows=row_count)
        changes, notes = bad.write(session, context, replaces=False) if bad else ((), ())
        return StepOutcome(changes=(write, *changes), rows={key: row_count}, notes=notes)

    @property
    def _upserts(self) -> bool:
        """Whether rows are matched by key: then no key may repeat from the first build on."""
        return self.asset.materialized == "incremental" and self.strategy == "upsert"

    def _part(
        self, session: Session, context: StepContext, sql: str, schema: Schema
    ) -> tuple[str, BadRows | None]:
        rules = self.quarantine(schema) if self.quarantine is not None else ()
        return part_rows(session, context, self.asset, sql, rules) if rules else (sql, None)


def _adds_columns(schema: Schema, current: Schema) -> bool:
    return {field.id: str(field.type) for field in schema} != {
        field.id: str(field.type) for field in current
    }
