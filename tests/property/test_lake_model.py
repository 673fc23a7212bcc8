# SPDX-License-Identifier: Apache-2.0
"""Random histories of a lake against a model in plain Python: after each step the tables are equal.

The model keeps every commit as dictionaries of rows. It does not know about files, so it cannot say
when two changes conflict; it says what a merge or revert that succeeds must give, that one which is
refused changes nothing, and that appends are never refused.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from pyiceberg.table import StaticTable

from mainstem.database import open_database
from mainstem.errors import BranchConflict
from mainstem.lake import Conflict, Lake
from mainstem.types import AssetKey, Primitive

PLAIN, KEYED = ("raw.plain", "raw.more"), ("raw.keyed",)
TABLES = (*PLAIN, *KEYED)
TYPES = {"a": "string", "b": "long", "c": "string"}
"""Columns that may come and go, besides `id`."""

Identity = tuple[str, int]
"""A column as it was added: the name then, and how often it had been added anew."""
Row = dict[Identity, Any]


@dataclass(frozen=True)
class Table:
    """One version of a table."""

    names: dict[Identity, str] = field(default_factory=dict)
    rows: dict[int, Row] = field(default_factory=dict)
    """By `id`; values by column, absent ones are null."""
    dropped: frozenset[Identity] = frozenset()

    def seen(self) -> list[dict[str, Any]]:
        """Give the rows as a reader sees them."""
        return [
            {"id": number, **{name: row.get(column) for column, name in self.names.items()}}
            for number, row in sorted(self.rows.items())
        ]

    def column(self, name: str) -> Identity | None:
        return next((column for column, known in self.names.items() if known == name), None)


@dataclass(frozen=True)
class Point:
    """One commit of the model."""

    parents: tuple[str, ...]
    generation: int
    tables: dict[str, Table]


class LakeAgainstModel(RuleBasedStateMachine):
    """Each rule does one thing to the lake and to the model."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        root = Path(self.folder.name)
        self.time = datetime(2026, 1, 1, tzinfo=UTC)
        self.database = open_database(str(root / "lake.db"))
        self.lake = Lake.open(self.database, str(root / "warehouse"), clock=self)
        self.points: dict[str, Point] = {}
        self.heads: dict[str, str] = {}
        self.times: list[tuple[datetime, str]] = []
        self.next_id = 0
        self.newest: dict[tuple[str, str], int] = {}
        self.compacted: set[tuple[str, str]] = set()

    def now(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time

    def monotonic_s(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("the lake does not wait")

    @initialize()
    def start(self) -> None:
        first = self.lake.resolve("main")
        self.points[first.id] = Point(parents=(), generation=0, tables={})
        self.heads["main"] = first.id
        for key in TABLES:
            rows = pa.table({"id": [1, 2, 3, 4], "a": ["x", "y", "z", None]})
            with self.lake.transaction() as changes:
                changes.upsert(key, rows, on=["id"]) if key in KEYED else changes.append(key, rows)
            table = Table(names={self._identity(key, "a", Table()): "a"})
            self._commit("main", self.lake.resolve("main"), {key: _with_rows(table, rows)})
        for name in ("b1", "b2"):
            self.lake.create_branch(name)
            self.heads[name] = self.heads["main"]

    def teardown(self) -> None:
        try:
            for commit_id, point in list(self.points.items())[-6:]:
                self._compare(commit_id, point)
            for when, commit_id in self.times[-3:]:
                assert self.lake.resolve(f"main@{when.isoformat()}").id == commit_id
            if self.heads:
                assert self.lake.verify("main") == []
                for branch in sorted(self.heads)[-2:]:
                    self._compare_as_iceberg(branch)
        finally:
            self.database.close()
            self.folder.cleanup()

    @invariant()
    def heads_are_equal(self) -> None:
        for branch, commit_id in self.heads.items():
            assert self.lake.ref(branch).commit_id == commit_id

    # What the rules choose from is drawn late, because it depends on what there is.
    @rule(data=st.data(), count=st.integers(0, 3))
    def append(self, data: Any, count: int) -> None:
        self._append(data, self._branch(data), count)

    def _append(self, data: Any, branch: str, count: int = 1) -> None:
        key = data.draw(st.sampled_from(PLAIN))
        table = self._table(branch, key)
        names = data.draw(st.lists(st.sampled_from(sorted(TYPES)), unique=True, max_size=2))
        known = dict(table.names)
        for name in names:
            if table.column(name) is None:
                known[self._identity(key, name, table)] = name
        rows = self._rows(data, names, [self._new_id() for _ in range(count)])
        commit = self.lake.append(key, rows, branch=branch)
        grown = replace(table, names=known)
        self._commit(branch, commit, {key: _with_rows(grown, rows)})

    @rule(data=st.data())
    def overwrite(self, data: Any) -> None:
        branch, key = self._branch(data), data.draw(st.sampled_from(PLAIN))
        table = self._table(branch, key)
        names = data.draw(st.lists(st.sampled_from(sorted(TYPES)), unique=True, max_size=2))
        known = {table.column(name) or self._identity(key, name, table): name for name in names}
        rows = self._rows(data, names, [self._new_id()])
        commit = self.lake.overwrite(key, rows, branch=branch)
        gone = table.dropped | (table.names.keys() - known.keys())
        self._commit(
            branch, commit, {key: _with_rows(Table(names=known, dropped=frozenset(gone)), rows)}
        )

    @rule(data=st.data(), ids=st.lists(st.integers(0, 8), unique=True, min_size=1, max_size=3))
    def upsert(self, data: Any, ids: list[int]) -> None:
        self._upsert(data, self._branch(data), ids)

    def _upsert(self, data: Any, branch: str, ids: list[int]) -> None:
        key = KEYED[0]
        table = self._table(branch, key)
        names = sorted(table.names.values()) or ["a"]
        known = dict(table.names) or {self._identity(key, "a", table): "a"}
        rows = self._rows(data, names, ids)
        commit = self.lake.upsert(key, rows, on=["id"], branch=branch)
        self._commit(branch, commit, {key: _with_rows(replace(table, names=known), rows)})

    @rule(data=st.data())
    def delete(self, data: Any) -> None:
        branch, key = self._branch(data), data.draw(st.sampled_from(TABLES))
        table = self._table(branch, key)
        if not table.rows:
            return
        ids = data.draw(st.lists(st.sampled_from(sorted(table.rows)), min_size=1, max_size=2))
        commit = self.lake.delete(key, {"id": ids}, on=["id"], branch=branch)
        kept = {number: row for number, row in table.rows.items() if number not in ids}
        self._commit(branch, commit, {key: replace(table, rows=kept)})

    @rule(data=st.data())
    def compact(self, data: Any) -> None:
        branch, key = self._branch(data), data.draw(st.sampled_from(TABLES))
        if self._has(branch, key):
            self._commit(branch, self.lake.compact(key, branch=branch), {})
            self.compacted.add((self.heads[branch], key))

    @rule(data=st.data(), name=st.sampled_from(sorted(TYPES)))
    def add_column(self, data: Any, name: str) -> None:
        branch, key = self._branch(data), data.draw(st.sampled_from(TABLES))
        table = self._table(branch, key)
        if not self._has(branch, key) or table.column(name) is not None:
            return
        commit = self.lake.add_column(key, name, Primitive(TYPES[name]), branch=branch)
        known = {**table.names, self._identity(key, name, table): name}
        self._commit(branch, commit, {key: replace(table, names=known)})

    @rule(data=st.data())
    def drop_column(self, data: Any) -> None:
        branch, key = self._branch(data), data.draw(st.sampled_from(TABLES))
        table = self._table(branch, key)
        if not table.names:
            return
        column = data.draw(st.sampled_from(sorted(table.names)))
        commit = self.lake.drop_column(key, table.names[column], branch=branch)
        known = {one: name for one, name in table.names.items() if one != column}
        gone = table.dropped | {column}
        self._commit(branch, commit, {key: replace(table, names=known, dropped=gone)})

    @rule(data=st.data())
    def drop(self, data: Any) -> None:
        branch, key = self._branch(data), data.draw(st.sampled_from(PLAIN))
        if self._has(branch, key):
            self._commit(branch, self.lake.drop(key, branch=branch), {key: None})

    @precondition(lambda self: len(self.heads) < 5)
    @rule(data=st.data())
    def branch(self, data: Any) -> None:
        origin, name = self._branch(data), f"b{len(self.heads)}"
        self.lake.create_branch(name, at=origin)
        self.heads[name] = self.heads[origin]

    @rule(data=st.data(), taking=st.sampled_from(["fail", "fail", "fail", "ours"]))
    def merge(self, data: Any, taking: str) -> None:
        pair = data.draw(st.permutations(sorted(self.heads)))
        self._merge(pair[0], pair[1], taking)

    @rule(data=st.data())
    def work_on_two_branches_and_merge(self, data: Any) -> None:
        pair = data.draw(st.permutations(sorted(self.heads)))[:2]
        for branch in pair:
            self._append(data, branch)
            self._upsert(data, branch, [self._new_id(), data.draw(st.integers(0, 8))])
        self._merge(pair[0], pair[1], "fail")

    def _merge(self, source: str, into: str, taking: str) -> None:
        ours_id, theirs_id = self.heads[into], self.heads[source]
        bases = self._merge_bases(ours_id, theirs_id)
        base = self._common(bases)
        ours, theirs = self.points[ours_id], self.points[theirs_id]
        result = self.lake.merge(source, into, on_conflict=taking)
        if result.commit is None:
            assert result.conflicts or bases == [theirs_id]
            for conflict in result.conflicts:
                self._conflict_is_fair(conflict, base, bases, (ours, theirs))
            return
        kept = {note.split(":")[0] for note in result.notes}
        merged = {
            key: _merged(base.get(key), ours.tables.get(key), theirs.tables.get(key))
            for key in {*base, *ours.tables, *theirs.tables} - kept
        }
        self._commit(into, result.commit, merged, theirs_id)

    @rule(data=st.data())
    def revert(self, data: Any) -> None:
        branch = self._branch(data)
        head = self.points[self.heads[branch]]
        way = self._first_parents(branch)[:6]
        target_id = data.draw(st.sampled_from(way))
        target = self.points[target_id]
        if not target.parents:
            return
        before = self.points[target.parents[0]]
        touched = {
            key
            for key in {*before.tables, *target.tables}
            if before.tables.get(key) != target.tables.get(key)
        }
        untouched = {key for key in touched if self._is_same(key, branch, target_id)}
        try:
            commit = self.lake.revert(branch, target_id)
        except BranchConflict:
            assert target_id != self.heads[branch], "the newest commit can be reverted"
            return
        left = set(commit.meta["kept"])
        expected = {
            key: before.tables.get(key)
            if key in untouched
            else _taken_out(before.tables.get(key), target.tables[key], head.tables[key])
            for key in touched - left
            if key in untouched or (key in target.tables and key in head.tables)
        }
        self._commit(branch, commit, _keeping_dropped(expected, head.tables))

    def _commit(
        self, branch: str, commit: Any, changes: dict[str, Table | None], *merged: str
    ) -> None:
        head = self.points[self.heads[branch]]
        tables = {key: table for key, table in {**head.tables, **changes}.items() if table}
        if commit.id == self.heads[branch]:
            assert tables == head.tables, "nothing was committed though something changed"
            return
        parents = (self.heads[branch], *merged)
        generation = 1 + max(self.points[parent].generation for parent in parents)
        assert (commit.parents, commit.generation) == (parents, generation)
        point = Point(parents=parents, generation=generation, tables=tables)
        self.points[commit.id] = point
        self.heads[branch] = commit.id
        if branch == "main":
            self.times.append((commit.created_at, commit.id))
        self._compare(branch, point)

    def _compare(self, at: str, point: Point) -> None:
        there = {str(key) for key in self.lake.entries(at)}
        assert there == set(point.tables)
        for key, table in point.tables.items():
            rows = self.lake.arrow(key, at)
            place = f"{key} at {at}"
            assert set(rows.column_names) == {"id", *table.names.values()}, place
            seen = sorted(rows.to_pylist(), key=lambda row: row["id"])
            assert seen == table.seen(), f"{place}: {seen} instead of {table.seen()}"
            entry = self.lake.entry(AssetKey.parse(key), at)
            assert entry.row_count == len(table.rows)

    def _compare_as_iceberg(self, branch: str) -> None:
        """What another engine makes of our Iceberg files are the same rows."""
        for key, table in self.points[self.heads[branch]].tables.items():
            path = self.lake.metadata_path(key, branch)
            rows = StaticTable.from_metadata(path).scan().to_arrow().to_pylist()
            seen = sorted(rows, key=lambda row: row["id"])
            assert seen == table.seen(), f"{key} at {branch} as Iceberg"

    def _branch(self, data: Any) -> str:
        branch: str = data.draw(st.sampled_from(sorted(self.heads)))
        return branch

    def _table(self, branch: str, key: str) -> Table:
        return self.points[self.heads[branch]].tables.get(key, Table())

    def _has(self, branch: str, key: str) -> bool:
        return key in self.points[self.heads[branch]].tables

    def _is_same(self, key: str, *places: str) -> bool:
        entries = [self.lake.entry(AssetKey.parse(key), place) for place in places]
        return len({None if entry is None else entry.content for entry in entries}) == 1

    def _new_id(self) -> int:
        self.next_id += 1
        return 100 + self.next_id

    def _identity(self, key: str, name: str, table: Table) -> Identity:
        """A column added again after a drop is a new one; on another branch it is the same."""
        number = self.newest.get((key, name), 0)
        if number == 0 or (name, number) in table.dropped:
            number += 1
            self.newest[key, name] = number
        return (name, number)

    def _rows(self, data: Any, names: list[str], ids: list[int]) -> pa.Table:
        values = {
            name: data.draw(
                st.lists(
                    st.none() | (st.sampled_from("xyz") if of == "string" else st.integers(0, 9)),
                    min_size=len(ids),
                    max_size=len(ids),
                )
            )
            for name, of in TYPES.items()
            if name in names
        }
        types = {"string": pa.string(), "long": pa.int64()}
        return pa.table(
            {
                "id": pa.array(ids, pa.int64()),
                **{name: pa.array(of, types[TYPES[name]]) for name, of in values.items()},
            }
        )

    def _merge_bases(self, ours: str, theirs: str) -> list[str]:
        """The common ancestors that no other one descends from."""
        common = self._ancestors(ours) & self._ancestors(theirs)
        covered = {old for one in common for old in self._ancestors(one) - {one}}
        return sorted(common - covered, key=lambda one: (self.points[one].generation, one))

    def _common(self, bases: list[str]) -> dict[str, Table]:
        """What several bases have come to: the merge of them, as far as they can be merged."""
        tables = self.points[bases[0]].tables
        for other_id in bases[1:]:
            other = self.points[other_id].tables
            below = self._common(self._merge_bases(bases[0], other_id))
            merged: dict[str, Table | None] = {}
            for key in {*below, *tables, *other}:
                try:
                    merged[key] = _merged(below.get(key), tables.get(key), other.get(key))
                except AssertionError:
                    merged[key] = tables.get(key)
            tables = {key: table for key, table in merged.items() if table is not None}
        return tables

    def _ancestors(self, commit_id: str) -> set[str]:
        found: set[str] = set()
        todo = [commit_id]
        while todo:
            one = todo.pop()
            if one not in found:
                found.add(one)
                todo.extend(self.points[one].parents)
        return found

    def _first_parents(self, branch: str) -> list[str]:
        way = [self.heads[branch]]
        while self.points[way[-1]].parents:
            way.append(self.points[way[-1]].parents[0])
        return way

    def _conflict_is_fair(
        self,
        conflict: Conflict,
        base: dict[str, Table],
        bases: list[str],
        sides: tuple[Point, Point],
    ) -> None:
        """Two sides that only added rows, and no columns of one name, never conflict."""
        key = str(conflict.key)
        before, mine, yours = (tables.get(key) for tables in (base, *(p.tables for p in sides)))
        if key in KEYED or before is None or mine is None or yours is None:
            return
        grew = [
            before.rows.items() <= side.rows.items()
            and before.names == side.names
            and before.dropped == side.dropped
            for side in (mine, yours)
        ]
        if all(grew) and not self._may_have_rewritten(key, bases, sides):
            raise AssertionError(f"appends were refused: {conflict}")

    def _may_have_rewritten(self, key: str, bases: list[str], sides: tuple[Point, Point]) -> bool:
        """Rows cannot tell a compaction or a rewrite of equal values from an append."""
        old = set().union(*(self._ancestors(base) for base in bases))
        names = {id(point): commit_id for commit_id, point in self.points.items()}
        between = set().union(*(self._ancestors(names[id(side)]) for side in sides)) - old
        for commit_id in between:
            if (commit_id, key) in self.compacted:
                return True
            point = self.points[commit_id]
            for parent_id in point.parents:
                parent = self.points[parent_id]
                was, now = parent.tables.get(key, Table()), point.tables.get(key, Table())
                if not was.rows.items() <= now.rows.items() or was.dropped != now.dropped:
                    return True
        return False


def _with_rows(table: Table, rows: pa.Table) -> Table:
    by_name = {name: column for column, name in table.names.items()}
    added = {
        row["id"]: {
            by_name[name]: value
            for name, value in row.items()
            if name != "id" and value is not None
        }
        for row in rows.to_pylist()
    }
    return replace(table, rows={**table.rows, **added})


def _merged(base: Table | None, ours: Table | None, theirs: Table | None) -> Table | None:
    if theirs == base:
        return ours
    if ours == base:
        return _keeping(theirs, ours)
    if ours == theirs:
        return ours
    assert ours is not None, "a drop against a change was merged"
    assert theirs is not None, "a drop against a change was merged"
    was = base or Table()
    names: dict[Identity, str] = {}
    for column in {**ours.names, **theirs.names}:
        mine, yours, before = (t.names.get(column) for t in (ours, theirs, was))
        if (mine is not None and yours is not None) or before is None:
            names[column] = mine or yours or ""
    assert len(set(names.values())) == len(names), "two columns of one name were merged"
    rows: dict[int, Row] = {}
    for number in {**ours.rows, **theirs.rows}:
        mine, yours, before = (
            _visible(table.rows.get(number), names) for table in (ours, theirs, was)
        )
        if mine == before:
            chosen = yours
        else:
            assert yours in (before, mine), f"row {number} was changed by both sides"
            chosen = mine
        if chosen is not None:
            rows[number] = chosen
    gone = (ours.dropped | theirs.dropped | ours.names.keys() | theirs.names.keys()) - names.keys()
    return Table(names=names, rows=rows, dropped=frozenset(gone))


def _visible(row: Row | None, names: dict[Identity, str]) -> Row | None:
    return None if row is None else {c: value for c, value in row.items() if c in names}


def _taken_out(before: Table | None, after: Table, head: Table) -> Table:
    """Take what came between two versions out of a later one."""
    was = before or Table()
    rows = dict(head.rows)
    for number in {**was.rows, **after.rows}:
        old, new = (_visible(t.rows.get(number), head.names) for t in (was, after))
        if old == new:
            continue
        assert _visible(head.rows.get(number), head.names) == new, f"row {number} went on"
        if old is None:
            rows.pop(number, None)
        else:
            rows[number] = old
    return replace(head, rows=rows)


def _keeping(table: Table | None, onto: Table | None) -> Table | None:
    """What was once dropped on a branch stays dropped, whatever is laid over it."""
    if table is None or onto is None:
        return table
    gone = (onto.dropped | table.dropped | onto.names.keys()) - table.names.keys()
    return replace(table, dropped=frozenset(gone))


def _keeping_dropped(
    changes: dict[str, Table | None], head: dict[str, Table]
) -> dict[str, Table | None]:
    return {key: _keeping(table, head.get(key)) for key, table in changes.items()}


_HISTORIES = settings().max_examples // 2
"""Of the slow test: what CI has time for; MAINSTEM_DEPTH=10 asks for some hundreds."""

_COMMON = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "print_blob": True,
    # Histories of this size take minutes to shrink; the seed and the blob reproduce a failure.
    "phases": (Phase.explicit, Phase.reuse, Phase.generate),
}


def test_random_histories_give_the_tables_of_the_model():
    run_state_machine_as_test(
        LakeAgainstModel, settings=settings(max_examples=8, stateful_step_count=25, **_COMMON)
    )


@pytest.mark.slow
def test_many_random_histories_give_the_tables_of_the_model():
    run_state_machine_as_test(
        LakeAgainstModel,
        settings=settings(max_examples=_HISTORIES, stateful_step_count=40, **_COMMON),
    )
