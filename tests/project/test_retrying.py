# SPDX-License-Identifier: Apache-2.0
"""The rest of a run: what came to nothing in it, with its options, and nothing that was done."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from mainstem.errors import AssetNotFound, UserError
from mainstem.project import Controlling, options_of_launch

TABLE = "/* ---\nmaterialized: table\n--- */\n"
BROKEN = TABLE + "select error('not yet') as id from staging.orders\n"


@pytest.fixture
def broken(shop):
    shop.write("models/marts/broken.sql", BROKEN)
    shop.write("models/marts/below.sql", TABLE + "select * from marts.broken\n")
    shop.write(
        "models/effects.yml",
        "assets:\n  - {key: ops.tell, shell: echo told >> told.txt, deps: [marts.large]}\n",
    )
    return shop


def mended(shop):
    shop.write("models/marts/broken.sql", BROKEN.replace("error('not yet') as id", "id"))


def rest(shop, run_id=1, **options):
    with shop.open(**options) as project:
        return Controlling(project).launch_to_retry(run_id, source="ann")


def retried(shop, run_id=1):
    launch = rest(shop, run_id)
    with shop.open(branch=launch.branch, vars=launch.options.get("vars") or {}) as project:
        finished = project.run(launch.select, launch.exclude, **options_of_launch(launch))
    return {str(step.key): step.status for step in finished.steps}


def run(shop, *select, variables=None, **options):
    with shop.open(vars=variables or {}) as project:
        return project.run(select, **options)


def test_what_failed_and_what_was_skipped_below_is_asked_for_and_no_more(broken):
    run(broken)

    launch = rest(broken)

    assert sorted(launch.select) == ["marts.below", "marts.broken"]
    assert launch.exclude == ()
    assert (launch.origin, launch.source, launch.branch) == ("retry", "ann", "main")
    assert launch.cause == {"run": 1, "status": "failed"}


def test_an_effect_that_was_done_is_not_done_twice(broken):
    run(broken)
    mended(broken)

    statuses = retried(broken)

    assert statuses == {"marts.broken": "built", "marts.below": "built"}
    assert (broken.path / "told.txt").read_text() == "told\n"


def test_what_was_built_and_could_not_be_published_is_linked(broken):
    run(broken, publish="all_or_nothing")
    mended(broken)

    launch = rest(broken)
    statuses = retried(broken)

    assert launch.options["publish"] == "all_or_nothing"
    assert {"raw.orders", "staging.orders", "marts.large", "marts.broken"} <= set(launch.select)
    assert "ops.tell" not in launch.select
    assert statuses["marts.large"] == "linked"
    assert statuses["marts.broken"] == "built"
    assert (broken.path / "told.txt").read_text() == "told\n"


def test_the_options_of_the_run_hold_again(broken):
    at = datetime(2024, 5, 1, tzinfo=UTC)
    run(
        broken,
        "+marts.below",
        full_refresh=True,
        ingest=True,
        retries=1,
        retry_delay="1ms",
        run_timeout="1h",
        fail_fast=True,
        logical_time=at,
        variables={"minimum": 3, "api_token": "sesame-4711"},
    )

    launch = rest(broken)

    assert dict(launch.options) == {
        "full_refresh": True,
        "ingest": True,
        "retries": 1,
        "retry_delay": "1ms",
        "run_timeout": "1h",
        "fail_fast": True,
        "vars": {"minimum": 3},
    }
    assert launch.logical_time == at


def test_a_retry_of_a_retry_goes_on_from_there(broken):
    run(broken)
    retried(broken)
    mended(broken)

    assert retried(broken, 2) == {"marts.broken": "built", "marts.below": "built"}


def test_only_partitions_that_came_to_nothing_are_built_again(shop):
    shop.write(
        "models/monthly.yml",
        "assets:\n"
        "  - key: main.monthly\n"
        "    shell: |\n"
        '      test "$MAINSTEM_PARTITION" != 2024-02 -o -e mended\n'
        "      echo $MAINSTEM_PARTITION >> built.txt\n"
        r"      printf 'day\n%s\n' ${MAINSTEM_PARTITION_START:0:10} > $MAINSTEM_OUTPUT"
        "\n"
        "    output: csv\n"
        "    rebuild: on_change\n"
        "    partitions: {by: month, column: day, start: 2024-01-01, end: 2024-05-01}\n",
    )
    run(shop, "main.monthly", partitions={"main.monthly": "2024-01..2024-03"})
    shop.write("mended", "")

    launch = rest(shop)
    retried(shop)

    assert dict(launch.partitions) == {"main.monthly": "2024-01..2024-03"}
    built = sorted((shop.path / "built.txt").read_text().split())
    assert built == ["2024-01", "2024-02", "2024-03"]


def test_what_a_killed_run_never_began_is_part_of_the_rest(shop):
    shop.write("models/k.yml", "assets:\n  - {key: ops.kill, shell: kill -9 $PPID; sleep 60}\n")
    shop.write(
        "models/after.yml", "assets:\n  - {key: ops.z, command: ['true'], deps: [ops.kill]}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mainstem", "run", "ops.kill", "ops.z"],
        cwd=shop.path,
        capture_output=True,
        check=False,
    )

    launch = rest(shop)

    assert done.returncode == -9
    assert sorted(launch.select) == ["ops.kill", "ops.z"]
    assert launch.cause == {"run": 1, "status": "crashed"}


def test_nothing_is_left_of_a_run_that_succeeded(shop):
    run(shop)

    with pytest.raises(UserError) as raised:
        rest(shop)

    assert raised.value.code == "A6018"


def test_a_run_that_is_not_there_is_named(shop):
    run(shop)

    with pytest.raises(AssetNotFound) as raised:
        rest(shop, 9)

    assert raised.value.code == "A6001"
