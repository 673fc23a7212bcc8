# SPDX-License-Identifier: Apache-2.0
"""Warm workers: used again, given up when idle, old, large or outdated; how death is explained."""

import os
import signal
import threading

import pytest

from mainstem.models import WorkerPool
from mainstem.models.worker.message import Build, Expected, Failed
from mainstem.models.worker.output import Output
from mainstem.models.worker.process import death
from mainstem.models.worker.wear import Wear, memory_of, oom_kills
from mainstem.types import AssetKey

KEY = AssetKey("marts", "a")
PID = "import os; print(os.getpid())"


@pytest.fixture
def pools(folder):
    """Make pools; what they run prints its process id."""
    made = []

    class Pools:
        def make(self, **options):
            made.append(WorkerPool(folder.root, **options))
            return made[-1]

        def call(self, pool, body=PID):
            folder.write(
                "models/a.py", f"from mainstem import asset\n@asset\ndef a():\n    {body}\n"
            )
            return self.again(pool)

        def again(self, pool, function="a"):
            lines = []
            request = Build(
                file="models/a.py", function=function,
                outputs=(Expected(key=KEY, mode="overwrite"),), is_effect=True,
            )  # fmt: skip
            answer = pool.run(
                request,
                asset=str(KEY),
                answer=lambda _: None,
                log=lambda text, _stream: lines.append(text),
            )
            assert not isinstance(answer, Failed), answer
            return lines[0]

    yield Pools()
    for pool in made:
        pool.close()


def test_a_warm_worker_is_used_again(pools):
    pool = pools.make()

    assert pools.call(pool) == pools.again(pool)


def test_an_old_worker_is_replaced_when_its_request_is_done(pools):
    pool = pools.make(wear=Wear(age_s=0.0))

    assert pools.call(pool) != pools.again(pool)


def test_a_worker_that_user_code_left_large_is_replaced(pools):
    keeps = f"import sys; sys.kept = bytearray(b'x') * (64 << 20); {PID}"
    pool = pools.make()
    small = pools.call(pool)
    pool = pools.make(wear=Wear(memory_bytes=memory_of(int(small)) + (32 << 20)))
    large = pools.call(pool, keeps)

    assert pools.call(pool) != large


def test_workers_that_nobody_needs_end_and_one_is_kept(pools, folder):
    pool = pools.make(limit=2, wear=Wear(idle_s=0.05, spare=1))
    told, go = folder.root / "told", folder.root / "go"
    os.mkfifo(told)
    os.mkfifo(go)
    folder.write(
        "models/a.py",
        "import os\nfrom mainstem import asset\n"
        f"@asset\ndef b():\n    open({str(told)!r}, 'w').close(); open({str(go)!r}).read()\n"
        "    print(os.getpid())\n"
        "@asset\ndef a():\n    print(os.getpid())\n",
    )
    pids = []
    thread = threading.Thread(target=lambda: pids.append(int(pools.again(pool, "b"))))
    thread.start()
    told.read_text()
    pids.append(int(pools.again(pool)))
    go.write_text("go")
    thread.join(30)
    for each in threading.enumerate():
        if each.name == "mainstem-idle-workers":
            each.join(30)

    assert len(set(pids)) == 2
    assert len([pid for pid in pids if memory_of(pid)]) == 1


def test_an_installed_distribution_is_noticed(pools, folder, tmp_path):
    site = tmp_path / "site-packages"
    site.mkdir()
    prefix = f"import os, sys; sys.prefix = {str(tmp_path)!r}; sys.path.append({str(site)!r})"
    pool = pools.make()
    first = pools.call(pool, f"{prefix}; import json.tool; {PID}")
    assert pools.again(pool) == first
    (site / "new-1.0.dist-info").mkdir()

    assert pools.again(pool) != first


def test_an_edited_module_outside_the_project_is_noticed(pools, tmp_path):
    library = tmp_path / "library"
    library.mkdir()
    (library / "edited.py").write_text("x = 1\n")
    use = f"import os, sys; sys.path.insert(0, {str(library)!r}); import edited; "
    pool = pools.make()
    first = pools.call(pool, use + "print(os.getpid(), edited.x)")
    assert pools.again(pool) == first
    (library / "edited.py").write_text("x = 22\n")

    assert pools.again(pool).endswith(" 22")


def test_memory_that_ran_out_is_said_where_the_kernel_says_so():
    output = Output(lambda _text, _stream: None)
    error = death("marts.a", -signal.SIGKILL, output, is_oom=True)

    assert error.code == "A7118"
    assert "memory ran out" in error.summary
    assert error.raised == ("MemoryError",)


@pytest.mark.parametrize(
    ("code", "is_oom"), [(-signal.SIGKILL, False), (-signal.SIGSEGV, True), (1, True)]
)
def test_other_deaths_are_not_put_down_to_memory(code, is_oom):
    output = Output(lambda _text, _stream: None)

    assert death("marts.a", code, output, is_oom=is_oom).code == "A7112"


def test_kills_for_want_of_memory_are_counted_on_the_machine_and_in_the_group(tmp_path):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/shop").mkdir(parents=True)
    assert oom_kills(root=tmp_path) == 0
    (tmp_path / "proc/vmstat").write_text("nr_free_pages 12\noom_kill 3\n")
    (tmp_path / "proc/self/cgroup").write_text("0::/shop\n")
    (tmp_path / "sys/fs/cgroup/shop/memory.events").write_text("oom 9\noom_kill 2\n")

    assert oom_kills(root=tmp_path) == 5


def test_the_memory_of_a_process_is_told_and_of_one_that_is_gone_nothing():
    assert memory_of(os.getpid()) > 1 << 20
    assert memory_of(2**22 + 1) == 0
