# SPDX-License-Identifier: Apache-2.0
"""The keys of an ingest file of `type: external`: those of others that mean something there."""

from __future__ import annotations

from mainstem.config.keys import INGEST_SOURCE_KEYS, INGEST_TABLE
from mainstem.config.shape import Key, Keys, Mapped

_OF_THE_FILE = ("type", "into", "tags", "owner", "description")
_OF_A_TABLE = ("as", "description", "owner", "tags", "freshness")

INGEST_EXTERNAL = Keys(
    title="an ingest file of type external",
    keys={
        **{name: INGEST_SOURCE_KEYS[name] for name in _OF_THE_FILE},
        "tables": Key(
            Mapped(
                of=Keys(
                    title="an external table",
                    keys={name: INGEST_TABLE.keys[name] for name in _OF_A_TABLE},
                ),
                name="table",
            ),
            "What others make and report: name to options.",
        ),
    },
    required=("type", "tables"),
)
