# SPDX-License-Identifier: Apache-2.0
"""Raw text that is equal means unchanged, whatever version of ours or sqlglot's normalised it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from mainstem.graph.asset import Asset
from mainstem.graph.facts import HeadEntry
from mainstem.graph.graph import Graph
from mainstem.types import AssetKey

_HAS_TEXT = frozenset({"sql", "python"})
"""Kinds whose text hash covers all that their code version does."""


def with_recorded_code(
    graph: Graph,
    entries: Mapping[AssetKey, HeadEntry],
    codes_of: Callable[[Mapping[AssetKey, str]], Mapping[AssetKey, Collection[str]]],
) -> Graph:
    """Let assets keep the code version that their text was recorded with when it was built.

    Args:
        graph: As loaded by this version of the program.
        entries: Of the commit that a plan or run starts from.
        codes_of: Gives recorded code versions by asset and hash of its text; asked at most once,
            and only about what the commit does not have as it is now.
    """
    texts = {
        key: asset.code_text_hash
        for key, asset in graph.effective.items()
        if asset.kind in _HAS_TEXT and asset.code_text_hash and not _is_same(asset, entries)
    }
    if not texts:
        return graph
    recorded = codes_of(texts)
    kept: dict[AssetKey, Asset] = {}
    for key, codes in recorded.items():
        asset = graph.effective[key]
        entry = entries.get(key)
        if entry is not None and entry.provenance.code_version in codes:
            kept[key] = replace(asset, code_version=entry.provenance.code_version)
        elif codes and asset.code_version not in codes:
            # Another branch built this text: with its version, what it built can be linked.
            kept[key] = replace(asset, code_version=min(codes))
    return replace(graph, effective={**graph.effective, **kept}) if kept else graph


def _is_same(asset: Asset, entries: Mapping[AssetKey, HeadEntry]) -> bool:
    entry = entries.get(asset.key)
    return entry is not None and entry.provenance.code_version == asset.code_version
