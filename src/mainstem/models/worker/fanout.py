# SPDX-License-Identifier: Apache-2.0
"""In the supervisor: the items of `context.map` go to warm workers, and what they give is kept.

The function that asks waits meanwhile, so its worker's place is lent to one more. Results never
pass through here: workers write files, and the function reads them.
"""

from __future__ import annotations

import threading
from collections import deque
from pathlib import Path

from mainstem.errors import Cancelled, MainstemError
from mainstem.models.worker.item import result_name
from mainstem.models.worker.message import Call, Called, Failed, ItemEnded, MapItems, Mapped
from mainstem.models.worker.pool import WorkerPool
from mainstem.models.worker.port import StepExecutor
from mainstem.runs import ItemJournal, StepContext


class FanOut:
    """Carries out the loops of one attempt.

    Args:
        executor: What the step runs in; only worker processes next door take items.
        context: Of the attempt.
        asset: For errors.
        code: Version of the step's code: another one does all items anew.
    """

    def __init__(
        self, executor: StepExecutor, context: StepContext, *, asset: str, code: str
    ) -> None:
        self._executor = executor
        self._context = context
        self._asset = asset
        self._code = code
        self._journals: dict[str, ItemJournal] = {}

    def answer(self, message: MapItems) -> Mapped:
        """Do the items that are not done yet, if that can be done here."""
        journal = self._context.items(f"{self._code}/{message.loop}")
        self._journals[message.loop] = journal
        done = journal.done()
        failed: dict[str, MainstemError] = {}
        is_here = message.function is not None and isinstance(self._executor, WorkerPool)
        if is_here:
            pending = deque((key, item) for key, item in message.items if key not in done)
            failed = self._call_all(message, pending, journal, done)
            journal.flush()
        return Mapped(
            folder=str(journal.folder),
            done={key: str(path) for key, path in done.items()},
            failed=failed,
            is_complete=is_here,
        )

    def ended(self, message: ItemEnded) -> None:
        """Note an item that the function's own process did."""
        self._journals[message.loop].add(message.key, Path(message.path), message.size)

    def close(self) -> None:
        """Write what was noted last."""
        for journal in self._journals.values():
            journal.flush()

    def _call_all(
        self,
        message: MapItems,
        pending: deque[tuple[str, bytes]],
        journal: ItemJournal,
        done: dict[str, Path],
    ) -> dict[str, MainstemError]:
        pool = self._executor
        assert isinstance(pool, WorkerPool), "asked before"
        failed: dict[str, MainstemError] = {}
        total = len(pending)

        def work() -> None:
            while not self._context.cancel.is_cancelled:
                try:
                    key, item = pending.popleft()
                except IndexError:
                    return
                error = self._call(pool, message, (key, item), journal, done)
                if error is not None:
                    failed[key] = error
                self._context.progress(note=f"{total - len(pending):,} of {total:,} items")

        with pool.lending():
            count = min(pool.limit, total)
            threads = [threading.Thread(target=work, name=f"item-{n}") for n in range(count)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        if self._context.cancel.is_cancelled:
            raise Cancelled("A7109", f"{self._asset} was cancelled.")
        return failed

    def _call(
        self,
        pool: WorkerPool,
        message: MapItems,
        item: tuple[str, bytes],
        journal: ItemJournal,
        done: dict[str, Path],
    ) -> MainstemError | None:
        key, payload = item
        path = journal.folder / result_name(key)
        assert message.function is not None, "asked before"
        request = Call(function=message.function, item=payload, path=str(path), key=key)
        try:
            answer = pool.run(
                request,
                asset=f"{self._asset} (item {key})",
                answer=lambda _message: None,
                log=lambda text, stream: self._context.log(text, stream=stream),
                cancel=self._context.cancel,
            )
        except MainstemError as error:
            return error
        if isinstance(answer, Failed):
            return answer.error
        assert isinstance(answer, Called), "a call is answered so"
        journal.add(key, path, answer.size)
        done[key] = path
        return None
