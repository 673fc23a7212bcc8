# SPDX-License-Identifier: Apache-2.0
"""A killed run leaves the old state or the new one, whole; the next run completes."""

import importlib.util
import random
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location(
    "kill_harness", Path(__file__).with_name("kill_harness.py")
)
harness = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(harness)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", [1, 2])
def test_a_run_killed_at_any_moment_publishes_all_or_nothing(tmp_path, seed):
    duration = harness.prepared(tmp_path)
    rng = random.Random(seed)

    for number in range(10):
        harness.trial(tmp_path, number + 2, rng, duration)


def test_what_was_published_survives_the_loss_of_all_unsynced_writes(tmp_path):
    duration = harness.prepared(tmp_path)
    rng = random.Random(3)

    lost = [harness.power_loss_trial(tmp_path, number + 2, rng, duration) for number in range(5)]

    assert any(lost), "no trial lost anything: the harness would not notice a missing fsync"
