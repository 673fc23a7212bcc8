# SPDX-License-Identifier: Apache-2.0
"""User code that raises, hangs, dies, floods, or leaves children behind."""

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from mainstem.errors import Cancelled, MainstemError, StepFailed
from mainstem.models import WorkerPool
from mainstem.models.worker.message import Build, Built, Expected, Failed
from mainstem.models.worker.output import Output
from mainstem.records import Redactor
from mainstem.types import AssetKey, SystemClock

KEY = AssetKey("marts", "a")


class Token:
    """A cancel token that a test pulls."""

    def __init__(self):
        self.is_cancelled = False
        self.stops = []

    def on_cancel(self, stop):
        self.stops.append(stop)
        return lambda: self.stops.remove(stop)

    def pull(self):
        self.is_cancelled = True
        for stop in list(self.stops):
            stop()


@pytest.fixture
def call(folder, pool):
    """Run a function body as an effect; gives the answer and the printed lines."""

    def run(body, *, on=None, cancel=None, timeout_s=None, answer=lambda _: None):
        text = "def a():\n" + textwrap.indent(textwrap.dedent(body), "    ")
        whole = f"from mainstem import asset\n@asset\n{text}\n"
        file = folder.root / "models/a.py"
        if not file.exists() or file.read_text() != whole:
            folder.write("models/a.py", whole)
        lines = []
        request = Build(
            file="models/a.py", function="a", outputs=(Expected(key=KEY, mode="overwrite"),),
            is_effect=True,
        )  # fmt: skip
        result = (on or pool).run(
            request, asset=str(KEY), answer=answer, cancel=cancel, timeout_s=timeout_s,
            log=lambda text, stream: lines.append((stream, text)),
        )  # fmt: skip
        return result, lines

    return run


def _is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _gone(pid, within_s=5.0):
    end = time.monotonic() + within_s
    while _is_running(pid) and time.monotonic() < end:
        threading.Event().wait(0.02)
    return not _is_running(pid)


def test_what_a_function_raises_comes_with_its_traceback_and_place(call):
    answer, _ = call("rows = [1]\nraise ValueError(f'no {rows}')")

    assert isinstance(answer, Failed)
    assert answer.error.code == "A7110"
    assert answer.error.summary == "marts.a raised ValueError: no [1]."
    assert (answer.error.where.file, answer.error.where.line) == ("models/a.py", 5)
    assert answer.error.details.startswith("Traceback")
    assert "worker/execute" not in answer.error.details


def test_a_worker_survives_what_a_function_raises(call):
    first, _ = call("import os; raise ValueError(os.getpid())")
    second, _ = call("import os; raise ValueError(os.getpid())")

    assert first.error.summary == second.error.summary


ODD = {
    "unpicklable": """
        class E(Exception):
            def __init__(self, a, b): self.lock = __import__("threading").Lock()
        raise E(1, 2)
        """,
    "unprintable": """
        class E(Exception):
            def __str__(self): raise RuntimeError
        raise E
        """,
    "irreducible": """
        class E(Exception):
            def __reduce__(self): raise RuntimeError
        raise E(open("/dev/null"))
        """,
    "base": """
        class E(BaseException): pass
        raise E
        """,
    "group": "raise ExceptionGroup('many', [ValueError(1), KeyError(2)])",
    "interrupt": "raise KeyboardInterrupt",
    "huge": "raise ValueError('x' * 10_000_000)",
    "recursive": """
        def f(): return f()
        f()
        """,
}


@pytest.mark.parametrize("body", ODD.values(), ids=list(ODD))
def test_exceptions_that_do_not_pickle_or_print_are_told_all_the_same(call, body):
    answer, _ = call(body)

    assert answer.error.code == "A7110"
    assert len(answer.error.summary) < 1000
    assert len(answer.error.details) < 30_000


def test_sys_exit_is_a_failure_that_says_so(call):
    answer, _ = call("import sys; sys.exit(3)")

    assert answer.error.summary == "marts.a called sys.exit(3)."


