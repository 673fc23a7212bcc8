# SPDX-License-Identifier: Apache-2.0
"""A system that gives way under the real program: disks, files, locks, terminals, signals."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import timedelta

import pytest

from mainstem.project import open_project
from mainstem.types import SystemClock

PROGRAM = f"{sys.executable} -m mainstem"
CAN_MOUNT = (
    shutil.which("unshare") is not None
    and subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
        capture_output=True,
        check=False,
    ).returncode
    == 0
)
needs_mounts = pytest.mark.skipif(not CAN_MOUNT, reason="no user namespaces with mounts here")
needs_setpriv = pytest.mark.skipif(
    shutil.which("setpriv") is None or os.geteuid() != 0,
    reason="only root can become somebody who may not read",
)
SLOW = "for _ in range(600):\n        time.sleep(0.1)\n    return orders"


def _in_namespace(script, *arguments):
    """Run shell lines in a mount namespace of their own; the real program is $M."""
    return subprocess.run(
        ["unshare", "-rm", "bash", "-c", f"M='{PROGRAM}'\n{script}", "bash", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def _data_file(shop, table):
    (found,) = (shop.state / "warehouse").glob(f"{table.replace('.', '/')}-*/data/*.parquet")
    return found


def _processes_below(folder):
    done = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return [
        line for line in done.stdout.splitlines() if str(folder) in line and "ps -eo" not in line
    ]


@needs_mounts
def test_a_full_disk_fails_what_is_too_large_and_keeps_what_was_published(tmp_path):
    done = _in_namespace(
        """
        mount -t tmpfs -o size=3m tmpfs $1 && cd $1 && mkdir models && echo 'name: p' > mainstem.yml
        model() { printf '/* ---\\nmaterialized: table\\n--- */\\n%s\\n' "$2" > models/$1.sql; }
        model small 'select 1 as n'; $M run > /dev/null || exit 50
        model big 'select range as n, random() as r, random() as s from range(2000000)'
        $M run; echo "big: $?"
        $M query --format csv 'select n from main.small'; rm models/big.sql
        dd if=/dev/zero of=fill bs=1k 2> /dev/null; model small 'select 2 as n'
        $M run 2>&1; echo "full: $?"
        rm fill; $M run > /dev/null; echo "freed: $?"
        $M query --format csv 'select n as then from main.small'
        $M log --json | grep -c '"message": "run'
        """,
        tmp_path,
    )

    said = done.stdout
    assert "No space left on device" in said
    assert "Free disk space (`df -h` tells which disk is full), then run again" in said
    assert 'big: 2\n"n"\n1\n' in said
    assert "is full; the transaction was rolled back" in said
    assert 'full: 3\nfreed: 0\n"then"\n2\n2\n' in said
    assert "Traceback" not in said + done.stderr


@needs_mounts
def test_a_network_file_system_is_refused_by_its_mount(shop):
    # All that the program can see of /proc is a table of mounts in which the folder is on NFS.
    done = _in_namespace(
        """
        mount -t tmpfs tmpfs /proc && mkdir /proc/self
        printf 'd / ext4 rw 0 0\\ns:/x %s nfs4 rw 0 0\\n' "$1" > /proc/self/mounts
        cd "$1" && $M run
        """,
        shop.folder,
    )

    assert done.returncode == 3
    assert "error[A5001]" in done.stderr
    assert "lies on a network file system (nfs4), where locks cannot be trusted" in done.stderr
    assert "Move .mainstem/ to a local disk" in done.stderr
    assert shop.rows("raw.orders") == 3


@needs_mounts
def test_a_read_only_folder_is_said(shop):
    done = _in_namespace(
        'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && cd "$1" && $M run', shop.folder
    )

    assert done.returncode == 3
    assert "error[A5006]" in done.stderr
    assert "belong to you and are writable" in done.stderr


@pytest.mark.slow  # a lock is waited for, for half a minute
def test_a_locked_database_is_waited_for_and_then_said_while_readers_go_on(shop):
    shop.write("data/orders2.csv", "id,amount\n4,40\n")
    holder = sqlite3.connect(shop.state / "mainstem.db", isolation_level=None)
    holder.execute("begin immediate")

    run = shop.start("run")
    read = shop.query("select count(*) as n from raw.orders")
    _, said = run.communicate(timeout=90)

    assert read == [{"n": 3}]
    assert run.returncode == 3
    assert "error[A5003]" in said
    assert "is locked by another process" in said
    holder.execute("rollback")
    holder.close()
    assert "+1 row" in shop.runs_well()


@pytest.mark.parametrize(
    ("damage", "code", "said"),
    [
        (lambda file: file.unlink(), "A5510", "is missing"),
        (lambda file: file.write_bytes(file.read_bytes()[:200]), "A5511", "has 200 bytes"),
        (lambda file: file.write_bytes(b""), "A5511", "has 0 bytes; it was committed with"),
        (lambda file: file.write_bytes(b"x" * file.stat().st_size), "A5511", "is damaged"),
    ],
)
def test_a_data_file_that_is_gone_or_damaged_is_named_with_its_table(shop, damage, code, said):
    file = _data_file(shop, "raw.orders")
    whole = file.read_bytes()
    shop.write("data/orders2.csv", "id,amount\n4,40\n")

    damage(file)
    read = shop.call("query", "select * from raw.orders")
    run = shop.call("run")

    assert read.returncode == 3
    assert f"error[{code}]" in read.stderr
    assert f"{file.name} of raw.orders {said}" in read.stderr
    assert "Restore the file from a backup" in read.stderr
    assert run.returncode == 2
    assert shop.query("select orders from marts.totals") == [{"orders": 3}]
    file.write_bytes(whole)
    shop.runs_well()
    assert shop.query("select orders from marts.totals") == [{"orders": 4}]


@pytest.mark.parametrize("page", [0, 1, 20])
def test_a_corrupted_page_of_the_database_is_said_and_nothing_is_made_worse(shop, page):
    database = shop.state / "mainstem.db"
    whole = database.read_bytes()
    begin = 16 if page == 0 else page * 4096
    rest = whole[(page + 1) * 4096 :]
    shop.write("data/orders2.csv", "id,amount\n4,40\n")

    database.write_bytes(whole[:begin] + b"\xa5" * ((page + 1) * 4096 - begin) + rest)
    run = shop.call("run")

    assert run.returncode == 3
    assert "error[A5002]" in run.stderr
    assert "restore the last backup" in run.stderr
    assert "nothing was published" in run.stderr
    for name in ("mainstem.db-wal", "mainstem.db-shm"):
        (shop.state / name).unlink(missing_ok=True)
    database.write_bytes(whole)
    shop.runs_well()
    assert shop.rows("raw.orders") == 4


@pytest.mark.parametrize("is_empty", [True, False])
def test_a_lost_database_is_not_replaced_by_an_empty_lake(shop, is_empty):
    database = shop.state / "mainstem.db"
    whole = database.read_bytes()
    database.unlink()
    if is_empty:
        database.touch()

    done = shop.call("run")

    assert done.returncode == 3
    assert "error[A5024]" in done.stderr
    assert "To begin anew, and lose all versions of all tables, remove" in done.stderr
    database.write_bytes(whole)
    assert "Nothing to do" in shop.runs_well()


def test_a_removed_state_folder_is_a_new_beginning(shop):
    shutil.rmtree(shop.state)

    shop.runs_well()

    assert shop.rows("raw.orders") == 3


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("times", [1, 2])
def test_a_signal_ends_a_run_with_130_and_leaves_no_process(shop, number, times):
    shop.python(SLOW)
    run = shop.start("run", "--json")
    for line in run.stdout:
        if '"step_started"' in line and "judged" in line:
            break

    for _ in range(times):
        run.send_signal(number)
        time.sleep(0.2)
    out, said = run.communicate(timeout=30)

    assert run.returncode == 130, said
    assert '"status":"cancelled"' in out
    assert _processes_below(shop.folder) == []
    assert shop.call("query", "select * from marts.judged").returncode == 1
    shop.python("return orders")
    assert "marts.judged" in shop.runs_well()


@pytest.mark.slow
def test_a_run_that_waits_for_another_says_for_which(shop):
    shop.python("time.sleep(4)\n    return orders")
    first = shop.start("run", "--json")
    for line in first.stdout:
        if '"step_started"' in line and "judged" in line:
            break

    second = shop.runs_well()
    first.communicate(timeout=60)

    assert "marts.judged waits for run 2, which is building it on main" in second
    assert first.returncode == 0


@pytest.mark.parametrize(
    ("redirection", "code", "said"),
    [
        (">&-", 0, ""),
        (">&- 2>&-", 0, ""),
        ("> /dev/full", 3, "Output cannot be written: No space left on device"),
    ],
)
def test_an_output_that_takes_nothing_is_no_bug_of_ours(shop, redirection, code, said):
    done = subprocess.run(
        ["bash", "-c", f"{PROGRAM} list {redirection}"],
        cwd=shop.folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_neither_a_home_nor_a_user_is_needed(shop):
    shop.write("data/orders2.csv", "id,amount\n4,40\n")
    done = subprocess.run(
        [sys.executable, "-m", "mainstem", "run"],
        cwd=shop.folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin"},
    )

    assert done.returncode == 0, done.stderr


class ClockSetBack(SystemClock):
    """The machine's clock, set back by two days."""

    __slots__ = ()

    def now(self):
        return super().now() - timedelta(days=2)


