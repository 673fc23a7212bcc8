# SPDX-License-Identifier: Apache-2.0
"""Whatever a CSV file holds: each row is in the table as it was, or in the quarantine."""

import csv
import io
import tempfile
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainstem.errors import DataError

TEXT = st.text(
    alphabet=st.characters(codec="utf-8", exclude_characters="\x00", exclude_categories=["Cs"]),
    max_size=12,
)
NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(repr),
    st.sampled_from(["", "NA", "1.50", "007", "1e3", "2024-01-31", "2024-01-31 10:00:00", "true"]),
)
ROWS = st.lists(
    st.one_of(st.tuples(NUMBERS, TEXT), st.tuples(NUMBERS, TEXT), st.lists(TEXT, max_size=5)),
    min_size=1,
    max_size=30,
)


def _is_mostly_malformed(rows):
    return sum(not _is_well_formed(row) for row in rows) * 2 > len(rows)


def _is_well_formed(row):
    # Delimiters too many at the end, with nothing behind them, are common and harmless.
    return len(row) >= 2 and not any(row[2:])


def _file(rows, delimiter):
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(["id", "value", "text"])
    for number, row in enumerate(rows):
        writer.writerow([number, *row])
    return out.getvalue()


@pytest.mark.slow
@settings(
    max_examples=settings().max_examples // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=ROWS, delimiter=st.sampled_from(",;\t|"))
def test_every_row_is_in_the_table_as_it_was_or_in_the_quarantine(make_shop, rows, delimiter):
    with tempfile.TemporaryDirectory() as folder, make_shop(Path(folder)) as shop:
        shop.file("data/t.csv", _file(rows, delimiter))
        name = {"\t": "tab"}.get(delimiter, delimiter)
        asset = shop.asset(
            f'{{files: t.csv, delimiter: "{name}", columns: {{text: text, id: bigint}}}}'
        )

        if _is_mostly_malformed(rows):
            with pytest.raises(DataError) as caught:
                shop.load(asset)
            assert caught.value.code in {"A3034", "A3021"}
            return
        shop.load(asset)

        kept = {row[0]: row for row in shop.rows(asset)}
        assert set(kept) == {number for number, row in enumerate(rows) if _is_well_formed(row)}
        assert len(shop.quarantined(asset)) == len(rows) - len(kept)
        for number, value, text in kept.values():
            assert (text or "") == rows[number][1]
            assert _is_same(value, rows[number][0])


def _is_same(value, written):
    match value:
        case None:
            return written == ""
        case bool():
            return str(value).lower() == written
        case int() | Decimal():
            return Decimal(value) == Decimal(written)
        case float():
            return value == float(written)
        case date():
            return str(value) == (
                written if ":" in written else f"{written} 00:00:00"[: len(str(value))]
            )
        case _:
            return value == written