@pytest.mark.parametrize(
    ("body", "how"),
    [
        ("import os; os._exit(7)", "exited with code 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
        ("import ctypes; ctypes.string_at(0)", "killed by SIGSEGV"),
        ("import os; os.abort()", "killed by SIGABRT"),
    ],
)
def test_a_worker_that_dies_says_how_and_the_next_one_works(call, body, how):
    with pytest.raises(StepFailed) as caught:
        call(body)
    answer, _ = call("pass")

    assert caught.value.code == "A7112"
    assert how in caught.value.summary
    assert isinstance(answer, Built)


def test_native_crashes_show_where(call):
    with pytest.raises(StepFailed) as caught:
        call("import ctypes; ctypes.string_at(0)")

    assert "Segmentation fault" in caught.value.details


HANGING = {
    "asleep": "import time; time.sleep(600)",
    "busy": "while True: pass",
    "deaf": """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True: time.sleep(600)
        """,
    "stubborn": """
        while True:
            try:
                while True: pass
            except BaseException: pass
        """,
    "native": "import re; re.match(r'(a+)+$', 'a' * 64 + 'b')",
}


@pytest.mark.parametrize("body", HANGING.values(), ids=list(HANGING))
def test_a_hanging_function_is_killed_after_its_timeout(call, body):
    with pytest.raises(StepFailed) as caught:
        call(body, timeout_s=0.3)
    answer, _ = call("pass")

    assert caught.value.code == "A7111"
    assert "0.3 s" in caught.value.summary
    assert isinstance(answer, Built)


def test_a_stopped_function_gets_to_close_what_it_opened(call, tmp_path):
    closed = tmp_path / "closed"
    with pytest.raises(StepFailed):
        call(
            f"import time\ntry:\n    time.sleep(600)\nfinally:\n    open({str(closed)!r}, 'w')",
            timeout_s=3.0,
        )

    assert closed.exists()


def test_cancelling_stops_a_function(call):
    token = Token()
    threading.Timer(0.3, token.pull).start()

    with pytest.raises(Cancelled):
        call("import time; time.sleep(600)", cancel=token, timeout_s=60)
    assert token.stops == []


def test_what_was_cancelled_before_it_began_does_not_run(call, tmp_path):
    ran = tmp_path / "ran"
    token = Token()
    token.pull()
    with pytest.raises(Cancelled):
        call(f"open({str(ran)!r}, 'w')", cancel=token)

    assert not ran.exists()


def test_printed_lines_arrive_in_order_before_the_answer(call):
    _, lines = call(
        "import sys, subprocess\n"
        "print('one')\nprint('two', file=sys.stderr)\n"
        "subprocess.run(['echo', 'three'])\nprint('grüße'); print('no newline', end='')"
    )

    assert [text for stream, text in lines if stream == "stdout"] == [
        "one",
        "three",
        "grüße",
        "no newline",
    ]
    assert ("stderr", "two") in lines


def test_a_flood_of_output_is_bounded_and_keeps_its_beginning_and_end(call):
    _, lines = call(
        "import os\nblock = b'x' * 99 + b'\\n'\n"
        "for _ in range(2000): os.write(1, block * 500)\n"
        "print('the end')"
    )
    size = sum(len(text) for _, text in lines)

    assert 4_000_000 < size < 5_000_000
    assert any("bytes of output left out" in text for _, text in lines)
    assert lines[-1] == ("stdout", "the end")


def test_a_secret_is_masked_in_what_a_worker_prints_and_in_what_it_died_with():
    output_lines = []
    output = Output(
        lambda text, stream: output_lines.append(text), redactor=Redactor(["s3cr3t"]), head_limit=50
    )
    output.feed(b"a s3c", "stdout")
    output.feed(b"r3t\nand", "stdout")
    output.feed(b" s3cr3t again\n" + b"x" * 50, "stderr")
    output.feed(b"\nin a flood: s3cr3t\n", "stdout")
    output.finish()

    assert "s3cr3t" not in "\n".join([*output_lines, output.tail("stdout"), output.tail("stderr")])
    assert "in a flood: ****" in output_lines
    assert "a ****" in output_lines


def test_a_long_flood_is_told_of_while_it_goes_on():
    class Clock(SystemClock):
        now_s = 0.0

        def monotonic_s(self):
            return self.now_s

    clock, lines = Clock(), []
    output = Output(lambda text, stream: lines.append(text), head_limit=10, clock=clock)
    output.feed(b"the first\n", "stdout")
    output.feed(b"the second\n" * 10_000, "stdout")
    before = list(lines)
    clock.now_s = 1.0
    output.feed(b"the latest\n", "stdout")

    assert before == ["the first"]
    assert "bytes of output left out" in lines[1]
    assert lines[-1] == "the latest"


def test_one_endless_line_is_bounded(call):
    _, lines = call("import os\nfor _ in range(300): os.write(1, b'y' * 65536)")

    assert sum(len(text) for _, text in lines) < 1_200_000


def test_a_child_that_outlives_its_step_does_not_hold_it_up(call):
    answer, lines = call(
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid)"
    )

    assert isinstance(answer, Built)
    assert _is_running(int(lines[0][1]))


def test_children_die_with_the_pool(call, folder):
    with WorkerPool(folder.root) as pool:
        _, lines = call(
            "import os, time\npid = os.fork()\n"
            "if pid == 0:\n    time.sleep(600); os._exit(0)\nprint(pid)",
            on=pool,
        )

    assert _gone(int(lines[0][1]))


def test_a_forked_child_that_keeps_all_pipes_open_does_not_hide_a_death(call):
    with pytest.raises(StepFailed) as caught:
        call(
            "import os, time\nif os.fork() == 0:\n    time.sleep(600); os._exit(0)\nos._exit(9)",
            timeout_s=30,
        )

    assert "exited with code 9" in caught.value.summary


def test_children_are_killed_with_a_step_that_took_too_long(call):
    lines = []
    with pytest.raises(StepFailed) as caught:
        call(
            "import subprocess, sys\n"
            "child = subprocess.Popen(['sleep', '600'])\n"
            "print(child.pid, file=sys.stderr)\nchild.wait()",
            timeout_s=4.0,
        )
    lines = caught.value.details.split()

    assert _gone(int(lines[0]))


