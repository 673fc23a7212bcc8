"""The algebra of conditions: what is read, when presets fire, and incremental equals full."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstem.automation import expression as ex
from mainstem.automation.expression import Operand, condition_of, operands_of
from mainstem.automation.incremental import Change, Evaluator, parts
from mainstem.errors import ConfigInvalid
from mainstem.graph import PartitionSet, static_partitions

KEYS = ("a", "b", "c")
PARTITIONS = static_partitions(KEYS)
GRAPH = {"x": (), "y": ("x",), "z": ("x", "y"), "w": ("z",)}


def some(*keys):
    return PartitionSet.of_keys(PARTITIONS, keys)


EVERYTHING = some(*KEYS)


class World:
    """Four assets of three partitions each; `w` reads the whole of `z`."""

    def deps(self, asset):
        return GRAPH[asset]

    def views(self, asset):
        return ()

    def existing(self, asset):
        return EVERYTHING

    def down(self, asset, dep, some):
        if asset == "w":
            return EVERYTHING if some else some
        return some


@dataclass
class Full:
    """Evaluates every condition from scratch at each step, with plain sets: the meaning."""

    conditions: dict
    facts: dict = field(default_factory=dict)
    values: dict = field(default_factory=dict)
    everything: frozenset = frozenset(KEYS)

    def __post_init__(self):
        self.step({}, begins=True)

    def turn(self, changes):
        passing = {}
        for change in changes:
            keys = frozenset(change.some)
            at = (change.asset, change.operand)
            if change.operand.name in ex.LASTING:
                before = self.facts.get(at, frozenset())
                self.facts[at] = before | keys if change.is_added else before - keys
            else:
                passing[at] = passing.get(at, frozenset()) | keys
        asked = {}
        self.cascade(passing, asked)
        for _ in range(50):
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
                now = self.values[asset, condition]
                rise = now - kept[asset, condition] - asked.get(asset, frozenset())
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
        if at in self.values:
            return self.values[at]

        def of(inner, where=asset):
            return self.value(inner, where, kept, passing, begins=begins)

        match condition:
            case ex.Operand():
                found = self.facts.get(at, frozenset()) | passing.get(at, frozenset())
            case ex.Both():
                found = of(condition.left) & of(condition.right)
            case ex.Either():
                found = of(condition.left) | of(condition.right)
            case ex.Not():
                found = self.everything - of(condition.inner)
            case ex.Since():
                trigger, reset = of(condition.trigger), of(condition.reset)
                found = (kept.get(at, frozenset()) | trigger) - reset
            case ex.NewlyTrue():
                inner = of(condition.inner)
                found = frozenset() if begins else inner - kept[asset, condition.inner]
            case ex.Deps():
                shares = []
                for dep in GRAPH[asset]:
                    keys = of(condition.inner, dep)
                    keys = self.everything - keys if condition.every else keys
                    shares.append(self.everything if asset == "w" and keys else keys)
                union = frozenset().union(*shares)
                found = self.everything - union if condition.every else union
        self.values[at] = found
        return found


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
CHANGES = st.builds(
    lambda asset, operand, keys, added: Change(
        asset=asset,
        operand=operand,
        some=some(*keys),
        is_added=added or operand.name in ex.PASSING,
    ),
    st.sampled_from(sorted(GRAPH)),
    st.sampled_from([operand for operand in OPERANDS if operand.name != "newly_requested"]),
    st.sets(st.sampled_from(KEYS)),
    st.booleans(),
)
HISTORIES = st.lists(st.lists(CHANGES, min_size=1, max_size=3), max_size=8)


@settings(max_examples=2 * settings().max_examples, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(GRAPH)), CONDITIONS, min_size=1), HISTORIES)
def test_incremental_evaluation_equals_full_evaluation(conditions, history):
    evaluator, full = Evaluator(World(), conditions), Full(dict(conditions))

    for changes in history:
        requests = evaluator.turn(changes)
        asked = {}
        for request in requests:
            asked[request.asset] = asked.get(request.asset, frozenset()) | set(request.some)
        assert asked == full.turn(changes)
        for asset, condition in conditions.items():
            assert set(evaluator.value(asset)) == full.values[asset, condition]


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(GRAPH)), CONDITIONS, min_size=1), HISTORIES)
def test_an_evaluator_goes_on_from_what_another_kept(conditions, history):
    always = Evaluator(World(), conditions)
    restarted = Evaluator(World(), conditions)

    for changes in history:
        expected = [(one.asset, one.some.text()) for one in always.turn(changes)]
        kept = restarted.kept()
        restarted = Evaluator(World(), conditions, lambda *key, kept=kept: kept.get(key))
        found = [(one.asset, one.some.text()) for one in restarted.turn(changes)]
        assert sorted(found) == sorted(expected)


def change(asset, name, *keys, added=True):
    return Change(asset=asset, operand=Operand(name), some=some(*keys), is_added=added)


def asked(requests):
    return {request.asset: request.some.text() for request in requests}


def eager():
    return Evaluator(World(), {asset: condition_of("eager") for asset in ("y", "z", "w")})


def test_eager_asks_for_a_chain_at_once_when_its_source_moves():
    requests = eager().turn([change("x", "newly_updated", "b")])

    assert asked(requests) == {"y": "b", "z": "b", "w": "a..c"}


def test_eager_asks_once_for_each_update_and_not_for_its_own_results():
    evaluator = eager()
    evaluator.turn([change("x", "newly_updated", "b")])

    results = [change(asset, "newly_updated", "b") for asset in ("y", "z")]
    assert evaluator.turn([*results, change("w", "newly_updated", *KEYS)]) == []
    assert asked(evaluator.turn([change("x", "newly_updated", "b")]))["y"] == "b"


def test_eager_waits_for_what_is_missing_and_for_what_runs():
    evaluator = eager()
    evaluator.turn([change("x", "missing", "a")])
    assert asked(evaluator.turn([change("x", "newly_updated", "b")]))["y"] == "b"
    evaluator.turn([change("y", "in_progress", "c")])

    assert "y" not in asked(evaluator.turn([change("x", "newly_updated", "c")]))
    later = evaluator.turn([change("y", "in_progress", "c", added=False)])
    assert asked(later)["y"] == "c"


def test_eager_does_not_ask_again_for_what_failed():
    evaluator = eager()
    evaluator.turn([change("x", "newly_updated", "b")])
    evaluator.turn([change("y", "in_progress", "b")])

    failed = [change("y", "newly_failed", "b"), change("y", "failed", "b")]
    assert evaluator.turn([*failed, change("y", "in_progress", "b", added=False)]) == []


def test_on_missing_asks_for_new_partitions_whose_inputs_are_there():
    evaluator = Evaluator(World(), {"y": condition_of("on_missing")})
    assert (
        evaluator.turn([change("x", "missing", "c"), change("y", "missing", "b", "c")])[
            0
        ].some.text()
        == "b"
    )

    assert asked(evaluator.turn([change("x", "missing", "c", added=False)])) == {"y": "c"}


def test_on_cron_waits_for_every_input_after_the_tick():
    condition = condition_of('on_cron("0 6 * * *", "Europe/Berlin")')
    evaluator = Evaluator(World(), {"z": condition})
    (cron,) = set(operands_of(condition, "cron"))
    tick = [Change(asset=asset, operand=cron, some=EVERYTHING) for asset in ("x", "y", "z")]

    assert evaluator.turn(tick) == []
    assert evaluator.turn([change("x", "newly_updated", *KEYS)]) == []
    assert asked(evaluator.turn([change("y", "newly_updated", "a", "b")])) == {"z": "a..b"}


def test_a_request_names_the_facts_that_decided_it():
    (request, *_) = eager().turn([change("x", "newly_updated", "b")])

    (fact,) = request.facts
    assert (fact.asset, fact.words, fact.some.text()) == ("x", "was updated", "b")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the end"),
        ("missing &", "the end"),
        ("mising", "mising"),
        ("since(missing)", "`)`"),
        ("any_deps missing", "missing"),
        ("missing) | failed", "`)`"),
        ("missing ? failed", "?"),
        ("cron(6)", "6"),
        ("(" * 60 + "missing", "deeply"),
        ("~" * 60 + "missing", "deeply"),
        ("missing | " * 400 + "missing", "long"),
    ],
)
def test_what_is_no_condition_is_told_with_its_place(text, says):
    with pytest.raises(ConfigInvalid) as raised:
        condition_of(text)

    assert raised.value.code == "A2220"
    assert says in raised.value.summary


def test_a_cron_of_a_condition_is_checked_too():
    with pytest.raises(ConfigInvalid) as raised:
        condition_of('on_cron("0 25 * * *")')

    assert raised.value.code == "A2201"


def test_the_operators_bind_as_in_python():
    assert condition_of("missing | failed & ~in_progress") == ex.Either(
        Operand("missing"), ex.Both(Operand("failed"), ex.Not(Operand("in_progress")))
    )
    assert len(parts(condition_of("since(missing, failed)"))) == 2
