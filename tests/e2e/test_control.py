# SPDX-License-Identifier: Apache-2.0
"""Cancel, pause, retry and replay of runs through the program, from another process."""

import os

import orjson


def _waits(shop):
    """A model that tells through a pipe that it runs, and goes on when it is let."""
    told, go = shop.folder / "told", shop.folder / "go"
    os.mkfifo(told)
    os.mkfifo(go)
    shop.python(f"open('{told}', 'w').write('begin'); open('{go}').read(); return orders")
    return told


def test_a_run_is_paused_resumed_and_cancelled_from_another_process(shop):
    told = _waits(shop)
    shop.table("models/marts/after.sql", "select count(*) as n from marts.judged")
    running = shop.start("run")
    assert told.read_text() == "begin"
    asked = [shop.call("runs", kind, "2") for kind in ("pause", "resume", "cancel")]
    out, err = running.communicate(timeout=60)

    assert [done.returncode for done in asked] == [0, 0, 0], asked
    assert running.returncode == 130, out + err
    assert shop.call("runs", "cancel", "2").returncode == 1


def test_a_failed_run_is_done_again_from_where_it_failed(shop):
    shop.table("models/marts/built.sql", "select 1 as one")
    shop.python("raise ValueError('not yet')", ", rebuild='on_change'")
    shop.failed("A7110", "run", "marts.built", "marts.judged")
    shop.python("return orders", ", rebuild='on_change'")

    done = shop.call("runs", "retry", "2", "--json")

    assert done.returncode == 0, done.stdout + done.stderr
    last = orjson.loads(done.stdout.splitlines()[-1])
    assert {step["key"]: step["status"] for step in last["steps"]} == {"marts.judged": "built"}


def test_a_step_is_replayed_with_the_inputs_that_the_run_gave_it(shop):
    shop.python("raise ValueError(orders.num_rows)")
    shop.failed("A7110")
    shop.write("data/orders9.csv", "id,amount\n90,1\n91,2\n")
    shop.runs_well("--exclude", "marts.judged")
    assert shop.rows("staging.orders") == 5
    shop.python("return orders")

    done = shop.call("runs", "replay", "2", "marts.judged")

    assert done.returncode == 0, done.stdout + done.stderr
    rows = shop.query("select count(*) as n from marts.judged", "--branch", "replay/2-marts.judged")
    assert rows == [{"n": 3}]
    assert shop.call("query", "select 1 from marts.judged").returncode != 0


def test_a_replay_under_the_debugger_stops_in_the_frame_that_raised(shop):
    shop.python("seen = orders.num_rows; raise ValueError('here')")
    shop.failed("A7110")

    done = shop.call("runs", "replay", "2", "marts.judged", "--pdb", input="p seen * 100\nq\n")

    assert "300" in done.stdout
    assert done.returncode == 2, done.stdout + done.stderr


def test_a_step_that_the_run_did_not_have_is_named(shop):
    shop.python("return orders")

    done = shop.call("runs", "replay", "1", "marts.judged")

    assert done.returncode == 1
    assert "A6019" in done.stderr
