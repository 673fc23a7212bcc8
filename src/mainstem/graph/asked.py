# SPDX-License-Identifier: Apache-2.0
"""How partitions are asked for: keys and ranges, and words that depend on what was built."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, NamedTuple, get_args

from mainstem.errors import SelectionInvalid
from mainstem.graph.asset import Asset
from mainstem.graph.partition import PartitionSet

Word = Literal["latest", "missing", "failed"]
_WORDS: dict[str, Word] = {word: word for word in get_args(Word)}
_ANY_TIME = datetime(2100, 1, 1, tzinfo=UTC)


class AskedParts(NamedTuple):
    """What was asked for."""

    words: tuple[Word, ...]
    named: str
    """The rest: keys and ranges."""


def read_asked(text: str) -> AskedParts | None:
    """Split what was written; nothing if all partitions are meant that need it."""
    if not text or text.strip().casefold() in {"all", "stale"}:
        return None
    # A quoted name may hold a comma; then there are no words beside it.
    items = [text] if '"' in text else text.split(",")
    folded = [item.strip().casefold() for item in items]
    return AskedParts(
        words=tuple(_WORDS[word] for word in folded if word in _WORDS),
        named=",".join(
            item for item, word in zip(items, folded, strict=True) if word not in _WORDS
        ),
    )


def named_partitions(asset: Asset, text: str, existing: PartitionSet) -> PartitionSet:
    """Give those of the existing partitions that keys and ranges name.

    Raises:
        SelectionInvalid: It cannot be read, or none of them is there yet (A1085).
    """
    some = PartitionSet.parse(text, existing.definition, within=existing)
    beyond = some - existing
    if beyond and not some & existing:
        known = existing.text()
        raise SelectionInvalid(
            "A1085",
            f"{asset.key} has no partition {beyond.text()} yet.",
            hint=f"It has {known if len(known) < 100 else existing.count}.",
        )
    return some & existing


def require_partitions(asset: Asset, text: str, *, now: datetime | None = None) -> None:
    """Refuse at once what a plan would refuse later; any text will do without partitions.

    Args:
        asset: With the dynamic partitions that there are.
        text: What somebody asks for.
        now: They must be there then; without it, only the text must be one of such partitions.

    Raises:
        SelectionInvalid: A plan could not read it.
    """
    asked = read_asked(text)
    if asked is None or not asked.named or asset.partitions is None:
        return
    existing = PartitionSet.existing(asset.partitions.definition, now or _ANY_TIME)
    if now is not None:
        named_partitions(asset, asked.named, existing)
    elif not asset.partitions.is_dynamic:
        PartitionSet.parse(asked.named, existing.definition, within=existing)
