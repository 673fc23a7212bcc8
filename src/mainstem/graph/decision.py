# SPDX-License-Identifier: Apache-2.0
"""What to do about one asset, given the versions of what it reads.

The planner asks with expected versions, the run asks again with actual ones: the same function, so
that a touched but equal source rebuilds nothing, and a run never does what its plan would not say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from mainstem.graph.aging import age_reason, ago, due_reason
from mainstem.graph.asset import Asset
from mainstem.graph.changes import code_reason, only_appended
from mainstem.graph.facts import Facts, HeadEntry, Linkable, PlanOptions
from mainstem.graph.fingerprint import fingerprint, increment_version, view_tombstone
from mainstem.graph.keeping import reads_nothing_changed
from mainstem.graph.lookup import UNKNOWN
from mainstem.graph.parting import PartsDecision, decide_parts
from mainstem.graph.partition import PartitionSet
from mainstem.graph.parts import Parts
from mainstem.graph.plan import Action
from mainstem.types import AssetKey, dataclass


def must_build_reason(
    asset: Asset, entry: HeadEntry | None, facts: Facts, options: PlanOptions
) -> str:
    """Say why the asset runs whatever its versions are; empty if they decide."""
    if asset.volatile:
        return asset.volatile
    if options.rebuild:
        return "--rebuild: built anew, all rows"
    if options.again:
        return "executed again"
    if options.full_refresh and asset.materialized == "incremental" and entry is not None:
        return "--full-refresh: all rows are built anew"
    return age_reason(asset, entry, facts, options)


def _no_parts(_key: AssetKey) -> Parts:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a run would do about one asset."""

    action: Action
    reason: str
    fingerprint: str = ""
    version: str | None = UNKNOWN
    """Data version afterwards; nothing: there will be none."""
    is_full_rebuild: bool = True
    link: Linkable | None = None
    details: tuple[str, ...] = ()
    parts: PartsDecision | None = None
    """Of a partitioned asset: which partitions."""


def decide_asset(
    asset: Asset,
    *,
    inputs: Mapping[AssetKey, str | None],
    facts: Facts,
    options: PlanOptions,
    notes: Mapping[AssetKey, str],
    assets: Mapping[AssetKey, Asset],
    branch: str = "",
    parts_of: Callable[[AssetKey], Parts] = _no_parts,
) -> Decision:
    """Decide about a derived asset; sources are the planner's business.

    Args:
        asset: What to decide about; not ephemeral, not a source.
        inputs: Version of each input: `UNKNOWN` while not yet read, nothing if never built.
        facts: The world.
        options: Of the command.
        notes: For inputs that change in this plan, in words: `gets new rows`.
        assets: Effective assets of the graph.
        branch: The target, for messages.
        parts_of: What the partitions of an asset came from, by now.
    """
    entry = facts.entries.get(asset.key)
    missing = [key for key, version in inputs.items() if version is None]
    if missing:
        return Decision(
            action="skip",
            reason=f"needs {missing[0]}, which was never built",
            version=entry.provenance.data_version if entry is not None else None,
        )
    known = {key: version for key, version in inputs.items() if version}
    mark = fingerprint(asset.code_version, known) if len(known) == len(inputs) else ""
    if asset.materialized == "none":
        return _decide_effect(asset, mark, facts, options)
    if asset.materialized == "view":
        return _decide_view(asset, entry, mark, facts, options, branch)
    if asset.partitions is not None:
        must_build = must_build_reason(asset, entry, facts, options)
        parts = decide_parts(
            asset,
            inputs=inputs,
            parts_of=parts_of,
            facts=facts,
            options=options,
            notes=notes,
            assets=assets,
            must_build=must_build,
        )
        return _decide_partitioned(asset, entry, parts, must_build, facts, options)
    decision = _decide_table(asset, entry, inputs, mark, facts, options, notes, branch)
    is_forced = options.full_refresh or options.rebuild or age_reason(asset, entry, facts, options)
    if decision.action != "build" or is_forced or entry is None:
        return decision
    if not reads_nothing_changed(asset, inputs, assets, facts):
        return decision
    return _kept(entry, inputs)


