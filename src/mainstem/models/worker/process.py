# SPDX-License-Identifier: Apache-2.0
"""One worker process, as its supervisor sees it: start, converse, stop, and say how it died.

Workers are spawned, never forked from the threaded supervisor; each leads a session of its own, so
that it, and whatever it starts, can be killed alone. Used by `pool`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mainstem.errors import Cancelled, EngineUnavailable, MainstemError, StepFailed, Where
from mainstem.models.worker.channel import Channel
from mainstem.models.worker.message import Answer, Built
from mainstem.models.worker.output import Output
from mainstem.models.worker.wear import Wear, memory_of, oom_kills
from mainstem.types import Clock, bytes_text, machine_memory

_START = "from mainstem.models.worker.main import main; main()"
_POLL_S = 0.2
_GRACE_S = 5.0


class WorkerProcess:
    """A process that imports user code and runs one request at a time."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self.modules: Mapping[str, tuple[int, int]] = {}
        """Project files that it has imported, with time and size then."""
        self._heard = 0
        self._peak: int | None = None
        """Bytes it held at most in its last request, if that told: it holds no more now."""
        self._early: list[Any] = []
        """Messages that `hear` took in and that `converse` has to answer."""
        self.idle_since_s = self._started_s = clock.monotonic_s()
        """When it last had nothing to do."""
        self._is_open = False
        self._oom_before = oom_kills()  # not for each request: that would cost as much as one
        ours, theirs = socket.socketpair()
        life, self._life = os.pipe()
        self._woken, self._wake = os.pipe()
        descriptors = (theirs.fileno(), life)
        try:
            self._process = subprocess.Popen(  # our own interpreter and text
                [sys.executable, "-P", "-c", _START, *map(str, descriptors), str(folder)],
                cwd=folder,
                env=None if environment is None else dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                pass_fds=descriptors,
                start_new_session=True,
            )
        except OSError as error:
            for descriptor in (self._life, self._woken, self._wake):
                os.close(descriptor)
            ours.close()
            raise EngineUnavailable(
                "A7108", f"A Python worker cannot be started: {error}.",
                hint=f"It is started as {sys.executable} in {folder}.",
            ) from error  # fmt: skip
        finally:
            theirs.close()
            os.close(life)
        self._channel = Channel(ours)
        self._selector = self._listen()
        self._is_open = True

    def __del__(self) -> None:
        # Of a pool that nobody closed; modules may be gone already when Python ends.
        with contextlib.suppress(Exception):
            self.close(wait_s=0.2)

    @property
    def is_alive(self) -> bool:
        """Whether the process can take a request."""
        return self._process.poll() is None and not self._channel.is_closed

    @property
    def pid(self) -> int:
        """Its process id, which is also that of its process group."""
        return self._process.pid

    def is_worn(self, wear: Wear) -> bool:
        """Tell whether it is old, or holds too much memory."""
        age_s = self._clock.monotonic_s() - self._started_s
        is_small = self._peak is not None and self._peak <= wear.memory_bytes
        memory_bytes = 0 if is_small else memory_of(self.pid)
        return wear.is_worn(age_s=age_s, memory_bytes=memory_bytes)

    def is_outdated(self) -> bool:
        """Tell whether a project file that it imported has changed or gone since."""
        for path, identity in self.modules.items():
            try:
                status = os.stat(path)  # noqa: PTH116  # asked for each request
            except OSError:
                return True
            if (status.st_mtime_ns, status.st_size) != identity:
                return True
        return False

    def send(self, request: object) -> None:
        """Send a request, which `converse` sees through; it tells if there is nobody to take it."""
        with contextlib.suppress(OSError):
            self._channel.send(request)

    def fileno(self) -> int:
        """Give the descriptor that is readable once `hear` has something to take in."""
        return self._descriptor

    def hear(self) -> Answer | bool:
        """Take in what has come, without waiting.

        Returns:
            The last answer, if it came alone and nothing was printed before it; otherwise whether
            there is something that `converse` is needed for.
        """
        ready = {key.data for key, _ in self._selector.select(0)}
        if ready != {"message"}:
            return bool(ready)
        # What is printed before an answer is in the pipes before it: they would be ready, too.
        messages = self._channel.available()
        if len(messages) == 1 and isinstance(messages[0], Answer):
            self._note(messages[0])
            return messages[0]
        self._early = messages
        return bool(messages) or self._channel.is_closed

    def converse(
        self,
        *,
        asset: str,
        answer: Callable[[Any], object | None],
        output: Output,
        timeout_s: float | None = None,
        is_per_message: bool = False,
        grace_s: float = _GRACE_S,
    ) -> Answer:
        """See a request through that was sent.

        Args:
            asset: Its name, for errors.
            answer: Takes each message before the last; what it returns is sent back.
            output: Takes what the process prints.
            timeout_s: Time for the whole request.
            is_per_message: Each message starts that time anew.
            grace_s: Time between asking the process to end and killing its group.

        Raises:
            StepFailed: It took too long, or the process died.
            Cancelled: `cancel` was called.
        """
        end = None if timeout_s is None else self._clock.monotonic_s() + timeout_s
        try:
            while True:
                left = None if end is None else end - self._clock.monotonic_s()
                if left is not None and left <= 0:
                    self._stop(output, grace_s)
                    raise _took_too_long(asset, timeout_s or 0.0, output)
                heard = self._heard
                last = self._turn(left, answer, output)
                if is_per_message and timeout_s is not None and self._heard > heard:
                    end = self._clock.monotonic_s() + timeout_s
                if last is not None:
                    self._drain(output)
                    self._note(last)
                    return last
        except _Woken:
            self._stop(output, grace_s)
            raise Cancelled("A7109", f"{asset} was cancelled.", where=Where(asset=asset)) from None
        except _Gone:
            raise self._died(asset, output, grace_s) from None
        finally:
            output.finish()

    def cancel(self) -> None:
        """Stop the conversation; may be called from any thread."""
        with contextlib.suppress(OSError):
            os.write(self._wake, b"x")

    def kill(self) -> None:
        """Kill the process and all of its group at once; may be called from any thread."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self, *, wait_s: float = 1.0) -> None:
        """End the process, as kindly as it lets us, and release what belongs to it."""
        if not self._is_open:
            return
        self._is_open = False
        self._channel.close()
        try:
            if self._process.returncode is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(wait_s)
        finally:
            self.kill()  # also what it started and left behind
            self._process.wait()
            self._selector.close()
            for descriptor in (self._life, self._woken, self._wake, self._pidfd):
                if descriptor >= 0:
                    os.close(descriptor)
            for pipe in (self._process.stdout, self._process.stderr):
                if pipe is not None:
                    pipe.close()

    def _listen(self) -> selectors.BaseSelector:
        selector = selectors.DefaultSelector()
        selector.register(self._channel.socket, selectors.EVENT_READ, "message")
        selector.register(self._woken, selectors.EVENT_READ, "woken")
        for pipe, stream in ((self._process.stdout, "stdout"), (self._process.stderr, "stderr")):
            assert pipe is not None, "both are pipes"
            flags = fcntl.fcntl(pipe, fcntl.F_GETFL)
            fcntl.fcntl(pipe, fcntl.F_SETFL, flags | os.O_NONBLOCK)
            selector.register(pipe, selectors.EVENT_READ, stream)
        # A child that outlives the worker keeps its sockets open: only the process itself tells.
        self._pidfd = os.pidfd_open(self._process.pid) if hasattr(os, "pidfd_open") else -1
        if self._pidfd >= 0:
            selector.register(self._pidfd, selectors.EVENT_READ, "exit")
        # Where selectors are no descriptors themselves nobody can wait for several of them.
        self._descriptor = selector.fileno() if hasattr(selector, "fileno") else -1
        return selector

    def _note(self, last: Answer) -> None:
        if last.modules is not None:
            self.modules = last.modules
        usage = last.usage if isinstance(last, Built) else None
        self._peak = usage.peak_memory if usage is not None else None

    def _send(self, message: object) -> None:
        try:
            self._channel.send(message)
        except OSError:
            raise _Gone from None

    def _turn(
        self, left: float | None, answer: Callable[[Any], object | None], output: Output
    ) -> Answer | None:
        """Wait for one round of events; gives the last answer when it comes."""
        wait = left if self._pidfd >= 0 else min(_POLL_S, _POLL_S if left is None else left)
        early, self._early = self._early, []
        ready = self._selector.select(0 if early else wait)
        names = {key.data for key, _ in ready}
        for key, _ in ready:
            if key.data in {"stdout", "stderr"} and not output.read(key.fd, key.data):
                self._selector.unregister(key.fileobj)
        if "woken" in names:
            raise _Woken
        if early or "message" in names or "exit" in names:
            for message in (*early, *self._channel.available(to_the_end="exit" in names)):
                self._heard += 1
                if isinstance(message, Answer):
                    return message
                reply = answer(message)
                if reply is not None:
                    self._send(reply)
        if "exit" in names or self._channel.is_closed or self._process.poll() is not None:
            raise _Gone
        return None

    def _drain(self, output: Output) -> None:
        """Take what was printed before the last answer: it is in the pipes already."""
        out, err = self._process.stdout, self._process.stderr
        assert out is not None, "a pipe"
        assert err is not None, "a pipe"
        output.read(out.fileno(), "stdout")
        output.read(err.fileno(), "stderr")

    def _stop(self, output: Output, grace_s: float) -> None:
        """Ask the group to end, and kill what is left of it after the grace."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGTERM)
        end = self._clock.monotonic_s() + grace_s
        while self._process.poll() is None and (left := end - self._clock.monotonic_s()) > 0:
            for key, _ in self._selector.select(min(left, _POLL_S)):
                if key.data in {"stdout", "stderr"}:
                    if not output.read(key.fd, key.data):
                        self._selector.unregister(key.fileobj)
                elif key.data in {"woken", "message"}:
                    self._selector.unregister(key.fileobj)
        self.kill()
        self._process.wait()
        self._drain(output)

    def _died(self, asset: str, output: Output, grace_s: float) -> MainstemError:
        """Say how the process ended; kills what is left of its group first."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.5)
        if self._process.returncode is None:
            self._stop(output, grace_s)
        self.kill()
        self._drain(output)
        is_oom = oom_kills() > self._oom_before
        return death(asset, self._process.returncode, output, is_oom=is_oom)


class _Woken(Exception):  # not an error
    """`cancel` was called."""


class _Gone(Exception):  # not an error
    """The process ended, or closed its end."""


def _took_too_long(asset: str, timeout_s: float, output: Output) -> StepFailed:
    return StepFailed(
        "A7111",
        f"{asset} took longer than its timeout of {timeout_s:g} s and was stopped.",
        hint="Raise `timeout=`, or find what it waits for; its last lines are in the run's log.",
        where=Where(asset=asset),
        details=output.tail("stderr"),
    )


def death(asset: str, code: int | None, output: Output, *, is_oom: bool) -> StepFailed:
    """Say how a worker process ended, and why, as far as there are signs of it.

    Args:
        asset: What it was doing.
        code: Its exit code; the negative number of a signal.
        output: What it printed.
        is_oom: The kernel has killed for want of memory meanwhile.
    """
    if code == -signal.SIGKILL and is_oom:
        return StepFailed(
            "A7118",
            f"The worker process of {asset} was killed by the kernel: memory ran out "
            f"(the machine, or this container, has {bytes_text(machine_memory())}).",
            hint="Read in batches (pa.RecordBatchReader, pl.LazyFrame), or say what it needs with "
            "`memory:`, so that less runs beside it.",
            where=Where(asset=asset),
            details=output.tail("stderr"),
            raised=("MemoryError",),
        )
    hint = "A crash is tried again if the asset has `retries=`."
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        how = f"was killed by {name}"
        if name == "SIGKILL":
            hint = "Often the kernel does this when memory runs out; read in batches. " + hint
        elif name in {"SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE"}:
            hint = "Native code crashed; the last lines of stderr say where. " + hint
    else:
        how = f"exited with code {code}"
    return StepFailed(
        "A7112",
        f"The worker process of {asset} {how} before it was done.",
        hint=hint,
        where=Where(asset=asset),
        details=output.tail("stderr"),
    )
