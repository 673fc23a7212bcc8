# SPDX-License-Identifier: Apache-2.0
"""Templates: the static path, Jinja with macros, what they record, and errors with their lines."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from mainstem.errors import SqlInvalid
from mainstem.sql import RenderContext, render
from mainstem.types import AssetKey

MACROS = {
    "macros/money.sql": (
        "{% macro cents(c) %}({{ c }} * {{ var('scale') }}){% endmacro %}\n"
        "{% macro both(c) %}{{ cents(c) }}, {{ twice(c) }}{% endmacro %}\n"
    ),
    "macros/more.sql": (
        "{% macro twice(c) %}2 * {{ c }}{% endmacro %}\n"
        "{% macro where_am_i() %}{{ this }}{% endmacro %}\n"
        "{% macro broken() %}\n\n{{ nope }}\n{% endmacro %}\n"
    ),
}
CONTEXT = RenderContext(
    key=AssetKey.parse("marts.orders"),
    project_name="shop",
    environment="dev",
    vars={"scale": 100, "days": ["mon", "tue"]},
    env={"REGION": "eu"},
    macros=MACROS,
)


def sql(text, context=CONTEXT):
    return render(text, context, file="models/m.sql").sql


@pytest.mark.parametrize("ending", ["", "{# now through Jinja #}"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select * from {{ ref('orders') }}", "select * from __ref__.orders"),
        ("select * from {{ref('raw.orders')}}", "select * from __ref__.raw.orders"),
        ("select * from {{ ref('shop', 'orders') }}", "select * from __ref__.orders"),
        ("select * from {{ ref('my orders') }}", 'select * from __ref__."my orders"'),
        ("select * from {{ ref('order') }}", 'select * from __ref__."order"'),
        ("select * from {{ source('raw', 'orders') }}", "select * from __ref__.raw.orders"),
        ("select {{ var('scale') }}, {{ var('none', 7) }}", "select 100, 7"),
        ("select '{{ env_var('REGION') }}{{ env_var('NO', 'x') }}'", "select 'eux'"),
        ("select * from {{ this }}", "select * from marts.orders"),
        ("where {{ newer_than('o.day') }}", "where __newer_than__(o.day)"),
        ("where {{ newer_than('day', lookback='3 days') }}", "where __newer_than__(day, '3 days')"),
        ("{{ config(materialized='table', tags=['a', 'b']) }}select 1", "select 1"),
    ],
)
def test_both_paths_render_plain_calls_alike(text, expected, ending):
    assert sql(text + ending) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "{% for d in var('days') %}'{{ d }}'{{ ',' if not loop.last }}{% endfor %}",
            "'mon','tue'",
        ),
        ("{% set n = 3 %}{% if n > 2 %}big{% else %}small{% endif %}", "big"),
        ("{% set l = [] %}{% do l.append('x') %}{{ l | join }}", "x"),
        ("{{ cents('a') }}", "(a * 100)"),
        ("{{ both('a') }}", "(a * 100), 2 * a"),
        ("{{ where_am_i() }}", "marts.orders"),
        ("{{ this.schema }}/{{ this.name }}/{{ this.identifier }}", "marts/orders/orders"),
        ("{{ target.name }} {{ target.type }}", "dev duckdb"),
        ("{{ project_name }}", "shop"),
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
        ("a {{- ' b' }}", "a b"),
    ],
)
def test_jinja_renders_blocks_macros_and_values(text, expected):
    assert sql(text) == expected


def test_the_static_path_keeps_every_line_where_it_was():
    text = "{{ config(\n  materialized='table',\n  tags=['a'],\n) }}\nselect 1\nfrom {{ ref('x') }}"

    assert sql(text).split("\n")[4:] == ["select 1", "from __ref__.x"]


def test_plain_calls_do_not_import_jinja():
    code = (
        "import sys\n"
        "from mainstem.sql import RenderContext, render\n"
        "from mainstem.types import AssetKey\n"
        "render(\"select * from {{ ref('x') }}\", RenderContext(key=AssetKey('a', 'b')))\n"
        "print('jinja2' in sys.modules, 'sqlglot' in sys.modules)\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False False\n"


def test_what_was_read_is_recorded():
    text = (
        "{% if target.name %}{{ config(materialized='view') }}{% endif %}"
        "select {{ var('scale') }} from {{ ref('x') }}, {{ source('a', 'b') }} "
        "where '{{ env_var('REGION') }}' = ''"
    )

    found = render(text, CONTEXT)

    assert found.refs == ("x",)
    assert found.sources == ("a.b",)
    assert found.config == {"materialized": "view"}
    assert {(one.kind, one.name) for one in found.used} == {
        ("env_var", "REGION"),
        ("macros", ""),
        ("target", "name"),
        ("var", "scale"),
    }


def test_values_are_recorded_as_hashes():
    context = replace(CONTEXT, env={"SECRET": "hunter2"})

    found = render("select '{{ env_var('SECRET') }}'", context)

    assert "hunter2" not in repr(found.used)


def test_is_incremental_is_answered_and_noted():
    text = "{% if is_incremental() %}more{% else %}all{% endif %}"

    first = render(text, CONTEXT)
    later = render(text, replace(CONTEXT, is_incremental=True))

    assert (first.sql, later.sql) == ("all", "more")
    assert first.asks_incremental


@pytest.mark.parametrize(
    ("text", "code", "line", "word"),
    [
        ("select {{ rf('x') }}", "A2021", 1, "did you mean `ref`?"),
        ("\nselect {% if x %}", "A2020", 2, "endif"),
        ("select\n{{ ref() }}", "A2024", 2, "ref()"),
        ("select {{ ref('p', 'x') }}", "A2024", 1, "package"),
        ("\n\n{{ var('scal') }}", "A2022", 3, "Did you mean `scale`?"),
        ("{{ env_var('NOPE') }}", "A2023", 1, "NOPE"),
        ("{{ this.nope }}", "A2021", 1, "nope"),
        ("\n{{ 1 / 0 }}", "A2025", 2, "division by zero"),
        ("{{ ''.__class__.__mro__ }}", "A2025", 1, "unsafe"),
        (
            "\n\n\n{{ exceptions.raise_compiler_error('not like this') }}",
            "A2025",
            4,
            "not like this",
        ),
        ("{{ newer_than('x', back='3 days') }}", "A2024", 1, "back"),
        ("{{ newer_than('x', lookback='soon') }}", "A2024", 1, "soon"),
        ("{% for i in range(10000000) %}{% endfor %}", "A2025", 1, "too big"),
        ("{{ 'x' + 1 }}{% set y = 1 %}", "A2025", 1, "concatenate"),
        ("{{ x", "A2020", 1, "end of"),
    ],
)
def test_errors_have_the_templates_line(text, code, line, word):
    with pytest.raises(SqlInvalid) as caught:
        sql(text)

    error = caught.value
    assert error.code == code
    assert (error.where.file, error.where.line) == ("models/m.sql", line)
    assert error.where.excerpt == text.split("\n")[line - 1]
    assert word.casefold() in f"{error.summary} {error.hint}".casefold()


def test_an_error_in_a_macro_has_the_macros_file_and_line():
    with pytest.raises(SqlInvalid) as caught:
        sql("select {{ broken() }}")

    assert caught.value.code == "A2021"
    assert (caught.value.where.file, caught.value.where.line) == ("macros/more.sql", 5)


def test_a_macro_file_that_cannot_be_read_names_itself():
    macros = {"macros/bad.sql": "{% macro x() %}\n{% if %}"}

    with pytest.raises(SqlInvalid) as caught:
        sql("{% if true %}1{% endif %}", replace(CONTEXT, macros=macros))

    assert (caught.value.code, caught.value.where.file, caught.value.where.line) == (
        "A2020",
        "macros/bad.sql",
        2,
    )


def test_two_macros_of_one_name_are_refused():
    macros = {
        "macros/a.sql": "{% macro x() %}{% endmacro %}",
        "macros/b.sql": "\n{% macro x() %}{% endmacro %}",
    }

    with pytest.raises(SqlInvalid) as caught:
        sql("{{ x() }}", replace(CONTEXT, macros=macros))

    assert caught.value.code == "A2026"
    assert (caught.value.where.file, caught.value.where.line) == ("macros/b.sql", 2)
