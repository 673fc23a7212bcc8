# SPDX-License-Identifier: Apache-2.0
"""What is asked when a project is loaded, and what comes of it: values that snapshots keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from mainstem import __version__
from mainstem.config import Environment, Settings
from mainstem.errors import MainstemError
from mainstem.graph import Graph
from mainstem.models import Discovered, PythonCheck, Scripts
from mainstem.project.cache import DiskCache
from mainstem.project.files import digest_of
from mainstem.types import dataclass

if TYPE_CHECKING:
    from mainstem.automation import Triggers

Discover = Callable[[tuple[str, ...]], tuple[Discovered, ...]]
"""Imports Python files in a worker and tells what they define."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedProject:
    """A project as its files say it is."""

    settings: Settings
    environment: Environment
    graph: Graph
    judges: tuple[PythonCheck, ...] = ()
    """Checks written in Python."""
    problems: tuple[MainstemError, ...] = ()
    """Everything wrong in the files and between them; nothing is run while there are any."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that templates read, as digests of their values."""
    python: tuple[Discovered, ...] = ()
    scripts: tuple[Scripts, ...] = ()
    """Files that commands run."""
    triggers: Triggers | None = None
    """Jobs and what launches them; nothing if the project has none: most commands need none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRequest:
    """What to load, and by what."""

    folder: Path
    environment: str | None
    variables: Mapping[str, Any]
    """Of the command line."""
    process: Mapping[str, str]
    """Environment variables."""
    discover: Discover
    """For Python files that are new or changed."""

    @property
    def digest(self) -> str:
        """Identity of everything but the files."""
        asked = [self.environment, dict(self.variables)]
        return digest_of(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS))

    def cache(self) -> DiskCache:
        """Open the cache of this project and environment."""
        file = f"project-{self.environment or 'default'}.pickle"
        folder = self.folder / ".mainstem" / "cache"
        return DiskCache(folder / file, version=__version__)


def env_is_current(read: Mapping[str, str], values: Mapping[str, str]) -> bool:
    """Tell whether environment variables have the values that were read."""
    return all(env_digest(values.get(name)) == digest for name, digest in read.items())


def env_digest(value: str | None) -> str:
    """Give a value's digest: values of the environment may be secret, and are never kept."""
    return "" if value is None else digest_of(value.encode())
