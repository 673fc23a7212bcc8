# SPDX-License-Identifier: Apache-2.0
"""How the result of an item is called: supervisor and worker must agree."""

from __future__ import annotations

from hashlib import blake2b


def result_name(key: str) -> str:
    """Name the file of an item, whatever its key is made of."""
    return f"{blake2b(key.encode(), digest_size=16).hexdigest()}.pickle"
