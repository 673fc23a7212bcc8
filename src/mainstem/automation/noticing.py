# SPDX-License-Identifier: Apache-2.0
"""What changed of an asset since the last turn: facts compared with what is to be seen. Pure.

Only what differs is looked at: of a table the entries of its record that two commits do not share,
of an input without partitions the bounds of the files that they do not share.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta

from mainstem.automation.expression import LASTING, Operand
from mainstem.automation.incremental import Change
from mainstem.automation.observed import WHOLE, Observed
from mainstem.automation.remembered import Facts
from mainstem.automation.world import AssetWorld
from mainstem.errors import SelectionInvalid
from mainstem.graph import PartitionSet, partitions_of_files
from mainstem.types import BuiltPartitions, dataclass, duration_of

_BUILT = "built"
"""Of partitioned assets: also those that there are no more, or not yet."""
_NEWS = {name: Operand(name) for name in ("newly_updated", "code_changed", "newly_failed")}
_LASTING = {name: Operand(name) for name in ("missing", "in_progress", "failed")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """What was found out about one asset or view."""

    facts: Facts
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Compares what is with what was known."""

    world: AssetWorld
    observed: Observed
    commit: str
    """What facts were last compared with."""
    windows: Collection[Operand] = ()
    """`in_latest_time_window`, as conditions ask for it."""

    def of(self, name: str, known: Facts | None) -> Noticed:
        """Look at an asset, or at a view of one.

        What is seen for the first time is not new: nothing happened to it.
        """
        asset, whole = self.world.asset_of(name), self.world.existing(name)
        version, code = self.observed.versions.get(asset, ""), self.observed.codes.get(asset, "")
        before = known or Facts(version=version)
        nothing = PartitionSet(whole.definition)
        moved = version != before.version
        broken = self._some(name, self.observed.failed.get(asset, ()))
        if self.world.is_parted(name):
            built, updated = self._parts(name, before, is_new=known is None)
            missing = whole - built
            failed = self._some(name, self.observed.failing.get(asset, ()))
        else:
            built = nothing
            updated = self._touched(name) if moved and version else nothing
            missing = nothing if version else whole
            stays = bool(broken) or ("failed" in before.sets and not (moved and version))
            failed = whole if stays else nothing
        news = {
            "newly_updated": updated,
            "code_changed": whole if code and before.code and code != before.code else nothing,
            "newly_failed": broken,
        }
        lasting = {
            _LASTING["missing"]: missing,
            _LASTING["in_progress"]: self._some(name, self.observed.busy.get(asset, ())),
            _LASTING["failed"]: failed,
            **{of: self.world.latest(name, _lookback(of)) for of in self.windows},
        }
        sets = {key: some for key, some in before.sets.items() if key.split()[0] not in _OWN}
        sets |= {set_name(of): some for of, some in lasting.items() if some}
        if built:
            sets[_BUILT] = built
        return Noticed(
            facts=Facts(version=version, code=code, sets=sets),
            changes=(
                *self._differences(name, before, lasting),
                *(
                    Change(asset=name, operand=_NEWS[key], some=some)
                    for key, some in news.items()
                    if some
                ),
            ),
        )

    def _differences(
        self, name: str, before: Facts, lasting: Mapping[Operand, PartitionSet]
    ) -> Iterator[Change]:
        for operand, some in lasting.items():
            was = before.sets.get(set_name(operand), PartitionSet(some.definition))
            if some.spans == was.spans:
                continue
            if gone := was - some:
                yield Change(asset=name, operand=operand, some=gone, is_added=False)
            if come := some - was:
                yield Change(asset=name, operand=operand, some=come)

    def _parts(
        self, name: str, before: Facts, *, is_new: bool
    ) -> tuple[PartitionSet, PartitionSet]:
        """Give the partitions that are built, and those built since the last turn."""
        definition = self.world.existing(name).definition
        nothing = PartitionSet(definition)
        history, built = self.observed.history, before.sets.get(_BUILT, nothing)
        if not is_new and self.observed.versions.get(name, "") == before.version:
            return built, nothing
        now = _pairs(history.partitions(name))
        then = None if is_new else history.partitions_at(name, self.commit)
        if then is None:
            whole = self._union(nothing, now)
            return whole, nothing if is_new else whole
        old = _pairs(then)
        come, gone = now - old, old - now
        updated = nothing
        for version in {version for _text, version in come}:
            same = self._union(nothing, (pair for pair in gone if pair[1] == version))
            updated |= self._union(nothing, (pair for pair in come if pair[1] == version)) - same
        return (built - self._union(nothing, gone)) | self._union(nothing, come), updated

    def _union(self, nothing: PartitionSet, pairs: Iterable[tuple[str, str]]) -> PartitionSet:
        text = ",".join(text for text, _version in pairs)
        return PartitionSet.parse(text, nothing.definition, is_stored=True)

    def _touched(self, name: str) -> PartitionSet:
        """Give the partitions of a view to which rows came or went."""
        whole, asset = self.world.existing(name), self.world.asset_of(name)
        if asset == name:
            return whole
        files = self.observed.history.changed_files(asset, self.commit)
        return partitions_of_files(files, self.world.columns(name), whole)

    def _some(self, name: str, texts: Iterable[str]) -> PartitionSet:
        """Read partitions of an asset; all, where it has none or they cannot be told."""
        whole = self.world.existing(name)
        found = list(texts)
        if not found:
            return PartitionSet(whole.definition)
        if WHOLE in found or not self.world.is_parted(name):
            return whole
        try:
            return whole & PartitionSet.parse(
                ",".join(found), whole.definition, within=whole, is_stored=True
            )
        except SelectionInvalid:
            return whole  # `latest`, or keys of other partitions than today's


def set_name(operand: Operand) -> str:
    """Give the name under which a lasting fact is remembered."""
    return f"{operand.name} {operand.lookback}".strip()


_OWN = frozenset({*LASTING, _BUILT})


def _lookback(operand: Operand) -> timedelta:
    return duration_of(operand.lookback or 0) or timedelta()


def _pairs(parts: Sequence[BuiltPartitions]) -> set[tuple[str, str]]:
    return {(part.partitions, part.version) for part in parts}
