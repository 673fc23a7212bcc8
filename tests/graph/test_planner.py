# SPDX-License-Identifier: Apache-2.0
"""What a plan decides, and the words in which it says why."""

from __future__ import annotations

import pytest

from mainstem.graph import Linkable, VersionRecord
from mainstem.types import Field, Primitive, Schema


def _schema(**columns):
    return Schema(fields=tuple(Field(name=n, type=Primitive(t)) for n, t in columns.items()))


@pytest.fixture
def head(make):
    return make.head(
        make.asset("raw.a", kind="file"),
        make.asset("staging.b", "raw.a"),
        make.asset("marts.c", "staging.b"),
    )


def _said(planned):
    return {name: (item.action, item.reason) for name, item in planned.items()}


def test_what_was_never_built_is_built(head, plan_of, make):
    planned = plan_of(head, look=make.look(is_fresh=False))

    assert _said(planned) == {
        "raw.a": ("read", "1 new file, 2 kB"),
        "staging.b": ("build", "not built on main yet"),
        "marts.c": ("build", "not built on main yet"),
    }


def test_what_is_up_to_date_is_left_alone(head, plan_of):
    head.build("raw.a", "staging.b", "marts.c")

    planned = plan_of(head)

    assert {item.action for item in planned.values()} == {"fresh"}


def test_new_rows_of_a_source_reach_everything_below(head, plan_of, make):
    head.build("raw.a", "staging.b", "marts.c")

    planned = plan_of(head, look=make.look(is_fresh=False))

    assert _said(planned) == {
        "raw.a": ("read", "1 new file, 2 kB"),
        "staging.b": ("build", "its input raw.a gets new rows"),
        "marts.c": ("build", "its input staging.b changes"),
    }
    assert planned["staging.b"].fingerprint == ""


def test_a_source_that_changed_since_is_named(head, plan_of, make):
    head.build("raw.a", "staging.b", "marts.c")
    head.assets[0] = make.asset("raw.a", kind="file", code="2")
    head.build("raw.a")

    assert _said(plan_of(head))["staging.b"] == (
        "build",
        "its input raw.a changed since it was built",
    )


def test_without_ingest_sources_are_not_looked_at(head, plan_of, make):
    head.build("raw.a", "staging.b", "marts.c")

    planned = plan_of(head, look=make.look(is_fresh=False), ingest=False)

    assert _said(planned)["raw.a"] == ("fresh", "--no-ingest: not looked at")
    assert planned["marts.c"].action == "fresh"


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (
            {"columns.x": "1", "rows": "1"},
            {"columns.x": "1", "columns.seats": "2", "rows": "1"},
            "column `seats` added in models/staging/b.sql:12",
        ),
        (
            {"columns.x": "1", "columns.seats": "2", "rows": "1"},
            {"columns.x": "1", "rows": "1"},
            "column `seats` dropped in models/staging/b.sql:12",
        ),
        (
            {"columns.seats": "1", "rows": "1"},
            {"columns.seats": "2", "rows": "1"},
            "column `seats` changed in models/staging/b.sql:12",
        ),
        (
            {"columns.a": "1", "rows": "1"},
            {"columns.a": "2", "columns.seats": "2", "rows": "1"},
            "column `seats` added and 1 more in models/staging/b.sql:12",
        ),
        (
            {"columns.x": "1", "rows": "1"},
            {"columns.x": "1", "rows": "2"},
            "which rows it selects changed in models/staging/b.sql",
        ),
        (
            {"columns.x": "1", "config": "1"},
            {"columns.x": "1", "config": "2"},
            "its configuration changed",
        ),
        ({}, {"columns.x": "1"}, "its code changed in models/staging/b.sql"),
    ],
)
def test_an_edit_is_said_in_the_terms_of_the_edit(head, plan_of, make, before, after, reason):
    head.build("raw.a", "staging.b", "marts.c")
    head.assets[1] = make.asset(
        "staging.b", "raw.a", code="2", change_summary=after, columns={"seats": {"line": 12}}
    )

    planned = plan_of(head, facts={"parts_of": lambda _key, _code: before})

    assert planned["staging.b"].reason == reason


def test_a_link_says_where_it_comes_from_and_chains_are_linked_whole(head, plan_of, make):
    head.build("raw.a")
    other = make.head(*head.assets).build("raw.a", "staging.b", "marts.c")
    built = {(key, entry.provenance.data_version) for key, entry in other.entries.items()}

    def link_of(key, version):
        if (key, version) in built:
            return Linkable(version=version, commit_id="c", made_on="dev/alice")
        return None

    planned = plan_of(head, facts={"link_of": link_of})

    assert _said(planned)["staging.b"] == (
        "link",
        "built on dev/alice from the same code and inputs",
    )
    assert planned["marts.c"].action == "link"
    assert planned["marts.c"].link_from == "dev/alice"


