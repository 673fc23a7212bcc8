# SPDX-License-Identifier: Apache-2.0
"""Which installed distribution, in which version, a top-level import name belongs to."""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Collection, Mapping, Sequence

from mainstem.types import dataclass


@dataclass(frozen=True, slots=True)
class Distribution:
    """One installed distribution."""

    name: str
    version: str
    metadata_folder: str
    """Gone once another version is installed; empty if unknown."""

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


def distributions_of(names: Collection[str]) -> tuple[Distribution, ...]:
    """Give the distributions that top-level modules come from; unknown modules give none."""
    found = {each for name in names for each in _distributions(name)}
    return tuple(sorted(found, key=str))


@functools.cache
def _distributions(name: str) -> tuple[Distribution, ...]:
    # Most are called as their module; the map of all of them reads every RECORD there is (50 ms).
    try:
        return (_described(name),)
    except importlib.metadata.PackageNotFoundError:
        return tuple(_described(each) for each in _by_module().get(name, ()))


@functools.cache
def _by_module() -> Mapping[str, Sequence[str]]:
    return importlib.metadata.packages_distributions()


def _described(name: str) -> Distribution:
    found = importlib.metadata.distribution(name)
    folder = getattr(found, "_path", None)
    return Distribution(found.name.lower(), found.version, str(folder or ""))
