# SPDX-License-Identifier: Apache-2.0
"""What a partitioned table's partitions came from: its record as sets, merged and hashed. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace

from mainstem.graph.asset import Asset
from mainstem.graph.partition import (
    Bounds,
    MappingRule,
    PartitionMapping,
    Partitions,
    PartitionSet,
    infer_mapping,
    partitions_within,
)
from mainstem.types import AssetKey, BuiltPartitions, Provenance, dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """Partitions that came from the same."""

    some: PartitionSet
    version: str
    """`UNKNOWN` while what they read is not known yet."""
    code_version: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """By folded key of the input."""


Parts = tuple[Part, ...]


def parts_of(provenance: Provenance, definition: Partitions) -> Parts:
    """Read a table's record; partitions that there are no more are left out."""
    found = []
    for built in provenance.partitions:
        some = PartitionSet.parse(built.partitions, definition, is_stored=True)
        if some:
            found.append(Part(some, built.version, built.code_version, built.inputs))
    return tuple(found)


def union_of_parts(parts: Iterable[Part], definition: Partitions) -> PartitionSet:
    """Give all partitions of a record."""
    whole = PartitionSet(definition)
    for part in parts:
        whole |= part.some
    return whole


def changed_parts(before: Parts, after: Parts, definition: Partitions) -> PartitionSet:
    """Give the partitions that came, went, or are of another version."""
    was, became, none = parts_by_version(before), parts_by_version(after), PartitionSet(definition)
    changed = none
    for version in {*was, *became}:
        old, new = was.get(version, none), became.get(version, none)
        changed |= (old | new) - (old & new)
    return changed


def overlaid(parts: Parts, gone: PartitionSet, new: Iterable[Part]) -> Parts:
    """Give a record in which some partitions are replaced; equal neighbours become one part."""
    grouped: dict[tuple[str, str, tuple[tuple[str, str], ...]], Part] = {}
    kept = (replace(part, some=part.some - gone) for part in parts)
    for part in (*kept, *new):
        if not part.some:
            continue
        mark = (part.version, part.code_version, tuple(sorted(part.inputs.items())))
        known = grouped.get(mark)
        grouped[mark] = replace(known, some=known.some | part.some) if known else part
    return tuple(grouped.values())


def confirmed(parts: Parts, moved: Iterable[tuple[PartitionSet, str, str]]) -> Parts:
    """Let partitions be right as of another version of an input; their own version stays."""
    pieces = list(parts)
    for some, name, version in moved:
        found: list[Part] = []
        for piece in pieces:
            kept, shared = piece.some - some, piece.some & some
            if kept:
                found.append(replace(piece, some=kept))
            if shared:
                found.append(replace(piece, some=shared, inputs={**piece.inputs, name: version}))
        pieces = found
    return overlaid(tuple(pieces), parts[0].some - parts[0].some, ()) if parts else ()


def record_of_parts(parts: Parts) -> tuple[BuiltPartitions, ...]:
    """Write a record as it is stored, in an order that does not depend on how it came about."""
    found = [
        BuiltPartitions(
            partitions=part.some.text(is_stored=True),
            version=part.version,
            code_version=part.code_version,
            inputs=dict(part.inputs),
        )
        for part in parts
    ]
    return tuple(sorted(found, key=lambda built: (built.partitions, built.version)))


def parts_version(parts: Parts) -> str:
    """Give the data version of a table: which of its partitions are of which version.

    Nothing else counts, so tables whose partitions came one by one or all at once are equal.
    """
    lines = sorted(
        f"{version}={some.text(is_stored=True)}"
        for version, some in parts_by_version(parts).items()
    )
    return hashlib.blake2b("\x1f".join(("parts", *lines)).encode(), digest_size=16).hexdigest()


def parts_by_version(parts: Iterable[Part]) -> dict[str, PartitionSet]:
    """Give the partitions of each version."""
    found: dict[str, PartitionSet] = {}
    for part in parts:
        known = found.get(part.version)
        found[part.version] = part.some if known is None else known | part.some
    return found


def rule_for(asset: Asset, key: AssetKey) -> MappingRule | Mapping[str, MappingRule] | None:
    """Give the mapping that an asset declares for an input, by its key or its bare name."""
    assert asset.partitions is not None, "only partitioned assets map"
    for name, rule in asset.partitions.inputs.items():
        if name.casefold() in {key.folded, key.name.casefold()}:
            return rule
    return None


def mapping_to(asset: Asset, key: AssetKey, source: Asset | None) -> PartitionMapping | None:
    """Relate an asset's partitions to those of an input.

    An input without partitions is seen as if it had the asset's own, by the column of that name.

    Returns:
        The mapping; nothing if every partition reads all of the input.
    """
    assert asset.partitions is not None, "only partitioned assets map"
    own, rule = asset.partitions.definition, rule_for(asset, key)
    if source is not None and source.partitions is not None:
        return infer_mapping(own, source.partitions.definition, rule)
    if isinstance(rule, MappingRule) and rule.kind == "all":
        return None
    return infer_mapping(own, own, rule)


def partitions_of_files(
    files: Iterable[Bounds] | None, columns: Sequence[str], existing: PartitionSet
) -> PartitionSet:
    """Give the partitions that rows of some files may belong to.

    Args:
        files: Their bounds; nothing: they are not known.
        columns: For each dimension its column.
        existing: No others are given; all of them if a file does not tell.
    """
    known = None if files is None else tuple(files)
    if known is None or any(
        column.casefold() not in bounds for bounds in known for column in columns
    ):
        # Not restricted by that column, or without statistics: anything may have changed.
        return existing
    found = PartitionSet(existing.definition)
    for bounds in known:
        found |= partitions_within(bounds, columns, existing)
    return found


def mapped_versions(
    some: PartitionSet, mapping: PartitionMapping, existing: PartitionSet, parts: Parts
) -> tuple[tuple[tuple[PartitionSet, str], ...], PartitionSet]:
    """Tell what versions the mapped partitions of an input have, for a set of an asset's.

    Partitions that read partitions of one version get that version, however many they read; only
    where versions meet is each looked at alone.

    Args:
        some: Of the asset.
        mapping: From the asset to its input.
        existing: Partitions that the input has by now.
        parts: What they came from.

    Returns:
        Sets with their version, and those of which the input lacks partitions.
    """
    whole = PartitionSet(some.definition, some.spans)
    lacking = existing - union_of_parts(parts, existing.definition)
    short = mapping.downstream(lacking, whole, existing) if lacking else some - some
    rest = some - short
    found: list[tuple[PartitionSet, str]] = []
    for part in parts:
        others = existing - part.some
        mixed = mapping.downstream(others, whole, existing) if others else some - some
        uniform = (mapping.downstream(part.some & existing, whole, existing) & rest) - mixed
        if uniform:
            found.append((uniform, part.version))
            rest -= uniform
    found.extend(
        (one, _mixed_version(mapping.upstream(one, existing), parts)) for one in rest.each()
    )
    return tuple(found), short


def _mixed_version(read: PartitionSet, parts: Sequence[Part]) -> str:
    """Hash which partitions of an input have which version; `UNKNOWN` if one is not known."""
    lines = []
    for part in parts:
        shared = read & part.some
        if shared:
            if not part.version:
                return ""
            lines.append(f"{part.version}={shared.text(is_stored=True)}")
    text = "\x1f".join(("mixed", *sorted(lines)))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest() if lines else "nothing"
