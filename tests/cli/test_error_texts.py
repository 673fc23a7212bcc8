# SPDX-License-Identifier: Apache-2.0
"""Errors as text, to the character (GRAMMAR 6)."""

from mainstem.cli.render.errors import error_lines
from mainstem.cli.render.look import PLAIN, Look
from mainstem.errors import ErrorGroup, InternalError, SqlInvalid, UserError, Where


def _unknown_column():
    return SqlInvalid(
        "A2041",
        "column `dep_dely` does not exist in raw.flights.",
        hint="raw.flights has 19 columns: mainstem show raw.flights",
        known=["dep_delay"],
        where=Where(
            file="models/marts/delays.sql",
            line=7,
            column=7,
            length=8,
            excerpt="  avg(dep_dely) as mean_delay",
        ),
    )


def test_an_unknown_column_is_shown_as_the_grammar_says():
    lines = error_lines(_unknown_column(), PLAIN, ending="nothing was run")

    assert lines == [
        "error[A2041]: column `dep_dely` does not exist in raw.flights",
        "  models/marts/delays.sql:7:7",
        "    7 |   avg(dep_dely) as mean_delay",
        "      |       ^^^^^^^^ did you mean `dep_delay`?",
        "  raw.flights has 19 columns: mainstem show raw.flights",
        "1 error; nothing was run. More: mainstem explain A2041",
    ]


def test_a_suggestion_in_the_hint_stands_behind_the_carets_once():
    error = SqlInvalid(
        "A2040",
        "table `raw.fligths` does not exist.",
        hint="Did you mean `raw.flights`? See them all: mainstem list",
        where=Where(file="models/x.sql", line=12, column=6, length=11, excerpt="from raw.fligths"),
    )

    lines = error_lines(error, PLAIN)

    assert lines[2:5] == [
        "    12 | from raw.fligths",
        "       |      ^^^^^^^^^^^ did you mean `raw.flights`?",
        "  See them all: mainstem list",
    ]


def test_what_is_known_is_suggested_only_if_it_is_like_the_name():
    error = UserError(
        "A1010",
        "`zzz` is not a key of a job.",
        hint="Known keys: select, cron.",
        known=["select", "cron"],
        where=Where(file="mainstem.yml", line=8, column=5, length=3, excerpt="    zzz: true"),
    )

    lines = error_lines(error, PLAIN)

    assert lines[3:5] == ["      |     ^^^", "  Known keys: select, cron."]


def test_an_error_without_a_place_has_its_hint_below():
    lines = error_lines(UserError("A1051", "There is no command `rnu`.", hint="mainstem"), PLAIN)

    assert lines == [
        "error[A1051]: There is no command `rnu`",
        "  mainstem",
        "1 error. More: mainstem explain A1051",
    ]


def test_all_errors_of_a_group_are_shown():
    group = ErrorGroup([_unknown_column(), UserError("A1051", "There is no command `x`.")])

    lines = error_lines(group, PLAIN, ending="nothing was run")

    assert sum(line.startswith("error[") for line in lines) == 2
    assert lines[-1] == "2 errors; nothing was run. More: mainstem explain A2041"


def test_carets_never_reach_beyond_the_excerpt():
    error = SqlInvalid(
        "A2010",
        "unexpected end",
        where=Where(file="a.sql", line=1, column=5, length=90, excerpt="select"),
    )

    lines = error_lines(error, PLAIN)

    assert lines[3] == "      |     ^^"


def test_our_own_bugs_ask_to_be_reported_and_show_details():
    lines = error_lines(InternalError("A9000", "KeyError: 'x'", details="Traceback\n  line"), PLAIN)

    assert "  Traceback" in lines
    assert any("report" in line for line in lines)


def test_colour_is_added_only_where_it_can_be_seen():
    plain = error_lines(_unknown_column(), PLAIN)
    coloured = error_lines(_unknown_column(), Look(has_color=True))

    assert not any("\x1b" in line for line in plain)
    assert coloured[0].startswith("\x1b[31merror[A2041]\x1b[0m")
