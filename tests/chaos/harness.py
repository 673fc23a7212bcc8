# SPDX-License-Identifier: Apache-2.0
"""Seeded chaos with real processes: `python tests/chaos/harness.py sqlite|postgres FIRST COUNT`.

Each seed is a small project with servers, launches and accidents (`world.py`). When it is at peace
again, `oracle.py` says what does not hold. A failure names its seed and leaves the folder.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from machines import Machine, Machines, send
from oracle import contents, judge
from reader import Reader
from world import Act, World, csv_of, draw, files_of

from mainstem import state
from mainstem.errors import MainstemError
from mainstem.project import Project, collect, open_project
from mainstem.service import Backfills
from mainstem.state import LaunchRequest
from mainstem.types import SystemClock

PATIENCE_S = 90.0
"""For all to be at peace again, and for the last run; generous: machines are busy."""
IDLE_S = 0.7
"""Silence of all servers after which the next thing happens anyway."""


class Later(SystemClock):
    """The machine's clock, set forward: what runs left behind has expired."""

    __slots__ = ()

    def now(self):
        return super().now() + timedelta(days=60)


class Chaos:
    """One world, from its first server to the verdict."""

    def __init__(self, world: World, folder: Path, postgres=None) -> None:
        self.world = world
        self.folder = folder
        self.postgres = postgres
        database = f"sqlite:///{folder}/lake.db"
        if postgres is not None:
            database = postgres.url(f"chaos_{os.getpid()}_{world.seed}")
        for name, text in files_of(world, str(folder), database).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.machines = Machines(folder, world.deaths)
        self.chance = random.Random(f"{world.seed}/machines")
        self.faults: Counter[str] = Counter()
        self.launched: list[int] = []
        self.files = 0
        self.marks: list[tuple[str, float]] = [("", time.monotonic())]
        self._timers: list[threading.Timer] = []
        """Wake what sleeps: from threads, since what sleeps may hold what we wait for."""

    def run(self) -> list[str]:
        """Let it happen; gives what is wrong in the end."""
        try:
            with open_project(self.folder) as project:
                project.lake.ref("main")
                reader = Reader(self.folder)
                try:
                    self._let_it_happen(project)
                    wrong = self._settle(project)
                finally:
                    self.machines.wake()
                    reader.stop()
                wrong += reader.wrong
                self.mark("last")
                wrong += self.machines.end(patience_s=40)
            self.mark("end")
            if not wrong:
                with open_project(self.folder) as project:
                    self.mark("open")
                    wrong = judge(
                        project, self.world, self.files, self.machines.servers, self.launched
                    )
            if not wrong:
                with open_project(self.folder, clock=Later()) as project:
                    collect(project.services, project.recording, dry_run=False)
                    wrong = [
                        f"after gc: {text}" for text in contents(project, self.world, self.files)
                    ]
            return wrong
        finally:
            self.machines.slay()

    def mark(self, name: str) -> None:
        """Note when a part of it is over."""
        self.marks.append((name, time.monotonic()))

    def _let_it_happen(self, project: Project) -> None:
        for _ in range(self.world.servers):
            self.machines.serve()
        if self.world.executor == "far":
            self.machines.work()
        self._wait(lambda: any(one.events() for one in self.machines.servers), "a server leads")
        self.mark("boot")
        for act in self.world.acts:
            self._wait_for_moment(act.after)
            self._carry_out(project, act)
        for timer in self._timers:
            timer.join()

    def _wait_for_moment(self, after: int) -> None:
        """Wait until servers have told so much, or have nothing to tell."""
        told, since = -1, time.monotonic()
        while told < after and time.monotonic() - since < IDLE_S:
            if told != (told := self.machines.told()):
                since = time.monotonic()
            self._keep_house()
            time.sleep(0.01)

    def _keep_house(self) -> None:
        """Have as many servers as there should be, and a worker."""
        for one in self.machines.servers:
            if not one.lives and not one.was_killed:
                one.was_killed = True
                if one.process.returncode == -signal.SIGKILL:
                    self.faults["kill_server_in_commit"] += 1
        while len(self.machines.living_servers) < self.world.servers:
            self.machines.serve()
        if self.world.executor == "far" and not self.machines.living_remotes:
            self.machines.work()

    def _carry_out(self, project: Project, act: Act) -> None:
        happens = getattr(self, f"_do_{act.what}")(project, act)
        if happens:
            self.faults[act.what] += 1

    def _do_launch(self, project: Project, act: Act) -> None:
        self._launch(project, act.select, f"key-{len(self.launched)}", asked=1 + act.number)

    def _launch(
        self, project: Project, select: tuple[str, ...], key: str, *, asked: int = 1
    ) -> int:
        """Ask for a run, again until it is known to be asked for; more than once is once."""
        request = LaunchRequest(
            origin="webhook", source="chaos", run_key=key, select=select, cause={}
        )
        for _ in range(asked):
            self._surely(lambda: self._enqueue(project, request))
        with project.services.database.read() as transaction:
            found = state.launch_of_key(transaction, "webhook", "chaos", key)
        assert found is not None, "asked for, and not there"
        self.launched.append(found.id)
        return found.id

    def _enqueue(self, project: Project, request: LaunchRequest) -> None:
        with project.services.database.write() as transaction:
            state.enqueue(transaction, request, now=project.clock.now())

    def _surely(self, act) -> object:
        """Do something that may find the database gone or locked, again until it is done."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return act()
            except MainstemError as error:
                if not error.is_retryable or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _do_file(self, project: Project, act: Act) -> None:
        self.files += 1
        self._put(f"data/events{self.files:03}.csv", csv_of(self.world.seed, self.files))

    def _do_control(self, project: Project, act: Act) -> None:
        self._put("data/control.csv", f"ok\n{act.number}\n")

    def _put(self, path: str, text: str) -> None:
        whole = self.folder / path
        part = self.folder / "said" / "part"
        part.write_text(text)
        part.rename(whole)

    def _do_backfill(self, project: Project, act: Act) -> None:
        with contextlib.suppress(MainstemError):  # nothing to fill yet, or the database is away
            Backfills(project).create(["parts.monthly+"], pace={"chunk": act.number})

    def _do_pause(self, project: Project, act: Act) -> None:
        with contextlib.suppress(MainstemError):
            Backfills(project).pause(1)
            Backfills(project).resume(1)

    def _do_cancel(self, project: Project, act: Act) -> None:
        if self.launched:
            launch = self.launched[act.number % len(self.launched)]

            def cancel() -> None:
                with project.services.database.write() as transaction:
                    state.cancel_launch(transaction, launch, now=project.clock.now())

            self._surely(cancel)

    def _do_kill_server(self, project: Project, act: Act) -> bool:
        living = self.machines.living_servers
        if living:
            living[act.number % len(living)].kill()
        return bool(living)

    def _do_term_server(self, project: Project, act: Act) -> bool:
        living = [one for one in self.machines.living_servers if not one.is_stopped]
        if living:
            living[act.number % len(living)].process.terminate()
        return bool(living)

    def _do_stop_server(self, project: Project, act: Act) -> bool:
        return self._sleep(self.machines.living_servers, act)

    def _do_kill_remote(self, project: Project, act: Act) -> bool:
        living = self.machines.living_remotes
        if living:
            living[act.number % len(living)].kill()
        return bool(living)

    def _do_stop_remote(self, project: Project, act: Act) -> bool:
        return self._sleep(self.machines.living_remotes, act)

    def _do_kill_worker(self, project: Project, act: Act) -> bool:
        children = self._children()
        if children:
            send(children[act.number % len(children)], signal.SIGKILL)
        return bool(children)

    def _children(self) -> list[int]:
        """Wait a little for a process of user code."""
        deadline = time.monotonic() + 2 * IDLE_S
        while not (found := self.machines.children()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return found

    def _do_stop_worker(self, project: Project, act: Act) -> bool:
        return self._sleep(self._children(), act)

    def _sleep(self, those: list, act: Act) -> bool:
        """Stop one of those processes, to wake later."""
        if not those:
            return False
        one = those[act.number % len(those)]
        if isinstance(one, Machine):
            one.stop()
            wake = one.go_on
        else:
            send(one, signal.SIGSTOP)
            wake = functools.partial(send, one, signal.SIGCONT)
        self._timers.append(threading.Timer(act.lasts_s, wake))
        self._timers[-1].start()
        return True

    def _do_hold_database(self, project: Project, act: Act) -> bool:
        """Write for longer than a lease lasts: nobody else can."""
        with contextlib.suppress(MainstemError), project.services.database.write():
            time.sleep(min(act.lasts_s, 1.6))
        return True

    def _do_restart_postgres(self, project: Project, act: Act) -> bool:
        self.postgres.stop("immediate" if act.number % 2 else "fast")
        self.postgres.start()
        return True

    def _do_cut_connections(self, project: Project, act: Act) -> bool:
        self.postgres.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where pid <> pg_backend_pid() and backend_type = 'client backend'"
        )
        return True

    def _settle(self, project: Project) -> list[str]:
        """Let what is left be finished, then build all; gives what did not come to an end."""
        self.machines.wake()
        self._put("data/control.csv", "ok\n1\n")
        if self.world.ends_with_a_kill:
            for one in self.machines.living_servers:
                one.kill()
        if not self.machines.living_servers:
            self.machines.serve(is_mortal=False)
        if self.world.executor == "far" and not self.machines.living_remotes:
            self.machines.work()
        try:
            self.mark("chaos")
            self._wait(lambda: self._is_quiet(project), "all launches have ended")
            self.mark("quiet")
            for number in range(5):
                launch = self._launch(project, (), f"last-{number}")
                has_ended = functools.partial(self._has_ended, project, launch)
                self._wait(has_ended, "the last run ends")
                if self._status(project, launch) == "succeeded":
                    return []
        except TimeoutError as error:
            return [str(error)]
        return ["the last run did not succeed in five tries"]

    def _is_quiet(self, project: Project) -> bool:
        def look() -> bool:
            with project.services.database.read() as transaction:
                depth = state.queue_depth(transaction)
                flying = [
                    one for one in state.backfills(transaction, limit=50) if one.status == "running"
                ]
                # A schedule asks for more all the time: what the harness asked for must have ended.
                ended = [
                    state.launch_of(transaction, one).status not in {"queued", "running"}
                    for one in self.launched
                ]
                busy = bool(state.unfinished_runs(transaction)) or any(depth.values())
            return all(ended) and not flying and ("jobs:" in self.world.settings or not busy)

        return bool(self._surely(look))

    def _status(self, project: Project, launch_id: int) -> str:
        def look() -> str:
            with project.services.database.read() as transaction:
                status = state.launch_of(transaction, launch_id).status
            return "running" if status == "queued" else status

        return str(self._surely(look))

    def _has_ended(self, project: Project, launch_id: int) -> bool:
        return self._status(project, launch_id) != "running"

    def _wait(self, is_so, what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not is_so():
            self._keep_house()
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {PATIENCE_S:g} s in vain until {what}")
            time.sleep(0.05)


def main() -> int:
    """Run the worlds that were asked for; gives 1 if one went wrong."""
    kind, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    failed: list[int] = []
    faults: Counter[str] = Counter()
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        postgres = _postgres(stack) if kind == "postgres" else None
        for seed in range(first, first + count):
            chaos, wrong = _one(kind, seed, postgres)
            faults.update(chaos.faults)
            if wrong:
                failed.append(seed)
    sys.stdout.write(
        f"{count} worlds on {kind} in {time.monotonic() - began:.0f} s, "
        f"{sum(faults.values())} faults: {_told(faults)}; wrong: {failed or 'none'}\n"
    )
    return 1 if failed else 0


def _one(kind: str, seed: int, postgres) -> tuple[Chaos, list[str]]:
    folder = Path(tempfile.mkdtemp(prefix=f"chaos-{kind}-{seed}-")).resolve()
    chaos = Chaos(draw(seed, on_postgres=postgres is not None), folder, postgres)
    try:
        wrong = chaos.run()
    except Exception as error:  # noqa: BLE001  # one world must not end the others
        wrong = [f"the harness itself: {type(error).__name__}: {error}"]
    chaos.mark("judged")
    times = " ".join(
        f"{name} {after - before:.1f}" for (_, before), (name, after) in pairwise(chaos.marks)
    )
    verdict = "WRONG" if wrong else "ok"
    sys.stdout.write(f"{kind} seed {seed}: {verdict} ({_told(chaos.faults)}) ({times})\n")
    if wrong:
        sys.stdout.write("".join(f"    {text}\n" for text in wrong) + f"    {folder}\n")
    else:
        shutil.rmtree(folder)
    sys.stdout.flush()
    return chaos, wrong


def _told(faults: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(faults.items()))


def _postgres(stack: contextlib.ExitStack):
    """Start a server of our own, as the other tests do."""
    path = Path(__file__).parents[1] / "conftest.py"
    spec = importlib.util.spec_from_file_location("test_servers", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    server = module.PostgresServer()
    stack.callback(server.close)
    return server


if __name__ == "__main__":
    sys.exit(main())
