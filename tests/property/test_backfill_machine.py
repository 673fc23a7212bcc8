# SPDX-License-Identifier: Apache-2.0
"""Backfills: whatever fails and whenever the server dies, no partition is lost, none runs twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from mainstem.graph.partition import PartitionSet, infer_mapping, read_rule, time_partitions
from mainstem.service.backfill.machine import (
    AssetWork,
    Pace,
    Reading,
    fly,
    is_over,
    next_chunks,
    ready,
    retried,
    settle,
    stuck,
    take,
)
from mainstem.types import AssetKey

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOURS = time_partitions("hour", "2026-02-20")
DAYS = time_partitions("day", "2026-02-20")
RAW, DAILY, TRAILING = (AssetKey.parse(name) for name in ("a.raw", "a.daily", "a.trailing"))


def _work(key, definition, target, reads=(), batch=1):
    nothing = PartitionSet(definition)
    return AssetWork(
        key=key,
        target=target,
        done=nothing,
        failed=nothing,
        flying=nothing,
        existing=PartitionSet.existing(definition, NOW),
        batch=batch,
        reads=reads,
    )


def _reading(key, definition, up, rule=None):
    return Reading(
        key=key,
        mapping=infer_mapping(definition, up, rule),
        existing=PartitionSet.existing(up, NOW),
    )


def _works(hours, days, batch=1):
    """Hours, days of them, and days of three days before."""
    window = read_rule({"window": [-3, 0]}, name="daily")
    return {
        RAW: _work(RAW, HOURS, hours, batch=batch),
        DAILY: _work(DAILY, DAYS, days, reads=(_reading(RAW, DAYS, HOURS),)),
        TRAILING: _work(TRAILING, DAYS, days, reads=(_reading(DAILY, DAYS, DAYS, window),)),
    }


def _sets(definition):
    whole = PartitionSet.existing(definition, NOW)
    first = next(iter(whole.points()))[0]
    ordinals = st.sets(st.integers(first, first + whole.count - 1), max_size=60)
    return ordinals.map(lambda chosen: PartitionSet.of_points(definition, [(at,) for at in chosen]))


_PACES = st.builds(
    Pace,
    parallel=st.integers(1, 5),
    chunk=st.sampled_from([0, 1, 7]),
    order=st.sampled_from(["oldest", "newest"]),
)


def _forget_processes(works):
    """What a kill leaves: sets as texts, and nothing else."""
    return {
        key: replace(
            work,
            **{
                name: PartitionSet.parse(getattr(work, name).text(), work.target.definition)
                for name in ("target", "done", "failed", "flying")
            },
        )
        for key, work in works.items()
    }


@settings(deadline=None, max_examples=60)
@given(
    hours=_sets(HOURS),
    days=_sets(DAYS),
    pace=_PACES,
    batch=st.sampled_from([0, 1, 5]),
    data=st.data(),
)
def test_every_partition_is_done_failed_or_stuck_and_none_flies_twice(
    hours, days, pace, batch, data
):
    works = _works(hours, days, batch)
    flying = []
    for _ in range(2_000):
        for chunk in next_chunks(works, pace, flying=len(flying)):
            work = works[chunk.key]
            assert chunk.some
            assert chunk.some <= ready(work, works)
            assert not chunk.some & (work.flying | work.done | work.failed)
            works = {**works, chunk.key: fly(work, chunk.some)}
            flying.append(chunk)
        assert len(flying) <= pace.parallel
        if is_over(works, flying=len(flying)):
            break
        if data.draw(st.integers(0, 9)) == 0:
            works = _forget_processes(works)
        chunk = flying.pop(data.draw(st.integers(0, len(flying) - 1)))
        ends = list(chunk.some.each())
        bad = data.draw(st.sets(st.integers(0, len(ends) - 1), max_size=2))
        nothing = chunk.some - chunk.some
        failed = nothing
        for at in bad:
            failed |= ends[at]
        work = settle(
            works[chunk.key], chunk.some, done=chunk.some - failed, failed=failed, took_s=1.0
        )
        works = {**works, chunk.key: work}
    else:
        raise AssertionError("it never ends")

    held = stuck(works)
    for key, work in works.items():
        assert work.left == held[key]
        assert not work.flying
        assert not work.done & work.failed
        if not any(one.failed for one in works.values()):
            assert work.done == work.target


@settings(deadline=None, max_examples=30)
@given(days=_sets(DAYS).filter(bool), pace=_PACES)
def test_what_failed_and_what_was_stuck_behind_it_is_done_when_it_is_retried(days, pace):
    works = _works(PartitionSet(HOURS), days)
    worked = works[DAILY]
    works[DAILY] = settle(worked, days, done=days - days, failed=days)
    assert is_over(works, flying=0)
    works = {key: retried(work) for key, work in works.items()}

    for _ in range(1_000):
        chunks = next_chunks(works, pace, flying=0)
        for chunk in chunks:
            done = settle(works[chunk.key], chunk.some, done=chunk.some, failed=days - days)
            works = {**works, chunk.key: done}
        if not chunks:
            break

    assert [works[key].done for key in (DAILY, TRAILING)] == [days, days]


@given(some=_sets(HOURS), count=st.integers(1, 80), order=st.sampled_from(["oldest", "newest"]))
def test_taking_gives_the_ends_of_a_set(some, count, order):
    keys = list(some)

    taken = list(take(some, count, order))

    assert taken == (keys[:count] if order == "oldest" else keys[-count:])
