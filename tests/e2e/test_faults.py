# SPDX-License-Identifier: Apache-2.0
"""Steps that write what is no text or too much of it, run out of memory; databases set back."""

import os
import subprocess
from contextlib import closing
from pathlib import Path

import apsw
import pytest

pytestmark = pytest.mark.slow
BINARY = """sys.stdout.buffer.write(bytes(range(256)) * 50 + b"\\n")
    os.write(2, b"\\x00\\xff\\xfe half a letter: \\xc3")
    os.write(1, "told\\n".encode())
    return orders"""
GIGABYTE = """line = b"x" * 1023 + b"\\n"
    for _ in range(1024):
        os.write(1, line * 1024)
    os.write(1, b"the last line\\n")
    return orders"""
LEAK = """import resource
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    kept = []
    while True:
        kept.append(bytearray(64 << 20))"""


def test_output_that_is_no_text_is_kept_and_harms_nobody(shop):
    shop.python(BINARY)
    shop.runs_well()

    done = shop.call("runs", "log", "2")

    assert done.returncode == 0, done.stderr
    assert "told" in done.stdout
    assert "half a letter" in done.stdout
    assert shop.rows("marts.judged") == 3


def test_an_error_whose_words_no_database_takes_is_on_record_all_the_same(shop, database_url):
    shop.write(
        "mainstem.yml", f'name: shop\nlake: {{database: "{database_url}", warehouse: files}}\n'
    )
    shop.python("raise ValueError('zero \\x00, half \\udcff of a letter')")

    said = shop.failed("A7110")

    assert "zero" in said
    (row,) = shop.query("select status, error from system.steps where asset = 'marts.judged'")
    assert row["status"] == "failed"
    assert "half" in str(row["error"])


def test_a_gigabyte_of_output_is_bounded_and_its_end_is_kept(shop):
    shop.python(GIGABYTE)
    shop.runs_well()

    logs = [path for path in (shop.state / "logs").rglob("*") if path.is_file()]
    assert 0 < sum(path.stat().st_size for path in logs) < 16 << 20
    assert "the last line" in shop.call("runs", "log", "2").stdout
    assert shop.rows("marts.judged") == 3


def test_a_step_that_takes_all_memory_fails_alone(shop):
    shop.python(LEAK)
    shop.write("data/orders2.csv", "id,amount\n4,40\n")

    said = shop.failed("A7110")

    assert "MemoryError" in said
    assert shop.query("select orders from marts.totals") == [{"orders": 4}]
    shop.python("return orders")
    shop.runs_well()
    assert shop.rows("marts.judged") == 4


MEMORY = Path("/sys/fs/cgroup/memory")
GROUP = """group = "{group}"
    os.makedirs(group, exist_ok=True)
    open(group + "/memory.limit_in_bytes", "w").write(str(300 << 20))
    open(group + "/cgroup.procs", "w").write(str(os.getpid()))
    kept = []
    while True:
        kept.append(b"x" * (16 << 20))"""


@pytest.mark.skipif(not os.access(MEMORY, os.W_OK), reason="needs a memory cgroup to write to")
def test_a_step_that_the_kernel_kills_for_its_memory_says_so(shop):
    group = MEMORY / f"mainstem-{os.getpid()}"
    shop.python(GROUP.format(group=group))
    try:
        said = shop.failed("A7118")
    finally:
        group.rmdir()

    assert "memory" in said
    assert shop.rows("marts.totals") == 1


def _total(shop):
    return shop.query("select orders, amount from marts.totals")


def test_a_database_restored_from_a_backup_goes_on_from_there(shop, tmp_path):
    backup = tmp_path / "backup.db"
    with (
        closing(apsw.Connection(str(shop.state / "mainstem.db"))) as source,
        closing(apsw.Connection(str(backup))) as copy,
        copy.backup("main", source, "main") as copying,
    ):
        copying.step()
    shop.write("data/orders2.csv", "id,amount\n4,40\n")
    shop.runs_well()
    later = _total(shop)

    for name in ("mainstem.db-wal", "mainstem.db-shm"):
        (shop.state / name).unlink(missing_ok=True)
    (shop.state / "mainstem.db").write_bytes(backup.read_bytes())
    before = _total(shop)
    shop.runs_well()

    assert before == [{"orders": 3, "amount": 60}]
    assert _total(shop) == later == [{"orders": 4, "amount": 100}]
    assert "Nothing to do" in shop.runs_well()


def test_a_schema_restored_from_a_dump_goes_on_from_there(
    shop, postgres_server, postgres_url, tmp_path
):
    schema = postgres_url.rpartition("schema=")[2]
    shop.write(
        "mainstem.yml", f'name: shop\nlake: {{database: "{postgres_url}", warehouse: files}}\n'
    )
    shop.runs_well()
    dump = tmp_path / "lake.dump"
    connection = ("-h", postgres_server.socket, "-U", "postgres")
    programs = postgres_server.programs

    def call(program, *words):
        subprocess.run([f"{programs}/{program}", *connection, *words], check=True)

    call("pg_dump", "--format=custom", f"--schema={schema}", f"--file={dump}", "postgres")
    shop.write("data/orders2.csv", "id,amount\n4,40\n")
    shop.runs_well()
    later = _total(shop)

    postgres_server.execute(f'drop schema "{schema}" cascade')
    call("pg_restore", "--dbname=postgres", str(dump))
    before = _total(shop)
    shop.runs_well()

    assert before == [{"orders": 3, "amount": 60}]
    assert _total(shop) == later == [{"orders": 4, "amount": 100}]
