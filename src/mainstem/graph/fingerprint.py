# SPDX-License-Identifier: Apache-2.0
"""Ids of code and data versions (SEMANTICS, "Versions, fingerprints, links").

All of them are derivations, never contents or snapshots: that is what lets a plan know the version
of a table before it is built, and so plan whole chains of links.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from mainstem.types import AssetKey


def fingerprint(code_version: str, inputs: Mapping[AssetKey, str]) -> str:
    """Identify code, the configuration that shapes data, and input data versions together.

    It is also the data version of a full build, and of a view at lookup.
    """
    parts = sorted(f"{key.folded}={version}" for key, version in inputs.items())
    return _digest("full", (code_version, *parts))


def increment_version(previous: str, fingerprint: str) -> str:
    """Identify what an increment leaves behind: the rows before it, and what was added."""
    return _digest("increment", (previous, fingerprint))


def volatile_version(fingerprint: str, run_id: int) -> str:
    """Identify what a volatile asset gave in one run; equal code and inputs prove nothing."""
    return _digest("volatile", (fingerprint, str(run_id)))


def effect_version(code_version: str) -> str:
    """Identify an effect for those that read it: it has no data, so only its code counts."""
    return _digest("effect", (code_version,))


def view_tombstone(code_version: str) -> str:
    """Identify a reverted view: by its definition, since its version moves with the data."""
    return f"view:{code_version}"


def _digest(kind: str, parts: Iterable[str]) -> str:
    # A separator that no part contains keeps ("ab", "c") and ("a", "bc") apart.
    text = "\x1f".join((kind, *parts))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
