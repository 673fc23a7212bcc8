# SPDX-License-Identifier: Apache-2.0
"""The keys of an entry under `assets:` that only a command has."""

from __future__ import annotations

from mainstem.config.shape import Either, Items, Key, Mapped, Number, Scalar, Text

_NAMES = Items(of=Text())
_FORMATS = ("parquet", "csv", "jsonl", "arrow")

COMMAND_KEYS: dict[str, Key] = {
    "command": Key(Items(of=Text(), strict=True), "Program and arguments; no shell sees them."),
    "shell": Key(Text(), "Text for bash, in place of `command`."),
    "inputs": Key(Either(of=(Mapped(of=Text(), name="input"), _NAMES)), "Assets given as files."),
    "input_format": Key(Text(choices=_FORMATS), "parquet by default."),
    "output": Key(Text(choices=("none", *_FORMATS)), "Of the file that it writes; none."),
    "files": Key(_NAMES, "Globs of what it runs; an edit builds it anew."),
    "env": Key(Mapped(of=Scalar(), name="variable"), "Environment variables."),
    "skip_exit_codes": Key(Items(of=Number(integer=True, minimum=1)), "Nothing was to be done."),
    "materialized": Key(Text(choices=("table", "incremental")), "table by default."),
    "row_key": Key(_NAMES, "Columns that identify a row, to upsert."),
}
COMMAND_SHARES = (
    *("strategy", "partitions", "partition_by", "on_code_change", "rebuild", "upstream", "deps"),
    *("run_when", "freshness"),
)
"""Options of models that mean the same for a command; so do those of attempts."""
