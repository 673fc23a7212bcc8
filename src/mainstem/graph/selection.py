# SPDX-License-Identifier: Apache-2.0
"""dbt's selection grammar: `+orders+1`, `@x`, `tag:daily,path:models/marts`, unions by space."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from mainstem.errors import SelectionInvalid
from mainstem.graph.asset import Asset
from mainstem.graph.graph import Graph
from mainstem.types import AssetKey, nearest

_TERM = re.compile(
    r"(?P<family>@)?(?:(?P<up>\d*)\+)?(?:(?P<method>[A-Za-z_][\w.]*):)?"
    r"(?P<value>.*?)(?P<down>\+\d*)?"
)
_LATER = frozenset(
    {
        "access",
        "exposure",
        "metric",
        "package",
        "result",
        "saved_query",
        "selector",
        "semantic_model",
        "source_status",
        "state",
        "test_name",
        "test_type",
        "unit_test",
        "version",
    }
)
_RESOURCE_TYPES = {
    "model": ("sql", "python", "command"),
    "source": ("file", "external"),
    "seed": ("seed",),
    "all": ("sql", "python", "command", "file", "external", "seed"),
}


def select(
    graph: Graph, include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> tuple[AssetKey, ...]:
    """Give the assets that expressions select, in building order.

    Args:
        graph: The project.
        include: Expressions; within one, spaces unite and commas intersect. Empty selects all.
        exclude: Expressions of what to leave out.

    Raises:
        SelectionInvalid: An expression cannot be read (A2006), uses an unknown method (A2007), or
            matches nothing (A2008).
    """
    chosen = _union(graph, include, must_match=True) if include else set(graph.order)
    return graph.sorted(chosen - _union(graph, exclude, must_match=False))


def _union(graph: Graph, expressions: Iterable[str], *, must_match: bool) -> set[AssetKey]:
    found: set[AssetKey] = set()
    for expression in expressions:
        for part in expression.split():
            found |= _intersection(graph, part, must_match=must_match)
    return found


def _intersection(graph: Graph, part: str, *, must_match: bool) -> set[AssetKey]:
    terms = part.split(",")
    if not all(terms):
        raise SelectionInvalid(
            "A2006",
            f"`{part}` has an empty part next to a comma.",
            hint="A comma intersects two selections: tag:daily,path:models/marts.",
        )
    found = _term(graph, terms[0], must_match=must_match)
    for term in terms[1:]:
        found &= _term(graph, term, must_match=must_match)
    return found


def _term(graph: Graph, term: str, *, must_match: bool) -> set[AssetKey]:
    match = _TERM.fullmatch(term)
    if match is None or not match["value"] or (match["family"] and match["down"]):
        raise SelectionInvalid(
            "A2006",
            f"`{term}` is not a selection.",
            hint="Write a name, method:value, +name, name+2 or @name; `@` already takes children.",
        )
    value = match["value"]
    method = (match["method"] or _implied_method(value)).casefold()
    matches = _matcher(method, value, term)
    found = {key for key, asset in graph.assets.items() if matches(asset)}
    if not found and (must_match or (method == "fqn" and not _has_wildcard(value))):
        raise _nothing_matches(graph, method, value, term)
    if match["family"]:
        below = found | graph.downstream(found)
        return below | graph.upstream(below)
    result = set(found)
    if match["up"] is not None:
        result |= graph.upstream(found, depth=int(match["up"]) if match["up"] else None)
    if match["down"] is not None:
        depth = match["down"][1:]
        result |= graph.downstream(found, depth=int(depth) if depth else None)
    return result


def _implied_method(value: str) -> str:
    if "/" in value:
        return "path"
    return "file" if PurePosixPath(value).suffix in {".sql", ".py", ".csv", ".yml"} else "fqn"


def _has_wildcard(value: str) -> bool:
    return any(mark in value for mark in "*?[")


def _matcher(method: str, value: str, term: str) -> Callable[[Asset], bool]:
    folded = value.casefold()
    if method == "resource_type":
        if folded not in _RESOURCE_TYPES:
            raise _unknown_value(method, value, sorted(_RESOURCE_TYPES))
        kinds = _RESOURCE_TYPES[folded]
        return lambda asset: asset.kind in kinds
    if method in _METHODS:
        matches = _METHODS[method]
        return lambda asset: matches(asset, folded)
    if method in _LATER or method.startswith("config."):
        raise SelectionInvalid(
            "A2009",
            f"`{method}:` in `{term}` is a method of dbt that Mainstem does not have yet.",
            known=sorted(_METHODS),
        )
    known = sorted((*_METHODS, "resource_type"))
    raise _unknown_method(method, term, known)


def _unknown_method(method: str, term: str, known: list[str]) -> SelectionInvalid:
    close = nearest(method, known, limit=1)
    return SelectionInvalid(
        "A2007",
        f"`{method}:` in `{term}` is not a selection method.",
        hint=f"Did you mean `{close[0]}:`?" if close else f"Methods: {', '.join(known)}.",
        known=known,
    )


def _unknown_value(method: str, value: str, known: list[str]) -> SelectionInvalid:
    close = nearest(value, known, limit=1)
    return SelectionInvalid(
        "A2008",
        f"`{method}:{value}` matches no asset.",
        hint=f"Did you mean `{method}:{close[0]}`?" if close else f"Known: {', '.join(known)}.",
        known=close or known[:10],
    )


def _nothing_matches(graph: Graph, method: str, value: str, term: str) -> SelectionInvalid:
    if method == "fqn":
        return SelectionInvalid(
            "A2008",
            f"`{term}` matches no asset.",
            hint=graph.names.suggestion(value) or "`mainstem list` shows all assets.",
            known=nearest(value, [str(key) for key in graph.order]),
        )
    values = sorted({text for asset in graph.assets.values() for text in _values(asset, method)})
    error = _unknown_value(method, value, values)
    if not values:
        error.hint = "`mainstem list` shows all assets."
    return error


def _values(asset: Asset, method: str) -> tuple[str, ...]:
    """What an asset offers to a method: for suggestions."""
    match method:
        case "tag":
            return asset.tags
        case "path" | "file":
            return (asset.file, PurePosixPath(asset.file).name) if asset.file else ()
        case "source":
            is_source = asset.kind in {"file", "external"}
            return (str(asset.key), asset.key.namespace) if is_source else ()
        case "kind":
            return (asset.kind,)
        case "materialized" | "config.materialized":
            return (asset.materialized,)
        case "owner":
            return (asset.owner,) if asset.owner else ()
        case "group":
            return (asset.group,) if asset.group else ()
        case "namespace":
            return (asset.key.namespace,)
        case _:
            return ()


def _name_matches(asset: Asset, folded: str) -> bool:
    """Match as `fqn` of dbt: the key, the bare name, or leading folders joined by dots."""
    key = asset.key
    if _has_wildcard(folded):
        return fnmatchcase(key.folded, folded) or fnmatchcase(key.name.casefold(), folded)
    if folded in {key.folded, key.name.casefold(), key.namespace.casefold()}:
        return True
    folders = ".".join(PurePosixPath(asset.file).parts[1:-1]).casefold()
    return bool(folders) and (folders == folded or folders.startswith(f"{folded}."))


def _path_matches(asset: Asset, folded: str) -> bool:
    path = asset.file.casefold()
    wanted = folded.removeprefix("./").rstrip("/")
    return bool(path) and (
        path == wanted or path.startswith(f"{wanted}/") or fnmatchcase(path, wanted)
    )


def _file_matches(asset: Asset, folded: str) -> bool:
    path = PurePosixPath(asset.file.casefold())
    return bool(asset.file) and (fnmatchcase(path.name, folded) or fnmatchcase(path.stem, folded))


def _source_matches(asset: Asset, folded: str) -> bool:
    if asset.kind not in {"file", "external"}:
        return False
    return fnmatchcase(asset.key.folded, folded) or fnmatchcase(
        asset.key.namespace.casefold(), folded
    )


_METHODS: dict[str, Callable[[Asset, str], bool]] = {
    "fqn": _name_matches,
    "path": _path_matches,
    "file": _file_matches,
    "source": _source_matches,
    "tag": lambda asset, folded: any(fnmatchcase(tag.casefold(), folded) for tag in asset.tags),
    "config.tags": lambda asset, folded: any(
        fnmatchcase(tag.casefold(), folded) for tag in asset.tags
    ),
    "kind": lambda asset, folded: fnmatchcase(asset.kind, folded),
    "materialized": lambda asset, folded: fnmatchcase(asset.materialized, folded),
    "config.materialized": lambda asset, folded: fnmatchcase(asset.materialized, folded),
    "owner": lambda asset, folded: fnmatchcase(asset.owner.casefold(), folded),
    "group": lambda asset, folded: fnmatchcase(asset.group.casefold(), folded),
    "namespace": lambda asset, folded: fnmatchcase(asset.key.namespace.casefold(), folded),
}
