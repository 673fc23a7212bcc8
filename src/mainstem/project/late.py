# SPDX-License-Identifier: Apache-2.0
"""Modules that are imported when something of them is asked for: loading a project needs few."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Late:
    """Stands for a module; type checkers are shown the module itself."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        value = getattr(import_module(self._name), name)
        setattr(self, name, value)
        return value
