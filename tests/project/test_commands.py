# SPDX-License-Identifier: Apache-2.0
"""Assets that commands build, as projects declare and run them."""

import pytest

from mainstem.project import Watch
from mainstem.types import SystemClock

SUMS = """
import csv, os
with open(os.environ["MAINSTEM_INPUT_ORDERS"]) as file:
    total = sum(int(row["amount"]) for row in csv.DictReader(file))
with open(os.environ["MAINSTEM_OUTPUT"], "w") as file:
    file.write(f"total\\n{total}\\n")
"""
ENTRY = """assets:
  - key: marts.sums
    command: [python3, scripts/sums.py]
    inputs: [raw.orders]
    input_format: csv
    output: csv
"""


@pytest.fixture
def sums(shop):
    shop.write("scripts/sums.py", SUMS)
    shop.write("models/marts/commands.yml", ENTRY)
    return shop


def entry(shop, *lines, key="ops.it"):
    text = "".join(f"    {line}\n" for line in lines)
    shop.write("models/commands.yml", f"assets:\n  - key: {key}\n{text}")


def steps_of(finished):
    return {str(step.key): step for step in finished.steps}


def query(shop, sql):
    with shop.open() as project:
        return project.sql(sql).to_pylist()


def problems(shop):
    with shop.open() as project:
        return [(error.code, error.summary, error.where.line) for error in project.problems]


def logged(shop, key):
    with shop.open() as project:
        lines = project.run_log(1, key)
        return [(line.kind, line.text) for line in lines if line.kind in {"stdout", "stderr"}]


def test_a_command_reads_a_file_and_writes_the_table(sums):
    finished = sums.run()

    assert steps_of(finished)["marts.sums"].status == "built"
    assert query(sums, "from marts.sums") == [{"total": 60}]


def test_it_is_built_again_when_its_script_is_edited_and_not_otherwise(sums):
    sums.run()
    assert sums.actions()["marts.sums"] == "fresh"

    sums.write("scripts/sums.py", SUMS.replace("total = sum", "total = -sum"))

    assert sums.actions()["marts.sums"] == "build"
    sums.run()
    assert query(sums, "from marts.sums") == [{"total": -60}]


def test_the_plan_says_in_which_file_it_changed(sums):
    sums.run()
    sums.write("scripts/sums.py", SUMS + "# longer")

    with sums.open() as project:
        reasons = {str(item.key): item.reason for item in project.plan().assets}

    assert reasons["marts.sums"] == "its code changed in scripts/sums.py"


def test_a_server_sees_that_a_script_was_edited_added_or_removed(sums):
    sums.write("lib/a.txt", "1")
    sums.write("models/marts/commands.yml", ENTRY + '    files: ["lib/*.txt"]\n')
    watch = Watch(sums.path, clock=SystemClock())
    with sums.open() as project:
        watch.also((), project.loaded.scripts)
    seen = [watch.changed()]
    sums.write("scripts/sums.py", SUMS + "# longer")
    seen.append(watch.changed())
    sums.write("lib/b.txt", "1")
    seen.append(watch.changed())
    sums.remove("lib/a.txt")
    seen.append(watch.changed())

    assert seen == [(), ("scripts/sums.py",), ("lib/b.txt",), ("lib/a.txt",)]


def test_what_it_writes_beside_is_no_part_of_its_code(sums):
    sums.write("seen.txt", "before")
    sums.write("models/marts/commands.yml", ENTRY.replace("sums.py]", "sums.py, seen.txt]"))
    sums.run()
    sums.write("seen.txt", "after that")

    assert sums.actions()["marts.sums"] == "fresh"


def test_declared_files_count_as_its_code(sums):
    sums.write("lib/deep/rates.txt", "1")
    sums.write("models/marts/commands.yml", ENTRY + '    files: ["lib/**/*.txt"]\n')
    sums.run()
    sums.write("lib/deep/rates.txt", "22")
    changed = sums.actions()["marts.sums"]
    sums.run()
    sums.write("lib/more.txt", "1")

    assert (changed, sums.actions()["marts.sums"]) == ("build", "build")


def test_it_is_built_again_when_its_input_changes(sums):
    sums.run()
    sums.write("data/orders.csv", "id,amount\n1,10\n2,20\n3,30\n4,40\n")

    sums.run()

    assert query(sums, "from marts.sums") == [{"total": 100}]


