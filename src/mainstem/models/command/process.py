# SPDX-License-Identifier: Apache-2.0
"""One command as a process: started in a session of its own, listened to, stopped with its group.

It dies with its supervisor: a second, tiny process waits for that at the end of a pipe, and kills
the group. A child that leaves the group (`setsid`) outlives it, as that of a worker does.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import selectors
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mainstem.errors import EngineUnavailable
from mainstem.models.command.report import Report
from mainstem.models.worker.output import Output, Stream
from mainstem.types import Clock, Usage, dataclass

_POLL_S = 0.2
_GROUP_POLL_S = 0.05
# A word means that all is well; without one, whoever held the other end is gone.
_GUARD = 'read -r word && exit 0; kill -s KILL -- "-$1"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    """The negative number of the signal that killed it."""
    usage: Usage
    was_stopped: bool = False


class CommandProcess:
    """A running command.

    Args:
        argv: Program and arguments.
        folder: Where it runs.
        environment: All of its environment variables.
        report: Path of the pipe to make for its report.
        clock: Measures the grace.

    Raises:
        OSError: The program cannot be started.
        EngineUnavailable: There is no `/bin/sh` to watch over it.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        report: Path,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._opened = contextlib.ExitStack()
        self._used: resource.struct_rusage | None = None
        with contextlib.ExitStack() as opened:
            self._report = _pipe_at(report, opened)
            self._woken, self._wake = _pipe(opened)
            self._process = subprocess.Popen(  # the owner's own command, without a shell
                list(argv),
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
            opened.callback(self._end)
            _guard(self._process.pid, opened)
            self._selector = opened.enter_context(selectors.DefaultSelector())
            self._pidfd = self._listen(opened)
            self._opened = opened.pop_all()

    def cancel(self) -> None:
        """Let `wait` stop it; may be called from any thread."""
        with contextlib.suppress(OSError):
            os.write(self._wake, b"x")

    def wait(self, output: Output, report: Report, *, grace_s: float) -> Ended:
        """Listen until it has ended, and end what it left behind in its group.

        Args:
            output: Takes what it prints.
            report: Takes what it says.
            grace_s: Time between asking the group to end and killing it.
        """
        was_stopped = False
        try:
            while not self._has_ended():
                if self._turn(output, report):
                    was_stopped = True
                    self._stop(output, report, grace_s)
            self._signal(signal.SIGKILL)
            self._reap()
            self._take_rest(output, report)
        finally:
            output.finish()
        code, used = self._process.returncode, self._used
        return Ended(code=code, usage=_usage(used), was_stopped=was_stopped)

    def close(self) -> None:
        """End what is left of it, and release what belongs to it."""
        self._opened.close()

    def _listen(self, opened: contextlib.ExitStack) -> int:
        out, err = self._process.stdout, self._process.stderr
        for pipe, stream in ((out, "stdout"), (err, "stderr")):
            assert pipe is not None, "both are pipes"
            opened.callback(pipe.close)
            flags = fcntl.fcntl(pipe, fcntl.F_GETFL)
            fcntl.fcntl(pipe, fcntl.F_SETFL, flags | os.O_NONBLOCK)
            self._selector.register(pipe, selectors.EVENT_READ, stream)
        self._selector.register(self._woken, selectors.EVENT_READ, "woken")
        self._selector.register(self._report, selectors.EVENT_READ, "report")
        # A child that outlives the command keeps its pipes open: only the process itself tells.
        pidfd = os.pidfd_open(self._process.pid) if hasattr(os, "pidfd_open") else -1
        if pidfd >= 0:
            opened.callback(os.close, pidfd)
            self._selector.register(pidfd, selectors.EVENT_READ, "exit")
        return pidfd

    def _turn(self, output: Output, report: Report, wait_s: float | None = None) -> bool:
        """Wait for one round of events; tells whether to stop."""
        usual = None if self._pidfd >= 0 else _POLL_S
        ready = self._selector.select(usual if wait_s is None else wait_s)
        is_woken = False
        for key, _ in ready:
            match key.data:
                case "stdout" | "stderr":
                    self._read(key, output)
                case "report":
                    report.read(key.fd)
                case "woken":
                    is_woken = True
                    self._selector.unregister(key.fileobj)
                case _:
                    # Told once: it would be ready for as long as children are waited for.
                    self._selector.unregister(key.fileobj)
        return is_woken

    def _read(self, key: selectors.SelectorKey, output: Output) -> None:
        stream: Stream = key.data
        if not output.read(key.fd, stream):
            self._selector.unregister(key.fileobj)

    def _stop(self, output: Output, report: Report, grace_s: float) -> None:
        """Ask the group to end; what is left of it after the grace is killed by the caller."""
        self._signal(signal.SIGTERM)
        end_s = self._clock.monotonic_s() + grace_s
        while (left_s := end_s - self._clock.monotonic_s()) > 0 and self._has_group():
            self._turn(output, report, min(left_s, _GROUP_POLL_S))
        self._signal(signal.SIGKILL)

    def _has_group(self) -> bool:
        """Tell whether anything of the group goes on: the command itself, or what it started."""
        if not self._has_ended():
            return True
        self._reap()  # or it would count as one that goes on
        try:
            os.killpg(self._process.pid, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def _has_ended(self) -> bool:
        if self._process.returncode is not None:
            return True
        if hasattr(os, "waitid"):
            # Not reaped yet: until its group was killed, its number must not be given to another.
            how = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self._process.pid, how) is not None
        return self._reaped(os.WNOHANG)

    def _reap(self) -> None:
        if self._process.returncode is None:
            self._reaped(0)

    def _reaped(self, options: int) -> bool:
        pid, status, used = os.wait4(self._process.pid, options)
        if pid:
            self._used = used
            self._process.returncode = os.waitstatus_to_exitcode(status)
        return bool(pid)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _take_rest(self, output: Output, report: Report) -> None:
        """Take what was written before the end: it is in the pipes already."""
        for key in list(self._selector.get_map().values()):
            if key.data in {"stdout", "stderr"}:
                self._read(key, output)
        report.read(self._report)
        report.finish()

    def _end(self) -> None:
        """Kill what is left, however this came about."""
        if self._process.returncode is None:
            self._signal(signal.SIGKILL)
            self._reap()


def _pipe(opened: contextlib.ExitStack) -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        opened.callback(os.close, end)
    return ends


def _pipe_at(path: Path, opened: contextlib.ExitStack) -> int:
    """Make a named pipe: a path reaches whatever the command starts, a descriptor would not."""
    os.mkfifo(path, 0o600)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    opened.callback(os.close, reading)
    # Our own writing end: so a writer never waits for us, and the end of one is not the end.
    opened.callback(os.close, os.open(path, os.O_WRONLY))
    return reading


def _guard(group: int, opened: contextlib.ExitStack) -> None:
    """Start what kills the group if this process is gone; ends in peace with the block."""
    life, ours = os.pipe()
    try:
        guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "sh", str(group)],
            stdin=life,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        os.close(ours)
        raise EngineUnavailable(
            "A7154", f"/bin/sh, which watches over commands, cannot be started: {error}."
        ) from error
    finally:
        os.close(life)

    def end() -> None:
        with contextlib.suppress(OSError):
            os.write(ours, b"\n")
        os.close(ours)
        guard.wait()

    opened.callback(end)


def _usage(used: resource.struct_rusage | None) -> Usage:
    assert used is not None, "known of what was waited for"
    unit = 1 if sys.platform == "darwin" else 1024
    return Usage(
        cpu_s=used.ru_utime + used.ru_stime, peak_memory=used.ru_maxrss * unit, measured="worker"
    )
