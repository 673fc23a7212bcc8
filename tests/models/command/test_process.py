# SPDX-License-Identifier: Apache-2.0
"""Real processes, well-behaved and not: what is heard of them, and that nothing of them stays."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mainstem.models.command.process import CommandProcess
from mainstem.models.command.report import Report
from mainstem.models.worker.output import Output
from mainstem.records import Redactor
from mainstem.types import SystemClock


class Trial:
    """One command, run to its end."""

    def __init__(self, folder, argv, *, secrets=()):
        self.lines = []
        self.first = threading.Event()
        self.progress = []
        self.output = Output(self._line, redactor=Redactor(secrets))
        self.report = Report(lambda rows, note: self.progress.append((rows, note)))
        self.process = CommandProcess(
            argv,
            folder=folder,
            environment={"PATH": os.environ["PATH"], "MAINSTEM_REPORT": str(folder / "report")},
            report=folder / "report",
            clock=SystemClock(),
        )
        self.pid = self.process._process.pid

    def _line(self, text, stream):
        self.lines.append((stream, text))
        self.first.set()

    def end(self, *, grace_s=5.0):
        try:
            return self.process.wait(self.output, self.report, grace_s=grace_s)
        finally:
            self.process.close()

    def cancelled_once_it_prints(self, *, grace_s):
        def cancel():
            self.first.wait(20)
            self.process.cancel()

        thread = threading.Thread(target=cancel)
        thread.start()
        ended = self.end(grace_s=grace_s)
        thread.join()
        return ended


@pytest.fixture
def run(tmp_path):
    return lambda *argv, **options: Trial(tmp_path, argv, **options)


def python(code):
    return sys.executable, "-c", code


def is_there(pid):
    """Tell whether a process goes on; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_lines_come_with_their_streams_and_the_exit_code_is_told(run):
    trial = run("sh", "-c", "echo one; echo two >&2; printf three; exit 7")

    ended = trial.end()

    assert ended.code == 7
    assert sorted(trial.lines) == [("stderr", "two"), ("stdout", "one"), ("stdout", "three")]


def test_a_line_is_heard_while_the_command_goes_on(run):
    trial = run("sh", "-c", "echo here; sleep 60")

    ended = trial.cancelled_once_it_prints(grace_s=5)

    assert trial.lines == [("stdout", "here")]
    assert ended.was_stopped


def test_a_signal_that_kills_is_told_as_a_negative_code(run):
    assert run("sh", "-c", "kill -SEGV $$").end().code == -signal.SIGSEGV


def test_secrets_are_masked_wherever_the_output_is_cut(run):
    code = "import sys\nfor c in 'token hunter2hunter2':\n sys.stdout.write(c); sys.stdout.flush()"
    trial = run(*python(code), secrets={"hunter2hunter2"})

    trial.end()

    assert trial.lines == [("stdout", "token ****")]


def test_bytes_that_are_no_text_are_shown_escaped(run):
    trial = run(*python("import os; os.write(1, bytes([0, 255, 254, 10]))"))

    trial.end()

    assert trial.lines == [("stdout", "\0\\xff\\xfe")]


def test_a_flood_is_bounded_and_its_last_line_is_kept(run):
    trial = run("sh", "-c", "yes flood | head -c 200000000; echo; echo last")

    ended = trial.end()

    assert ended.code == 0
    assert trial.lines[-1] == ("stdout", "last")
    assert sum(len(text) for _, text in trial.lines) < 10_000_000
    assert any("bytes of output left out" in text for _, text in trial.lines)


def test_what_it_left_in_the_background_ends_with_it(run):
    trial = run("sh", "-c", "sleep 60 & echo $!")

    trial.end()

    assert not is_there(int(trial.lines[0][1]))


def test_a_child_that_left_the_session_holds_up_nobody(run):
    code = (
        "import os, time\n"
        "child = os.fork()\n"
        "if child == 0:\n os.setsid(); time.sleep(60); os._exit(0)\n"
        "print(child)"
    )
    trial = run(*python(code))

    ended = trial.end()

    child = int(trial.lines[0][1])
    assert ended.code == 0
    assert is_there(child)
    os.kill(child, signal.SIGKILL)


