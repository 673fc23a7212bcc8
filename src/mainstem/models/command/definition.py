# SPDX-License-Identifier: Apache-2.0
"""What a command is once loaded: frozen, picklable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from mainstem.models.command.scripts import Scripts
from mainstem.models.definition import Strategy
from mainstem.types import AssetKey, dataclass

FileFormat = Literal["parquet", "csv", "jsonl", "arrow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Definition of assets of the kind `command`."""

    argv: tuple[str, ...] = ()
    """Program and arguments as written, with `${NAME}`; empty: `shell` is run."""
    shell: str = ""
    inputs: Mapping[str, AssetKey] = field(default_factory=dict)
    """By the name under which the command finds the file of each."""
    input_format: FileFormat = "parquet"
    output: FileFormat | None = None
    """Of the file that becomes the table; nothing: it is an effect."""
    env: Mapping[str, str] = field(default_factory=dict)
    """As written, with `${NAME}`."""
    skip_codes: tuple[int, ...] = ()
    """Exit codes that say that there was nothing to do."""
    scripts: Scripts = field(default_factory=Scripts)
    strategy: Strategy = "append"
    types: Mapping[str, str] = field(default_factory=dict)
    """Declared types by column, for formats that have none."""

    @property
    def program(self) -> str:
        """What is started, for messages."""
        return self.argv[0] if self.argv else "shell"


def variable_of(name: str) -> str:
    """Give the environment variable that holds the path of an input."""
    word = "".join(each if each.isascii() and each.isalnum() else "_" for each in name)
    return f"MAINSTEM_INPUT_{word.upper()}"