def test_rebuild_neither_links_nor_leaves_alone(head, plan_of):
    head.build("raw.a", "staging.b", "marts.c")

    planned = plan_of(
        head,
        rebuild=True,
        facts={
            "link_of": lambda _key, version: Linkable(version=version, commit_id="c", made_on="x")
        },
    )

    assert planned["staging.b"].action == "build"
    assert planned["staging.b"].reason.startswith("--rebuild")


def test_a_volatile_asset_says_why_it_runs(head, plan_of, make):
    head.assets[1] = make.asset("staging.b", "raw.a", volatile="calls random()")
    head.build("raw.a", "staging.b", "marts.c")

    planned = plan_of(head)

    assert _said(planned)["staging.b"] == ("build", "calls random()")
    assert _said(planned)["marts.c"] == ("build", "its input staging.b changes")


def test_an_effect_runs_whenever_it_is_selected(head, plan_of, make):
    head.assets.append(make.asset("ops.mail", "marts.c", kind="python", materialized="none"))
    head.build("raw.a", "staging.b", "marts.c")

    assert _said(plan_of(head))["ops.mail"][0] == "build"
    assert "ops.mail" not in plan_of(head, "marts.c")


def test_a_view_is_defined_anew_when_its_text_changed_only(plan_of, make):
    head = make.head(
        make.asset("raw.a", kind="file"),
        make.asset("staging.v", "raw.a", materialized="view"),
        make.asset("marts.c", "staging.v"),
    )
    head.build("raw.a", "staging.v", "marts.c")

    planned = plan_of(head, look=make.look(is_fresh=False))

    assert _said(planned)["staging.v"] == ("fresh", "its definition is unchanged")
    assert _said(planned)["marts.c"] == ("build", "its input staging.v gets new rows")


def test_a_new_view_definition_rebuilds_what_reads_it(plan_of, make):
    head = make.head(
        make.asset("raw.a", kind="file"),
        make.asset("staging.v", "raw.a", materialized="view"),
        make.asset("marts.c", "staging.v"),
    )
    head.build("raw.a", "staging.v", "marts.c")
    head.assets[1] = make.asset("staging.v", "raw.a", materialized="view", code="2")

    planned = plan_of(head)

    assert planned["staging.v"].reason == "its code changed in models/staging/v.sql"
    assert planned["marts.c"].reason == "its input staging.v changes"


def test_an_edit_of_an_ephemeral_model_reaches_what_inlines_it(plan_of, make):
    head = make.head(
        make.asset("raw.a", kind="file"),
        make.asset("staging.e", "raw.a", materialized="ephemeral"),
        make.asset("staging.v", "staging.e", materialized="view"),
        make.asset("marts.c", "staging.e"),
    )
    head.build("raw.a", "staging.v", "marts.c")
    head.assets[1] = make.asset("staging.e", "raw.a", materialized="ephemeral", code="2")

    planned = plan_of(head)

    assert {name for name, item in planned.items() if item.action == "build"} == {
        "staging.v",
        "marts.c",
    }
    assert "staging.e" not in planned


def test_what_is_not_selected_is_not_planned_but_counts(head, plan_of):
    head.build("raw.a", "staging.b")

    planned = plan_of(head, "marts.c")

    assert list(planned) == ["marts.c"]
    assert planned["marts.c"].action == "build"


def test_what_needs_something_never_built_is_skipped_with_the_reason(head, plan_of):
    head.build("raw.a")

    planned = plan_of(head, "marts.c")

    assert _said(planned)["marts.c"] == (
        "skip",
        "needs staging.b, which was never built and is not selected",
    )


def test_a_reverted_version_is_skipped_and_what_reads_it_left_alone(head, plan_of, make):
    head.build("raw.a", "staging.b", "marts.c")
    head.assets[1] = make.asset("staging.b", "raw.a", code="2")

    planned = plan_of(head, facts={"is_tombstone": lambda key, _version: str(key) == "staging.b"})

    assert planned["staging.b"].action == "skip"
    assert planned["marts.c"].action == "fresh"