def _decide_effect(asset: Asset, mark: str, facts: Facts, options: PlanOptions) -> Decision:
    if asset.rebuild_after_s is None or options.rebuild:
        reason = asset.volatile or "an effect: it runs whenever it is selected"
        return Decision(action="build", reason=reason, fingerprint=mark)
    age = facts.age_of(asset.key, "")
    if age is None:
        return Decision(action="build", reason="it did not run here yet", fingerprint=mark)
    reason = due_reason(asset, age, options)
    if reason:
        return Decision(action="build", reason=reason, fingerprint=mark)
    return Decision(action="fresh", reason=f"ran {ago(age)} ago, `{asset.rebuild_rule}`")


def _decide_view(
    asset: Asset,
    entry: HeadEntry | None,
    mark: str,
    facts: Facts,
    options: PlanOptions,
    branch: str,
) -> Decision:
    is_defined = entry is not None and entry.kind == "view" and _same_code(asset, entry)
    if is_defined and not options.rebuild:
        return Decision(action="fresh", reason="its definition is unchanged", version=mark)
    if not options.force and facts.is_tombstone(asset.key, view_tombstone(asset.code_version)):
        return _reverted(entry)
    reason = _never_built(branch) if entry is None else code_reason(asset, entry, facts)
    if is_defined:
        reason = "--rebuild: defined anew"
    return Decision(action="build", reason=reason, fingerprint=mark, version=mark)


def _decide_table(
    asset: Asset,
    entry: HeadEntry | None,
    inputs: Mapping[AssetKey, str | None],
    mark: str,
    facts: Facts,
    options: PlanOptions,
    notes: Mapping[AssetKey, str],
    branch: str,
) -> Decision:
    must_build = must_build_reason(asset, entry, facts, options)
    if entry is not None and not must_build and mark and entry.provenance.fingerprint == mark:
        return Decision(
            action="fresh",
            reason="neither its code nor its inputs changed",
            fingerprint=mark,
            version=entry.provenance.data_version,
        )
    full_reason = _full_rebuild_reason(asset, entry, inputs, facts, options)
    is_full = full_reason is not None
    version = _version_after(asset, entry, mark, is_full=is_full)
    if version and not must_build:
        if not options.force and facts.is_tombstone(asset.key, version):
            return _reverted(entry)
        link = facts.link_of(asset.key, version)
        if link is not None:
            return Decision(
                action="link",
                reason=f"built {_where(link)} from the same code and inputs",
                fingerprint=mark,
                version=version,
                is_full_rebuild=is_full,
                link=link,
            )
    reason = must_build or _change_reason(asset, entry, inputs, facts, notes, branch)
    return Decision(
        action="build",
        reason=reason,
        fingerprint=mark,
        version=version,
        is_full_rebuild=is_full,
        details=_details(asset, entry, full_reason, reason, facts),
    )


def _decide_partitioned(
    asset: Asset,
    entry: HeadEntry | None,
    parts: PartsDecision,
    must_build: str,
    facts: Facts,
    options: PlanOptions,
) -> Decision:
    before = entry.provenance.data_version if entry is not None else None
    if not parts.build:
        if parts.lacking:
            text = _some_text(parts.lacking)
            reason = f"partitions that {text} reads were never built"
            return Decision(action="skip", reason=reason, version=before, parts=parts)
        if parts.reverted:
            return replace(_reverted(entry), parts=parts)
        reason = "neither its code nor its inputs changed"
        return Decision(action="fresh", reason=reason, version=before, parts=parts)
    version = parts.version if asset.is_repeatable else UNKNOWN
    if version and not must_build:
        if not options.force and facts.is_tombstone(asset.key, version):
            return replace(_reverted(entry), parts=parts)
        link = facts.link_of(asset.key, version)
        # The table as a whole is one step, and judged as one: only if nothing of it may be held.
        if link is not None and link.is_published and not options.partitions:
            reason = f"built {_where(link)} from the same code and inputs"
            return Decision(
                action="link",
                reason=reason,
                fingerprint=version,
                version=version,
                is_full_rebuild=parts.starts_over,
                link=link,
                parts=parts,
            )
    first = next(why for why, some in parts.reasons if some)
    counts = f"{parts.build.count:,} of {parts.existing.count:,} partitions"
    return Decision(
        action="build",
        reason=f"{counts}: {first}",
        fingerprint=version,
        version=version,
        is_full_rebuild=parts.starts_over,
        details=(*_gone_details(entry, parts), *_part_details(parts)),
        parts=parts,
    )


def _gone_details(entry: HeadEntry | None, parts: PartsDecision) -> tuple[str, ...]:
    """Say that rows go which belong to no partition, if not all partitions are built anew."""
    if entry is None or not parts.starts_over or parts.before or parts.build == parts.existing:
        return ()
    return (f"begins anew: its {entry.row_count:,} rows were not built by partitions, and go",)


