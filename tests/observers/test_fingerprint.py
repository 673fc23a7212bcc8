# SPDX-License-Identifier: Apache-2.0
"""Two failures are the same if they come from the same code in the same way."""

from mainstem.errors import SourceUnavailable, SqlInvalid, StepFailed, Where
from mainstem.observers import fingerprint_of, fingerprint_of_checks
from mainstem.types import AssetKey, CheckResult

ROOT = "/home/ann/shop"


def _raised(
    *,
    message="invalid literal for int(): 'x7'",
    kind="ValueError",
    line=12,
    source="total += int(row['n'])",
    root=ROOT,
    below="",
):
    details = (
        "Traceback (most recent call last):\n"
        f'  File "{root}/models/orders.py", line {line + 30}, in orders\n'
        "    return load(rows)\n"
        f'  File "{root}/models/lib.py", line {line}, in load\n'
        f"    {source}\n"
        "            ^^^^^^^^^^^\n"
        f"{below}"
        f"{kind}: {message}\n"
    )
    return StepFailed("A7110", f"main.orders raised {kind}: {message}.", details=details)


def _id(error, root=ROOT):
    return fingerprint_of(error, root=root, asset="main.orders").id


def test_values_and_numbers_of_lines_make_no_difference():
    assert _id(_raised()) == _id(_raised(message="invalid literal for int(): 'y8'", line=99))


def test_another_folder_makes_no_difference():
    assert _id(_raised()) == _id(_raised(root="/srv/shop"), root="/srv/shop")


def test_frames_of_libraries_make_no_difference():
    library = (
        '  File "/usr/lib/python3.11/site-packages/pandas/core/frame.py", line 7, in __getitem__\n'
        "    raise KeyError(key)\n"
    )

    assert _id(_raised()) == _id(_raised(below=library))


def test_an_environment_within_the_project_is_not_the_users_code():
    library = f'  File "{ROOT}/.venv/lib/python3.11/site-packages/x.py", line 7, in f\n    x()\n'

    assert _id(_raised()) == _id(_raised(below=library))


def test_another_type_or_another_line_of_code_is_another_failure():
    ids = {
        _id(_raised()),
        _id(_raised(kind="KeyError")),
        _id(_raised(source="total += float(row['n'])")),
    }

    assert len(ids) == 3


def test_the_depth_of_a_recursion_makes_no_difference():
    again = f"  File \"{ROOT}/models/lib.py\", line 12, in load\n    total += int(row['n'])\n"

    assert _id(_raised()) == _id(_raised(below=again * 20))


def test_of_chained_exceptions_the_last_one_counts():
    first = (
        "Traceback (most recent call last):\n"
        f'  File "{ROOT}/models/lib.py", line 3, in connect\n    dial()\n'
        "OSError: gone\n\nDuring handling of the above exception, another exception occurred:\n\n"
    )
    plain = _raised()
    chained = StepFailed("A7110", plain.summary, details=first + plain.details)

    assert _id(plain) == _id(chained)


def test_the_title_says_what_and_where():
    found = fingerprint_of(_raised(), root=ROOT)

    assert found.title == "ValueError in models/lib.py, load()"


def test_sql_is_known_by_code_and_the_text_of_its_line():
    def error(line, column="dep_dely"):
        where = Where(file="models/delays.sql", line=line, excerpt=f"  avg({column}) as mean")
        return SqlInvalid("A2041", f"column `{column}` does not exist.", where=where)

    assert _id(error(7)) == _id(error(9))
    assert _id(error(7)) != _id(error(7, "arr_dely"))


def test_without_a_place_it_is_the_code_the_asset_and_what_was_said_without_values():
    def error(asset, size):
        return fingerprint_of(
            SourceUnavailable("A3001", f"data/orders-{size}.csv has {size} bytes."), asset=asset
        ).id

    assert error("raw.a", 17) == error("raw.a", 18)
    assert error("raw.a", 17) != error("raw.b", 17)


def test_what_is_held_is_known_by_the_checks_that_failed():
    def held(*failed):
        results = [
            CheckResult(
                check_id=f"main.a/{name}",
                asset=AssetKey("main", "a"),
                verdict="failed" if name in failed else "passed",
                severity="error",
                failed_count=3,
            )
            for name in ("unique(id)", "not_null(id)")
        ]
        return fingerprint_of_checks(results, asset="main.a")

    assert held("unique(id)").id != held("unique(id)", "not_null(id)").id
    assert held("unique(id)").title == "main.a held by unique(id)"