def test_force_overrules_a_tombstone(head, plan_of, make):
    head.build("raw.a", "staging.b", "marts.c")
    head.assets[1] = make.asset("staging.b", "raw.a", code="2")

    planned = plan_of(head, force=True, facts={"is_tombstone": lambda _key, _version: True})

    assert planned["staging.b"].action == "build"


def test_estimates_are_those_of_the_last_time(head, plan_of, make):
    planned = plan_of(
        head,
        look=make.look(is_fresh=False),
        facts={"estimates": lambda keys: dict.fromkeys(keys, (1000, 1.5))},
    )

    assert (planned["marts.c"].estimated_rows, planned["marts.c"].estimated_seconds) == (1000, 1.5)


def test_members_of_a_group_are_built_together(plan_of, make):
    head = make.head(
        make.asset("g.x", kind="python", group="g"), make.asset("g.y", kind="python", group="g")
    )
    head.build("g.x")

    planned = plan_of(head)

    assert planned["g.x"].action == "build"
    assert planned["g.x"].reason == "is built together with g.y"


class TestIncrements:
    @pytest.fixture
    def head(self, make):
        return make.head(
            make.asset("raw.a", kind="file"),
            make.asset("marts.i", "raw.a", materialized="incremental", on_code_change="forward"),
        ).build("raw.a", "marts.i")

    def test_rows_to_be_read_are_added(self, head, plan_of, make):
        planned = plan_of(head, look=make.look(is_fresh=False))

        assert not planned["marts.i"].is_full_rebuild
        assert planned["marts.i"].reason == "its input raw.a gets new rows"

    def test_an_append_since_the_last_increment_is_added(self, head, plan_of, make):
        old = head.entries[make.key("raw.a")].provenance.data_version
        head.assets[0] = make.asset("raw.a", kind="file", code="2")
        head.build("raw.a")
        new = head.entries[make.key("raw.a")].provenance.data_version
        record = VersionRecord(version=new, parent=old, operation="append")

        planned = plan_of(
            head, facts={"record_of": lambda _key, version: record if version == new else None}
        )

        assert not planned["marts.i"].is_full_rebuild

    def test_a_replaced_input_rebuilds_all_rows_and_says_so(self, head, plan_of, make):
        head.assets[0] = make.asset("raw.a", kind="file", code="2")
        head.build("raw.a")

        planned = plan_of(head)

        assert planned["marts.i"].is_full_rebuild
        assert planned["marts.i"].details == ("all rows: raw.a changed otherwise than by new rows",)

    def test_changed_code_with_rebuild_rebuilds(self, head, plan_of, make):
        head.assets[1] = make.asset(
            "marts.i", "raw.a", materialized="incremental", on_code_change="rebuild", code="2"
        )

        assert plan_of(head)["marts.i"].is_full_rebuild

    def test_changed_code_goes_forward_and_says_what_stays(self, head, plan_of, make):
        head.assets[1] = make.asset(
            "marts.i", "raw.a", materialized="incremental", on_code_change="forward", code="2"
        )

        planned = plan_of(head)["marts.i"]

        assert not planned.is_full_rebuild
        assert planned.details == (
            "old rows keep the old logic (10 rows); --rebuild builds them anew",
        )

    def test_full_refresh_builds_all_rows_of_incremental_models(self, head, plan_of):
        planned = plan_of(head, full_refresh=True)["marts.i"]

        assert planned.action == "build"
        assert planned.is_full_rebuild

    def test_full_refresh_leaves_tables_alone_that_are_up_to_date(self, plan_of, make):
        head = make.head(make.asset("staging.b")).build("staging.b")

        assert plan_of(head, full_refresh=True)["staging.b"].action == "fresh"

    def test_rows_of_mixed_logic_are_pointed_out_at_every_increment(self, head, plan_of, make):
        facts = {
            "record_of": lambda _key, version: VersionRecord(version=version, is_uniform=False)
        }

        planned = plan_of(head, look=make.look(is_fresh=False), facts=facts)["marts.i"]

        assert "old rows keep the old logic" in planned.details[0]