def _part_details(parts: PartsDecision) -> tuple[str, ...]:
    found = [f"{why}: {_some_text(some)}" for why, some in parts.reasons if some]
    if len(found) == 1 and parts.build == parts.existing:
        found = []
    if parts.lacking:
        found.append(f"not yet, for what they read was never built: {_some_text(parts.lacking)}")
    if parts.reverted:
        found.append(f"reverted, and not again without --force: {_some_text(parts.reverted)}")
    if parts.links:
        count = sum(some.count for some, _link in parts.links)
        found.append(f"{count:,} of them are linked: built from the same before")
    return tuple(found)


def _some_text(some: PartitionSet) -> str:
    ranges = some.ranges(limit=6)
    text = ", ".join(part.text for part in ranges[:5])
    return f"{text}, ..." if len(ranges) > 5 else text


def _where(link: Linkable) -> str:
    return link.made_on if link.made_on.startswith("in run ") else f"on {link.made_on}"


def _kept(entry: HeadEntry, inputs: Mapping[AssetKey, str | None]) -> Decision:
    before = {name.casefold(): version for name, version in entry.provenance.inputs.items()}
    changed = next(key for key, version in inputs.items() if before.get(key.folded) != version)
    return Decision(
        action="keep",
        reason=f"reads {changed}, but none of the changed columns",
        version=entry.provenance.data_version,
    )


def _same_code(asset: Asset, entry: HeadEntry) -> bool:
    return entry.provenance.code_version == asset.code_version


def _reverted(entry: HeadEntry | None) -> Decision:
    return Decision(
        action="skip",
        reason="this result was reverted; change its code or inputs, or use --force",
        version=entry.provenance.data_version if entry is not None else None,
    )


def _never_built(branch: str) -> str:
    return f"not built on {branch} yet" if branch else "not built yet"


def _full_rebuild_reason(
    asset: Asset,
    entry: HeadEntry | None,
    inputs: Mapping[AssetKey, str | None],
    facts: Facts,
    options: PlanOptions,
) -> str | None:
    """Say why all rows are built and not only new ones; nothing if an increment will do."""
    if asset.materialized != "incremental" or entry is None or entry.kind != "table":
        return ""
    if options.full_refresh or options.rebuild:
        return ""
    if not _same_code(asset, entry) and asset.on_code_change == "rebuild":
        return "its code changed, and on_code_change is rebuild"
    if asset.upstream_mutable:
        return None
    before = entry.provenance.inputs
    folded = {name.casefold(): version for name, version in before.items()}
    for key, version in inputs.items():
        old = folded.get(key.folded)
        if old is None:
            return f"it did not read {key} before"
        if version and not only_appended(key, old, version, facts.record_of):
            return f"{key} changed otherwise than by new rows"
    return None


def _version_after(asset: Asset, entry: HeadEntry | None, mark: str, *, is_full: bool) -> str:
    if not asset.is_repeatable or not mark:
        return UNKNOWN
    if is_full or entry is None:
        return mark
    return increment_version(entry.provenance.data_version, mark)


def _change_reason(
    asset: Asset,
    entry: HeadEntry | None,
    inputs: Mapping[AssetKey, str | None],
    facts: Facts,
    notes: Mapping[AssetKey, str],
    branch: str,
) -> str:
    if entry is None:
        return _never_built(branch)
    if not _same_code(asset, entry):
        return code_reason(asset, entry, facts)
    before = {name.casefold(): version for name, version in entry.provenance.inputs.items()}
    for key, version in inputs.items():
        if not version or before.get(key.folded) != version:
            return f"its input {key} {notes.get(key, 'changed since it was built')}"
    return "its inputs changed since it was built"


def _details(
    asset: Asset, entry: HeadEntry | None, full_reason: str | None, reason: str, facts: Facts
) -> tuple[str, ...]:
    if full_reason:
        return (f"all rows: {full_reason}",) if full_reason not in reason else ()
    if full_reason is not None or entry is None:
        return ()
    record = facts.record_of(asset.key, entry.provenance.data_version)
    is_mixed = record is not None and not record.is_uniform
    if _same_code(asset, entry) and not is_mixed:
        return ()
    return (f"old rows keep the old logic ({entry.row_count:,} rows); --rebuild builds them anew",)
