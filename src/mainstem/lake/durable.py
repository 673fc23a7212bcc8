# SPDX-License-Identifier: Apache-2.0
"""Making files survive power loss; nobody else does it for us (SEMANTICS, Durability)."""

from __future__ import annotations

import os


def fsync_folder(folder: str) -> None:
    """Make the names in a folder durable; a file's own fsync does not."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
