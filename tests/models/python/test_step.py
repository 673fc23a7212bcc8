# SPDX-License-Identifier: Apache-2.0
"""What Python assets are, and what their step does on a lake."""

import pyarrow as pa
import pytest

from mainstem.errors import AssetNotFound, KeyNotUnique, ModelInvalid, SchemaDrifted, StepFailed
from mainstem.models import PythonGate, PythonStep, Rule
from mainstem.runs.retrying import may_retry
from mainstem.types import AssetKey, Retry

FLIGHTS = pa.table({"id": [1, 2], "day": ["mon", "tue"]})


def _file(body, imports="import pyarrow as pa\nfrom mainstem import asset\n"):
    return imports + body


def test_an_asset_reads_what_its_parameters_name(world):
    world.put("raw.flights", FLIGHTS)
    ((asset,),) = world.assets(_file("@asset\ndef a(flights): return flights\n"))

    assert asset.kind == "python"
    assert asset.inputs == (AssetKey("raw", "flights"),)
    assert asset.materialized == "table"
    assert asset.volatile == ""
    assert (asset.file, asset.line) == (world.file, 4)


def test_an_unknown_input_names_the_nearest(world):
    world.put("raw.flights", FLIGHTS)
    with pytest.raises(AssetNotFound) as caught:
        world.assets(_file("@asset\ndef a(flihgts): return flihgts\n"))

    assert "raw.flights" in caught.value.hint
    assert caught.value.where.line == 4


def test_deps_order_and_pass_nothing(world):
    world.put("raw.flights", FLIGHTS)
    ((asset,),) = world.assets(_file("@asset(deps=['flights'])\ndef a() -> None: ...\n"))

    assert asset.inputs == ()
    assert asset.after == (AssetKey("raw", "flights"),)


@pytest.mark.parametrize(
    ("decorator", "signature", "is_volatile"),
    [
        ("@asset", "a(flights)", False),
        ("@asset", "a()", True),
        ("@asset(rebuild='on_change')", "a()", False),
        ("@asset", "a(flights) -> None", True),
        ("@asset(rebuild='always')", "a(flights)", True),
    ],
)
def test_what_cannot_tell_whether_it_changed_is_volatile(world, decorator, signature, is_volatile):
    world.put("raw.flights", FLIGHTS)
    ((asset,),) = world.assets(_file(f"{decorator}\ndef {signature}: ...\n"))

    assert bool(asset.volatile) == is_volatile


def test_options_in_the_file_win_over_those_outside_and_tags_add_up(world):
    world.put("raw.flights", FLIGHTS)
    text = _file("@asset(owner='me', tags=['x'])\ndef a(flights): ...\n")
    outer = ({"owner": "folder", "tags": ["f"]}, {"owner": "yaml", "description": "d", "tags": "y"})
    ((asset,),) = world.assets(text, layers=lambda key: outer)

    assert (asset.owner, asset.description, asset.tags) == ("me", "d", ("f", "y", "x"))


def test_a_folder_of_views_has_tables_for_its_python_models(world):
    world.put("raw.flights", FLIGHTS)
    text = _file("@asset\ndef a(flights): ...\n")
    ((asset,),) = world.assets(text, layers=lambda key: ({"materialized": "view"},))

    assert asset.materialized == "table"


def test_configuration_and_variables_that_shape_data_change_the_version(world):
    world.put("raw.flights", FLIGHTS)

    def version(options="", variables=None):
        text = _file(f"@asset({options})\ndef a(flights, context): return context.vars['d']\n")
        return world.assets(text, variables=variables)[0][0].code_version

    plain = version()
    assert version("tags=['x'], description='d', retries=3, checks=[]") == plain
    assert version("materialized='incremental'") != plain
    assert version("partition_by=['day']") != plain
    assert version(variables={"other": 1}) == plain
    assert version(variables={"d": 1}) != plain


