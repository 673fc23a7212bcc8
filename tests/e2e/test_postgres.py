# SPDX-License-Identifier: Apache-2.0
"""A project whose catalog and run state are on a PostgreSQL server, through the real program."""

import signal
import threading

import orjson
import pytest

pytestmark = pytest.mark.slow
WAITS = """\
open("begun.txt", "w").close()
    while not os.path.exists("go.txt"):
        time.sleep(0.05)
    return orders"""


@pytest.fixture
def on_postgres(shop):
    """The shop without its state, to be put on a server."""

    def put(url):
        shop.write("mainstem.yml", f'name: shop\nlake: {{database: "{url}", warehouse: files}}\n')
        return shop

    return put


@pytest.fixture
def server_shop(on_postgres, postgres_url):
    shop = on_postgres(postgres_url)
    shop.runs_well()
    return shop


def _waits(shop):
    """Add a model that goes on until it is told to stop, and run it; gives the process."""
    shop.python(WAITS)
    process = shop.start("run", "--json")
    begun = shop.folder / "begun.txt"
    for line in process.stdout:
        event = orjson.loads(line)
        if event["event"] == "step_started" and event["key"] == "marts.judged":
            break
    while not begun.exists():
        threading.Event().wait(0.02)
        assert process.poll() is None
    return process


def _go(shop):
    (shop.folder / "go.txt").touch()


def _total(shop, *words):
    return shop.query("select orders, amount from marts.totals", *words)


def _runs(shop):
    done = shop.call("runs", "--json")
    assert done.returncode == 0, done.stderr
    return orjson.loads(done.stdout)


def test_run_query_revert_and_run_again(server_shop):
    first = _total(server_shop)
    server_shop.write("data/orders2.csv", "id,amount\n4,40\n")
    server_shop.runs_well()
    second = _total(server_shop)
    reverted = server_shop.call("revert", "main")
    third = _total(server_shop)
    server_shop.write("data/orders3.csv", "id,amount\n5,50\n")
    server_shop.runs_well()

    assert first == third == [{"orders": 3, "amount": 60}]
    assert second == [{"orders": 4, "amount": 100}]
    assert reverted.returncode == 0, reverted.stderr
    assert _total(server_shop) == [{"orders": 5, "amount": 150}]
    assert _total(server_shop, "--at", "main~1") == first


def test_nothing_to_do_the_second_time(server_shop):
    assert "Nothing to do" in server_shop.runs_well()


def test_a_branch_is_merged(server_shop):
    done = server_shop.call("run", "--branch", "dev/a")
    assert done.returncode == 0, done.stdout + done.stderr
    server_shop.write("data/orders2.csv", "id,amount\n4,40\n")
    done = server_shop.call("run", "--branch", "dev/a")
    merged = server_shop.call("merge", "dev/a")

    assert merged.returncode == 0, merged.stdout + merged.stderr
    assert _total(server_shop) == [{"orders": 4, "amount": 100}]


def test_two_processes_on_disjoint_assets_go_on_at_once_and_overlapping_ones_wait(server_shop):
    process = _waits(server_shop)
    server_shop.table("models/marts/apart.sql", "select 1 as n")
    disjoint = server_shop.call("run", "marts.apart", "--no-wait")
    overlapping = server_shop.call("run", "marts.judged", "--no-wait")
    _go(server_shop)
    process.communicate(timeout=60)

    assert disjoint.returncode == 0, disjoint.stdout + disjoint.stderr
    assert overlapping.returncode == 3
    assert "is building marts.judged" in overlapping.stderr
    assert process.returncode == 0
    assert server_shop.query("select count(*) as n from marts.judged") == [{"n": 3}]
    assert server_shop.query("select n from marts.apart") == [{"n": 1}]


def test_a_run_killed_in_the_middle_is_recovered_by_the_next(server_shop):
    process = _waits(server_shop)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    before = server_shop.query("select count(*) as n from staging.orders")
    _go(server_shop)
    server_shop.runs_well()

    assert process.returncode == -9
    assert before == [{"n": 3}]
    assert server_shop.query("select count(*) as n from marts.judged") == [{"n": 3}]
    assert {run["status"] for run in _runs(server_shop)} == {"crashed", "succeeded"}


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_stops_in_the_middle_of_a_run_loses_nothing(
    on_postgres, own_postgres_server, mode
):
    shop = on_postgres(own_postgres_server.url("shop"))
    shop.runs_well()
    process = _waits(shop)
    own_postgres_server.stop(mode)
    _go(shop)
    out, err = process.communicate(timeout=90)
    refused = shop.call("query", "select 1")
    own_postgres_server.start()
    before = _total(shop)
    shop.runs_well()

    assert process.returncode == 3, out + err
    assert "A5060" in out + err
    assert "Traceback" not in out + err
    assert refused.returncode == 3
    assert "error[A5060]" in refused.stderr
    assert before == _total(shop) == [{"orders": 3, "amount": 60}]
    assert shop.query("select count(*) as n from marts.judged") == [{"n": 3}]
    assert "running" not in {run["status"] for run in _runs(shop)}


def test_a_server_that_is_started_anew_in_the_middle_of_a_run_does_not_hurt_it(
    on_postgres, own_postgres_server
):
    shop = on_postgres(own_postgres_server.url("shop"))
    shop.runs_well()
    process = _waits(shop)
    own_postgres_server.stop("immediate")
    own_postgres_server.start()
    _go(shop)
    out, err = process.communicate(timeout=90)

    assert process.returncode == 0, out + err
    assert shop.query("select count(*) as n from marts.judged") == [{"n": 3}]


def test_the_password_is_shown_nowhere(on_postgres, postgres_server):
    postgres_server.execute("alter role locked password 'tiger-99'")
    postgres_server.execute("create schema if not exists shown authorization locked")
    url = postgres_server.url("shown", user="locked", password="tiger-99")
    shop = on_postgres(url)
    shop.runs_well()
    doctor, config = shop.call("doctor"), shop.call("config")
    shop.write("mainstem.yml", shop.text("mainstem.yml").replace("tiger-99", "tiger-98"))
    postgres_server.execute("alter role locked password 'tiger'")
    refused = shop.call("run")

    assert "postgresql://locked@/postgres?schema=shown" in doctor.stdout
    assert refused.returncode == 1
    assert "error[A5061]" in refused.stderr
    for done in (doctor, config, refused):
        assert "tiger" not in done.stdout + done.stderr
    postgres_server.execute("drop schema shown cascade")


def test_a_schema_that_is_gone_while_its_files_are_there_is_no_new_lake(
    server_shop, postgres_server, postgres_url
):
    schema = postgres_url.rpartition("schema=")[2]
    postgres_server.execute(f'drop schema "{schema}" cascade')
    done = server_shop.call("run")

    assert done.returncode == 3
    assert "error[A5024]" in done.stderr
