# SPDX-License-Identifier: Apache-2.0
"""Sources: what an ingest file says, what is new outside, and the step that takes it in.

Observing imports nothing heavy; reading does, when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstem.types import lazily

if TYPE_CHECKING:
    from mainstem.ingest.loading import load_ingest_file
    from mainstem.ingest.observation import FoundFile, Observation, observe
    from mainstem.ingest.previewing import FilePreview, preview, suggest_ingest_file
    from mainstem.ingest.step import FileStep
    from mainstem.ingest.table import ColumnRule, CsvOptions, FileTable, RawCheck

__all__ = [
    "ColumnRule",
    "CsvOptions",
    "FilePreview",
    "FileStep",
    "FileTable",
    "FoundFile",
    "Observation",
    "RawCheck",
    "load_ingest_file",
    "observe",
    "preview",
    "suggest_ingest_file",
]

_SUBMODULES = {
    "ColumnRule": "table",
    "CsvOptions": "table",
    "FilePreview": "previewing",
    "FileStep": "step",
    "FileTable": "table",
    "FoundFile": "observation",
    "Observation": "observation",
    "RawCheck": "table",
    "load_ingest_file": "loading",
    "observe": "observation",
    "preview": "previewing",
    "suggest_ingest_file": "previewing",
}

__getattr__ = lazily(__name__, _SUBMODULES)