@pytest.mark.parametrize("file_format", ["parquet", "arrow", "jsonl", "csv"])
def test_data_goes_in_and_out_in_each_format(shop, file_format):
    entry(
        shop,
        "shell: cp $MAINSTEM_INPUT_ROWS $MAINSTEM_OUTPUT",
        "inputs: {rows: raw.orders}",
        f"input_format: {file_format}",
        f"output: {file_format}",
    )

    shop.run()

    rows = query(shop, "select id, amount from ops.it order by id")
    assert rows == [{"id": n, "amount": 10 * n} for n in (1, 2, 3)]


def test_inputs_are_read_only(shop):
    entry(shop, "shell: stat -c %a $MAINSTEM_INPUT_ORDERS", "inputs: [raw.orders]")

    shop.run()

    assert logged(shop, "ops.it") == [("stdout", "444")]


def test_declared_types_hold_for_formats_that_have_none(shop):
    entry(
        shop,
        r"shell: printf 'id,zip\n1,01234\n' > $MAINSTEM_OUTPUT",
        "output: csv",
        "columns: [{name: zip, type: varchar}]",
    )

    shop.run()

    assert query(shop, "select zip from ops.it") == [{"zip": "01234"}]


def test_it_is_told_of_its_run(shop):
    entry(
        shop,
        'shell: echo "$MAINSTEM_RUN_ID $MAINSTEM_ASSET $MAINSTEM_BRANCH $MAINSTEM_ENVIRONMENT '
        '$MAINSTEM_ATTEMPT $MAINSTEM_FULL_REFRESH"; test -d "$MAINSTEM_PROJECT"; '
        'date -d "$MAINSTEM_LOGICAL_TIME" > /dev/null',
    )

    finished = shop.run()

    assert finished.status == "succeeded"
    assert logged(shop, "ops.it") == [("stdout", "1 ops.it main local 1 0")]


def test_only_what_is_passed_is_in_its_environment(shop, monkeypatch):
    monkeypatch.setenv("OF_THE_SERVER", "x")
    monkeypatch.setenv("STAGE", "blue")
    entry(
        shop,
        "shell: echo ${OF_THE_SERVER-none} $COLOUR $NUMBER $SWITCH",
        'env: {COLOUR: "dark ${STAGE}", NUMBER: 7, SWITCH: true}',
    )

    shop.run()

    assert logged(shop, "ops.it") == [("stdout", "none dark blue 7 true")]


def test_a_secret_of_its_environment_is_masked(shop, monkeypatch):
    monkeypatch.setenv("PLAIN", "sesame-open-4711")
    entry(shop, "shell: echo $API_TOKEN; exit 1", 'env: {API_TOKEN: "${PLAIN}"}')

    finished = shop.run()

    assert ("stdout", "****") in logged(shop, "ops.it")
    assert "4711" not in str(steps_of(finished)["ops.it"].error)


def test_a_secret_among_its_arguments_is_masked(shop, monkeypatch):
    monkeypatch.setenv("API_TOKEN", "sesame-open-4711")
    shop.write("key.txt", "swordfish-0815")
    command = '"echo $1 $2; exit 1", sh, "${API_TOKEN}", "--key=${file:key.txt}"'
    entry(shop, f"command: [sh, -c, {command}]".replace("$1", "$$1").replace("$2", "$$2"))

    finished = shop.run()

    assert ("stdout", "**** --key=****") in logged(shop, "ops.it")
    told = str(steps_of(finished)["ops.it"].error.details)
    assert "4711" not in told
    assert "0815" not in told


def test_arguments_are_no_shell_and_variables_in_them_are_filled_in(shop):
    entry(
        shop,
        'command: [python3, -c, "import sys; print(sys.argv[1:])", "a b; exit 1", "$HOME", '
        '"${MAINSTEM_ASSET}", "$$5"]',
    )

    shop.run()

    assert logged(shop, "ops.it") == [
        ("stdout", "['a b; exit 1', '$HOME', 'ops.it', '$5']"),
    ]


def test_a_variable_that_is_not_there_is_an_error_with_the_nearest(shop):
    entry(shop, 'command: [echo, "${MAINSTEM_ASETT}"]')

    error = steps_of(shop.run())["ops.it"].error

    assert error.code == "A1022"
    assert "MAINSTEM_ASSET" in error.hint


