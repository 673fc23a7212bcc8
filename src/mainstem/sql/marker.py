# SPDX-License-Identifier: Apache-2.0
"""What rendered SQL marks, and the values it rests on; apart, so that cached models load light."""

from __future__ import annotations

import re

from mainstem.types import dataclass

REF_NAMESPACE = "__ref__"
"""Marks names that a template wrote with `ref`: never a CTE, whatever it is called."""

NEWER_THAN = "__newer_than__"
"""Function that stands for `newer_than(...)` in rendered SQL."""

RUN_STARTED_AT = "__run_started_at__"
"""Text that stands for the run's logical time; followed by a format in hex if there is one."""

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_WORDS = """
    all analyse analyze and anti any array as asc asof asymmetric at authorization
    binary both by case cast check collate collation column columns concurrently
    constraint create cross default deferrable desc describe distinct do else end except
    false fetch for foreign freeze from full generated glob group having ilike in
    initially inner intersect into is isnull join lambda lateral leading left like limit
    map natural not notnull null offset on only or order outer overlaps pivot
    pivot_longer pivot_wider placing positional primary qualify references returning
    right select semi show similar some struct summarize symmetric table tablesample
    then to trailing true try_cast tuple union unique unpack unpivot using variadic
    verbose when where window with
"""
_RESERVED = frozenset(_WORDS.split())
"""Words that DuckDB does not take as a name of a table without quotes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """One value from outside that a template really read."""

    kind: str
    """`var`, `env_var`, `target` or `macros`."""
    name: str
    digest: str
    """Hash of the value: values may be secret."""


def quoted(name: str) -> str:
    """Quote a name for SQL if it needs it."""
    is_plain = _PLAIN_NAME.match(name) is not None and name.casefold() not in _RESERVED
    return name if is_plain else '"' + name.replace('"', '""') + '"'
