# SPDX-License-Identifier: Apache-2.0
"""Options of attempts: read the same wherever they stand, and refused by name."""

import pytest

from mainstem.config import read_execution
from mainstem.types import Execution, Retry


def _read(**values):
    refused = []
    found = read_execution(values, lambda name, allowed: refused.append((name, allowed)))
    return found, [name for name, _ in refused]


def test_nothing_said_is_nothing_asked():
    assert _read(owner="me") == (Execution(), [])


def test_all_options_have_their_units():
    found, refused = _read(
        retries=3,
        retry_delay="10s",
        retry_backoff="fixed",
        retry_factor=3,
        retry_max_delay="1h",
        retry_jitter=0,
        retry_on=["ConnectionError", "httpx.HTTPError"],
        no_retry_on="A6012",
        timeout="1.5h",
    )

    assert refused == []
    assert found.timeout_s == 5400
    assert found.retry == Retry(
        count=3,
        delay_s=10,
        backoff="fixed",
        factor=3,
        max_delay_s=3600,
        jitter=0,
        on=("ConnectionError", "httpx.HTTPError"),
        not_on=("A6012",),
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"retries": -1},
        {"retries": True},
        {"retries": "two"},
        {"retry_delay": "soon"},
        {"retry_backoff": "linear"},
        {"retry_factor": 0.5},
        {"retry_max_delay": []},
        {"retry_jitter": 1.5},
        {"retry_on": ["a b"]},
        {"no_retry_on": [3]},
        {"timeout": -5},
    ],
)
def test_a_wrong_value_is_refused_by_name_and_leaves_the_default(wrong):
    found, refused = _read(**wrong)

    assert refused == list(wrong)
    assert found == Execution()


def test_every_option_that_is_read_is_looked_for_before_the_usual_is_taken():
    class Asked(dict):
        def get(self, name, default=None):
            asked.add(name)
            return super().get(name, default)

    asked = set()
    read_execution(Asked(retries=1), lambda *_: None)

    for name in asked:
        refused = []
        read_execution({name: object()}, lambda *fault, to=refused: to.append(fault))
        assert refused, name
