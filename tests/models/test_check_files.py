# SPDX-License-Identifier: Apache-2.0
"""`checks/NAME.sql`: a header that names the asset, and a query whose rows fail."""

from __future__ import annotations

import pytest

from mainstem.errors import ModelInvalid, SqlInvalid
from mainstem.models import Surroundings, load_check

PATH = "checks/no_time_travel.sql"


def test_a_check_file_is_a_sql_check_of_its_asset():
    text = (
        "/* ---\nasset: marts.orders\nseverity: warn\n--- */\nselect * from {{ this }} "
        "join {{ ref('x') }} using (id);\n"
    )

    check = load_check(text, PATH, Surroundings())

    assert check.asset == "marts.orders"
    assert check.entry == {
        "sql": {
            "name": "no_time_travel",
            "sql": "select * from marts.orders join x using (id)",
            "severity": "warn",
        }
    }
    assert (check.where.file, check.where.line) == (PATH, 2)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("select 1", "does not say which asset"),
        ("/* ---\nasset: orders\n--- */\nselect 1", "not an asset key"),
        ("/* ---\nasset: a.b\nseverty: warn\n--- */\nselect 1", "Did you mean `severity`?"),
    ],
)
def test_a_header_that_is_wrong_is_refused(text, word):
    with pytest.raises(ModelInvalid) as caught:
        load_check(text, PATH, Surroundings())

    assert caught.value.code == "A2038"
    assert word in f"{caught.value.summary} {caught.value.hint}"


def test_a_syntax_error_has_its_line():
    with pytest.raises(SqlInvalid) as caught:
        load_check("/* ---\nasset: a.b\n--- */\nselect *\nfrm x y z", PATH, Surroundings())

    assert (caught.value.code, caught.value.where.line) == ("A2010", 5)