def test_one_that_ends_when_asked_may_clean_up(run):
    trial = run("bash", "-c", "trap 'echo cleaned; exit 0' TERM; echo up; sleep 60 & wait")

    ended = trial.cancelled_once_it_prints(grace_s=20)

    assert trial.lines == [("stdout", "up"), ("stdout", "cleaned")]
    assert ended.was_stopped


def test_one_that_ignores_the_request_is_killed_with_its_children(run):
    code = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = os.fork()\n"
        "if child: print(child, flush=True)\n"
        "time.sleep(60)"
    )
    trial = run(*python(code))

    ended = trial.cancelled_once_it_prints(grace_s=0.3)

    assert ended.code == -signal.SIGKILL
    assert not is_there(int(trial.lines[0][1]))
    assert not is_there(trial.pid)


def test_children_have_the_whole_grace_though_the_command_itself_ended(run):
    code = (
        "import os, signal, sys, time\n"
        # Not by `print`: the request may come while the child is still in its first one.
        "def late(*_):\n time.sleep(0.4); os.write(1, b'saved\\n'); os._exit(0)\n"
        "if os.fork() == 0:\n signal.signal(signal.SIGTERM, late); os.write(1, b'up\\n')\n"
        "time.sleep(60)"
    )
    trial = run(*python(code))

    trial.cancelled_once_it_prints(grace_s=20)

    assert trial.lines == [("stdout", "up"), ("stdout", "saved")]


def test_waiting_for_children_takes_no_processor(run):
    code = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN if os.fork() == 0 else signal.SIG_DFL)\n"
        "print('up', flush=True)\n"
        "time.sleep(60)"
    )
    trial = run(*python(code))
    before_s = time.thread_time()

    trial.cancelled_once_it_prints(grace_s=1.5)

    assert time.thread_time() - before_s < 0.2


def test_it_dies_with_its_supervisor(tmp_path):
    code = f"""
import sys, os
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_process import Trial
trial = Trial(Path({str(tmp_path)!r}), ["sh", "-c", "sleep 60 & echo up; wait"])
print(trial.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run(python(code), capture_output=True, text=True, check=False)
    pid = int(done.stdout)

    with contextlib.suppress(ProcessLookupError):
        watched = os.pidfd_open(pid)
        asked = select.poll()
        asked.register(watched, select.POLLIN)
        asked.poll(20_000)
        os.close(watched)
    assert done.returncode == -signal.SIGKILL
    assert not is_there(pid)


def test_what_it_reports_is_heard_from_any_process_that_it_starts(run):
    said = '{"type":"progress","rows":3,"note":"page 1"}'
    inner = f"import os; print('{said}', file=open(os.environ['MAINSTEM_REPORT'], 'w'))"
    trial = run(
        *python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])")
    )

    trial.end()

    assert trial.progress == [(3, "page 1")]


def test_the_last_word_of_a_report_counts_without_a_line_end(tmp_path):
    command = (
        'printf \'{"type":"progress","rows":3}\\n{"type":"skip","reason":"none"}\' '
        '> "$MAINSTEM_REPORT"'
    )
    trial = Trial(tmp_path, ["sh", "-c", f"({command})"])

    trial.end()

    assert trial.progress == [(3, "")]
    assert trial.report.skip == "none"
    assert trial.report.warnings == ()


def test_a_report_larger_than_a_pipe_holds_up_nobody(tmp_path):
    line = '{"type":"metadata","values":{"n":1}}'
    trial = Trial(tmp_path, ["sh", "-c", f"yes '{line}' | head -n 20000 > $MAINSTEM_REPORT"])

    ended = trial.end()

    assert ended.code == 0
    assert trial.report.metadata == {"n": "1"}


def test_a_program_that_is_not_there_leaves_nothing_open(run):
    before = len(list(Path("/proc/self/fd").iterdir()))

    with pytest.raises(FileNotFoundError):
        run("no-such-program-anywhere")

    assert len(list(Path("/proc/self/fd").iterdir())) == before
