# SPDX-License-Identifier: Apache-2.0
"""SQL files to assets: headers, options and where they come from, fingerprints, faults."""

from __future__ import annotations

import pickle

import pytest

from mainstem.errors import (
    ConfigInvalid,
    CycleFound,
    ErrorGroup,
    ModelInvalid,
    SqlInvalid,
    UserError,
)
from mainstem.graph import Names
from mainstem.models import (
    PropertyIndex,
    Surroundings,
    draft_sql_model,
    load_properties,
    resolve_inputs,
    sql_asset,
    understand,
)
from mainstem.types import AssetKey, Execution, LayoutColumn, Retry

PATH = "models/marts/t.sql"


def load(text, path=PATH, *, yaml="", **options):
    entries = load_properties(yaml, "models/marts/p.yml") if yaml else ()
    found = PropertyIndex(entries=entries).of(AssetKey.parse("marts.t"), section="models")
    draft = draft_sql_model(text, path, Surroundings(properties=found, **options))
    return sql_asset(understand(draft))


def header(options, query="select 1 as a"):
    return f"/* ---\n{options}\n--- */\n{query}"


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("models/x.sql", "main.x"),
        ("models/marts/x.sql", "marts.x"),
        ("models/marts/deep/er/x.sql", "marts.x"),
    ],
)
def test_the_first_folder_is_the_namespace(path, key):
    assert load("select 1 as a", path).key == AssetKey.parse(key)


def test_namespace_overrides_the_folder():
    assert load(header("namespace: finance")).key == AssetKey.parse("finance.t")


def test_a_plain_file_is_a_view():
    asset = load("select 1 as a")

    assert (asset.kind, asset.materialized, asset.on_code_change) == ("sql", "view", "rebuild")


def test_all_options_of_a_header_are_read():
    asset = load(
        header(
            "materialized: incremental\nkey: [id]\npartition_by: [month(day), carrier]\n"
            "tags: [daily, core]\nowner: a@b.example\ndescription: Some rows.\nupstream: mutable\n"
            "on_code_change: rebuild\ndeps: [raw.audit]\nretries: 2\ntimeout: 10m\n"
            "checks: [{not_null: [id]}]",
            "select 1 as id, current_date as day, 'AA' as carrier",
        )
    )

    model = asset.definition
    assert asset.materialized == "incremental"
    assert asset.row_key == ("id",)
    assert asset.partition_by == (
        LayoutColumn(column="day", transform="month"),
        LayoutColumn(column="carrier"),
    )
    assert asset.tags == ("daily", "core")
    assert (asset.owner, asset.description) == ("a@b.example", "Some rows.")
    assert asset.upstream_mutable
    assert asset.on_code_change == "rebuild"
    assert model.strategy == "upsert"
    assert asset.execution == Execution(retry=Retry(count=2), timeout_s=600)
    assert [one.name for one in model.after] == ["raw.audit"]
    assert [(one.entry, one.line) for one in model.checks] == [({"not_null": ["id"]}, 13)]


def test_incremental_models_go_forward_and_tables_rebuild():
    assert load(header("materialized: incremental")).on_code_change == "forward"
    assert load(header("materialized: table")).on_code_change == "rebuild"


def test_the_file_wins_over_yaml_and_yaml_over_the_folder_tree():
    yaml = (
        "models: [{name: t, config: {materialized: incremental}, description: from yaml, "
        "tags: [y]}]"
    )
    folder = {"materialized": "ephemeral", "owner": "folder@x", "tags": ["f"]}

    asset = load(header("materialized: table\ntags: [h]"), yaml=yaml, folder_options=folder)
    other = load("select 1 as a", yaml=yaml, folder_options=folder)

    assert asset.materialized == "table"
    assert other.materialized == "incremental"
    assert (asset.description, asset.owner) == ("from yaml", "folder@x")
    assert asset.tags == ("f", "y", "h")


def test_config_in_the_text_takes_the_names_of_dbt():
    text = (
        "{{ config(materialized='incremental', unique_key='id', "
        "incremental_strategy='delete+insert') }} select 1 as id"
    )

    asset = load(text)

    assert (asset.row_key, asset.definition.strategy) == (("id",), "delete_insert")


def test_the_header_wins_over_config_in_the_text_and_that_over_yaml():
    yaml = "models: [{name: t, config: {materialized: table, owner: y}}]"
    text = "{{ config(materialized='incremental', owner='c', tags=['c']) }} select 1 as a"

    asset = load(header("materialized: view", text), yaml=yaml)

    assert (asset.materialized, asset.owner, asset.tags) == ("view", "c", ("c",))


def test_config_in_the_text_may_move_the_model_to_another_namespace():
    asset = load("{{ config(schema='finance') }}select '{{ this }}' as name")

    assert asset.key == AssetKey.parse("finance.t")
    assert "finance.t" in asset.definition.sql


