# SPDX-License-Identifier: Apache-2.0
"""From options as written to `Execution`: the same for SQL headers, decorators, YAML and jobs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from mainstem.types import Asks, Backoff, Execution, Pool, Retry, bytes_in, dataclass, seconds_in

Refuse = Callable[[str, str], object]
"""Told the name of an option whose value is wrong, and what is allowed."""

_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*")
_TIME = "a time such as 30s, 10m, 1d"
_OPTIONS = frozenset(
    {
        "retries",
        "retry_delay",
        "retry_backoff",
        "retry_factor",
        "retry_max_delay",
        "retry_jitter",
        "retry_on",
        "no_retry_on",
        "timeout",
        "pool",
        "memory",
        "priority",
    }
)
_USUAL = Execution()
"""One value for all assets that say nothing: most of a project, and caches keep it once."""


def read_execution(values: Mapping[str, Any], refuse: Refuse) -> Execution:
    """Read the options that say how an asset is executed; others are not looked at.

    Args:
        values: Options by name, merged.
        refuse: May raise, or note the fault; then the default is taken.
    """
    if _OPTIONS.isdisjoint(values):
        return _USUAL
    read = _Reader(values, refuse)
    memory = values.get("memory")
    if memory is not None and bytes_in(memory) is None:
        refuse("memory", "a size such as 512MiB or 2GB")
    return Execution(
        retry=_retry(read),
        timeout_s=read.seconds_or_none("timeout"),
        asks=Asks(pools=_pools(read), memory_bytes=bytes_in(memory)),
        priority=_priority(read),
    )


def read_pools(written: Mapping[str, Any]) -> dict[str, Pool]:
    """Read `pools:`, whose shape was checked."""
    found = {}
    for name, value in written.items():
        options = {"slots": value} if isinstance(value, int) else dict(value or {})
        amount, _, unit = str(options.get("rate") or "").partition("/")
        found[name] = Pool(
            name=name,
            slots=options.get("slots"),
            rate_per_s=float(amount) / (seconds_in(f"1{unit.strip()}") or 1.0) if amount else 0.0,
            burst=options.get("burst") or 1,
        )
    return found


def _pools(read: _Reader) -> tuple[str, ...]:
    value = read.values.get("pool")
    names = [] if value is None else list(value) if isinstance(value, list | tuple) else [value]
    if all(isinstance(each, str) for each in names):
        return tuple(sorted(set(names)))
    read.refuse("pool", "names under `pools:` in mainstem.yml")
    return ()


def _priority(read: _Reader) -> int:
    value = read.values.get("priority", 0)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    read.refuse("priority", "a whole number")
    return 0


def _retry(read: _Reader) -> Retry:
    usual = Retry()
    return Retry(
        count=read.count("retries"),
        delay_s=read.seconds("retry_delay", usual.delay_s),
        backoff=_backoff(read),
        factor=read.number("retry_factor", usual.factor, least=1.0),
        max_delay_s=read.seconds("retry_max_delay", usual.max_delay_s),
        jitter=read.number("retry_jitter", usual.jitter, least=0.0, most=1.0),
        on=read.exceptions("retry_on"),
        not_on=read.exceptions("no_retry_on"),
    )


def _backoff(read: _Reader) -> Backoff:
    match read.values.get("retry_backoff"):
        case "fixed":
            return "fixed"
        case None | "exponential":
            pass
        case _:
            read.refuse("retry_backoff", "fixed or exponential")
    return "exponential"


@dataclass(frozen=True, slots=True)
class _Reader:
    values: Mapping[str, Any]
    refuse: Refuse

    def seconds(self, name: str, default: float) -> float:
        seconds = self.seconds_or_none(name)
        return default if seconds is None else seconds

    def seconds_or_none(self, name: str) -> float | None:
        value = self.values.get(name)
        seconds = seconds_in(value)
        if value is not None and seconds is None:
            self.refuse(name, _TIME)
        return seconds

    def count(self, name: str) -> int | None:
        value = self.values.get(name)
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
            return value
        self.refuse(name, "a whole number, 0 or more")
        return None

    def number(
        self, name: str, default: float, *, least: float, most: float = float("inf")
    ) -> float:
        value = self.values.get(name)
        if value is None:
            return default
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and least <= value <= most:
            return float(value)
        limit = " on" if most == float("inf") else f" to {most:g}"
        self.refuse(name, f"a number from {least:g}{limit}")
        return default

    def exceptions(self, name: str) -> tuple[str, ...]:
        value = self.values.get(name)
        if value is None:
            return ()
        names = list(value) if isinstance(value, list | tuple) else [value]
        if all(isinstance(each, str) and _EXCEPTION.fullmatch(each) for each in names):
            return tuple(names)
        self.refuse(name, "names of exceptions such as ConnectionError, httpx.HTTPError, A6012")
        return ()
