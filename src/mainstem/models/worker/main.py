# SPDX-License-Identifier: Apache-2.0
"""The worker process: takes requests until its supervisor is gone.

Started as `python -P -c "...main()" SOCKET LIFE FOLDER`. Imports little: what a request needs is
imported when the first such request comes, so that a worker is up in a few hundredths of a second.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import fcntl
import gc
import io
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from types import FrameType

from mainstem.models.python.importing import Stopped
from mainstem.models.worker.channel import Channel
from mainstem.models.worker.execute import Executor


def main() -> None:
    """Serve requests from the socket named on the command line."""
    connection, life, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    sys.argv[:] = [""]
    gc.set_threshold(300_000, 20, 20)  # as in the program: imports make no garbage
    # Arrow's own allocator asks for huge pages: a worker that reads one table of 30 MB spends up to
    # 0.3 s on clearing them, and keeps them while it idles. Whoever sets the variable decides.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    # NumPy's threads spin for a tenth of a second before they sleep: here they sleep at once.
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
    _live_no_longer_than_the_supervisor(life)
    _prepare_streams()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    sys.path.insert(0, str(folder))
    os.set_inheritable(connection, False)
    os.set_inheritable(life, False)
    channel = Channel(socket.socket(fileno=connection))
    code = 0
    try:
        Executor(folder, channel).serve()
    except Stopped:
        code = 128 + signal.SIGTERM
    except (EOFError, OSError):
        pass
    # Not by returning: threads that user code left behind must not keep the process.
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()  # noqa: SLF001  # the only way to run them
    _flush()
    os._exit(code)


def _stop(_number: int, _frame: FrameType | None) -> None:
    """Raise where user code is now, so that its `finally` and `with` blocks run; once."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped


def _live_no_longer_than_the_supervisor(life: int) -> None:
    """Arrange for the death of this process group when the supervisor's end of a pipe closes.

    PR_SET_PDEATHSIG would fire when the *thread* that started us ends. On Linux the kernel signals
    the group without any help of ours, so native code that holds the GIL is no obstacle.
    """
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(life, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(life, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)
        return

    def watch() -> None:
        os.read(life, 1)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, name="mainstem-life", daemon=True).start()


def _prepare_streams() -> None:
    """Make printed lines appear as they are printed, whatever the locale."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    faulthandler.enable()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
