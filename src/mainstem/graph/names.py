# SPDX-License-Identifier: Apache-2.0
"""What a name in SQL, Python or YAML means (GRAMMAR 1): needs only the keys, not the graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from mainstem.errors import AssetNotFound, Where
from mainstem.types import AssetKey, did_you_mean, nearest


class Names:
    """All asset keys of a project, indexed by full and by bare name."""

    __slots__ = ("_by_bare", "_by_full")

    def __init__(self, keys: Iterable[AssetKey]) -> None:
        self._by_full: dict[str, AssetKey] = {}
        self._by_bare: defaultdict[str, list[AssetKey]] = defaultdict(list)
        for key in keys:
            if key.folded not in self._by_full:
                self._by_full[key.folded] = key
                self._by_bare[key.name.casefold()].append(key)

    def find(self, name: str, *, namespace: str = "") -> AssetKey | None:
        """Give the asset that a name means, or nothing if none or several could be meant."""
        candidates = self.candidates(name, namespace=namespace)
        return candidates[0] if len(candidates) == 1 else None

    def candidates(self, name: str, *, namespace: str = "") -> list[AssetKey]:
        """Give all assets that a name could mean, in the order of their keys.

        Args:
            name: Bare, `namespace.name`, or with a database in front.
            namespace: Of the asset that uses the name; wins for bare names.
        """
        folded = name.strip().casefold()
        exact = self._by_full.get(folded)
        if exact is not None:
            return [exact]
        if "." in folded:
            # `database.schema.identifier`: within the target's database it is `schema.identifier`.
            shorter = self._by_full.get(folded.partition(".")[2])
            return [shorter] if shorter is not None else []
        own = self._by_full.get(f"{namespace.casefold()}.{folded}")
        return [own] if own is not None else sorted(self._by_bare.get(folded, []))

    def resolve(self, name: str, *, namespace: str = "", where: Where | None = None) -> AssetKey:
        """Give the asset that a name means.

        Raises:
            AssetNotFound: None has this name (A2003), or several have (A2004).
        """
        found = self.candidates(name, namespace=namespace)
        if len(found) == 1:
            return found[0]
        if found:
            listed = ", ".join(str(key) for key in found)
            raise AssetNotFound(
                "A2004",
                f"`{name}` could be {listed}.",
                hint=f"Write the namespace too, for example {found[0]}.",
                where=where,
                known=(str(key) for key in found),
            )
        full = [str(key) for key in self._by_full.values()]
        raise AssetNotFound(
            "A2003",
            f"`{name}` is not an asset of this project.",
            hint=self.suggestion(name) or "`mainstem list` shows all assets.",
            where=where,
            known=nearest(name, full) or sorted(full)[:10],
        )

    def suggestion(self, name: str) -> str:
        """Give a sentence that names the nearest asset, or nothing."""
        full = [str(key) for key in self._by_full.values()]
        close = did_you_mean(name, full)
        if close:
            return close
        bare = {key.name: str(key) for key in self._by_full.values()}
        near = nearest(name.rpartition(".")[2], bare, limit=1)
        return f"Did you mean `{bare[near[0]]}`?" if near else ""
