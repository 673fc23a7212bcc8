# SPDX-License-Identifier: Apache-2.0
"""`Lake`: what `Versions` has, and tables as Arrow."""

from __future__ import annotations

from mainstem.lake.versions import Versions


class Lake(Versions):
    """Branches, commits and tables; safe to use from several threads and processes."""
