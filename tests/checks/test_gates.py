# SPDX-License-Identifier: Apache-2.0
"""Checks as gates of a run: what they read, what they share, how they stop."""

from __future__ import annotations

import pickle
import threading
from dataclasses import replace

import pytest

from mainstem.checks import evaluate_all, failing_rows, gate_of, parse_checks, quarantine_predicate
from mainstem.errors import AssetNotFound, Cancelled, SelectionInvalid, SqlInvalid
from mainstem.types import AssetKey, Field, Primitive, Schema, ViewRef

T = AssetKey("raw", "t")


class CountingEngine:
    """Passes on, and counts what is asked."""

    name = "duckdb"
    dialect = "duckdb"

    def __init__(self, engine):
        self.engine = engine
        self.sessions = 0

    def session(self, *, settings=None):
        self.sessions += 1
        return self.engine.session(settings=settings)

    def close(self):
        pass


@pytest.fixture
def counting(lake):
    lake.engine = CountingEngine(lake.engine)
    return lake


@pytest.mark.parametrize(
    ("entry", "reads"),
    [
        ({"not_null": "a"}, ["raw.t"]),
        ({"row_count": 5}, ["raw.t"]),
        ({"row_count": "raw.u"}, ["raw.t", "raw.u"]),
        ({"relationships": {"column": "a", "to": "dim.x.id"}}, ["raw.t", "dim.x"]),
        ({"relationships": {"column": "a", "to": "t.id"}}, ["raw.t"]),
        (
            {"sql": "with c as (select * from u) select * from c join {{ this }} using (a)"},
            ["raw.t", "raw.u"],
        ),
        ({"sql": "select * from {{ source('dim', 'x') }}"}, ["raw.t", "dim.x"]),
    ],
)
def test_a_gate_names_all_that_it_reads(lake, entry, reads):
    assert [str(key) for key in lake.gate(entry).reads] == reads


def test_a_gate_says_who_it_is(lake):
    gate = lake.gate({"between": {"column": "a", "min": 0, "quarantine": True}})

    assert (gate.check_id, gate.asset, gate.quarantines) == ("raw.t/between(a)", T, True)


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        ({"relationships": {"column": "a", "to": "raw.nowhere.id"}}, AssetNotFound),
        ({"row_count": "raw.nowhere"}, AssetNotFound),
        ({"sql": "select * from raw.nowhere"}, AssetNotFound),
        ({"sql": "selec 1"}, SqlInvalid),
        ({"sql": "select {{ var('x') }}"}, SqlInvalid),
    ],
)
def test_names_are_resolved_before_anything_runs(lake, entry, error):
    with pytest.raises(error) as caught:
        lake.gate(entry)

    assert (caught.value.where.file, caught.value.where.line) == ("m.yml", 3)


def test_gates_of_an_asset_share_one_session_and_keep_their_order(counting, token):
    counting.table("raw.t", "select i as a, i % 3 as b from range(9) t(i)")
    counting.engine.sessions = 0
    gates = counting.gates(
        [
            {"expression": "a < 5"},
            {"unique": "a"},
            {"expression": "b < 9"},
            {"mean": {"column": "a", "max": 1}},
        ]
    )

    results = [gate.evaluate(counting.relation, token) for gate in gates]

    assert [result.verdict for result in results] == ["failed", "passed", "passed", "failed"]
    assert [result.check_id for result in results] == [gate.check_id for gate in gates]
    assert counting.engine.sessions == 1


def test_another_version_is_looked_at_anew(counting, token):
    counting.table("raw.t", "select 1 as a")
    gates = counting.gates([{"expression": "a < 5"}, {"expression": "a < 9"}])
    before = [gate.evaluate(counting.relation, token).verdict for gate in gates]
    counting.table("raw.t", "select 7 as a")

    after = [gate.evaluate(counting.relation, token).verdict for gate in gates]

    assert before == ["passed", "passed"]
    assert after == ["failed", "passed"]


def test_one_broken_check_does_not_hide_the_others(lake, token):
    lake.table("raw.t", "select 1 as a")
    gates = lake.gates(
        [{"expression": "nothing > 1"}, {"expression": "a = 1"}, {"expression": "a = 2"}]
    )

    results = evaluate_all(gates, lake.relation, token)

    assert [result.verdict for result in results] == ["errored", "passed", "failed"]


def test_gates_of_several_assets_are_evaluated_together(counting, token):
    counting.table("raw.t", "select 1 as a")
    counting.table("raw.u", "select 2 as a")
    gates = [
        counting.gate({"expression": "a = 1"}),
        counting.gate({"expression": "a = 1"}, asset="raw.u"),
    ]
    counting.engine.sessions = 0

    results = evaluate_all(gates, counting.relation, token)

    assert [result.verdict for result in results] == ["passed", "failed"]
    assert counting.engine.sessions == 1


