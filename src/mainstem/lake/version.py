# SPDX-License-Identifier: Apache-2.0
"""Data versions that the catalog itself derives: of merged and of partly reverted tables.

Equal ids mean equal contents (SEMANTICS, Versions), so they are hashes of what went in.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from hashlib import blake2b

from mainstem.types import AssetKey, Provenance

JoinPartitions = Callable[[AssetKey, Provenance, Provenance, Provenance], Provenance | None]
"""Given a table with partitions at a base and on two sides: where the first comes from with what
the second did; nothing if both changed a partition, or if that is not known."""


def derived_version(*parts: str) -> str:
    """Give the version of what comes of other versions in a stated way."""
    return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


def merged_provenance(ours: Provenance, theirs: Provenance) -> Provenance:
    """Say where a table comes from that holds what two branches did to it.

    The same whichever side was merged into the other.
    """
    if ours.data_version == theirs.data_version:
        return ours
    versions = sorted((ours.data_version, theirs.data_version))
    intervals = sorted({ours.cursor_interval, theirs.cursor_interval} - {""})
    return dataclasses.replace(
        ours,
        data_version=derived_version("merge", *versions),
        fingerprint="",
        cursor_interval=",".join(intervals),
    )
