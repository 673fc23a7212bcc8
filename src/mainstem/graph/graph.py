# SPDX-License-Identifier: Apache-2.0
"""The graph of a project: assets, who reads whom, and an order in which to build them.

Built by `project` from all loaded files. Faults are collected, so that one does not hide others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import field, replace
from operator import attrgetter

from mainstem.errors import AssetNotFound, CycleFound, MainstemError, ModelInvalid, Where
from mainstem.graph.asset import Asset
from mainstem.graph.fingerprint import fingerprint
from mainstem.graph.names import Names
from mainstem.types import AssetKey, dataclass

_RESERVED = frozenset({"system", "temp", "information_schema", "pg_catalog"})
"""`system` is what can be asked of runs; the others mean something else in SQL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Assets with their edges; immutable."""

    assets: Mapping[AssetKey, Asset]
    order: tuple[AssetKey, ...]
    """Inputs first; members of a group are adjacent. Assets in a circle come last."""
    parents: Mapping[AssetKey, tuple[AssetKey, ...]]
    """Inputs and `after`, without the asset itself and without names that are no asset."""
    children: Mapping[AssetKey, tuple[AssetKey, ...]]
    names: Names
    problems: tuple[MainstemError, ...] = ()
    """Duplicates, unknown inputs, circles; nothing should run while there are any."""
    positions: Mapping[AssetKey, int] = field(default_factory=dict)
    """Index of each asset in `order`."""
    effective: Mapping[AssetKey, Asset] = field(default_factory=dict)
    """Assets as planning and running see them: ephemeral models are part of what reads them, in
    code, inputs and volatility. The same objects as in `assets` where that changes nothing."""

    @classmethod
    def build(cls, assets: Iterable[Asset], *, external: Collection[AssetKey] = ()) -> Graph:
        """Connect assets.

        Args:
            assets: As loaded, in any order.
            external: Tables of the lake that are no asset of the project; those that an asset reads
                become assets of the kind `external`.
        """
        problems: list[MainstemError] = []
        by_key = _by_key(assets, problems)
        _add_external(by_key, external)
        names = Names(by_key)
        parents = {
            key: _parents_of(asset, by_key, names, problems) for key, asset in by_key.items()
        }
        children: dict[AssetKey, list[AssetKey]] = {key: [] for key in by_key}
        for key, above in parents.items():
            for parent in above:
                children[parent].append(key)
        order, circles = _topological(by_key, parents)
        problems.extend(_cycle(circle, by_key) for circle in circles)
        return cls(
            assets=by_key,
            order=order,
            parents=parents,
            children={key: tuple(below) for key, below in children.items()},
            names=names,
            problems=tuple(problems),
            positions={key: index for index, key in enumerate(order)},
            effective=_effective(by_key, order),
        )

    def __getitem__(self, key: AssetKey) -> Asset:
        return self.assets[key]

    def __contains__(self, key: object) -> bool:
        return key in self.assets

    def __len__(self) -> int:
        return len(self.assets)

    def resolve(self, name: str, *, namespace: str = "", where: Where | None = None) -> AssetKey:
        """Give the asset that a name means (GRAMMAR 1).

        Raises:
            AssetNotFound: None has this name, or several have.
        """
        return self.names.resolve(name, namespace=namespace, where=where)

    def upstream(
        self, keys: Iterable[AssetKey], *, depth: int | None = None
    ) -> frozenset[AssetKey]:
        """Give all assets that `keys` need, themselves not included unless reached."""
        return _closure(keys, self.parents.__getitem__, depth)

    def downstream(
        self, keys: Iterable[AssetKey], *, depth: int | None = None
    ) -> frozenset[AssetKey]:
        """Give all assets that need `keys`, themselves not included unless reached."""
        return _closure(keys, self.children.__getitem__, depth)

    def sorted(self, keys: Iterable[AssetKey]) -> tuple[AssetKey, ...]:
        """Put keys of the graph in building order."""
        return tuple(sorted(keys, key=self.positions.__getitem__))


def _by_key(assets: Iterable[Asset], problems: list[MainstemError]) -> dict[AssetKey, Asset]:
    by_key: dict[AssetKey, Asset] = {}
    for asset in assets:
        first = by_key.setdefault(asset.key, asset)
        if first is not asset:
            problems.append(_duplicate(first, asset))
        if asset.key.namespace.casefold() in _RESERVED:
            problems.append(_reserved(asset))
    return by_key


def _reserved(asset: Asset) -> ModelInvalid:
    namespace = asset.key.namespace
    owner = "Mainstem" if namespace.casefold() == "system" else "the engine"
    return ModelInvalid(
        "A2049",
        f"{asset.key} cannot be in the namespace `{namespace}`: {owner} keeps it to itself.",
        hint="Move the file to another folder, or set another `namespace:` (`into:` of a source).",
        where=Where(file=asset.file, line=asset.line, asset=str(asset.key)),
    )


def _duplicate(first: Asset, second: Asset) -> ModelInvalid:
    spelled = (
        f" (`{first.key}` and `{second.key}` differ only in case)"
        if str(first.key) != str(second.key)
        else ""
    )
    return ModelInvalid(
        "A2002",
        f"Two assets with one key: {first.key} is defined in {_place(first)} "
        f"and in {_place(second)}{spelled}.",
        hint="Rename one of the files, or give one of them another `namespace:`.",
        where=Where(file=second.file, line=second.line, asset=str(second.key)),
    )


def _place(asset: Asset) -> str:
    if not asset.file:
        return "the lake" if asset.kind == "external" else "Python"
    return f"{asset.file}:{asset.line}" if asset.line > 1 else asset.file


def _add_external(by_key: dict[AssetKey, Asset], external: Collection[AssetKey]) -> None:
    tables = {key: key for key in external}
    wanted = {key for asset in by_key.values() for key in (*asset.inputs, *asset.after)}
    for key in wanted:
        if key not in by_key and key in tables:
            by_key[key] = Asset(key=tables[key], kind="external", materialized="table")


def _parents_of(
    asset: Asset,
    by_key: Mapping[AssetKey, Asset],
    names: Names,
    problems: list[MainstemError],
) -> tuple[AssetKey, ...]:
    parents: list[AssetKey] = []
    # dict.fromkeys: each parent once, in the order written. A model may read itself (`this`).
    for key in dict.fromkeys((*asset.inputs, *asset.after)):
        found = by_key.get(key)
        if found is None:
            problems.append(_unknown_input(asset, key, names))
        elif found is not asset:
            parents.append(found.key)
    return tuple(parents)


def _unknown_input(asset: Asset, key: AssetKey, names: Names) -> AssetNotFound:
    return AssetNotFound(
        "A2003",
        f"{asset.key} reads `{key}`, which is not an asset.",
        hint=names.suggestion(str(key)) or "`mainstem list` shows all assets.",
        where=Where(file=asset.file, line=asset.line, asset=str(asset.key)),
    )


def _effective(
    by_key: Mapping[AssetKey, Asset], order: Iterable[AssetKey]
) -> dict[AssetKey, Asset]:
    found: dict[AssetKey, Asset] = {}
    for key in order:
        asset = by_key[key]
        sources = [source for name in asset.inputs if (source := found.get(name)) is not None]
        inlined = {item.key: item for item in sources if item.materialized == "ephemeral"}
        if inlined:
            asset = _inlined(asset, inlined)
        reason = asset.volatile or _inherited_volatility(asset, found)
        if reason != asset.volatile:
            asset = replace(asset, volatile=reason)
        found[key] = asset
    return found


def _inlined(asset: Asset, ephemeral: Mapping[AssetKey, Asset]) -> Asset:
    inputs: dict[AssetKey, None] = {}
    for name in asset.inputs:
        inputs.update(dict.fromkeys(ephemeral[name].inputs if name in ephemeral else (name,)))
    codes = {name: item.code_version for name, item in ephemeral.items()}
    texts = {name: item.code_text_hash for name, item in ephemeral.items()}
    has_text = asset.code_text_hash and all(texts.values())
    reasons = (f"reads {item.key}: {item.volatile}" for item in ephemeral.values() if item.volatile)
    return replace(
        asset,
        inputs=tuple(inputs),
        code_version=fingerprint(asset.code_version, codes),
        code_text_hash=fingerprint(asset.code_text_hash, texts) if has_text else "",
        volatile=asset.volatile or next(reasons, ""),
    )


def _inherited_volatility(asset: Asset, found: Mapping[AssetKey, Asset]) -> str:
    """What reads a volatile view runs the view's text, so it is volatile too."""
    for name in asset.inputs:
        source = found.get(name)
        if source is not None and source.volatile and source.materialized == "view":
            return f"reads {source.key}: {source.volatile}"
    return ""