def test_a_forked_child_that_returns_into_the_worker_does_no_harm(call):
    body = "import os\nif os.fork() == 0: raise SystemExit(0)\nos.wait()"
    answers = [call(body)[0] for _ in range(3)]

    assert [type(answer) for answer in answers] == [Built, Built, Built]


def test_closing_the_workers_socket_is_a_death_not_a_hang(call):
    with pytest.raises(MainstemError) as caught:
        call("import os, time\nos.closerange(3, 100)\ntime.sleep(600)", timeout_s=30)

    assert caught.value.code == "A7112"


def test_a_worker_killed_while_idle_is_replaced(call):
    _, lines = call("import os; print(os.getpid())")
    os.kill(int(lines[0][1]), signal.SIGKILL)
    assert _gone(int(lines[0][1]))
    answer, _ = call("pass")

    assert isinstance(answer, Built)


@pytest.mark.parametrize("body", ["time.sleep(600)", "while True: pass"])
def test_a_worker_does_not_outlive_its_supervisor(folder, body):
    folder.write(
        "models/a.py",
        f"import os, time\nfrom mainstem import asset\n@asset\n"
        f"def a():\n    print(os.getpid())\n    {body}\n",
    )
    program = textwrap.dedent(f"""
        from mainstem.models import WorkerPool
        from mainstem.models.worker.message import Build, Expected
        from mainstem.types import AssetKey
        pool = WorkerPool({str(folder.root)!r})
        pool.run(
            Build(file="models/a.py", function="a", is_effect=True,
                  outputs=(Expected(key=AssetKey("m", "a"), mode="overwrite"),)),
            asset="m.a", answer=lambda _: None, log=lambda text, _: print(text, flush=True),
        )
    """)
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as one:
        worker = int(one.stdout.readline())
        os.kill(one.pid, signal.SIGKILL)

    assert _gone(worker)


def test_a_pool_that_nobody_closes_leaves_nothing_behind(call, folder):
    pool = WorkerPool(folder.root)
    _, lines = call("import os; print(os.getpid())", on=pool)
    del pool
    gc.collect()

    assert _gone(int(lines[0][1]))


def test_ctrl_c_in_the_terminal_does_not_reach_workers(call):
    _, lines = call("import os, signal; print(os.getsid(0), os.getpid())")
    session, worker = map(int, lines[0][1].split())

    assert session == worker != os.getsid(0)


def test_steps_wait_when_all_workers_are_busy(call, folder):
    with WorkerPool(folder.root, limit=1) as pool:
        body = "import os; print(os.getpid())"
        call(body, on=pool)
        results = []
        threads = [
            threading.Thread(target=lambda: results.append(call(body, on=pool)[1][0][1]))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

    assert len(results) == 4


def test_a_module_that_is_edited_while_it_runs_is_run_anew(folder, pool):
    folder.write(
        "models/a.py",
        """
        from pathlib import Path
        from mainstem import asset
        @asset
        def a():
            path = Path(__file__)
            path.write_text(path.read_text().replace("'on" + "e'", "'two'"))
            raise ValueError('one')
        """,
    )
    request = Build(
        file="models/a.py", function="a", outputs=(Expected(key=KEY, mode="overwrite"),)
    )
    errors = [
        pool.run(request, asset="a", answer=lambda _: None, log=lambda *_: None).error.summary
        for _ in range(2)
    ]

    assert ["one" in errors[0], "two" in errors[1]] == [True, True]


def test_a_changed_module_is_run_anew(call):
    one, _ = call("raise ValueError('one')")
    two, _ = call("raise ValueError('two')")

    assert "one" in one.error.summary
    assert "two" in two.error.summary


@pytest.mark.slow
def test_many_steps_among_dying_workers_leave_no_descriptor_open(folder):
    folder.write(
        "models/a.py",
        """
        import os, random, signal, time
        from mainstem import asset
        @asset
        def a():
            fate = random.random()
            if fate < 0.1: os._exit(3)
            if fate < 0.2: os.kill(os.getpid(), signal.SIGKILL)
            if fate < 0.3: raise ValueError
            if fate < 0.35: time.sleep(600)
            print("fine")
        """,
    )
    request = Build(
        file="models/a.py", function="a", outputs=(Expected(key=KEY, mode="overwrite"),),
        is_effect=True,
    )  # fmt: skip
    before = len(list(Path("/proc/self/fd").iterdir()))
    outcomes = []

    def work(pool):
        for _ in range(40):
            try:
                answer = pool.run(
                    request, asset="a", answer=lambda _: None, log=lambda *_: None, timeout_s=1
                )
                outcomes.append(type(answer).__name__)
            except StepFailed as error:
                outcomes.append(error.code)

    with WorkerPool(folder.root, limit=3, grace_s=0.2) as pool:
        threads = [threading.Thread(target=work, args=(pool,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)

    assert len(outcomes) == 240
    assert set(outcomes) == {"Built", "Failed", "A7111", "A7112"}
    assert len(list(Path("/proc/self/fd").iterdir())) == before
