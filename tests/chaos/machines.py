# SPDX-License-Identifier: Apache-2.0
"""The processes of a world: servers, a worker elsewhere, and whatever they start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson

PROGRAM = [sys.executable, "-m", "mainstem"]
SERVE = ("serve", "--no-http", "--no-watch", "--json")
DEADLY = Path(__file__).with_name("deadly")


class Machine:
    """One process of the program; what it says is in files beside the project."""

    def __init__(self, folder: Path, name: str, *words: str, dies_at: int = 0) -> None:
        self.name = name
        self.said = folder / "said" / f"{name}.out"
        self.said.parent.mkdir(exist_ok=True)
        environment = {**os.environ}
        # Some build machines forbid compiled modules: each process would compile all of it.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        if dies_at:
            path = os.pathsep.join([str(DEADLY), environment.get("PYTHONPATH", "")])
            environment |= {"PYTHONPATH": path, "CHAOS_DIES_AT": str(dies_at)}
        with self.said.open("w") as out, self.said.with_suffix(".err").open("w") as err:
            self.process = subprocess.Popen(
                [*PROGRAM, *words], cwd=folder, stdout=out, stderr=err, env=environment
            )
        self.is_stopped = False
        self.was_killed = False

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def lives(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        self.was_killed = True
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.is_stopped = True
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.is_stopped = False
        if self.lives:
            self.process.send_signal(signal.SIGCONT)

    def events(self) -> list[dict]:
        """All that a server told; the last line of one that was killed may be cut off."""
        lines = self.said.read_bytes().split(b"\n")[:-1]
        return [orjson.loads(line) for line in lines if line.startswith(b"{")]


class Machines:
    """All processes of one world."""

    def __init__(self, folder: Path, deaths: tuple[int, ...]) -> None:
        self.folder = folder
        self._deaths = list(deaths)
        self.servers: list[Machine] = []
        self.remotes: list[Machine] = []

    @property
    def living_servers(self) -> list[Machine]:
        return [one for one in self.servers if one.lives]

    @property
    def living_remotes(self) -> list[Machine]:
        return [one for one in self.remotes if one.lives]

    def told(self) -> int:
        """Count what servers have told."""
        return sum(one.said.read_bytes().count(b"\n") for one in self.servers)

    def serve(self, *, is_mortal: bool = True) -> Machine:
        dies_at = self._deaths.pop(0) if self._deaths and is_mortal else 0
        name = f"server-{len(self.servers) + 1}"
        self.servers.append(Machine(self.folder, name, *SERVE, dies_at=dies_at))
        return self.servers[-1]

    def work(self) -> Machine:
        name = f"worker-{len(self.remotes) + 1}"
        self.remotes.append(Machine(self.folder, name, "worker", "far", "--slots", "2"))
        return self.remotes[-1]

    def children(self) -> list[int]:
        """Processes in the project's folder that are none of the above, nor ours: user code's."""
        ours = {one.pid for one in (*self.servers, *self.remotes)}
        numbered = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return sorted(
            int(entry.name)
            for entry in numbered
            if int(entry.name) not in ours and _is_at(entry, self.folder)
        )

    def wake(self) -> None:
        for one in (*self.servers, *self.remotes):
            if one.is_stopped:
                one.go_on()
        for pid in self.children():
            send(pid, signal.SIGCONT)

    def end(self, *, patience_s: float) -> list[str]:
        """Ask all to end; gives what did not end well."""
        living = [*self.living_servers, *self.living_remotes]
        # Still importing, it listens to no signal: the system ends it, and it has begun nothing.
        unborn = {one.name for one in self.living_servers if not one.said.stat().st_size}
        for one in living:
            one.process.terminate()
        wrong = []
        for one in living:
            try:
                code = one.process.wait(patience_s)
            except subprocess.TimeoutExpired:
                one.kill()
                wrong.append(f"{one.name} did not end when it was told to")
                continue
            if code and not (code == -signal.SIGTERM and one.name in unborn):
                wrong.append(f"{one.name} ended with {code}")
        deadline = time.monotonic() + patience_s
        while (left := self.children()) and time.monotonic() < deadline:
            time.sleep(0.02)
        wrong += [f"process {pid} is left behind: {_command(pid)}" for pid in left]
        return wrong

    def slay(self) -> None:
        """Leave no process, whatever happened."""
        for one in (*self.servers, *self.remotes):
            if one.lives:
                one.kill()
        for pid in self.children():
            send(pid, signal.SIGKILL)


def send(pid: int, number: int) -> None:
    """Send a signal to a process that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _is_at(entry: Path, folder: Path) -> bool:
    try:
        parent = entry.joinpath("stat").read_text().rpartition(")")[2].split()[1]
        return entry.joinpath("cwd").readlink() == folder and int(parent) != os.getpid()
    except OSError:
        return False


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
