# SPDX-License-Identifier: Apache-2.0
"""Asset keys: `namespace.name`, written as the owner wrote them, matched without case."""

from __future__ import annotations

from functools import total_ordering

from mainstem.errors import SelectionInvalid


@total_ordering
class AssetKey:
    """Name of an asset; equal when equal but for case (GRAMMAR 1)."""

    __slots__ = ("_hash", "folded", "name", "namespace")

    namespace: str
    """Everything before the last dot; `main` for models at the top of `models/`."""
    name: str
    folded: str
    """`namespace.name` without case: what is compared, hashed and stored as a catalog key."""

    def __init__(self, namespace: str, name: str) -> None:
        self.namespace = namespace
        self.name = name
        self.folded = f"{namespace}.{name}".casefold()
        self._hash = hash(self.folded)

    @classmethod
    def parse(cls, text: str) -> AssetKey:
        """Read `namespace.name`; with more dots the last one divides.

        Raises:
            SelectionInvalid: There is no dot, or a part is empty.
        """
        namespace, dot, name = text.strip().rpartition(".")
        if not dot or not namespace or not name:
            raise SelectionInvalid(
                "A2001",
                f"`{text}` is not an asset key.",
                hint="Write it as namespace.name, for example raw.orders.",
            )
        return cls(namespace, name)

    @property
    def quarantine(self) -> AssetKey:
        """Name of the table of rows that were set aside from this one's (GRAMMAR 1)."""
        return AssetKey(self.namespace, f"{self.name}__quarantine")

    def __eq__(self, other: object) -> bool:
        return self.folded == other.folded if isinstance(other, AssetKey) else NotImplemented

    def __lt__(self, other: AssetKey) -> bool:
        return self.folded < other.folded

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return f"{self.namespace}.{self.name}"

    def __repr__(self) -> str:
        return f"AssetKey({str(self)!r})"

    def __reduce__(self) -> tuple[type[AssetKey], tuple[str, str]]:
        return (AssetKey, (self.namespace, self.name))
