# SPDX-License-Identifier: Apache-2.0
"""A fit of columns as SQL: what is read, and what stands for it."""

import pytest

from mainstem.engines import open_engine
from mainstem.ingest.csv_scan import CsvScan
from mainstem.ingest.dialect import sniff
from mainstem.ingest.fitting import Fit
from mainstem.ingest.table import FileTable
from mainstem.ingest.unpacking import Part

TYPES = {
    "n": "BIGINT",
    "small": "TINYINT",
    "wide": "HUGEINT",
    "price": "DECIMAL(9,2)",
    "day": "DATE",
    "at": "TIMESTAMPTZ",
    "tag": "VARCHAR",
    "gone": "DOUBLE",
}


@pytest.fixture
def session(tmp_path):
    with open_engine(temp_directory=tmp_path / "spill").session() as session:
        yield session


@pytest.fixture
def scan(session, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("n,small,wide,price,day,at,tag\n1,2,3,4.5,2020-01-01,2020-01-01 10:00:00Z,x\n")
    definition = FileTable(path="", patterns=("a.csv",), source="shop")
    part = Part(name="a.csv", path=str(path), format="csv")
    return CsvScan([sniff(session, part, definition)], definition, {})


@pytest.mark.parametrize("lenient", [{}, {"n": "BIGINT", "day": "DATE", "price": "DECIMAL(9,2)"}])
def test_a_sketch_has_the_columns_and_types_of_what_is_read(session, scan, lenient):
    types = {**TYPES, **dict.fromkeys(lenient, "VARCHAR")}
    names = {name: name.upper() if name == "tag" else name for name in types if name != "small"}
    fit = Fit(types=types, names=names, lenient=lenient)

    query = fit.select(scan.query(types), "")

    assert session.describe(fit.sketch()) == session.describe(query)


def test_what_is_read_as_it_is_needs_no_query_around_it(scan):
    fit = Fit(types=TYPES, names={name: name for name in TYPES})
    query = scan.query(TYPES)

    assert fit.select(query, "") == query
    assert fit.select(query, "n > 0") != query
    assert fit.select(query, "", keep=("__mainstem_file",)) != query
    assert fit.select(scan.query(TYPES, with_file=True), "") != query
