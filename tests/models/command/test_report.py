# SPDX-License-Identifier: Apache-2.0
"""The lines of a report: what is understood, and that nothing else is silent or harmful."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstem.models.command.report import Report


def heard(*pieces):
    said = []
    report = Report(lambda rows, note: said.append((rows, note)))
    for piece in pieces:
        report.feed(piece)
    report.finish()
    return report, said


def test_progress_metadata_skip_and_error_are_understood():
    report, said = heard(
        b'{"type":"progress","rows":10,"note":"page 2"}\n'
        b'{"type":"metadata","values":{"score":0.93,"model":"xgb","top":[1,2]}}\n'
        b'{"type":"skip","reason":"nothing new"}\n'
        b'{"type":"error","message":"the site is down"}\n'
    )

    assert said == [(10, "page 2")]
    assert report.metadata == {"score": "0.93", "model": "xgb", "top": "[1,2]"}
    assert report.skip == "nothing new"
    assert report.error == "the site is down"
    assert report.warnings == ()


def test_the_last_word_on_a_name_holds():
    report, _ = heard(
        b'{"type":"metadata","values":{"n":1}}\n{"type":"metadata","values":{"n":2}}\n'
    )

    assert report.metadata == {"n": "2"}


@pytest.mark.parametrize(
    "line",
    [
        b"hello",
        b"[1]",
        b'{"type":"metdata","values":{}}',
        b'{"type":"metadata"}',
        b'{"type":"progress","rows":"many"}',
        b"\xff\xfe",
    ],
)
def test_what_is_no_message_is_a_warning(line):
    report, said = heard(line + b"\n" + line + b"\n")

    assert said == []
    assert len(report.warnings) == 1
    assert report.warnings[0].endswith("and 1 more")


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=3))
def test_any_bytes_in_any_pieces_mean_the_same(data, cuts):
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    whole, _ = heard(data)
    parts, _ = heard(*(data[a:b] for a, b in pairwise(places)))

    assert parts.metadata == whole.metadata
    assert parts.warnings == whole.warnings


def test_a_line_without_end_is_not_kept_for_ever():
    report, _ = heard(*[b"x" * 65536] * 40)

    assert len(report.warnings) == 1


def test_names_of_metadata_are_bounded():
    lines = b"".join(b'{"type":"metadata","values":{"n%d":1}}\n' % n for n in range(500))
    report, _ = heard(lines)

    assert len(report.metadata) == 100