@pytest.mark.parametrize(
    "options",
    [
        "materialized='view'",
        "materialized='incremental', strategy='upsert'",
        "materialized='incremental', strategy='replace_partitions'",
        "retries=-1",
        "timeout='soon'",
        "retry_delay='soon'",
        "retry_backoff='linear'",
        "retry_factor=0.5",
        "retry_jitter=2",
        "retry_on=[3]",
        "no_retry_on='not a name'",
        "partition_by=['week(day)']",
        "rebuild='sometimes'",
        "fresh_for='a while'",
        "fresh_for='1h', rebuild='1d'",
    ],
)
def test_options_that_make_no_sense_are_refused_with_their_place(world, options):
    with pytest.raises(ModelInvalid) as caught:
        world.assets(_file(f"@asset({options})\ndef a(): ...\n"))

    assert caught.value.code == "A7103"
    assert caught.value.where.file == world.file


@pytest.mark.parametrize(
    ("option", "rule", "seconds"),
    [
        ("rebuild='1d'", "rebuild: 1d", 86_400),
        ("fresh_for='2h'", "fresh_for: 2h", 7_200),
        ("fresh_for=timedelta(minutes=1)", "fresh_for: 60s", 60),
    ],
)
def test_an_age_says_when_python_without_inputs_is_built_anew(world, option, rule, seconds):
    text = f"from datetime import timedelta\n\n@asset({option})\ndef a(): ...\n"

    ((made,),) = world.assets(_file(text))

    assert (made.rebuild_rule, made.rebuild_after_s) == (rule, seconds)
    assert made.volatile == ""


def test_an_increment_is_appended_and_sees_what_is_there(world):
    text = _file(
        "@asset(materialized='incremental')\n"
        "def a(this: pa.Table | None):\n"
        "    seen = 0 if this is None else this.num_rows\n"
        "    return pa.table({'n': [seen]})\n"
    )
    step = world.step(text)
    operations = [world.execute(step).changes[0].operation for _ in range(3)]

    assert operations == ["overwrite", "append", "append"]
    assert [row["n"] for row in world.rows()] == [0, 1, 2]


def test_a_full_refresh_starts_over(world):
    text = _file(
        "@asset(materialized='incremental')\n"
        "def a(this: pa.Table | None, context):\n"
        "    assert this is None or not context.full_refresh\n"
        "    return pa.table({'n': [1]})\n"
    )
    step = world.step(text)
    world.execute(step)
    world.context.full_refresh = True
    outcome = world.execute(step)

    assert outcome.changes[0].operation == "overwrite"
    assert len(world.rows()) == 1


def test_an_increment_without_rows_changes_nothing(world):
    text = _file(
        "@asset(materialized='incremental')\n"
        "def a(this: pa.Table | None):\n"
        "    if this is None: yield {'n': 1}\n"
    )
    step = world.step(text)
    world.execute(step)
    outcome = world.execute(step)

    assert outcome.changes == ()
    assert outcome.unchanged == (AssetKey("marts", "a"),)


def test_rows_are_upserted_by_key(world):
    text = _file(
        "@asset(materialized='incremental', key=['id'])\n"
        "def a(this: pa.Table | None):\n"
        "    if this is None: return [{'id': 1, 'v': 'a'}, {'id': 2, 'v': 'b'}]\n"
        "    return [{'id': 2, 'v': 'B'}, {'id': 3, 'v': 'c'}]\n"
    )
    step = world.step(text)
    world.execute(step)
    outcome = world.execute(step)

    assert outcome.changes[0].operation == "upsert"
    assert sorted((row["id"], row["v"]) for row in world.rows()) == [(1, "a"), (2, "B"), (3, "c")]


def test_a_key_that_repeats_in_an_upsert_is_refused(world):
    text = _file(
        "@asset(materialized='incremental', key=['id'])\n"
        "def a(this: pa.Table | None):\n"
        "    return [{'id': 1}] if this is None else [{'id': 1}, {'id': 1}]\n"
    )
    step = world.step(text)
    world.execute(step)

    with pytest.raises(KeyNotUnique):
        world.execute(step)
    assert world.rows() == [{"id": 1}]


def test_partitions_that_get_rows_are_replaced(world):
    text = _file(
        "@asset(materialized='incremental', strategy='replace_partitions', partition_by=['day'])\n"
        "def a(this: pa.Table | None):\n"
        "    if this is None: return [{'day': 'mon', 'v': 1}, {'day': 'tue', 'v': 2}]\n"
        "    return [{'day': 'tue', 'v': 3}]\n"
    )
    step = world.step(text)
    world.execute(step)
    world.execute(step)

    assert sorted((row["day"], row["v"]) for row in world.rows()) == [("mon", 1), ("tue", 3)]