class TestColumns:
    @pytest.fixture
    def head(self, make):
        def assets(code, parts, schema):
            return (
                make.asset("raw.a", kind="file"),
                make.asset("marts.f", "raw.a", code=code, change_summary=parts, schema=schema),
                make.asset(
                    "marts.reader",
                    "marts.f",
                    lineage={"total": ((make.key("marts.f"), "amount"),)},
                ),
                make.asset(
                    "marts.further",
                    "marts.reader",
                    lineage={"grand": ((make.key("marts.reader"), "total"),)},
                ),
            )

        before = assets("1", {"columns.amount": "1", "rows": "1"}, _schema(amount="double"))
        head = make.head(*before).build("raw.a", "marts.f", "marts.reader", "marts.further")
        self.assets = assets
        return head

    def _facts(self, head, make):
        first = head.entries[make.key("marts.f")].provenance
        record = VersionRecord(
            version=first.data_version, code_version=first.code_version, inputs=first.inputs
        )
        return {
            "parts_of": lambda _key, _code: {"columns.amount": "1", "rows": "1"},
            "columns_of": lambda _key: {"amount": "double"},
            "record_of": lambda _key, version: record if version == first.data_version else None,
        }

    def test_an_added_column_that_nobody_reads_keeps_the_readers(self, head, plan_of, make):
        parts = {"columns.amount": "1", "columns.seats": "1", "rows": "1"}
        head.assets = list(self.assets("2", parts, _schema(amount="double", seats="int")))

        planned = plan_of(head, facts=self._facts(head, make))

        assert planned["marts.f"].action == "build"
        assert _said(planned)["marts.reader"] == (
            "keep",
            "reads marts.f, but none of the changed columns",
        )
        assert planned["marts.further"].action == "fresh"

    def test_changed_logic_reaches_the_readers(self, head, plan_of, make):
        parts = {"columns.amount": "2", "rows": "1"}
        head.assets = list(self.assets("2", parts, _schema(amount="double")))

        planned = plan_of(head, facts=self._facts(head, make))

        assert planned["marts.reader"].action == "build"

    def test_dropped_and_retyped_columns_name_what_breaks(self, head, make):
        from mainstem.graph import Facts, Graph, PlanRequest, make_plan  # noqa: PLC0415

        for schema, change in (
            (_schema(other="int"), "dropped"),
            (_schema(amount="int"), "type changed"),
        ):
            head.assets = list(self.assets("2", {"columns.amount": "2"}, schema))
            facts = Facts(
                entries=head.entries, **self._facts(head, make), observe=lambda _a: make.look(True)
            )
            plan = make_plan(Graph.build(head.assets), PlanRequest(), facts)
            found = next(item for item in plan.columns if item.column == "amount")

            assert found.change == change
            assert found.breaks == ("marts.further.grand", "marts.reader.total")


def _aged(make, **more):
    return make.asset("raw.rates", kind="python", rebuild_after_s=86_400, **more)


@pytest.mark.parametrize(
    ("age_h", "said"),
    [
        (2, ("fresh", "neither its code nor its inputs changed")),
        (26, ("build", "built 26 hours ago, `rebuild: 1d`")),
        (72, ("build", "built 3 days ago, `rebuild: 1d`")),
    ],
)
def test_what_is_built_by_the_clock_is_built_once_it_is_too_old(plan_of, make, age_h, said):
    head = make.head(_aged(make, rebuild_rule="rebuild: 1d")).build("raw.rates")

    planned = plan_of(head, facts={"age_of": lambda _key, _version: age_h * 3600.0})

    assert _said(planned)["raw.rates"] == said


def test_what_reads_something_too_old_is_built_with_it(plan_of, make):
    head = make.head(_aged(make, rebuild_rule="rebuild: 1d"), make.asset("marts.r", "raw.rates"))
    head.build("raw.rates", "marts.r")

    planned = plan_of(head, facts={"age_of": lambda _key, _version: 1e9})

    assert _said(planned)["marts.r"] == ("build", "its input raw.rates changes")
    assert planned["raw.rates"].fingerprint != ""


def test_fresh_reads_a_source_within_its_time(plan_of, make):
    head = make.head(_aged(make, rebuild_rule="fresh_for: 1d")).build("raw.rates")
    facts = {"age_of": lambda _key, _version: 5.0}

    assert plan_of(head, facts=facts)["raw.rates"].action == "fresh"
    assert _said(plan_of(head, facts=facts, fresh=True)) == {
        "raw.rates": ("build", "--fresh: read again")
    }


def test_what_is_built_by_the_clock_is_not_linked(plan_of, make):
    head = make.head(_aged(make, rebuild_rule="rebuild: 1d"))
    link = Linkable(version="v", commit_id="c", made_on="dev")

    planned = plan_of(head, facts={"link_of": lambda _key, _version: link})

    assert planned["raw.rates"].action == "build"


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (None, ("build", "it did not run here yet")),
        (60.0, ("fresh", "ran 1 minute ago, `rebuild: 1d`")),
        (90_000.0, ("build", "built 25 hours ago, `rebuild: 1d`")),
    ],
)
def test_effects_may_go_by_the_clock_too(plan_of, make, age, said):
    head = make.head(_aged(make, rebuild_rule="rebuild: 1d", materialized="none"))

    planned = plan_of(head, facts={"age_of": lambda _key, _version: age})

    assert _said(planned)["raw.rates"] == said