def _closure(
    keys: Iterable[AssetKey],
    step: Callable[[AssetKey], tuple[AssetKey, ...]],
    depth: int | None,
) -> frozenset[AssetKey]:
    found: set[AssetKey] = set()
    level = list(keys)
    while level and (depth is None or depth > 0):
        following = [other for key in level for other in step(key) if other not in found]
        found.update(following)
        level = list(dict.fromkeys(following))
        depth = None if depth is None else depth - 1
    return frozenset(found)


def _topological(
    assets: Mapping[AssetKey, Asset], parents: Mapping[AssetKey, tuple[AssetKey, ...]]
) -> tuple[tuple[AssetKey, ...], list[tuple[AssetKey, ...]]]:
    """Order by Kahn's algorithm, a group (one step) counting as one node."""
    unit = {key.folded: asset.group or key.folded for key, asset in assets.items()}
    members: dict[str, list[AssetKey]] = {}
    for key in sorted(assets, key=attrgetter("folded")):
        members.setdefault(unit[key.folded], []).append(key)
    above = {
        name: {unit[parent.folded] for key in keys for parent in parents[key]} - {name}
        for name, keys in members.items()
    }
    below: dict[str, list[str]] = {name: [] for name in members}
    for name, needed in above.items():
        for parent in needed:
            below[parent].append(name)
    missing = {name: len(needed) for name, needed in above.items()}
    ready = deque(name for name in members if not missing[name])
    order: list[AssetKey] = []
    while ready:
        name = ready.popleft()
        order.extend(members[name])
        for child in sorted(below[name]):
            missing[child] -= 1
            if not missing[child]:
                ready.append(child)
    left = {name for name, count in missing.items() if count}
    circles = _circles(left, above, members)
    order.extend(key for name in sorted(left) for key in members[name])
    return tuple(order), circles


