# SPDX-License-Identifier: Apache-2.0
"""What a merge does with one key: the rules of SEMANTICS, "Branches and merges", in one place.

`ours` is the branch merged into, `theirs` the one merged. A table and its cursor are decided
together, since a cursor says how far the table's rows reach. Called by `merge`.
"""

from __future__ import annotations

from dataclasses import field, replace

from mainstem.lake.content import are_equal, load_state, load_view, slot_of, table_entry, view_entry
from mainstem.lake.draft import Done, Draft
from mainstem.lake.evolution import all_ids
from mainstem.lake.interval import are_disjoint
from mainstem.lake.merge_rows import Outcome, RowMerge, Versions, lay_over, request
from mainstem.lake.table_apply import relink
from mainstem.lake.table_merge import merge_states
from mainstem.lake.table_state import TableConflict, TableState
from mainstem.lake.text_merge import merge_text
from mainstem.lake.values import Conflict, Entry, OnConflict
from mainstem.lake.version import merged_provenance
from mainstem.lake.writing import from_table
from mainstem.types import AssetKey, ViewWrite, dataclass

_COMMUTING = frozenset({"append", "compact", "evolve"})
_REWRITING = frozenset({"compact", "delete", "overwrite", "replace_partitions", "upsert"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """One place of a key at the base and on both branches."""

    base: Entry | None
    ours: Entry | None
    theirs: Entry | None

    @property
    def ours_moved(self) -> bool:
        """Whether the target changed it."""
        return self.ours != self.base

    @property
    def theirs_moved(self) -> bool:
        """Whether the source changed it."""
        return self.theirs != self.base

    @property
    def both_moved(self) -> bool:
        """Whether both changed it, and not to the same content."""
        if not (self.ours_moved and self.theirs_moved):
            return False
        if self.ours is None or self.theirs is None:
            return self.ours is not self.theirs
        return self.ours.content != self.theirs.content


@dataclass(frozen=True, slots=True)
class Findings:
    """What a merge comes to, filled key by key."""

    outcomes: dict[Versions, Outcome] = field(default_factory=dict)
    """Of row merges that were carried out before."""
    pending: list[RowMerge] = field(default_factory=list)
    """Row merges to carry out: until then nothing is decided."""

    merged: list[AssetKey] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    kept: list[AssetKey] = field(default_factory=list)
    """Derived assets of which the target's version was kept."""
    notes: list[str] = field(default_factory=list)


class KeyMerge:
    """Merges keys into a draft of the merge commit."""

    __slots__ = ("_draft", "_findings", "_on_conflict", "_our_done", "_their_done")

    def __init__(
        self,
        draft: Draft,
        findings: Findings,
        *,
        our_done: dict[str, Done],
        their_done: dict[str, Done],
        on_conflict: OnConflict,
    ) -> None:
        self._draft = draft
        self._findings = findings
        self._our_done = our_done
        self._their_done = their_done
        self._on_conflict = on_conflict

    def merge(self, key: AssetKey, table: Sides, cursor: Sides) -> None:
        """Decide one key."""
        if cursor.both_moved:
            self._findings.notes.append(
                f"{key}: both branches moved its cursor; the target's rows and cursor are kept"
            )
        elif not table.theirs_moved:
            self._take_cursor_alone(key, table, cursor)
        elif not table.ours_moved:
            self._take(key, table, cursor)
        elif table.both_moved:
            self._merge_both(key, table, cursor)

    def _take_cursor_alone(self, key: AssetKey, table: Sides, cursor: Sides) -> None:
        if not cursor.theirs_moved or cursor.ours_moved:
            return
        if table.ours_moved:
            self._findings.notes.append(
                f"{key}: the target changed its rows, so its cursor stays where it is"
            )
        else:
            self._take_cursor(key, cursor)
            self._findings.merged.append(key)

    def _take(self, key: AssetKey, table: Sides, cursor: Sides) -> None:
        """Take the source's version, as a new snapshot."""
        draft, theirs = self._draft, table.theirs
        done = self._their_done.get(slot_of(key, "table"), Done())
        if theirs is None:
            draft.remove(key)
        elif theirs.kind == "table":
            catalog, ours = draft.catalog, table.ours
            onto = ours is not None and ours.kind == "table"
            state = relink(
                load_state(catalog, theirs.content),
                ids=draft.snapshot_ids(key),
                manifests=catalog.objects,
                onto=load_state(catalog, ours.content) if ours is not None and onto else None,
            )
            draft.put(
                table_entry(catalog, key, state, theirs.provenance), operations=done.operations
            )
        else:
            draft.put(theirs, operations=done.operations)
        self._take_cursor(key, cursor)
        self._findings.merged.append(key)

    def _take_cursor(self, key: AssetKey, cursor: Sides) -> None:
        if not cursor.theirs_moved or cursor.theirs == cursor.ours:
            return
        if cursor.theirs is None:
            self._draft.remove(key, "cursor")
        else:
            self._draft.put(cursor.theirs, operations=("cursor",))

    def _merge_both(self, key: AssetKey, table: Sides, cursor: Sides) -> None:
        ours, theirs = table.ours, table.theirs
        if ours is not None and theirs is not None and are_equal(self._draft.catalog, ours, theirs):
            return
        present = [one for one in (ours, theirs) if one is not None]
        if any(one.provenance.origin == "derived" for one in present):
            self._findings.kept.append(key)
            self._findings.notes.append(
                f"{key}: both branches built it; the target's version is kept, to be rebuilt"
            )
        elif ours is None or theirs is None:
            which = "target" if ours is None else "source"
            message = f"the {which} dropped it while the other branch changed it"
            self._clash(key, table, cursor, Conflict(key=key, kind="dropped", message=message))
        elif ours.kind != theirs.kind:
            message = f"is a {ours.kind} on the target and a {theirs.kind} on the source"
            self._clash(key, table, cursor, Conflict(key=key, kind="kind", message=message))
        elif ours.kind == "view":
            self._merge_views(key, table, cursor, ours, theirs)
        else:
            self._merge_tables(key, table, cursor, ours, theirs)

    def _merge_tables(
        self, key: AssetKey, table: Sides, cursor: Sides, ours: Entry, theirs: Entry
    ) -> None:
        draft, catalog = self._draft, self._draft.catalog
        slot = slot_of(key, "table")
        mine, yours = self._our_done.get(slot, Done()), self._their_done.get(slot, Done())
        if not _may_commute(ours, theirs, mine, yours):
            message = "both branches loaded rows, and not surely from different parts of the source"
            self._clash(key, table, cursor, Conflict(key=key, kind="cursor", message=message))
            return
        base = table.base
        if self._lost_values(table, mine, yours):
            message = (
                "a dropped column came back on one side while the other rewrote rows without it"
            )
            self._clash(key, table, cursor, Conflict(key=key, kind="schema", message=message))
            return
        result: TableState | TableConflict | None = merge_states(
            load_state(catalog, base.content) if base and base.kind == "table" else None,
            load_state(catalog, ours.content),
            load_state(catalog, theirs.content),
            mine.operations,
            yours.operations,
            ids=draft.snapshot_ids(key),
            manifests=catalog.objects,
        )
        if isinstance(result, TableConflict) and result.kind == "keys_may_overlap":
            result = self._merge_rows(key, base, ours, theirs)
        if result is None:
            return
        if isinstance(result, TableConflict):
            self._clash(key, table, cursor, from_table(key, result))
            return
        provenance = merged_provenance(ours.provenance, theirs.provenance)
        draft.put(
            table_entry(catalog, key, result, provenance),
            operations=yours.operations,
            intervals=yours.intervals,
        )
        self._take_cursor(key, cursor)
        self._findings.merged.append(key)

    def _lost_values(self, table: Sides, mine: Done, yours: Done) -> bool:
        # A revert can bring a dropped column back with its values; files that were rewritten
        # in the meantime do not have them any more.
        before, ours, theirs = (
            load_state(self._draft.catalog, entry.content)
            if entry is not None and entry.kind == "table"
            else None
            for entry in (table.base, table.ours, table.theirs)
        )
        if before is None or ours is None or theirs is None:
            return False
        known = all_ids(before.schema)
        for here, there, done in ((ours, theirs, mine), (theirs, ours, yours)):
            back = (all_ids(there.schema) - known) & set(here.dropped_ids)
            if back and done.operations & _REWRITING:
                return True
        return False

    def _merge_rows(
        self, key: AssetKey, base: Entry | None, ours: Entry, theirs: Entry
    ) -> TableState | TableConflict | None:
        catalog, findings = self._draft.catalog, self._findings
        outcome = findings.outcomes.get((ours.content, theirs.content))
        if outcome is None:
            findings.pending.append(request(catalog, key, base, ours, theirs))
            return None
        if isinstance(outcome.change, TableConflict):
            return outcome.change
        state = load_state(catalog, ours.content)
        return lay_over(catalog, state, outcome, ids=self._draft.snapshot_ids(key))

    def _merge_views(
        self, key: AssetKey, table: Sides, cursor: Sides, ours: Entry, theirs: Entry
    ) -> None:
        catalog = self._draft.catalog
        base = table.base if table.base is not None and table.base.kind == "view" else None
        sql, schema, inputs = load_view(catalog, ours)
        their_sql, their_schema, their_inputs = load_view(catalog, theirs)
        base_sql, base_schema = load_view(catalog, base)[:2] if base is not None else ("", schema)
        merged = merge_text(base_sql, sql, their_sql) if base is not None else None
        if merged is None or (base_schema != schema != their_schema != base_schema):
            message = "both branches changed the same lines of the view"
            found = Conflict(
                key=key, kind="view", message=message, ours=sql.strip(), theirs=their_sql.strip()
            )
            self._clash(key, table, cursor, found)
            return
        view = ViewWrite(
            key=key,
            sql=merged,
            schema=their_schema if schema == base_schema else schema,
            inputs=tuple(dict.fromkeys((*inputs, *their_inputs))),
            # The merged text is nobody's code: its version is that of the text itself.
            provenance=replace(
                merged_provenance(ours.provenance, theirs.provenance), code_version=""
            ),
        )
        self._draft.put(view_entry(catalog, view), operations=("view",))
        self._findings.merged.append(key)

    def _clash(self, key: AssetKey, table: Sides, cursor: Sides, conflict: Conflict) -> None:
        if self._on_conflict == "ours":
            self._findings.notes.append(f"{key}: {conflict.message}; the target's version is kept")
        elif self._on_conflict == "theirs":
            self._take(key, table, cursor)
            self._findings.notes.append(f"{key}: {conflict.message}; the source's version is taken")
        else:
            self._findings.conflicts.append(self._with_sides(conflict, table))

    def _with_sides(self, conflict: Conflict, table: Sides) -> Conflict:
        slot = slot_of(conflict.key, "table")
        return Conflict(
            key=conflict.key,
            kind=conflict.kind,
            message=conflict.message,
            ours=conflict.ours or _told(table.base, table.ours, self._our_done.get(slot)),
            theirs=conflict.theirs or _told(table.base, table.theirs, self._their_done.get(slot)),
            columns=conflict.columns,
            partitions=conflict.partitions,
            keys=conflict.keys,
            paths=conflict.paths,
        )


def _may_commute(ours: Entry, theirs: Entry, mine: Done, yours: Done) -> bool:
    if ours.provenance.origin != "ingested" and theirs.provenance.origin != "ingested":
        return True
    if not (mine.operations <= _COMMUTING and yours.operations <= _COMMUTING):
        # What does more than append is held to the rules of content.
        return True
    if "append" not in mine.operations or "append" not in yours.operations:
        return True
    return are_disjoint(mine.intervals, yours.intervals)


def _told(base: Entry | None, side: Entry | None, done: Done | None) -> str:
    verbs = ", ".join(sorted(done.operations)) if done is not None else ""
    if side is None:
        return "dropped"
    before = f"{base.row_count:,} -> " if base is not None else ""
    rows = f"{before}{side.row_count:,} rows" if side.kind == "table" else side.kind
    return f"{verbs}: {rows}" if verbs else rows