@pytest.mark.parametrize(
    "call",
    ["retries='x'", "timeout='soon'", "on_code_change='never'", "materialized='tabel'", "key=1"],
)
def test_values_in_config_are_checked_too(call):
    with pytest.raises(UserError) as caught:
        load(f"{{{{ config({call}) }}}}select 1 as a{{# #}}")

    assert caught.value.code == "A2032"
    assert caught.value.where.file == PATH


def test_checks_of_header_and_yaml_add_up():
    yaml = """
models:
  - name: t
    data_tests: [unique_rows: {x: 1}]
    columns:
      - name: a
        description: the a
        tests: [not_null]
"""
    asset = load(header("checks: [{row_count: {min: 1}}]"), yaml=yaml)

    assert [(one.entry, one.column, one.line) for one in asset.definition.checks] == [
        ({"row_count": {"min": 1}}, "", 2),
        ({"unique_rows": {"x": 1}}, "", 4),
        ("not_null", "a", 8),
    ]
    assert asset.columns["a"] == {"line": 4, "description": "the a"}


def test_inputs_are_resolved_against_the_whole_project():
    asset = load(
        "select * from orders join raw.items using (id) join {{ ref('staging.x') }} using (id)"
    )
    names = Names(
        [AssetKey.parse(key) for key in ("raw.orders", "raw.items", "staging.x", "marts.t")]
    )

    resolved, problems = resolve_inputs(asset, names)

    assert problems == ()
    assert [str(key) for key in resolved.inputs] == ["raw.orders", "raw.items", "staging.x"]


def test_an_unknown_input_is_an_error_with_place_and_suggestion():
    asset = load("select *\nfrom {{ ref('order') }}")

    _, (problem,) = resolve_inputs(asset, Names([AssetKey.parse("raw.orders")]))

    assert problem.code == "A2003"
    assert "raw.orders" in problem.hint
    assert (problem.where.file, problem.where.line, problem.where.column) == (PATH, 2, 14)
    assert problem.where.excerpt == "from {{ ref('order') }}"


def test_a_bare_name_never_means_the_model_itself():
    names = Names([AssetKey.parse(key) for key in ("raw.t", "marts.t")])

    resolved, problems = resolve_inputs(load("select * from t"), names)

    assert problems == ()
    assert resolved.inputs == (AssetKey.parse("raw.t"),)


def test_a_model_that_can_only_mean_itself_is_told_so():
    asset = load("select 1 as a\nfrom t")

    _, (problem,) = resolve_inputs(asset, Names([asset.key]))

    assert (problem.code, problem.where.line, problem.where.column) == ("A2005", 2, 6)


def test_only_incremental_models_read_their_own_rows():
    with pytest.raises(CycleFound) as caught:
        load("select 1 as a\nfrom {{ this }}")

    assert caught.value.code == "A2005"
    assert caught.value.where.line == 2


def test_a_model_that_reads_its_own_table_is_not_its_input():
    text = header(
        "materialized: incremental",
        "select 1 as a {% if is_incremental() %}from {{ this }}{% endif %}",
    )

    resolved, problems = resolve_inputs(load(text), Names([AssetKey.parse("marts.t")]))

    assert (resolved.inputs, problems) == ((), ())


@pytest.mark.parametrize(
    ("one", "other", "is_equal"),
    [
        ("select a from x", "select A\nfrom x -- more", True),
        ("select a from x", "select b from x", False),
        (
            header("materialized: table", "select a from x"),
            header(
                "materialized: table\nowner: o\ntags: [t]\ndescription: d\nchecks: [unique]",
                "select a from x",
            ),
            True,
        ),
        (
            header("materialized: table", "select a from x"),
            header("materialized: view", "select a from x"),
            False,
        ),
        (
            header("materialized: table", "select a from x"),
            header("materialized: table\npartition_by: [a]", "select a from x"),
            False,
        ),
        (
            header("materialized: table", "select a from x"),
            header("materialized: table\ncontract: {a: bigint}", "select a from x"),
            False,
        ),
        ("select a from {{ ref('x') }}", "select a from x", True),
        ("select {{ var('v') }} as a", "select 1 as a", True),
    ],
)
def test_the_code_version_changes_with_meaning_and_shaping_options_only(one, other, is_equal):
    before, after = (load(text, vars={"v": 1}) for text in (one, other))

    assert (before.code_version == after.code_version) == is_equal


def test_a_variable_that_is_read_is_part_of_the_code_version():
    text = "select {{ var('v') }} as a, '{{ var('w', '') }}' as b"

    versions = {
        load(text, vars=values).code_version for values in ({"v": 1}, {"v": 2}, {"v": 2, "z": 3})
    }

    assert len(versions) == 2


def test_the_code_version_does_not_know_the_time_or_the_state_of_the_table():
    text = header(
        "materialized: incremental",
        (
            "select 1 as a where {{ newer_than('a') }} and '{{ run_started_at }}' > '' {% if "
            "is_incremental() %} and true {% endif %}"
        ),
    )

    assert load(text).code_version == load(text).code_version
    assert load(text).volatile == ""


