# SPDX-License-Identifier: Apache-2.0
"""The command line: one module per command group, no logic; everything is asked of a `Project`.

`main` is the entry point of the `mainstem` program. Commands are loaded when they are called, so
`--help` and a `run` with nothing to do import nothing heavy.
"""

from __future__ import annotations

from mainstem.cli.app import main

__all__ = ["main"]
