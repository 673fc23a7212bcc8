# SPDX-License-Identifier: Apache-2.0
"""What rendered SQL marks, and the values it rests on; apart, so that cached models load light."""

from __future__ import annotations

import re
from dataclasses import dataclass

REF_NAMESPACE = "__ref__"
"""Marks names that a template wrote with `ref`: never a CTE, whatever it is called."""

NEWER_THAN = "__newer_than__"
"""Function that stands for `newer_than(...)` in rendered SQL."""

RUN_STARTED_AT = "__run_started_at__"
"""Text that stands for the run's logical time; followed by a format in hex if there is one."""

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


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
    return name if _PLAIN_NAME.match(name) else '"' + name.replace('"', '""') + '"'
