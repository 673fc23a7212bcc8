# SPDX-License-Identifier: Apache-2.0
"""Fair shares: whatever comes and goes, nobody starves, and slots are divided as weights say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mainstem.state import Weights, next_share

_WEIGHTS = st.builds(
    Weights,
    fresh=st.integers(1, 8),
    backfill=st.integers(1, 8),
    least=st.integers(0, 3),
)
_SLOTS = st.integers(1, 8)
_COUNT = st.integers(0, 10)
_COUNTS = st.fixed_dictionaries({"fresh": _COUNT, "backfill": _COUNT})
_PASSES = st.dictionaries(st.sampled_from(["fresh", "backfill"]), st.integers(0, 100_000))


@given(waiting=_COUNTS, running=_COUNTS, passes=_PASSES, slots=_SLOTS, weights=_WEIGHTS)
def test_only_who_waits_is_served_and_only_while_a_slot_is_free(
    waiting, running, passes, slots, weights
):
    chosen, _ = next_share(
        waiting=waiting, running=running, passes=passes, slots=slots, weights=weights
    )

    if chosen is not None:
        assert waiting[chosen] > 0
        assert sum(running.values()) < slots


@given(waiting=_COUNTS, slots=_SLOTS, weights=_WEIGHTS)
def test_an_empty_server_always_starts_something(waiting, slots, weights):
    chosen, _ = next_share(waiting=waiting, running={}, passes={}, slots=slots, weights=weights)

    assert (chosen is None) == (not any(waiting.values()))


@given(passes=_PASSES, weights=_WEIGHTS, slots=_SLOTS)
def test_while_both_wait_starts_follow_the_weights(passes, weights, slots):
    """Runs that end at once: what is left is the order of starts."""
    picks = []
    # A start that levels what an old database may hold.
    _, passes = next_share(
        waiting={"fresh": 1, "backfill": 1}, running={}, passes={}, slots=slots, weights=weights
    )

    for _ in range(20 * (weights.fresh + weights.backfill)):
        chosen, passes = next_share(
            waiting={"fresh": 1, "backfill": 1},
            running={},
            passes=passes,
            slots=slots,
            weights=weights,
        )
        picks.append(chosen)

    share = weights.backfill / (weights.fresh + weights.backfill)
    for end in range(1, len(picks) + 1):
        assert abs(picks[:end].count("backfill") - share * end) <= 2


@given(
    arrivals=st.lists(st.sampled_from(["fresh", "backfill", "done", "none"]), max_size=200),
    weights=_WEIGHTS,
    slots=_SLOTS,
)
def test_nobody_waits_longer_than_the_weights_allow(arrivals, weights, slots):
    waiting, running, passes = {"fresh": 0, "backfill": 0}, {"fresh": 0, "backfill": 0}, {}
    passed_over = {"fresh": 0, "backfill": 0}
    bound = 2 + max(weights.fresh, weights.backfill)

    for arrival in [*arrivals, *["done", "none"] * 20]:
        if arrival == "done":
            busiest = max(running, key=lambda share: running[share])
            running[busiest] = max(0, running[busiest] - 1)
        elif arrival != "none":
            waiting[arrival] += 1
        while True:
            chosen, passes = next_share(
                waiting=waiting, running=running, passes=passes, slots=slots, weights=weights
            )
            if chosen is None:
                break
            waiting[chosen] -= 1
            running[chosen] += 1
            passed_over = {
                share: count + 1 if share != chosen and waiting[share] > 0 else 0
                for share, count in passed_over.items()
            }
            assert max(passed_over.values()) <= bound


@given(slots=st.integers(2, 8), weights=st.builds(Weights, least=st.just(1)))
def test_backfills_never_fill_all_slots_so_that_a_fresh_launch_starts_at_once(slots, weights):
    running, passes = {"fresh": 0, "backfill": 0}, {}
    while True:
        chosen, passes = next_share(
            waiting={"fresh": 0, "backfill": 99},
            running=running,
            passes=passes,
            slots=slots,
            weights=weights,
        )
        if chosen is None:
            break
        running[chosen] += 1

    fresh, _ = next_share(
        waiting={"fresh": 1, "backfill": 99},
        running=running,
        passes=passes,
        slots=slots,
        weights=weights,
    )

    assert running == {"fresh": 0, "backfill": slots - 1}
    assert fresh == "fresh"


def test_a_share_that_had_nothing_to_do_saved_no_credit():
    passes = {}
    for _ in range(50):
        _, passes = next_share(
            waiting={"backfill": 5}, running={}, passes=passes, slots=1, weights=Weights()
        )

    picks = []
    for _ in range(8):
        chosen, passes = next_share(
            waiting={"fresh": 5, "backfill": 5},
            running={},
            passes=passes,
            slots=1,
            weights=Weights(),
        )
        picks.append(chosen)

    assert "backfill" in picks[:5]
    assert picks.count("fresh") >= 6
