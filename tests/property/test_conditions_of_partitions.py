"""Conditions over partitions: sets carried through mappings equal each one looked at alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from mainstem import automation, state
from mainstem.automation import Observed, Reactor, condition_of
from mainstem.automation import expression as ex
from mainstem.automation.expression import Operand
from mainstem.automation.incremental import Change, Evaluator
from mainstem.automation.noticing import Notice
from mainstem.automation.remembered import Facts
from mainstem.automation.world import AssetWorld
from mainstem.database import open_database
from mainstem.graph import (
    Asset,
    MappingRule,
    Partitioning,
    PartitionSet,
    infer_mapping,
    static_partitions,
    time_partitions,
)
from mainstem.types import AssetKey, BuiltPartitions

START = datetime(2026, 1, 5, tzinfo=UTC)
HALVES = time_partitions("cron", "2026-01-05", cron="0 0,12 * * *")
DAYS = time_partitions("day", "2026-01-05")
WEEKS = time_partitions("week", "2026-01-05")
SHOPS = static_partitions(("a", "b", "c"))
DEFINITIONS = {"halves": HALVES, "days": DAYS, "late": DAYS, "weeks": WEEKS, "shops": SHOPS}
GRAPH = {
    "halves": {},
    "days": {"halves": None},
    "late": {"days": MappingRule(kind="window", first=-1, last=0), "halves": None},
    "weeks": {"days": None, "late": MappingRule(kind="last")},
    "shops": {"weeks": None},
}


class World:
    """Five assets of other partitions each, mapped by what is inferred or declared."""

    def __init__(self):
        self.now = START
        self.mappings = {
            (asset, dep): infer_mapping(DEFINITIONS[asset], DEFINITIONS[dep], rule)
            for asset, deps in GRAPH.items()
            for dep, rule in deps.items()
        }

    def deps(self, asset):
        return tuple(GRAPH[asset])

    def views(self, asset):
        return ()

    def existing(self, asset):
        return PartitionSet.existing(DEFINITIONS[asset], self.now)

    def down(self, asset, dep, some):
        mapping = self.mappings[asset, dep]
        return mapping.downstream(some, self.existing(asset), self.existing(dep))

    def up(self, asset, dep, key):
        one = PartitionSet.of_keys(DEFINITIONS[asset], [key])
        return frozenset(self.mappings[asset, dep].upstream(one, self.existing(dep)))

    def keys(self, asset):
        return frozenset(self.existing(asset))


@dataclass
class Naive:
    """Asks of every partition alone, at every step, by what it reads: the meaning."""

    world: World
    conditions: dict
    facts: dict = field(default_factory=dict)
    values: dict = field(default_factory=dict)

    def __post_init__(self):
        self.step({}, begins=True)

    def turn(self, changes):
        passing = {}
        for change in changes:
            at, keys = (change.asset, change.operand), frozenset(change.some)
            if change.operand.name in ex.LASTING:
                before = self.facts.get(at, frozenset())
                self.facts[at] = before | keys if change.is_added else before - keys
            else:
                passing[at] = passing.get(at, frozenset()) | keys
        asked = {}
        self.cascade(passing, asked)
        for _ in range(60):
            before = dict(self.values)
            self.cascade({}, asked)
            if before == self.values:
                return asked
        raise AssertionError("it does not come to rest")

    def cascade(self, passing, asked):
        kept = dict(self.values)
        while True:
            self.values = dict(kept)
            self.step(passing)
            fresh = {}
            for asset, condition in self.conditions.items():
                rise = self.values[asset, condition] - kept[asset, condition]
                rise -= asked.get(asset, frozenset())
                if rise:
                    fresh[asset] = rise
            if not fresh:
                return
            for asset, keys in fresh.items():
                asked[asset] = asked.get(asset, frozenset()) | keys
                at = (asset, Operand("newly_requested"))
                passing = {**passing, at: passing.get(at, frozenset()) | keys}

    def step(self, passing, *, begins=False):
        kept, self.values = self.values, {}
        for asset, condition in self.conditions.items():
            self.value(condition, asset, kept, passing, begins=begins)

    def value(self, condition, asset, kept, passing, *, begins):
        at = (asset, condition)
        if at not in self.values:
            found = frozenset(
                key
                for key in self.world.keys(asset) | kept.get(at, frozenset())
                if self.holds(condition, asset, key, kept, passing, begins=begins)
            )
            self.values[at] = found
        return self.values[at]

    def holds(self, condition, asset, key, kept, passing, *, begins):
        def of(inner, where=asset):
            return self.value(inner, where, kept, passing, begins=begins)

        match condition:
            case ex.Operand():
                at = (asset, condition)
                return key in self.facts.get(at, ()) or key in passing.get(at, ())
            case ex.Both():
                left, right = of(condition.left), of(condition.right)
                return key in left and key in right
            case ex.Either():
                left, right = of(condition.left), of(condition.right)
                return key in left or key in right
            case ex.Not():
                inner = of(condition.inner)
                return key in self.world.keys(asset) and key not in inner
            case ex.Since():
                trigger, reset = of(condition.trigger), of(condition.reset)
                was = key in kept.get((asset, condition), ())
                return (was or key in trigger) and key not in reset
            case ex.NewlyTrue():
                inner = of(condition.inner)
                return not begins and key in inner and key not in kept[asset, condition.inner]
            case ex.Deps():
                answers = [
                    other in of(condition.inner, dep)
                    for dep in GRAPH[asset]
                    for other in self.world.up(asset, dep, key)
                ]
                for dep in GRAPH[asset]:
                    of(condition.inner, dep)
                is_there = key in self.world.keys(asset)
                return is_there and (all(answers) if condition.every else any(answers))


OPERANDS = [Operand(name) for name in (*ex.LASTING, *ex.PASSING)]
EXPRESSIONS = st.recursive(
    st.sampled_from(OPERANDS),
    lambda inner: st.one_of(
        st.builds(ex.Both, inner, inner),
        st.builds(ex.Either, inner, inner),
        st.builds(ex.Not, inner),
        st.builds(ex.Since, inner, inner),
        st.builds(ex.NewlyTrue, inner),
        st.builds(ex.Deps, inner, st.booleans()),
    ),
    max_leaves=6,
)
CONDITIONS = EXPRESSIONS | st.sampled_from([condition_of("eager"), condition_of("on_missing")])


@st.composite
def happenings(draw):
    """Hours that pass, and facts that change then, of partitions that there are then."""
    hours = draw(st.sampled_from([0, 0, 5, 12, 24, 170]))
    facts = draw(
        st.lists(
            st.tuples(
                st.sampled_from(sorted(GRAPH)),
                st.sampled_from([one for one in OPERANDS if one.name != "newly_requested"]),
                st.lists(st.integers(0, 60), max_size=4),
                st.booleans(),
            ),
            max_size=3,
        )
    )
    return hours, facts


def changes_of(world, facts):
    for asset, operand, numbers, added in facts:
        there = world.existing(asset)
        keys = list(there)
        if keys:
            some = PartitionSet.of_keys(there.definition, {keys[n % len(keys)] for n in numbers})
            added_ = added or operand.name in ex.PASSING
            yield Change(asset=asset, operand=operand, some=some, is_added=added_)


@settings(max_examples=settings().max_examples // 2, deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(GRAPH)), CONDITIONS, min_size=1),
    st.lists(happenings(), max_size=5),
)
def test_sets_carried_through_mappings_equal_each_partition_alone(conditions, history):
    world = World()
    world.now += timedelta(days=1)
    evaluator, naive = Evaluator(world, conditions), Naive(world, dict(conditions))

    for hours, facts in history:
        before = {asset: world.existing(asset).spans for asset in GRAPH}
        world.now += timedelta(hours=hours)
        grown = [asset for asset in GRAPH if world.existing(asset).spans != before[asset]]
        changes = list(changes_of(world, facts))
        asked = {}
        for request in evaluator.turn(changes, grown):
            asked[request.asset] = asked.get(request.asset, frozenset()) | set(request.some)
        assert asked == naive.turn(changes)
        for asset, condition in conditions.items():
            assert set(evaluator.value(asset)) == naive.values[asset, condition]


def asset(name, partitions=None, inputs=()):
    return Asset(
        key=AssetKey("main", name),
        kind="sql",
        materialized="table",
        inputs=tuple(AssetKey("main", one) for one in inputs),
        partitions=None
        if partitions is None
        else Partitioning(definition=partitions, columns=("at",)),
    )


def assets(*found):
    return {one.key: one for one in found}


@dataclass
class Tables:
    """Records of one partitioned table at commits (port `History`)."""

    commits: dict
    head: str

    def partitions(self, asset):
        return self.commits[self.head].get(asset, ())

    def partitions_at(self, asset, commit):
        return self.commits[commit].get(asset, ()) if commit in self.commits else None

    def changed_files(self, asset, commit):
        return None


RECORDS = st.dictionaries(st.integers(0, 11), st.sampled_from("xyz"), max_size=12)


def record(versions):
    """Write a version for each day as a table has them: equal ones together."""
    days = [f"2026-01-{number + 5:02}" for number in range(12)]
    by_version = {}
    for number, version in versions.items():
        by_version.setdefault(version, []).append(days[number])
    return tuple(
        BuiltPartitions(
            partitions=PartitionSet.of_keys(DAYS, keys).text(is_stored=True),
            version=version,
            code_version="1",
        )
        for version, keys in by_version.items()
    )


def seen(history, **facts):
    version = repr(sorted(history.partitions("main.days"), key=lambda one: one.version))
    return Observed(
        versions={"main.days": version if history.partitions("main.days") else ""},
        codes={},
        busy=facts.pop("busy", {}),
        commit=history.head,
        history=history,
        **facts,
    )


@settings(deadline=None)
@given(RECORDS, RECORDS, st.booleans())
def test_what_moved_between_two_records_is_told_by_partition(old, new, knows):
    world = AssetWorld(assets(asset("days", DAYS)))
    world.advance(START + timedelta(days=9))
    tables = Tables({"one": {"main.days": record(old)}}, "one")
    first = Notice(world=world, observed=seen(tables), commit="one").of("main.days", None)
    tables = Tables({**(tables.commits if knows else {}), "two": {"main.days": record(new)}}, "two")

    found = Notice(world=world, observed=seen(tables), commit="one").of("main.days", first.facts)

    there = {f"2026-01-{number + 5:02}" for number in range(9)}
    day = {number: f"2026-01-{number + 5:02}" for number in range(12)}
    updated = {
        day[number] for number, version in new.items() if not knows or old.get(number) != version
    }
    told = {(change.operand.name, change.is_added): set(change.some) for change in found.changes}
    assert told.get(("newly_updated", True), set()) == (updated if old != new else set())
    assert set(found.facts.sets.get("missing", ())) == there - {day[number] for number in new}
    assert told.get(("missing", False), set()) == there & {
        day[number] for number in new if number not in old
    }


def test_what_is_seen_for_the_first_time_is_not_new():
    world = AssetWorld(assets(asset("days", DAYS)))
    world.advance(START + timedelta(days=2))
    tables = Tables({"one": {"main.days": record({0: "x"})}}, "one")

    found = Notice(world=world, observed=seen(tables), commit="").of("main.days", None)

    assert [change.operand.name for change in found.changes] == ["missing"]
    assert isinstance(found.facts, Facts)


TURNS = st.lists(
    st.tuples(RECORDS, st.sampled_from([1, 30]), st.sets(st.integers(0, 9), max_size=2)),
    min_size=1,
    max_size=5,
)


@settings(max_examples=settings().max_examples // 2, deadline=None)
@given(st.sampled_from(["eager", "on_missing", "missing & in_latest_time_window"]), TURNS)
def test_a_reactor_goes_on_from_what_is_stored(tmp_path_factory, condition, turns):
    graph = assets(
        asset("days", DAYS), asset("weeks", WEEKS, ["days"]), asset("all", None, ["days"])
    )
    conditions = dict.fromkeys(graph, condition_of(condition))

    def launched(*, restarts):
        database = open_database(f"sqlite:///{tmp_path_factory.mktemp('state')}/lake.db")
        database.migrate((*state.MIGRATIONS, *state.LAUNCH_MIGRATIONS, *automation.MIGRATIONS))
        now, commits, reactor = START + timedelta(days=8), {}, None
        for number, (versions, hours, busy) in enumerate(turns):
            now += timedelta(hours=hours)
            commits[str(number)] = {"main.days": record(versions)}
            tables = Tables(dict(commits), str(number))
            held = frozenset(f"2026-01-{one + 5:02}" for one in busy)
            observed = seen(tables, busy={"main.days": held} if held else {})
            if reactor is None or restarts:
                reactor = Reactor(conditions, graph, branch="main", environment="local")
            with database.write() as transaction:
                reactor.turn(transaction, observed, now=now)
        with database.read() as transaction:
            found = state.launches(transaction, limit=100)
        database.close()
        return [(one.request.select, dict(one.request.partitions)) for one in found]

    assert launched(restarts=True) == launched(restarts=False)
