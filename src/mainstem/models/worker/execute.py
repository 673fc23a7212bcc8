# SPDX-License-Identifier: Apache-2.0
"""In the worker: carry out requests, one at a time. The boundary to user code is here."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from mainstem import errors
from mainstem.errors import InternalError, MainstemError, StepFailed, Where
from mainstem.models.python.context import Context
from mainstem.models.python.importing import Stopped, function_at, import_file
from mainstem.models.python.raised import import_failed, run_failed
from mainstem.models.worker.message import (
    Answer,
    Asked,
    Build,
    Built,
    Call,
    Called,
    Facts,
    Failed,
    Finished,
    Judge,
    Judged,
    Load,
    Loaded,
    Loading,
    Noted,
    Sense,
    Sensed,
    Told,
)
from mainstem.types import Usage, cpu_s, peak_memory, reset_peak

if TYPE_CHECKING:
    from mainstem.types import AssetKey, Schema


class Conversation(Protocol):
    """What an executor needs of a channel."""

    def send(self, message: object) -> None:
        """Send a message."""
        ...

    def receive(self) -> Any:
        """Wait for a message."""
        ...


class Executor:
    """Serves one supervisor over a channel."""

    def __init__(
        self,
        root: Path,
        channel: Conversation,
        *,
        on_raise: Callable[[BaseException], None] | None = None,
    ) -> None:
        self._root = root
        self._on_raise = on_raise
        self._channel = channel
        self._pid = os.getpid()
        self._modules_seen = len(sys.modules)
        self._told_count = 0
        self._watched: dict[str, tuple[int, int]] = {}

    def serve(self) -> None:
        """Answer requests until the supervisor is gone.

        Raises:
            EOFError: It is.
        """
        while True:
            request = self._channel.receive()
            answer = self.answer(request)
            sys.stdout.flush()
            sys.stderr.flush()
            if os.getpid() != self._pid:
                os._exit(0)  # a child that user code forked came back here: it has nothing to say
            self._channel.send(answer)

    def answer(self, request: object) -> Answer:
        """Carry one request out."""
        match request:
            case Load():
                return self._load(request)
            case Build():
                return self._guarded(request, self._build)
            case Judge():
                return self._guarded(request, self._judge)
            case Call():
                return self._do_item(request)
            case Sense():
                return self._guarded(request, self._sense)
            case _:
                return Failed(
                    error=InternalError("A9071", f"unknown request {type(request).__name__}.")
                )

    def _do_item(self, request: Call) -> Answer:
        """Do an item of another worker's loop."""
        try:
            size = _mapping().call(self._root, request)
        except BaseException as error:
            if isinstance(error, Stopped):
                raise
            failed = run_failed(error, f"item {request.key}", self._root)
            return Failed(error=failed, modules=self._newly_imported())
        return Called(size=size, modules=self._newly_imported())

    def _load(self, request: Load) -> Answer:
        project = _load().Project(self._root)
        for file in request.files:
            self._channel.send(Loading(file=file))
            self._channel.send(Loaded(discovered=_load().load_file(project, file)))
        return Finished(modules=self._newly_imported())

    def _guarded(self, request: Any, work: Callable[..., Answer]) -> Answer:
        """Run user code; whatever it raises becomes an answer."""
        name = _name_of(request)
        try:
            module = import_file(self._root, request.file)
            function = function_at(module, request.function)
            self._watch_imported()  # now: the file may be edited while the function runs
        except BaseException as error:
            if isinstance(error, Stopped):
                raise
            failed = import_failed(error, request.file, self._root)
            return Failed(error=failed, modules=self._newly_imported())
        try:
            with ExitStack() as opened:
                return work(request, function, opened)
        except BaseException as error:
            if isinstance(error, Stopped):
                raise
            if self._on_raise is not None:
                self._on_raise(error)
            failed = run_failed(error, name, self._root)
            return Failed(error=failed, modules=self._newly_imported())

    def _build(self, request: Build, function: Callable[..., Any], opened: ExitStack) -> Answer:
        reset_peak()
        begun_s = cpu_s(with_children=True)
        built = self._call(request, function, opened)
        used_s = cpu_s(with_children=True) - begun_s
        usage = Usage(cpu_s=used_s, peak_memory=peak_memory(), measured="worker")
        return replace(built, usage=usage, modules=self._newly_imported())

    def _call(self, request: Build, function: Callable[..., Any], opened: ExitStack) -> Built:
        result = function(**self._arguments(request, opened))
        if result is None and (request.is_effect or request.may_return_nothing):
            return Built(returned_nothing=not request.is_effect)
        if request.is_effect:
            raise _wrong_result(request, result, "nothing: it is annotated `-> None`")
        written = _sink().write_all(request, result, self._ask, self._root)
        return Built(written=written)

    def _judge(self, request: Judge, function: Callable[..., Any], opened: ExitStack) -> Answer:
        result = function(**self._arguments(request, opened))
        if isinstance(result, bool) or type(result).__name__ in {"bool_", "bool"}:
            return Judged(passed=bool(result), modules=self._newly_imported())
        count, sample = _sink().failing_rows(result, request)
        return Judged(
            passed=count == 0, failed_count=count, sample=sample, modules=self._newly_imported()
        )

    def _sense(self, request: Sense, function: Callable[..., Any], opened: ExitStack) -> Answer:
        del opened
        answer = _sensing().answer_of(function, request)
        return Sensed(answer=answer, modules=self._newly_imported())

    def _arguments(self, request: Build | Judge, opened: ExitStack) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        if request.takes_context:
            context = self._context(request.facts)
            if isinstance(request, Build):
                context = replace(context, map=self._map_for(_name_of(request)))
            arguments["context"] = context
        for each in request.given:
            if each.form == "nothing" or not each.relations:
                arguments[each.parameter] = None
            else:
                arguments[each.parameter] = _frames().give(each, opened, self._root)
        return arguments

    def _context(self, facts: Facts) -> Context:
        return Context(
            run_id=facts.run_id,
            attempt=facts.attempt,
            logical_time=facts.logical_time,
            environment=facts.environment,
            branch=facts.branch,
            full_refresh=facts.full_refresh,
            partition=facts.partition,
            vars=facts.variables,
            log=lambda text: self._channel.send(Noted(text=str(text))),
            progress=self._progress,
        )

    def _map_for(self, asset: str) -> Callable[..., list[Any]]:
        """Give `context.map`; what it needs is imported when it is called."""
        made: list[Any] = []

        def fan_out(*given: Any, **options: Any) -> list[Any]:
            if not made:
                made.append(_mapping().Mapper(self._root, self._channel, asset))
            found: list[Any] = made[0](*given, **options)
            return found

        return fan_out

    def _progress(self, rows: int | None = None, note: str = "") -> None:
        self._channel.send(Noted(text=str(note), rows=rows, is_progress=True))

    def _ask(self, key: AssetKey, schema: Schema) -> Told:
        self._channel.send(Asked(key=key, schema=schema))
        told = cast("Told", self._channel.receive())
        if told.error is not None:
            raise told.error
        return told

    def _newly_imported(self) -> Mapping[str, tuple[int, int]] | None:
        """Tell which project files this process has imported, if there are more than was told."""
        self._watch_imported()
        if self._told_count == len(self._watched):
            return None
        self._told_count = len(self._watched)
        return dict(self._watched)

    def _watch_imported(self) -> None:
        if len(sys.modules) == self._modules_seen:
            return
        self._modules_seen = len(sys.modules)
        for path in (*_watched_files(self._root), *_site_folders()):
            if path not in self._watched:
                try:
                    status = Path(path).stat()
                except OSError:
                    continue
                self._watched[path] = (status.st_mtime_ns, status.st_size)


