# SPDX-License-Identifier: Apache-2.0
"""Packages whose names are imported when they are asked for, not when the package is (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazily(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Make the `__getattr__` of a package; type checkers are shown imports instead.

    Args:
        package: Its name.
        homes: The submodule in which each of its public names stands.
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{homes[name]}"), name)
        setattr(sys.modules[package], name, value)  # it is not asked for again
        return value

    return find