def test_a_type_that_the_table_cannot_take_over_fails_and_the_worker_lives(world):
    text = _file(
        "@asset(materialized='incremental')\n"
        "def a(this: pa.Table | None):\n"
        "    return [{'n': 1}] if this is None else [{'n': 'text'}]\n"
    )
    step = world.step(text)
    world.execute(step)

    with pytest.raises(SchemaDrifted):
        world.execute(step)
    assert world.rows() == [{"n": 1}]


def test_an_effect_writes_nothing_and_asks_for_no_place(world):
    outcome = world.build(_file("@asset\ndef a() -> None:\n    print('done')\n"))

    assert outcome.changes == ()
    assert ("stdout", "done") in world.context.lines


def test_none_without_an_annotation_is_recorded_with_a_warning(world):
    outcome = world.build(_file("@asset\ndef a():\n    pass\n"))

    assert outcome.changes == ()
    assert "-> None" in outcome.warnings[0]


def test_a_parameter_that_names_an_effect_is_none(world):
    body = "@asset\ndef first() -> None: ...\n@asset\ndef a(first): return [{'x': first is None}]\n"
    assets = world.assets(_file(body))
    effects = [AssetKey("marts", "first")]
    world.execute(PythonStep(assets[1], world.pool, effects=effects))

    assert world.rows() == [{"x": True}]


def test_context_tells_of_the_run_and_hears_the_function(world):
    world.build(
        _file(
            "@asset\ndef a(context):\n"
            "    context.log('hello')\n    context.progress(5, 'half')\n"
            "    return [{'run': context.run_id, 'at': context.logical_time.isoformat(),\n"
            "             'x': context.vars['x'], 'branch': context.branch}]\n"
        ),
        variables={"x": 3},
    )

    assert world.rows() == [{"run": 7, "at": "2026-01-01T00:00:00+00:00", "x": 3, "branch": "main"}]
    assert ("log", "hello") in world.context.lines
    assert world.context.progressed == [(5, "half")]


MULTI = "import pyarrow as pa\nfrom mainstem import multi_asset\n"


def test_a_multi_asset_writes_each_output_in_any_order(world):
    outcome = world.build(
        MULTI + "@multi_asset({'raw.a': {}, 'b': {'partition_by': ['x']}})\n"
        "def both():\n"
        "    yield 'raw.a', [{'x': 1}]\n    yield 'marts.b', pa.table({'x': [2]})\n"
        "    yield 'a', [{'x': 3}]\n"
    )

    assert {str(change.key) for change in outcome.changes} == {"raw.a", "marts.b"}
    assert world.rows("raw.a") == [{"x": 1}, {"x": 3}]
    assert world.rows("marts.b") == [{"x": 2}]


def test_assets_of_a_multi_asset_share_a_group_and_a_code_version(world):
    text = MULTI + "@multi_asset(['a', 'b'])\ndef both(): ...\n"
    ((one, two),) = world.assets(text)

    assert one.group == two.group != ""
    assert one.change_summary["rows"] == two.change_summary["rows"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("yield 'raw.a', [{'x': 1}]", "yielded nothing for marts.b"),
        ("yield 'raw.c', [{'x': 1}]", "`raw.c`"),
        ("yield [{'x': 1}]", "a pair (key, data)"),
        ("return 3", "`int`"),
    ],
)
def test_a_multi_asset_that_yields_something_else_is_told(world, body, named):
    with pytest.raises(StepFailed) as caught:
        world.build(MULTI + f"@multi_asset(['raw.a', 'b'])\ndef both():\n    {body}\n")

    assert named in caught.value.summary


@pytest.mark.parametrize(
    ("body", "is_retryable"),
    [("raise ValueError", True), ("import os; os._exit(1)", True), ("return 3", False)],
)
def test_retries_are_for_what_may_go_well_the_next_time(world, body, is_retryable):
    step = world.step(_file(f"@asset\ndef a():\n    {body}\n"))
    with pytest.raises(StepFailed) as caught:
        step.execute(world.context)

    assert may_retry(Retry(count=2), caught.value) is is_retryable


