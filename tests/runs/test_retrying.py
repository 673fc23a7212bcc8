# SPDX-License-Identifier: Apache-2.0
"""Which errors are tried again, how soon, and by whose word: the asset's, else the run's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstem.errors import (
    Cancelled,
    ModelInvalid,
    SourceUnavailable,
    StepFailed,
    StorageFailed,
)
from mainstem.runs.retrying import may_retry
from mainstem.types import Execution, Retry

RAISED = StepFailed(
    "A7110",
    "marts.a raised Timeout.",
    raised=("ReadTimeout", "httpx.ReadTimeout", "HTTPError", "httpx.HTTPError", "Exception"),
)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RAISED, True),
        (SourceUnavailable("A3010", "gone"), True),
        (StorageFailed("A5001", "full"), False),
        (ModelInvalid("A7103", "wrong"), False),
        (StepFailed("A7113", "no rows"), False),
        (Cancelled("A7109", "stopped"), False),
    ],
)
def test_without_a_word_what_may_pass_by_itself_is_tried_again(error, expected):
    assert may_retry(Retry(count=1), error) is expected


@pytest.mark.parametrize(
    "name",
    ["ReadTimeout", "httpx.ReadTimeout", "httpx.HTTPError", "Exception", "StepFailed", "DataError",
     "MainstemError", "A7110"],
)  # fmt: skip
def test_an_error_is_known_by_its_class_its_bases_its_family_and_its_code(name):
    assert may_retry(Retry(count=1, on=(name,)), RAISED)
    assert not may_retry(Retry(count=1, not_on=(name,)), RAISED)


def test_only_what_is_named_is_tried_again_and_exceptions_of_that_are_not():
    retry = Retry(count=1, on=("RemoteError", "HTTPError"), not_on=("ReadTimeout",))

    assert may_retry(retry, StorageFailed("A5001", "full"))
    assert not may_retry(retry, StepFailed("A7110", "raised", raised=("KeyError",)))
    assert not may_retry(retry, RAISED)


def test_a_cancel_is_never_tried_again():
    assert not may_retry(Retry(count=1, on=("Cancelled",)), Cancelled("A7109", "stopped"))


@given(
    st.builds(
        Retry,
        count=st.integers(0, 5),
        delay_s=st.floats(0, 1e4),
        backoff=st.sampled_from(["fixed", "exponential"]),
        factor=st.floats(1, 100),
        max_delay_s=st.floats(0, 1e4),
        jitter=st.floats(0, 1),
    ),
    st.integers(1, 10_000),
    st.floats(0, 1),
)
def test_no_delay_is_negative_or_above_its_limit(retry, attempt, chance):
    delay = retry.delay_after(attempt, chance)

    assert 0 <= delay <= retry.max_delay_s * (1 + 1e-9)


def test_an_asset_that_says_nothing_does_as_the_run_says():
    of_run = Retry(count=4, delay_s=9)

    assert Retry().or_else(of_run) == of_run
    assert Retry(delay_s=2).or_else(of_run) == Retry(count=4, delay_s=2)
    assert Retry(count=0).or_else(of_run) == Retry(count=0)


def _failing(errors):
    def script(_step, _context):
        if errors:
            raise errors.pop(0)

    return script


def test_the_run_s_retries_hold_for_steps_without_their_own(world):
    for name in ("raw.a", "raw.b"):
        world.source(name)
        world.scripts[name] = _failing([SourceUnavailable("A3010", "gone")])
    world.step_options["raw.b"] = Execution(retry=Retry(count=0))

    finished = world.run(run={"retry": Retry(count=1)})

    assert {str(step.key): step.status for step in finished.steps} == {
        "raw.a": "read",
        "raw.b": "failed",
    }


def test_an_error_that_is_not_named_ends_the_step(world):
    world.source("raw.a")
    world.step_options["raw.a"] = Execution(retry=Retry(count=5, on=("SourceUnavailable",)))
    errors = [SourceUnavailable("A3010", "gone"), StepFailed("A7110", "bad", raised=("KeyError",))]
    world.scripts["raw.a"] = _failing(errors)

    finished = world.run()

    assert finished.status == "failed"
    assert world.executed == ["raw.a", "raw.a"]
