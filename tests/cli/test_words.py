# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime, timedelta

import pytest

from mainstem.cli.render import words


@pytest.mark.parametrize(
    ("bytes_", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (1_234_567, "1.2 MB"),
        (999_600, "1.0 MB"),
        (250_000_000, "250 MB"),
        (3_100_000_000_000_000, "3100 TB"),
    ],
)
def test_sizes_are_short_and_never_overflow_their_unit(bytes_, text):
    assert words.size(bytes_) == text


@pytest.mark.parametrize(
    ("elapsed", "text"),
    [
        (0.0, "0.0 s"),
        (1.14, "1.1 s"),
        (59.99, "1 min 0 s"),
        (125, "2 min 5 s"),
        (3725, "1 h 2 min"),
    ],
)
def test_durations_grow_their_unit(elapsed, text):
    assert words.seconds(elapsed) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(7602, 336776, "2.3 %"), (1, 1_000_000, "< 0.1 %"), (0, 10, "0.0 %"), (0, 0, "0 %")],
)
def test_a_tiny_share_is_not_rounded_to_nothing(part, whole, text):
    assert words.share(part, whole) == text


def test_moments_are_named_by_their_day():
    now = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)

    assert words.moment(now - timedelta(hours=1), now) == "today 11:00"
    assert words.moment(now - timedelta(days=1), now) == "yesterday 12:00"
    assert words.moment(now - timedelta(days=9), now) == "2025-12-24 12:00"


def test_plurals_follow_the_number():
    assert [words.plural(n, "branch") for n in (0, 1, 2)] == [
        "0 branches",
        "1 branch",
        "2 branches",
    ]


def test_long_lists_are_counted():
    assert words.listing(["a", "b", "c"], limit=2) == "a, b and 1 more"