@pytest.mark.parametrize(
    ("options", "volatile"),
    [
        ("tags: [x]", "it calls random()"),
        ("rebuild: on_change", ""),
        ("rebuild: always", "rebuild: always"),
    ],
)
def test_rebuild_overrides_what_the_text_says(options, volatile):
    assert load(header(options, "select random() as r")).volatile == volatile


def test_an_age_at_which_a_model_is_built_anew_is_read():
    asset = load(header("materialized: table\nrebuild: 12h", "select random() as r"))

    assert (asset.volatile, asset.rebuild_after_s) == ("", 43_200)
    assert asset.rebuild_rule == "rebuild: 12h"


def test_the_result_can_be_cached():
    asset = load(header("materialized: table", "select * from {{ ref('x') }}"))

    assert pickle.loads(pickle.dumps(asset)) == asset


@pytest.mark.parametrize(
    ("text", "code", "place", "word"),
    [
        (header("materialised: table"), "A1010", (2, 1), "Did you mean `materialized`?"),
        (header("key: 1"), "A1011", (2, 6), "number"),
        (header("materialized: tabel"), "A1012", (2, 15), "Did you mean `table`?"),
        (header("tags: ['*/']"), "A2030", (2, 9), "YAML file"),
        ("/* ---\nmaterialized: table\nselect 1", "A2030", (1, 7), "--- */"),
        (header("materialized: history"), "A2034", (2, 1), "not there yet"),
        (header("enabled: false"), "A2034", (2, 1), "Move the file"),
        (header("rebuild: daily"), "A1012", (2, 10), "always"),
        (header("rebuild: 1d"), "A2033", (2, 1), "view"),
        (header("materialized: table\npartition_by: [week(a)]"), "A2032", (3, 1), "month(column)"),
        (header("partition_by: [a]"), "A2033", (2, 1), "view"),
        (header("materialized: table\nstrategy: append"), "A2033", (3, 1), "incremental"),
        (header("materialized: incremental\nstrategy: upsert"), "A2033", (3, 1), "`key`"),
        (
            header("materialized: incremental\nstrategy: replace_partitions"),
            "A2033",
            (3, 1),
            "partition_by",
        ),
        (header("contract: true"), "A2032", (2, 1), "type"),
        ("select 1 as a\nwhere {{ newer_than('a') }}", "A2033", (2, 10), "incremental"),
        (
            header(
                "materialized: incremental",
                "select 1 as a where {{ newer_than('a', lookback='1 day') }}",
            ),
            "A2033",
            (4, 40),
            "key",
        ),
        (
            "{{ config(materialised='x') }} select 1",
            "A2031",
            (0, 0),
            "Did you mean `materialized`?",
        ),
        (header("tags: [a]", "select a frm b c"), "A2010", (4, 14), "unexpected"),
        ("{% for c in [1, 2] %}\nselect {{ c }} as a frm b\n{% endfor %}", "A2010", (2, 21), "frm"),
        ("select a,, b from x", "A2010", (1, 10), "comma"),
    ],
)
def test_faults_are_told_with_their_place(text, code, place, word):
    with pytest.raises(UserError) as caught:
        load(text)

    error = caught.value
    assert error.code == code
    assert (error.where.line, error.where.column) == place
    assert error.where.file == PATH
    assert word in f"{error.summary} {error.hint}"


def test_several_faults_are_told_together():
    with pytest.raises(ErrorGroup) as caught:
        load(header("materialized: tabel\nkeys: [a]\nowner: 3"))

    assert [error.code for error in caught.value.errors] == ["A1012", "A1010", "A1011"]


def test_a_header_that_is_not_yaml_is_an_error_of_its_line():
    with pytest.raises(ConfigInvalid) as caught:
        load("/* ---\na: b\nx: [\n--- */\nselect 1")

    assert caught.value.code == "A1001"
    assert caught.value.where.line in {3, 4}


def test_a_file_name_with_a_dot_is_refused():
    with pytest.raises(ModelInvalid) as caught:
        load("select 1 as a", "models/marts/t.v2.sql")

    assert caught.value.code == "A2037"


def test_a_file_without_sql_is_refused():
    with pytest.raises(SqlInvalid) as caught:
        load(header("materialized: table", "-- later"))

    assert caught.value.code == "A2011"


def test_the_text_hash_is_of_what_is_rendered_and_of_what_shapes_data():
    def text_hash(macro, options):
        text = header(options, "select {{ twice('a') }} as a from b")
        macros = {"macros/m.sql": "{% macro twice(x) %}" + macro + "{% endmacro %}"}
        return load(text, macros=macros).code_text_hash

    first = text_hash("2 * {{ x }}", "description: one")

    assert text_hash("2 * {{ x }}", "description: two") == first
    assert text_hash("{{ x }} * 2", "description: one") != first
    assert text_hash("2 * {{ x }}", "materialized: table") != first