def test_what_statistics_prove_opens_no_session(counting, token):
    counting.table("raw.t", "select i as a from range(9) t(i)")
    counting.engine.sessions = 0
    gates = counting.gates(
        [{"not_null": "a"}, {"row_count": 9}, {"type": {"column": "a", "type": "long"}}]
    )

    results = [gate.evaluate(counting.relation, token) for gate in gates]

    assert {result.verdict for result in results} == {"proven"}
    assert counting.engine.sessions == 0


def test_an_asset_that_was_never_built_is_an_errored_result(lake, token):
    result = lake.gate({"not_null": "a"}).evaluate(lake.relation, token)

    assert result.verdict == "errored"
    assert "never built" in result.message


def test_a_missing_data_file_is_an_errored_result(lake, token):
    table = lake.table("raw.t", "select 1 as a")
    (lake.folder / table.files[0].path).unlink()

    result = lake.gate({"expression": "a = 1"}).evaluate(lake.relation, token)

    assert result.verdict == "errored"
    assert "missing" in result.message


def test_views_are_checked_through_what_they_read(lake, token):
    table = lake.table("raw.t", "select i as a from range(3) t(i)")
    view = AssetKey("staging", "v")
    lake.relations[view] = ViewRef(
        key=view,
        sql="select a + 1 as b from raw.t",
        schema=Schema(fields=(Field(name="b", type=Primitive("long")),)),
        inputs=(table.key,),
        data_version="1",
    )

    gates = lake.gates(
        [{"row_count": 3}, {"between": {"column": "b", "min": 2}}], asset="staging.v"
    )
    results = [gate.evaluate(lake.relation, token) for gate in gates]

    assert [result.message for result in results] == [
        "row_count(equal_to 3): 3 rows",
        "between(b, min 2): 1 of 3 rows (33.3 %)",
    ]


class CancelsAtOnce:
    """A token that is cancelled as soon as somebody listens."""

    is_cancelled = False

    def __init__(self):
        self.forgotten = 0

    def on_cancel(self, stop):
        thread = threading.Thread(target=stop)
        thread.start()
        thread.join()
        return self._forget

    def _forget(self):
        self.forgotten += 1


def test_a_cancelled_run_stops_its_checks(lake):
    lake.table("raw.t", "select 1 as a")
    token = CancelsAtOnce()

    with pytest.raises(Cancelled):
        lake.gate({"expression": "a = 1"}).evaluate(lake.relation, token)

    assert token.forgotten == 1


def test_a_token_that_was_cancelled_before_stops_too(lake, token):
    lake.table("raw.t", "select 1 as a")
    token.is_cancelled = True

    with pytest.raises(Cancelled):
        lake.gate({"expression": "a = 1"}).evaluate(lake.relation, token)


def test_specs_and_results_cross_processes(lake, token):
    lake.table("raw.t", "select 1 as a")
    spec = parse_checks([{"between": {"column": "a", "min": 2}}], T)[0]
    result = gate_of(spec, engine=lake.engine, resolve_name=lake.resolve).evaluate(
        lake.relation, token
    )

    assert pickle.loads(pickle.dumps((spec, result))) == (spec, result)


ROWS = "select * from (values (1, 'x', 5), (2, 'y', null), (2, 'y', 9), (3, null, 1)) t(id, s, n)"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"not_null": "s"}, [3]),
        ({"unique": "id"}, [2, 2]),
        ({"unique": ["id", "s"]}, [2, 2]),
        ({"between": {"column": "n", "max": 5}}, [2]),
        ({"relationships": {"column": "s", "to": "raw.u.s"}}, [2, 2]),
        ({"increasing": {"column": "n", "order_by": "id"}}, [3]),
        ({"expression": {"sql": "n > 1", "where": "id > 1"}}, [3]),
        ({"sql": "select id from {{ this }} where n is null -- all"}, [2]),
        ({"expression": "true"}, []),
    ],
)
def test_all_failing_rows_are_shown_as_they_are(lake, entry, expected):
    lake.table("raw.t", ROWS)
    lake.table("raw.u", "select 'x' as s")
    gate = lake.gate(entry)

    with lake.engine.session() as session:
        rows = failing_rows(gate, lake.relation, session)

    assert sorted(rows.column("id").to_pylist()) == expected
    if gate.spec.name != "sql":
        assert rows.column_names == ["id", "s", "n"]


def test_failing_rows_may_be_limited(lake):
    lake.table("raw.t", ROWS)

    with lake.engine.session() as session:
        rows = failing_rows(lake.gate({"expression": "false"}), lake.relation, session, limit=2)

    assert rows.num_rows == 2


def test_a_check_of_the_whole_table_has_no_rows_to_show(lake):
    lake.table("raw.t", ROWS)

    with lake.engine.session() as session, pytest.raises(SelectionInvalid) as caught:
        failing_rows(lake.gate({"row_count": 1}), lake.relation, session)

    assert caught.value.code == "A4020"


