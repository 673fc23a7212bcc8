# SPDX-License-Identifier: Apache-2.0
"""Which partitions of an asset are to be built, and why: the decision about a partitioned table.

All of it is sets. A partition is fresh if it was built from today's code and from what its inputs
are now, or if nothing that it reads is in the data files that made the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from mainstem.graph.asked import named_partitions, read_asked
from mainstem.graph.asset import Asset
from mainstem.graph.facts import Facts, Linkable, PlanOptions
from mainstem.graph.fingerprint import fingerprint
from mainstem.graph.partition import PartitionSet
from mainstem.graph.parts import (
    Part,
    Parts,
    confirmed,
    mapped_versions,
    mapping_to,
    overlaid,
    partitions_of_files,
    parts_version,
    union_of_parts,
)
from mainstem.types import AssetKey

UNKNOWN = ""
_Versions = tuple[tuple[PartitionSet, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsDecision:
    """What a run would do about the partitions of one asset."""

    existing: PartitionSet
    build: PartitionSet
    lacking: PartitionSet
    """Wanted, but partitions of an input that they read were never built."""
    reverted: PartitionSet
    """Wanted, but what would be built of them was reverted on the target."""
    before: Parts = ()
    """The record of the table as it is."""
    reasons: tuple[tuple[str, PartitionSet], ...] = ()
    new: Parts = ()
    """What the partitions that are built will have come from."""
    after: Parts = ()
    """The record of the whole table then."""
    confirmed: tuple[tuple[PartitionSet, str, str], ...] = ()
    """Partitions that are proven to be right as of another version of an input: folded key,
    version."""
    links: tuple[tuple[PartitionSet, Linkable], ...] = ()
    """Partitions of `build` that were built elsewhere from the same."""
    starts_over: bool = False
    """Nothing of the table stays, whatever comes of its inputs: its columns may be others."""

    @property
    def version(self) -> str:
        """Data version of the table then; `UNKNOWN` while what is read is not known."""
        if any(part.version == UNKNOWN for part in self.after):
            return UNKNOWN
        return parts_version(self.after)


@dataclass(slots=True)
class _Inquiry:
    """The state of one decision."""

    asset: Asset
    facts: Facts
    notes: Mapping[AssetKey, str]
    assets: Mapping[AssetKey, Asset]
    parts_of: Callable[[AssetKey], Parts]
    wanted: PartitionSet
    stale: dict[str, PartitionSet] = field(default_factory=dict)
    confirmed: list[tuple[PartitionSet, str, str]] = field(default_factory=list)

    def add(self, reason: str, some: PartitionSet) -> None:
        """Note a reason to build; the first that was found for a partition is told."""
        for known in self.stale.values():
            some -= known
        if some:
            before = self.stale.get(reason)
            self.stale[reason] = some if before is None else before | some

    def all_stale(self) -> PartitionSet:
        """Give all partitions that there is a reason to build."""
        found = PartitionSet(self.wanted.definition)
        for some in self.stale.values():
            found |= some
        return found


def decide_parts(
    asset: Asset,
    *,
    inputs: Mapping[AssetKey, str | None],
    parts_of: Callable[[AssetKey], Parts],
    facts: Facts,
    options: PlanOptions,
    notes: Mapping[AssetKey, str],
    assets: Mapping[AssetKey, Asset],
    must_build: str = "",
) -> PartsDecision:
    """Decide about the partitions of one asset.

    Args:
        asset: Partitioned.
        inputs: Version of each input: `UNKNOWN` while not yet read.
        parts_of: What the partitions of an asset came from, by now.
        facts: The world.
        options: Of the command; they may want some partitions only.
        notes: For inputs that change in this plan, in words.
        assets: Effective assets of the graph.
        must_build: Why all that is wanted is built anyway; empty if versions decide.

    Raises:
        SelectionInvalid: The wanted partitions cannot be read.
    """
    assert asset.partitions is not None, "only partitioned assets are decided here"
    definition = asset.partitions.definition
    existing = PartitionSet.existing(definition, facts.now)
    parts = parts_of(asset.key)
    built = union_of_parts(parts, definition)
    wanted = _wanted(asset, existing, built, options, facts)
    inquiry = _Inquiry(asset, facts, notes, assets, parts_of, wanted)
    if must_build:
        inquiry.add(must_build, wanted)
    inquiry.add("not built yet", wanted - built)
    versions, lacking = _input_versions(inquiry, inputs, existing)
    for part in parts:
        _compare(inquiry, part, versions, existing)
    build = inquiry.all_stale() - lacking
    new = _pieces(asset, build, versions)
    reverted = PartitionSet(definition)
    if not must_build and not options.force:
        reverted = _reverted(asset, new, facts, reverted)
        build, new = build - reverted, overlaid(new, reverted, ())
    return PartsDecision(
        existing=existing,
        build=build,
        lacking=lacking & wanted,
        reverted=reverted,
        before=parts,
        reasons=tuple((reason, some & build) for reason, some in inquiry.stale.items()),
        new=new,
        after=overlaid(confirmed(parts, inquiry.confirmed), build, new),
        confirmed=tuple(inquiry.confirmed),
        links=() if must_build else _links(asset, new, facts),
        starts_over=built <= build
        and (bool(must_build) or all(one.code_version != asset.code_version for one in parts)),
    )


def united_parts(decisions: Iterable[PartsDecision]) -> PartitionSet | None:
    """Give the partitions that members of a `multi_asset` build together; nothing if none."""
    found: PartitionSet | None = None
    for parts in decisions:
        found = parts.build if found is None else found | parts.build
    return found or None


def _wanted(
    asset: Asset, existing: PartitionSet, built: PartitionSet, options: PlanOptions, facts: Facts
) -> PartitionSet:
    text = options.partitions.get(asset.key.folded, options.partitions.get("*", ""))
    asked = read_asked(text)
    if asked is None:
        return existing
    found = PartitionSet(existing.definition)
    for word in asked.words:
        match word:
            case "latest":
                then = PartitionSet.existing(existing.definition, options.latest_at or facts.now)
                found |= (then & existing).last()
            case "missing":
                found |= existing - built
            case "failed":
                failed = facts.failed_of(asset.key)
                found |= PartitionSet.parse(failed, existing.definition, is_stored=True) & existing
    return found | named_partitions(asset, asked.named, existing) if asked.named else found


def _input_versions(
    inquiry: _Inquiry, inputs: Mapping[AssetKey, str | None], existing: PartitionSet
) -> tuple[dict[AssetKey, _Versions], PartitionSet]:
    """Give for each input what version of it the partitions read, and which of them cannot."""
    found: dict[AssetKey, _Versions] = {}
    lacking = existing - existing
    for key, version in inputs.items():
        source = inquiry.assets.get(key)
        if source is None or source.partitions is None:
            found[key] = ((existing, version or UNKNOWN),)
            continue
        mapping = mapping_to(inquiry.asset, key, source)
        assert mapping is not None, "partitions of both sides relate"
        there = PartitionSet.existing(source.partitions.definition, inquiry.facts.now)
        read = mapping.upstream(existing, there)
        found[key], short = mapped_versions(existing, mapping, read, inquiry.parts_of(key))
        lacking |= short
    return found, lacking


def _compare(
    inquiry: _Inquiry, part: Part, versions: Mapping[AssetKey, _Versions], existing: PartitionSet
) -> None:
    """Find what is stale in a part, and what is right as of the versions that inputs have now."""
    asset, notes = inquiry.asset, inquiry.notes
    if part.code_version != asset.code_version and asset.on_code_change == "rebuild":
        inquiry.add(f"its code changed in {asset.file}", part.some & inquiry.wanted)
        return
    for key, found in versions.items():
        old = part.inputs.get(key.folded)
        source = inquiry.assets.get(key)
        is_mapped = source is not None and source.partitions is not None
        for some, version in found:
            shared = part.some & some
            if not shared or version == old:
                continue
            touched = shared
            if old is not None and version and not is_mapped:
                touched = _touched(inquiry, key, old, version, existing) & shared
            words = notes.get(key, "changed since they were built")
            inquiry.add(f"their input {key} {words}", touched & inquiry.wanted)
            if version and shared - touched:
                inquiry.confirmed.append((shared - touched, key.folded, version))


def _touched(
    inquiry: _Inquiry, key: AssetKey, old: str, new: str, existing: PartitionSet
) -> PartitionSet:
    """Give the partitions that may read rows in which two versions of an input differ."""
    asset = inquiry.asset
    mapping = mapping_to(asset, key, inquiry.assets.get(key))
    files = inquiry.facts.changed_files(key, old, new) if mapping is not None else None
    if mapping is None or asset.partitions is None:
        return existing
    found = partitions_of_files(files, asset.partitions.columns, existing)
    return mapping.downstream(found, existing, existing)


def _pieces(asset: Asset, build: PartitionSet, versions: Mapping[AssetKey, _Versions]) -> Parts:
    """Divide what is built by what it reads."""
    pieces: list[tuple[PartitionSet, dict[AssetKey, str]]] = [(build, {})] if build else []
    for key, found in versions.items():
        pieces = [
            (shared, {**known, key: version})
            for some, known in pieces
            for other, version in found
            if (shared := some & other)
        ]
    return tuple(
        Part(
            some,
            fingerprint(asset.code_version, known) if all(known.values()) else UNKNOWN,
            asset.code_version,
            {key.folded: version for key, version in known.items()},
        )
        for some, known in pieces
    )


def _reverted(asset: Asset, new: Parts, facts: Facts, found: PartitionSet) -> PartitionSet:
    """Add the partitions that would become again what was reverted."""
    for version, text in facts.reverted_parts(asset.key) if new else ():
        for part in new:
            if part.version == version:
                found |= part.some & PartitionSet.parse(text, part.some.definition, is_stored=True)
    return found


def _links(asset: Asset, new: Parts, facts: Facts) -> tuple[tuple[PartitionSet, Linkable], ...]:
    if not asset.is_repeatable:
        return ()
    found = []
    for part in new:
        rest = part.some
        for text, link in facts.part_links(asset.key, part.version) if part.version else ():
            shared = rest & PartitionSet.parse(text, rest.definition, is_stored=True)
            if shared:
                found.append((shared, link))
                rest -= shared
    return tuple(found)
