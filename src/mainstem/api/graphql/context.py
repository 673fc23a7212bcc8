# SPDX-License-Identifier: Apache-2.0
"""What resolvers of one operation share: the project, the caller, one snapshot of the database.

Resolvers run in one thread, one after the other. A list names what its items will be asked for
(`Batch.expect`), and the first question loads it for all: no item ever asks on its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import strawberry

from mainstem.api.host import Host
from mainstem.api.role import Principal
from mainstem.api.settings import ApiSettings
from mainstem.api.work import Deadline
from mainstem.database import Transaction

if TYPE_CHECKING:
    from mainstem.project import Project

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")


class Batch(Generic[K, V]):
    """Values that are loaded for all keys at once, when the first is asked for."""

    def __init__(self, load: Callable[[list[K]], Mapping[K, V]]) -> None:
        self._load = load
        self._expected: dict[K, None] = {}
        self._found: dict[K, V | None] = {}

    def expect(self, keys: Iterable[K]) -> None:
        """Name keys that may be asked for."""
        self._expected.update(dict.fromkeys(keys))

    def of(self, key: K) -> V | None:
        """Give the value of a key, if it has one."""
        if key not in self._found:
            self._expected[key] = None
            wanted = [each for each in self._expected if each not in self._found]
            found = self._load(wanted)
            self._found.update({each: found.get(each) for each in wanted})
        return self._found[key]


@dataclass(slots=True, kw_only=True)
class Context:
    """Of one operation; a `with` block holds its snapshot."""

    host: Host
    project: Project
    principal: Principal
    deadline: Deadline
    settings: ApiSettings
    _stack: ExitStack = field(default_factory=ExitStack)
    _transaction: Transaction | None = None
    _once: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exit_info: object) -> None:
        self.renew()

    def renew(self) -> None:
        """Forget what was read: what is asked next sees the database as it is then."""
        self._transaction = None
        self._once.clear()
        self._stack.close()

    @property
    def transaction(self) -> Transaction:
        """The snapshot that all reads of this operation see."""
        if self._transaction is None:
            database = self.project.services.database
            self._transaction = self._stack.enter_context(database.read())
        return self._transaction

    def once(self, name: str, compute: Callable[[], T]) -> T:
        """Compute something once for the operation."""
        self.deadline.check()
        if name not in self._once:
            self._once[name] = compute()
        found: T = self._once[name]
        return found

    def batch(self, name: str, load: Callable[[list[K]], Mapping[K, V]]) -> Batch[K, V]:
        """Give the batch of a name."""
        return self.once(name, lambda: Batch(load))


Info = strawberry.Info[Context, None]