@pytest.mark.parametrize(
    ("entry", "bad"),
    [
        ({"between": {"column": "n", "max": 5}}, 1),
        ({"between": {"column": "n", "max": 5, "where": "id < 2"}}, 0),
        ({"not_null": {"columns": ["s"]}}, 1),
        ({"accepted_values": {"column": "s", "values": ["x"]}}, 2),
        ({"regex": {"column": "s", "pattern": "x"}}, 2),
        ({"like": {"column": "s", "pattern": "x"}}, 2),
        ({"length": {"column": "s", "max": 0}}, 3),
        ({"expression": {"sql": "n > 1 -- why"}}, 1),
    ],
)
def test_quarantine_splits_rows_without_losing_one(lake, entry, bad):
    table = lake.table("raw.t", ROWS)
    name, options = next(iter(entry.items()))
    spec = parse_checks([{name: {**options, "quarantine": True}}], T)[0]

    predicate = quarantine_predicate(spec, table.schema)

    with lake.engine.session() as session:
        session.register(table)
        split = session.rows(
            f"select count(*) filter (where {predicate}),"
            f" count(*) filter (where {predicate} is not true) from raw.t"
        )
        rest = session.arrow(f"select * from raw.t where {predicate} is not true")
        session.register_arrow("rest.t", rest)
        again = session.rows(f"select count(*) filter (where {predicate}) from rest.t")
    assert split == [(bad, 4 - bad)]
    assert again == [(0,)]


def test_a_check_without_quarantine_moves_no_row():
    spec = parse_checks([{"not_null": "a"}], T)[0]

    assert quarantine_predicate(spec) is None
    assert quarantine_predicate(replace(spec, quarantine=True)) == '("a" is null)'


QUARANTINE = {"between": {"column": "n", "max": 5, "quarantine": True}}


@pytest.mark.parametrize("reason", ["quarantine_reason", "reason"])
def test_rows_set_aside_are_told(lake, reason):
    lake.table("raw.t", "select i as n from range(5) t(i)")
    ids = "'between(n)', 'other, raw.t/between(n)', 'between(n)_2', null"
    lake.table("raw.t__quarantine", f"select unnest([{ids}]) as {reason}")

    result = lake.check(QUARANTINE)

    assert (result.verdict, result.failed_count) == ("passed", 2)
    assert result.message == "between(n, max 5): 2 of 7 rows (28.6 %), 2 quarantined"


@pytest.mark.parametrize(("mostly", "verdict"), [(0.7, "passed"), (0.8, "failed")])
def test_rows_set_aside_count_for_mostly(lake, mostly, verdict):
    lake.table("raw.t", "select i as n from range(5) t(i)")
    lake.table("raw.t__quarantine", "select 'raw.t/between(n)' as reason from range(2)")

    assert lake.check({"between": {**QUARANTINE["between"], "mostly": mostly}}).verdict == verdict


def test_without_rows_set_aside_statistics_prove(lake):
    lake.table("raw.t", "select i as n from range(5) t(i)")
    lake.table("raw.t__quarantine", "select 'raw.t/between(n)' as reason where false")

    assert lake.check(QUARANTINE).verdict == "proven"


def test_gates_of_an_asset_notice_new_rows_set_aside(lake, token):
    lake.table("raw.t", "select i as n from range(5) t(i)")
    gates = lake.gates([QUARANTINE, {"expression": "n < 9"}])
    before = [gate.evaluate(lake.relation, token).failed_count for gate in gates]
    lake.table("raw.t__quarantine", "select 'raw.t/between(n)' as reason")

    after = [gate.evaluate(lake.relation, token).failed_count for gate in gates]

    assert (before, after) == ([0, 0], [1, 0])


@pytest.fixture
def star(lake):
    """A view of all columns of a table, defined when the table had fewer and other ones."""
    table = lake.table("raw.t", "select 1 as a, 'x' as c")
    view = AssetKey("staging", "v")
    lake.relations[view] = ViewRef(
        key=view,
        sql="select * from raw.t",
        schema=Schema(
            fields=(
                Field(name="a", type=Primitive("long")),
                Field(name="b", type=Primitive("long")),
            )
        ),
        inputs=(table.key,),
        data_version="1",
    )
    return view


@pytest.mark.parametrize(
    ("entry", "verdict"),
    [
        ({"schema": {"columns": ["a", "c"]}}, "proven"),
        ({"schema": {"columns": ["a", "b"]}}, "failed"),
        ({"type": {"column": "c", "type": "varchar"}}, "proven"),
        ({"not_null": ["c"]}, "passed"),
        ({"not_null": ["b"]}, "errored"),
    ],
)
def test_a_view_has_the_columns_that_what_it_reads_has_now(lake, star, token, entry, verdict):
    gate = lake.gate(entry, asset="staging.v")

    result = gate.evaluate(lake.relation, token)

    assert result.verdict == verdict, result.message
