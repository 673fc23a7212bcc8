# SPDX-License-Identifier: Apache-2.0
"""Keys as text: what is quoted where keys stand in lists, ranges and products, and how it is split.

set    = item *("," item)
item   = dim *("|" dim)                one dim for each dimension
dim    = "*" | range | "(" range *("," range) ")"
range  = key | [key] ".." [key]
key    = plain text | '"' any text, with '"' doubled '"'
"""

from __future__ import annotations

from collections.abc import Sequence

from mainstem.errors import SelectionInvalid
from mainstem.types import dataclass

_SPECIAL = frozenset(',|"()*')
RESERVED = frozenset({"latest", "missing", "failed", "stale", "all"})
"""What `--partition` takes as words; a partition called so is quoted."""


@dataclass(frozen=True, slots=True)
class KeyRange:
    """A range as written; `None` at an end: from the first, up to the last."""

    first: str | None
    last: str | None
    is_word: bool = False
    """Not quoted, and no range: may be one of the reserved words."""


Item = tuple[tuple[KeyRange, ...], ...]
"""For each dimension its ranges; an empty tuple: all."""


def quote_key(key: str) -> str:
    """Give a key as it stands in a list."""
    is_plain = (
        key
        and key == key.strip()
        and not _SPECIAL.intersection(key)
        and ".." not in key
        and not key.startswith(".")
        and not key.endswith(".")
        and key.casefold() not in RESERVED
    )
    return key if is_plain else '"' + key.replace('"', '""') + '"'


def join_key(parts: Sequence[str]) -> str:
    """Give the key of a product's partition."""
    return "|".join(quote_key(part) for part in parts)


def split_key(text: str, dimensions: int) -> tuple[str, ...]:
    """Read the key of one partition; with one dimension a key is taken as it stands.

    Raises:
        SelectionInvalid: It has not one key for each dimension (A1084).
    """
    if dimensions == 1:
        return (text,)
    items = parse_items(text)
    if len(items) == 1 and len(items[0]) == dimensions:
        keys = [ranges[0] for ranges in items[0] if len(ranges) == 1]
        single = [key.first for key in keys if key.first is not None and key.first == key.last]
        if len(single) == dimensions:
            return tuple(single)
    raise SelectionInvalid(
        "A1084",
        f"`{text}` is not the key of one partition with {dimensions} dimensions.",
        hint=f"Write one key for each: {'|'.join(['key'] * dimensions)}.",
    )


def parse_items(text: str) -> tuple[Item, ...]:
    """Split the text of a set.

    Raises:
        SelectionInvalid: It cannot be read (A1084).
    """
    if _SPECIAL.isdisjoint(text.replace(",", "")):
        # One dimension and nothing quoted: what is stored, and there may be thousands.
        return tuple(((_plain(part, text),),) for part in text.split(","))
    scanner = _Scanner(text)
    items = [scanner.item()]
    while scanner.take(","):
        items.append(scanner.item())
    if not scanner.is_done:
        raise scanner.problem("something is left over")
    return tuple(items)


def _plain(part: str, text: str) -> KeyRange:
    first, dots, last = (piece.strip() for piece in part.partition(".."))
    if ".." in last or not (first or last):
        raise _Scanner(text).problem("a key is missing" if not last else "a range has two ends")
    return KeyRange(first or None, last or None) if dots else KeyRange(first, first, is_word=True)


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    @property
    def is_done(self) -> bool:
        return not self.text[self.at :].strip()

    def take(self, mark: str) -> bool:
        self._blank()
        if self.text.startswith(mark, self.at):
            self.at += len(mark)
            return True
        return False

    def item(self) -> Item:
        dims = [self._dim()]
        while self.take("|"):
            dims.append(self._dim())
        return tuple(dims)

    def _dim(self) -> tuple[KeyRange, ...]:
        if self.take("*"):
            return ()
        if not self.take("("):
            return (self._range(),)
        ranges = [self._range()]
        while self.take(","):
            ranges.append(self._range())
        if not self.take(")"):
            raise self.problem("a `)` is missing")
        return tuple(ranges)

    def _range(self) -> KeyRange:
        self._blank()
        is_quoted = self.text.startswith('"', self.at)
        first = self._key()
        if self.take(".."):
            last = self._key()
            if first is None and last is None:
                raise self.problem("a range needs an end")
            return KeyRange(first, last)
        if first is None:
            raise self.problem("a key is missing")
        return KeyRange(first, first, is_word=not is_quoted)

    def _key(self) -> str | None:
        self._blank()
        if self.text.startswith('"', self.at):
            return self._quoted()
        start = self.at
        while self.at < len(self.text):
            if self.text[self.at] in _SPECIAL or self.text.startswith("..", self.at):
                break
            self.at += 1
        return self.text[start : self.at].strip() or None

    def _quoted(self) -> str:
        self.at += 1
        found = []
        while True:
            end = self.text.find('"', self.at)
            if end < 0:
                raise self.problem("a quote is not closed")
            found.append(self.text[self.at : end])
            self.at = end + 1
            if not self.text.startswith('"', self.at):
                return '"'.join(found)
            self.at += 1

    def _blank(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def problem(self, what: str) -> SelectionInvalid:
        return SelectionInvalid(
            "A1084",
            f"`{self.text}` is no set of partitions: {what} at character {self.at + 1}.",
            hint='Write 2013-01..2013-06,2013-09; a name with , | " ( ) * or .. in quotes.',
        )