def test_a_command_that_fails_shows_its_last_lines(shop):
    entry(shop, "shell: for n in $(seq 100); do echo line $n >&2; done; false | cat")

    error = steps_of(shop.run())["ops.it"].error

    assert (error.code, error.where.file, error.where.line) == ("A7150", "models/commands.yml", 2)
    assert "exit code 1" in error.summary
    assert error.details.splitlines() == [f"line {n}" for n in range(81, 101)]


def test_it_may_say_itself_why_it_fails(shop):
    entry(
        shop,
        """shell: echo '{"type":"error","message":"no quota left"}' > $MAINSTEM_REPORT""",
    )

    assert steps_of(shop.run())["ops.it"].error.summary == "no quota left."


def test_exit_codes_can_be_worth_another_attempt(shop):
    entry(
        shop,
        "shell: test $MAINSTEM_ATTEMPT = 2 || exit 75",
        "retries: 3",
        "retry_delay: 1ms",
        "retry_on: [exit_75]",
    )

    assert shop.run().status == "succeeded"


def test_other_exit_codes_are_then_not(shop):
    entry(shop, "shell: exit 76", "retries: 3", "retry_delay: 1ms", "retry_on: [exit_75]")

    shop.run()

    with shop.open() as project:
        assert {line.attempt for line in project.run_log(1, "ops.it")} == {1}


def test_a_command_that_hangs_is_stopped_at_its_timeout(shop):
    entry(shop, "command: [sleep, '60']", "timeout: 200ms")

    error = steps_of(shop.run())["ops.it"].error

    assert "0.2 s" in error.summary


def test_a_program_that_is_not_there_is_said_so(shop):
    entry(shop, "command: [no-such-program]")

    error = steps_of(shop.run())["ops.it"].error

    assert error.code == "A7153"
    assert "`no-such-program` is not found" in error.summary


def test_metadata_stands_behind_the_step(shop):
    entry(
        shop,
        """shell: echo '{"type":"metadata","values":{"score":0.93}}' > $MAINSTEM_REPORT; """
        "echo junk > $MAINSTEM_REPORT",
    )

    step = steps_of(shop.run())["ops.it"]

    assert step.notes == ("score: 0.93",)
    assert "junk" in step.warnings[0]


def test_what_it_took_of_the_machine_is_its_own(shop):
    entry(shop, 'command: [python3, -c, "x = bytearray(300_000_000)"]')

    usage = steps_of(shop.run())["ops.it"].usage

    assert usage.measured == "worker"
    assert usage.peak_memory > 290_000_000


def test_a_skip_leaves_the_table_as_it_is(shop):
    entry(
        shop,
        "shell: test $MAINSTEM_RUN_ID = 1 || exit 99; echo n > $MAINSTEM_OUTPUT; "
        "echo $MAINSTEM_RUN_ID >> $MAINSTEM_OUTPUT",
        "output: csv",
        "skip_exit_codes: [99]",
    )
    shop.run()

    step = steps_of(shop.run())["ops.it"]

    assert (step.status, step.notes) == ("unchanged", ("skipped: exit code 99",))
    assert query(shop, "from ops.it") == [{"n": 1}]


def test_a_skip_before_there_is_a_table_is_an_error(shop):
    entry(
        shop,
        """shell: echo '{"type":"skip"}' > $MAINSTEM_REPORT""",
        "output: csv",
    )

    assert steps_of(shop.run())["ops.it"].error.code == "A7155"


def test_no_output_is_an_error(shop):
    entry(shop, "command: ['true']", "output: csv")

    assert steps_of(shop.run())["ops.it"].error.code == "A7151"


@pytest.mark.parametrize("file_format", ["parquet", "arrow", "jsonl"])
def test_output_of_another_format_is_an_error(shop, file_format):
    entry(shop, "shell: echo '<html>' > $MAINSTEM_OUTPUT", f"output: {file_format}")

    error = steps_of(shop.run())["ops.it"].error

    assert error.code == "A7152"
    assert file_format in error.summary


def test_rows_are_added_by_key(shop):
    entry(
        shop,
        r'shell: printf "id,run\n$MAINSTEM_RUN_ID,$MAINSTEM_RUN_ID\n9,$MAINSTEM_RUN_ID\n" '
        "> $MAINSTEM_OUTPUT",
        "output: csv",
        "materialized: incremental",
        "row_key: id",
    )
    shop.run()
    shop.run()

    rows = query(shop, "select id, run from ops.it order by id")

    assert rows == [{"id": 1, "run": 1}, {"id": 2, "run": 2}, {"id": 9, "run": 2}]


