# SPDX-License-Identifier: Apache-2.0
"""What conditions are told of the world at one moment, and the port by which they ask for more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Protocol

from mainstem.graph import Bounds
from mainstem.types import BuiltPartitions, dataclass

WHOLE = ""
"""In place of partitions: all that an asset has."""


class History(Protocol):
    """Versions of tables; asked only about those that changed."""

    def partitions(self, asset: str) -> Sequence[BuiltPartitions]:
        """Tell what the partitions of an asset come from."""
        ...

    def partitions_at(self, asset: str, commit: str) -> Sequence[BuiltPartitions] | None:
        """Tell what they came from at a commit; nothing if that is not known any more."""
        ...

    def changed_files(self, asset: str, commit: str) -> Sequence[Bounds] | None:
        """Give bounds of the files that differ from those of a commit; nothing: it is not known."""
        ...


Some = Mapping[str, frozenset[str]]
"""Partitions by asset, as texts of sets; `WHOLE` among them: all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What is to be seen at one moment; assets by folded key."""

    versions: Mapping[str, str]
    """Data version of what is on the branch."""
    codes: Mapping[str, str]
    """Code version of what is in the project."""
    busy: Some
    """Being built for the branch, or waiting for it."""
    failed: Some = field(default_factory=dict)
    """Failed or held in a run that ended since the last turn."""
    failing: Some = field(default_factory=dict)
    """Of partitioned assets: those whose last attempt failed or was held."""
    ended_at: datetime | None = None
    """When the last of the runs that ended did."""
    commit: str = ""
    """The one that was looked at."""
    history: History = field(compare=False)

    def moved(self, last: Observed) -> frozenset[str]:
        """Give the assets of which something else is to be seen than before."""
        found: set[str] = set()
        if self.versions is not last.versions:
            before = last.versions
            found.update(key for key, of in self.versions.items() if before.get(key) != of)
            found.update(before.keys() - self.versions.keys())
        found.update(self.failed)
        for now, before_of in ((self.busy, last.busy), (self.failing, last.failing)):
            found.update(key for key in {*now, *before_of} if now.get(key) != before_of.get(key))
        return frozenset(found)
