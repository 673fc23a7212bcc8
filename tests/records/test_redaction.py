# SPDX-License-Identifier: Apache-2.0
"""Secrets do not show, however they are written and wherever a stream is cut."""

import base64
import html
import re
import time
from urllib.parse import quote, quote_plus

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstem.errors import StepFailed, Where
from mainstem.records import Redactor

SECRET = "h\"unt'er 2&/ü=x"


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        repr(SECRET),
        orjson.dumps(SECRET).decode(),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        re.sub("%..", lambda found: found[0].lower(), quote(SECRET, safe="")),
        html.escape(SECRET),
        SECRET.replace("'", "''"),
        SECRET.encode().hex(),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
    ],
)
def test_a_secret_is_masked_in_every_way_of_writing_it(form):
    masked = Redactor([SECRET]).text(f"before {form} after")

    assert "unt" not in masked
    assert base64.b64encode(SECRET.encode()).decode()[4:12] not in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")


@pytest.mark.parametrize("user", ["", "a", "ab", "abc", "etl"])
def test_basic_auth_shows_no_password_at_any_alignment(user):
    header = base64.b64encode(f"{user}:correct-horse-battery".encode()).decode()

    masked = Redactor(["correct-horse-battery"]).text(f"Authorization: Basic {header}")

    shown = masked.rpartition(" ")[2].replace("****", "")
    assert len(shown) <= 4 + 8
    assert "****" in masked


def test_each_line_of_a_private_key_is_a_secret():
    lines = ["-----BEGIN KEY-----", "MIIEvQIBADANBgkq", "hkiG9w0BAQEFAASC", "-----END KEY-----"]

    masked = Redactor(["\n".join(lines)]).text("key line: hkiG9w0BAQEFAASC")

    assert masked == "key line: ****"


def test_what_is_too_short_or_a_common_word_is_no_secret():
    redactor = Redactor(["on", "1", "true", ""])

    assert not redactor
    assert redactor.text("1 is on, true") == "1 is on, true"


def test_the_longer_of_two_secrets_wins():
    assert Redactor(["token", "token-of-prod"]).text("token-of-prod token") == "**** ****"


def test_all_fields_of_an_error_are_masked_and_it_stays_the_same():
    error = StepFailed(
        "A7110",
        "a raised s3cr3t",
        hint="not s3cr3t",
        where=Where(file="a.py", line=1, excerpt="login('s3cr3t')"),
        known=("s3cr3t",),
        details="File ...\n s3cr3t",
    )

    masked = Redactor(["s3cr3t"]).error(error)

    assert masked is error
    assert "s3cr3t" not in str(error.to_json()) + str(error) + repr(error) + str(error.where)


def test_values_are_masked_to_any_depth():
    masked = Redactor(["s3cr3t"]).value({"s3cr3t": [("x", "a s3cr3t"), b"s3cr3t", 1, None]})

    assert masked == {"****": [("x", "a ****"), b"****", 1, None]}


SECRETS = ["abcab", "abX1", "s3cr3t", "s3cr3t-longer", "cabab"]


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from([*SECRETS, "a", "b", "ab", "abc", "s3cr", "X", "-", "\n"]), max_size=12
    ),
    st.lists(st.integers(1, 5), min_size=1, max_size=40),
)
def test_a_stream_masks_the_same_wherever_it_is_cut(words, sizes):
    data = "".join(words).encode()
    whole = Redactor(SECRETS)
    stream, out, place, turn = whole.stream(), b"", 0, 0
    while place < len(data):
        size = sizes[turn % len(sizes)]
        out += b"".join(stream.feed(data[place : place + size]))
        place, turn = place + size, turn + 1
    out += stream.end()

    assert out.decode() == whole.text(data.decode())


def test_a_stream_holds_back_nothing_that_cannot_be_a_secret():
    stream = Redactor(["s3cr3t"]).stream()

    assert b"".join(stream.feed(b"hello world\n")) == b"hello world\n"
    assert b"".join(stream.feed(b"a s3c")) == b"a "
    assert b"".join(stream.feed(b"ond\n")) == b"s3cond\n"


def test_masking_is_fast_enough_for_floods():
    redactor = Redactor([f"secret-number-{number}-of-many" for number in range(20)])
    stream = redactor.stream()
    piece = b"2026-11-28 an ordinary line of a log, with numbers 123456\n" * 1100
    start = time.thread_time()
    for _ in range(64):
        for _part in stream.feed(piece):
            pass
    elapsed = time.thread_time() - start

    assert elapsed < 2.0, f"{64 * len(piece) / elapsed / 1e6:.0f} MB/s"


@pytest.mark.parametrize("left", range(4, 20))
def test_what_a_cut_has_left_of_a_secret_is_masked_on_both_sides(left):
    secret = "correct-horse-battery"
    elision = "\n  ... 123 characters left out ...\n"
    error = StepFailed(
        "A7110",
        f"main.a raised ValueError: no {secret[:left]}…",
        details=f"before {secret[:left]}{elision}{secret[-left:]} after",
    )

    Redactor([secret]).error(error)

    assert error.summary == "main.a raised ValueError: no ****…"
    assert error.details == f"before ****{elision}**** after"


@pytest.mark.parametrize("secrets", [(), ("tiger-99",)])
def test_what_utf_8_cannot_hold_becomes_an_escape(secrets):
    redactor = Redactor(secrets)
    error = StepFailed("A7110", "half \udcff of a letter", details="ü \ud800")

    redactor.error(error)

    assert (error.summary, error.details) == ("half \\udcff of a letter", "ü \\ud800")
    assert redactor.value({"notes": ["ü", "\udcff"]}) == {"notes": ["ü", "\\udcff"]}