def _watched_files(root: Path) -> Iterator[str]:
    """Give files of imported modules that people edit: the project's, and editable installs."""
    prefix = f"{root}{os.sep}"
    outside = f"{sys.prefix}{os.sep}"  # an environment within the project folder is not the project
    settled = (outside, f"{sys.base_prefix}{os.sep}", *_own_folders())
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and path.endswith(".py"):
            is_project = path.startswith(prefix) and not path.startswith(outside)
            if is_project or not path.startswith(settled):
                yield path


def _own_folders() -> tuple[str, ...]:
    """Our own code and the standard library: neither changes below a process that goes on."""
    return (
        f"{Path(errors.__file__).parent}{os.sep}",
        f"{Path(os.__file__).parent}{os.sep}",
    )


def _site_folders() -> Iterator[str]:
    """Give folders whose time changes when a distribution is installed, updated or removed."""
    for path in sys.path:
        if path.startswith(sys.prefix) and path.endswith("-packages"):
            yield path


def _wrong_result(request: Build, result: object, allowed: str) -> MainstemError:
    asset = str(request.outputs[0].key)
    came = "a generator" if inspect.isgenerator(result) else f"`{type(result).__qualname__}`"
    return StepFailed(
        "A7113",
        f"{asset} returned {came}; allowed is {allowed}.",
        where=Where(file=request.file, asset=asset),
    )


def _name_of(request: Any) -> str:
    """Say what user code is run for."""
    match request:
        case Judge():
            return request.check
        case Sense():
            return f"sensor {request.sensor}"
        case _:
            return str(request.outputs[0].key)


def _mapping() -> Any:
    """Import what fans out; few functions do."""
    return importlib.import_module("mainstem.models.worker.mapping")


def _load() -> Any:
    """Import what describes files; building needs none of it."""
    return importlib.import_module("mainstem.models.python.load")


def _frames() -> Any:
    """Import what reads tables; functions without data never pay for it."""
    return importlib.import_module("mainstem.models.worker.frames")


def _sensing() -> Any:
    """Import what calls sensors."""
    return importlib.import_module("mainstem.models.worker.sensing")


def _sink() -> Any:
    """Import what writes tables."""
    return importlib.import_module("mainstem.models.worker.sink")