def test_a_clock_that_was_set_back_changes_no_order(shop):
    shop.write("data/orders2.csv", "id,amount\n4,40\n")
    with open_project(shop.folder, clock=ClockSetBack()) as project:
        project.run()
    shop.write("data/orders3.csv", "id,amount\n5,50\n")
    shop.runs_well()

    counts = [
        shop.query("select count(*) as n from raw.orders", "--at", at)[0]["n"]
        for at in ("main", "main~1", "main~2")
    ]

    assert counts == [5, 4, 3]


@needs_setpriv
def test_what_may_not_be_read_is_named_and_fails_alone(shop):
    shop.write("ingest/shop.yml", f"{shop.text('ingest/shop.yml')}  customers: customers.csv\n")
    shop.write("data/customers.csv", "id\n1\n").chmod(0)
    shop.write("data/orders2.csv", "id,amount\n4,40\n")

    done = shop.unprivileged("run")

    assert done.returncode == 2, done.stderr
    assert "data/customers.csv cannot be read: Permission denied" in done.stdout
    assert shop.rows("staging.orders") == 4


@needs_setpriv
def test_a_folder_of_models_that_may_not_be_read_is_named(shop):
    (shop.folder / "models/marts").chmod(0)

    done = shop.unprivileged("run")

    assert done.returncode == 1, done.stderr
    assert "error[A1064]: models/marts cannot be read: Permission denied" in done.stderr