def test_the_first_error_among_written_rows_leaves_nothing_committed(world):
    with pytest.raises(StepFailed) as caught:
        world.build(_file("@asset\ndef a():\n    yield [{'x': 1}]\n    raise ValueError('late')\n"))

    assert "late" in caught.value.summary
    assert world.lake.entry(AssetKey("marts", "a"), "main") is None


CHECK = "import pyarrow as pa\nfrom mainstem import asset, check\n"


def _judge(world, body, options=""):
    world.put("marts.delays", pa.table({"n": [1, 2, 3]}))
    world.assets(
        CHECK + f"@check('marts.delays'{options})\ndef complete(delays: pa.Table):\n    {body}\n"
    )
    gate = PythonGate(world.checks[0], world.pool)
    return gate, gate.evaluate(world.context.relation, world.context.cancel)


def test_a_check_that_returns_true_passes(world):
    gate, result = _judge(world, "return delays.num_rows == 3")

    assert gate.check_id == "marts.delays/complete"
    assert gate.reads == (AssetKey("marts", "delays"),)
    assert (result.verdict, result.failed_count) == ("passed", None)


def test_rows_that_a_check_returns_are_failing_rows(world):
    _, result = _judge(world, "return delays.slice(1)")

    assert (result.verdict, result.failed_count) == ("failed", 2)
    assert result.sample == ({"n": 2}, {"n": 3})
    assert result.message == "complete: 2 failing rows"


def test_no_row_returned_passes(world):
    assert _judge(world, "return delays.slice(3)")[1].verdict == "passed"


def test_the_severity_of_a_check_decides_between_warning_and_failing(world):
    assert _judge(world, "return False", ", severity='warn'")[1].verdict == "warned"


@pytest.mark.parametrize("body", ["raise ValueError('no')", "return 3", "import os; os._exit(4)"])
def test_a_check_that_cannot_be_evaluated_is_errored(world, body):
    _, result = _judge(world, body)

    assert result.verdict == "errored"
    assert result.holds_publishing
    assert result.message


def _quarantine(asset):
    return lambda schema: [Rule(check_id="between(n)", predicate="n > 2")]


REJECTING = """
@asset(materialized='incremental')
def a(this: pa.Table | None):
    yield [{'n': 1}, {'n': 5}]
    yield [{'n': None}, {'n': 2}]
"""


def test_rows_that_break_a_check_are_set_aside_with_the_reason(world):
    step = world.step(_file(REJECTING), quarantine=_quarantine)
    outcome = world.execute(step)

    assert [row["n"] for row in world.rows()] == [1, None, 2]
    assert world.rows("marts.a__quarantine") == [
        {"n": 5, "quarantine_reason": "between(n)", "quarantine_run": 7}
    ]
    assert outcome.notes == ("1 row quarantined in marts.a__quarantine",)
    assert outcome.rows == {AssetKey("marts", "a"): 3}


def test_rejected_rows_are_added_by_increments_and_replaced_by_rebuilds(world):
    step = world.step(_file(REJECTING), quarantine=_quarantine)
    world.execute(step)
    world.execute(step)
    after_increment = len(world.rows("marts.a__quarantine"))
    world.context.full_refresh = True
    world.execute(step)

    assert (after_increment, len(world.rows("marts.a__quarantine"))) == (2, 1)


def test_a_rebuild_without_rejects_empties_the_quarantine(world):
    world.put("raw.n", pa.table({"n": [5]}))
    step = world.step(_file("@asset\ndef a(n): return n\n"), quarantine=_quarantine)
    world.execute(step)
    world.put("raw.n", pa.table({"n": [1]}))
    world.execute(step)

    assert world.rows() == [{"n": 1}]
    assert world.rows("marts.a__quarantine") == []


def test_a_planned_full_rebuild_replaces_an_increments_rows(world):
    text = _file(
        "@asset(materialized='incremental')\n"
        "def a(this: pa.Table | None):\n"
        "    return [{'fresh': this is None}]\n"
    )
    world.execute(world.step(text))
    world.execute(world.step(text, is_full_rebuild=True))

    assert world.rows() == [{"fresh": True}]


def test_arrow_of_a_worker_takes_memory_from_the_system(world):
    world.build(
        _file("@asset\ndef a(): return [{'pool': pa.default_memory_pool().backend_name}]\n")
    )

    assert world.rows() == [{"pool": "system"}]