class TestKeeping:
    """`marts.f` gets a column; `main.v` is a view over it, `marts.far` a table over that."""

    def _head(self, make, code="1", **parts):
        return make.head(
            make.asset("raw.a", kind="file"),
            make.asset("marts.f", "raw.a", code=code, change_summary={"rows": "1", **parts}),
            make.asset("main.v", "marts.f", materialized="view"),
            make.asset("marts.far", "main.v"),
        )

    def _plan(self, make, plan_of, *, reads="amount", compares=False):
        head = self._head(make, **{"columns.amount": "1"}).build(
            "raw.a", "marts.f", "main.v", "marts.far"
        )
        versions = head.versions()
        view = versions.derived_record(make.key("main.v"))
        table = head.entries[make.key("marts.f")].provenance
        records = {
            ("main.v", versions.of(make.key("main.v"))): view,
            ("marts.f", table.data_version): VersionRecord(
                version=table.data_version,
                code_version=table.code_version,
                inputs=table.inputs,
            ),
        }
        head.assets = self._head(make, "2", **{"columns.amount": "1", "columns.seats": "1"}).assets
        lineage = {
            "main.v": {"x": ((make.key("marts.f"), reads),)},
            "marts.far": {"x": ((make.key("main.v"), "x"),)},
        }
        return plan_of(
            head,
            facts={
                "record_of": lambda key, version: records.get((str(key), version)),
                "parts_of": lambda _key, _code: {"rows": "1", "columns.amount": "1"},
                "lineage_of": lambda asset: lineage.get(str(asset.key), {}),
                "compares_unnamed": lambda _asset: compares,
            },
        )

    def test_a_column_that_a_view_does_not_read_goes_no_further(self, make, plan_of):
        planned = self._plan(make, plan_of)

        assert planned["marts.f"].action == "build"
        assert _said(planned)["marts.far"] == (
            "keep",
            "reads main.v, but none of the changed columns",
        )

    def test_a_view_that_takes_the_column_in_changes_its_readers(self, make, plan_of):
        assert self._plan(make, plan_of, reads="seats")["marts.far"].action == "build"

    def test_what_compares_whole_rows_is_built(self, make, plan_of):
        assert self._plan(make, plan_of, compares=True)["marts.far"].action == "build"


class TestReadThrough:
    """Sources of an environment that are those of the branch it comes from."""

    def _planned(self, make, plan_of, *, ours, theirs, reverted=False):
        from mainstem.graph import ReadThrough  # noqa: PLC0415  # this class alone needs it

        def head(version):
            made = make.head(
                make.asset("raw.a", kind="file", code=version), make.asset("m.b", "raw.a")
            )
            return made.build("raw.a") if version else made

        here, there = head(ours), head(theirs)
        through = ReadThrough(branch="main", commit_id="c1", entries=there.entries)
        facts = {"read_through": through, "is_tombstone": lambda _key, _version: reverted}
        return plan_of(here, facts=facts, ingest=False, read_through=True)

    def test_another_version_is_taken_over_with_its_place(self, make, plan_of):
        planned = self._planned(make, plan_of, ours="1", theirs="2")

        assert _said(planned)["raw.a"] == ("link", "read through from main")
        assert planned["raw.a"].link_commit == "c1"
        assert planned["m.b"].action == "build"
        assert planned["m.b"].fingerprint != ""

    def test_the_same_version_is_fresh(self, make, plan_of):
        planned = self._planned(make, plan_of, ours="1", theirs="1")

        assert _said(planned)["raw.a"] == ("fresh", "as on main")

    def test_what_the_other_branch_lacks_is_skipped_or_left(self, make, plan_of):
        missing = self._planned(make, plan_of, ours="", theirs="")
        own = self._planned(make, plan_of, ours="1", theirs="")

        assert missing["raw.a"].action == "skip"
        assert "`--ingest` loads it on main" in missing["raw.a"].reason
        assert own["raw.a"].action == "fresh"

    def test_what_was_reverted_here_stays_away(self, make, plan_of):
        planned = self._planned(make, plan_of, ours="1", theirs="2", reverted=True)

        assert planned["raw.a"].action == "fresh"
        assert "was reverted here" in planned["raw.a"].reason
