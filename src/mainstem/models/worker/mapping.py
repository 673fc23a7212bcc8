# SPDX-License-Identifier: Apache-2.0
"""In the worker: `context.map`, and the items that come of it."""

from __future__ import annotations

import importlib
import os
import pickle
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, Protocol

from mainstem.errors import MainstemError, StepFailed, Where
from mainstem.models.python.context import ItemFailed
from mainstem.models.python.importing import import_file
from mainstem.models.python.raised import run_failed
from mainstem.models.worker.item import result_name
from mainstem.models.worker.message import Call, Function, ItemEnded, MapItems, Mapped

RESULT_LIMIT = 64 << 20
_THREADS = 8


class Channel(Protocol):
    """The supervisor, to a loop."""

    def send(self, message: object) -> None:
        """Send a message; from any thread."""
        ...

    def receive(self) -> Any:
        """Wait for a message."""
        ...


class Mapper:
    """Meets `Context.map` for one request.

    Args:
        root: The project folder.
        channel: To the supervisor.
        asset: What is built, for errors.
    """

    def __init__(self, root: Path, channel: Channel, asset: str) -> None:
        self._root = root
        self._channel = channel
        self._asset = asset
        self._loops = 0

    def __call__(
        self,
        function: Callable[[Any], Any],
        items: Iterable[Any],
        *,
        key: Callable[[Any], str] | None = None,
        on_error: Literal["fail", "keep"] = "fail",
    ) -> list[Any]:
        """See `Context.map`."""
        keyed = self._keyed(items, key)
        self._loops += 1
        loop = f"{self._loops}:{getattr(function, '__qualname__', 'function')}"
        payloads = tuple((name, pickle.dumps(item, protocol=5)) for name, item in keyed.items())
        reference = reference_to(function, self._root)
        self._channel.send(MapItems(loop=loop, function=reference, items=payloads))
        mapped: Mapped = self._channel.receive()
        done, failed = dict(mapped.done), dict(mapped.failed)
        if not mapped.is_complete:
            missing = {name: item for name, item in keyed.items() if name not in done}
            self._here(function, missing, loop, Path(mapped.folder), done, failed)
        if failed and on_error == "fail":
            raise self._failure(failed, len(keyed))
        return [
            ItemFailed(key=name, error=failed[name]) if name in failed else _result(done[name])
            for name in keyed
        ]

    def _keyed(self, items: Iterable[Any], key: Callable[[Any], str] | None) -> dict[str, Any]:
        keyed: dict[str, Any] = {}
        for item in items:
            name = str(key(item)) if key is not None else _digest(item)
            if name in keyed:
                raise StepFailed(
                    "A7120",
                    f"{self._asset} maps two items with the key `{name[:80]}`.",
                    hint="Give `key=` a function that tells items apart.",
                    where=Where(asset=self._asset),
                )
            keyed[name] = item
        return keyed

    def _here(
        self,
        function: Callable[[Any], Any],
        items: Mapping[str, Any],
        loop: str,
        folder: Path,
        done: dict[str, str],
        failed: dict[str, MainstemError],
    ) -> None:
        """Do items in threads of this process: their function is known nowhere else."""
        folder.mkdir(parents=True, exist_ok=True)

        def work(name: str) -> MainstemError | None:
            path = folder / result_name(name)
            try:
                size = write_result(function(items[name]), path)
            except BaseException as error:
                if not isinstance(error, Exception):
                    raise
                return run_failed(error, f"{self._asset} (item {name})", self._root)
            self._channel.send(ItemEnded(loop=loop, key=name, path=str(path), size=size))
            done[name] = str(path)
            return None

        with ThreadPoolExecutor(_THREADS) as threads:
            ended = zip(items, threads.map(work, items), strict=True)
            failed |= {name: error for name, error in ended if error is not None}

    def _failure(self, failed: Mapping[str, MainstemError], total: int) -> StepFailed:
        shown = [f"  {name[:60]}: {error.summary}" for name, error in list(failed.items())[:10]]
        more = f"\n  and {len(failed) - 10} more" if len(failed) > 10 else ""
        first = next(iter(failed.values()))
        return StepFailed(
            "A7119",
            f"{len(failed):,} of {total:,} items of {self._asset} failed; "
            f"the first: {first.summary}",
            hint="The others are kept: another attempt does only these.",
            where=first.where or Where(asset=self._asset),
            details="\n".join(shown) + more + f"\n\n{first.details}",
            raised=first.raised,
        )


def call(root: Path, request: Call) -> int:
    """Do one item in this worker; gives the size of its result."""
    function = request.function
    if function.file:
        import_file(root, function.file)
    found: Any = importlib.import_module(function.module)
    for part in function.name.split("."):
        found = getattr(found, part)
    return write_result(found(pickle.loads(request.item)), Path(request.path))  # noqa: S301  # both ends are ours


def write_result(result: Any, path: Path) -> int:
    """Write a result whole or not at all.

    Raises:
        StepFailed: It is too large: data belongs into tables.
    """
    content = pickle.dumps(result, protocol=5)
    if len(content) > RESULT_LIMIT:
        raise StepFailed(
            "A7120",
            f"An item gave {len(content):,} bytes; allowed are {RESULT_LIMIT:,}.",
            hint="Write large data to a file and return its path, or split the item.",
        )
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(path)
    return len(content)


def reference_to(function: Callable[[Any], Any], root: Path) -> Function | None:
    """Say where another process finds a function; nothing if it does not: lambdas, closures."""
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    home = sys.modules.get(module or "")
    found: Any = home
    for part in name.split("."):
        found = getattr(found, part, None)
    if home is None or found is not function:
        return None
    path = getattr(home, "__file__", None) or ""
    is_ours = path.startswith(f"{root}{os.sep}")
    return Function(
        file=path.removeprefix(f"{root}{os.sep}") if is_ours else "", module=module, name=name
    )


def _result(path: str) -> Any:
    return pickle.loads(Path(path).read_bytes())  # noqa: S301  # written by a worker of ours


def _digest(item: Any) -> str:
    return blake2b(pickle.dumps(item, protocol=5), digest_size=16).hexdigest()