def _circles(
    left: set[str], above: Mapping[str, set[str]], members: Mapping[str, list[AssetKey]]
) -> list[tuple[AssetKey, ...]]:
    """Find one circle per entangled part; what merely hangs below a circle is in none."""
    circles: list[tuple[AssetKey, ...]] = []
    open_names = set(left)
    while open_names:
        path: list[str] = []
        name = min(open_names)
        # Walking upwards from any unordered node always ends in a circle.
        while name not in path:
            path.append(name)
            name = min(above[name] & left)
        circle = path[path.index(name) :]
        if open_names >= set(circle):
            # Upwards is "needs": reversed, it reads in the direction of the data.
            circles.append(tuple(members[item][0] for item in reversed(circle)))
        open_names -= set(path)
    return circles


def _cycle(circle: tuple[AssetKey, ...], assets: Mapping[AssetKey, Asset]) -> CycleFound:
    first = circle.index(min(circle))
    turned = (*circle[first:], *circle[:first])
    drawn = " -> ".join(str(key) for key in (*turned, turned[0]))
    files = ", ".join(dict.fromkeys(_place(assets[key]) for key in turned))
    start = assets[turned[0]]
    return CycleFound(
        "A2005",
        f"Assets need each other in a circle: {drawn}.",
        hint=f"Break it in one of {files}.",
        where=Where(file=start.file, line=start.line, asset=str(start.key)),
    )