def test_checks_hold_what_it_built_and_send_rows_aside(shop):
    entry(
        shop,
        r'shell: printf "id\n1\n-1\n" > $MAINSTEM_OUTPUT',
        "output: csv",
        "checks: [{row_count: {min: 1}}]",
        "columns: [{name: id, checks: [{between: {min: 0, quarantine: true}}]}]",
    )

    finished = shop.run()

    assert finished.status == "succeeded"
    assert query(shop, "from ops.it") == [{"id": 1}]
    assert query(shop, "select id from ops.it__quarantine") == [{"id": -1}]


def test_partitions_are_given_as_variables_and_built_alone(shop):
    entry(
        shop,
        "shell: |",
        '  echo "$MAINSTEM_PARTITION $MAINSTEM_PARTITION_KEYS"',
        r'  printf "day,n\n${MAINSTEM_PARTITION_START:0:10},1\n" > $MAINSTEM_OUTPUT',
        "output: csv",
        "partitions: {by: month, column: day, start: 2024-01-01, end: 2024-04-01}",
    )

    finished = shop.run()

    assert finished.status == "succeeded"
    days = query(shop, "select cast(day as varchar) as day from ops.it order by day")
    assert [row["day"] for row in days] == ["2024-01-01", "2024-02-01", "2024-03-01"]
    said = {text for stream, text in logged(shop, "ops.it") if stream == "stdout"}
    assert '2024-02 ["2024-02"]' in said


def test_more_partitions_in_one_step_than_variables_can_hold_are_said_so(shop):
    entry(
        shop,
        "shell: cat /dev/null > $MAINSTEM_OUTPUT",
        "output: csv",
        "partitions: {by: hour, column: hour, start: 2024-01-01, end: 2025-01-01, batch: all}",
    )

    error = steps_of(shop.run())["ops.it"].error

    assert error.code == "A7153"
    assert "too long" in error.summary
    assert "`batch`" in error.hint


def test_rows_of_another_partition_are_refused(shop):
    entry(
        shop,
        r'shell: printf "day,n\n2024-02-01,1\n" > $MAINSTEM_OUTPUT',
        "output: csv",
        "partitions: {by: month, column: day, start: 2024-01-01, end: 2024-04-01}",
    )

    finished = shop.run()

    assert finished.status != "succeeded"
    assert {step.error.code for step in finished.steps if step.error} == {"A2068"}


def test_what_reads_it_gets_what_it_wrote(sums):
    sums.write(
        "models/marts/twice.sql",
        "/* ---\nmaterialized: table\n--- */\nselect total * 2 as t from sums\n",
    )

    sums.run()

    assert query(sums, "from marts.twice") == [{"t": 120}]


@pytest.mark.parametrize(
    ("lines", "code", "said"),
    [
        (("command: [a]", "shell: b"), "A2070", "both"),
        (("command: []",), "A2070", "empty"),
        (("shell: '  '",), "A2070", "empty"),
        (("command: [a]", "partition_by: [day]"), "A2070", "partition_by"),
        (("output: csv",), "A2070", "no `command`"),
        (("command: [a]", "files: [nowhere/*.py]"), "A2071", "no file"),
        (("command: [a]", "files: [../x.py]"), "A2071", "out of the project"),
        (("command: [a]", "inputs: [raw.nothing]"), "A2003", "raw.nothing"),
        (("command: [a]", "inputs: [raw.orders, staging.orders]"), "A2070", "one name"),
        (("command: [a]", "retries: -1"), "A1012", "retries"),
        (("command: [a]", "executor: dask"), "A1010", "executor"),
        (("command: [a]", "output: xml"), "A1012", "output"),
        (("command: a b",), "A1011", "command"),
    ],
)
def test_faults_of_a_declaration_are_found_before_anything_runs(shop, lines, code, said):
    entry(shop, *lines)

    found = problems(shop)

    assert [problem[0] for problem in found] == [code], found
    assert said in found[0][1]
    assert found[0][2] >= 2


def test_an_effect_among_its_inputs_is_an_error_that_says_where_it_belongs(shop):
    shop.write(
        "models/commands.yml",
        "assets:\n  - {key: ops.one, command: ['true']}\n"
        "  - {key: ops.two, command: ['true'], inputs: [ops.one]}\n",
    )

    error = steps_of(shop.run())["ops.two"].error

    assert error.code == "A2072"
    assert "deps" in error.hint
