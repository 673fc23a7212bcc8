# SPDX-License-Identifier: Apache-2.0
"""`Node`: what has an id that names it among everything, and can be asked for again by it."""

from __future__ import annotations

import strawberry
from strawberry import ID, field


@strawberry.interface(description="Something with an id of its own, by which `node` gives it.")
class Node:
    """What can be asked for by its id."""

    id: ID = field(description="Stable; names it among everything that there is.")
