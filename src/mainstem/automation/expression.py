# SPDX-License-Identifier: Apache-2.0
"""Conditions of assets as frozen values, and the text they are written in.

    run_when: eager
    run_when: on_cron("0 6 * * *", "Europe/Berlin")
    run_when: since(newly_true(missing) | any_deps(newly_updated), newly_requested) & ~in_progress

`&`, `|`, `~` and parentheses as in Python. A name is a set of the asset's partitions; a function
makes one of others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from mainstem.automation.cron import cron_of
from mainstem.automation.timing import Timing
from mainstem.errors import ConfigInvalid, Where
from mainstem.types import dataclass, did_you_mean, duration_of, nearest

LATEST = "in_latest_time_window"
LASTING = ("missing", "in_progress", "failed", LATEST)
"""True until something changes them."""
PASSING = ("newly_updated", "newly_requested", "newly_failed", "code_changed")
"""True in the turn of their event only; `since` remembers them."""
FUNCTIONS = ("since", "newly_true", "any_deps", "all_deps", "cron")
MAX_LENGTH = 2000
_MAX_DEPTH = 30


@dataclass(frozen=True, slots=True)
class Operand:
    """A set that facts decide: `missing`, `newly_updated`, or `cron` with its expression."""

    name: str
    cron: str = ""
    zone: str = "UTC"
    lookback: str = ""
    """Of `in_latest_time_window`: how long before the latest a window may have begun."""


@dataclass(frozen=True, slots=True)
class Both:
    """`a & b`."""

    left: Condition
    right: Condition


@dataclass(frozen=True, slots=True)
class Either:
    """`a | b`."""

    left: Condition
    right: Condition


@dataclass(frozen=True, slots=True)
class Not:
    """`~a`."""

    inner: Condition


@dataclass(frozen=True, slots=True)
class Since:
    """`since(a, b)`: a was true, and b was not afterwards; b wins where both are."""

    trigger: Condition
    reset: Condition


@dataclass(frozen=True, slots=True)
class NewlyTrue:
    """`newly_true(a)`: a is true and was not before."""

    inner: Condition


@dataclass(frozen=True, slots=True)
class Deps:
    """`any_deps(a)`, `all_deps(a)`: of the partitions that each one reads."""

    inner: Condition
    every: bool


Condition = Operand | Both | Either | Not | Since | NewlyTrue | Deps

_ENDED = "newly_requested | newly_updated | newly_failed"
_READY = "~any_deps(missing) & ~any_deps(in_progress) & ~in_progress"
PRESETS = {
    "eager": "since(newly_true(missing) | code_changed | any_deps(newly_updated | newly_requested)"
    f", {_ENDED}) & {_READY}",
    "on_missing": f"since(newly_true(missing), {_ENDED}) & {_READY}",
}
"""What the short names stand for: write it out to change a part of it."""
_ON_CRON = (
    "since(cron({0}), newly_requested) & all_deps(since(newly_updated, cron({0}))) & ~in_progress"
)
_CRON = 'a cron in quotes: cron("0 6 * * *", "Europe/Berlin")'
_LOOKBACK = f'a duration in quotes: {LATEST}("3d")'
_TOKEN = re.compile(
    r"\s*(?:(?P<name>[A-Za-z_]\w*)|(?P<text>\"[^\"]*\"|'[^']*')|(?P<sign>[&|~(),])|(?P<end>\Z))"
)


@lru_cache(maxsize=512)
def condition_of(text: str) -> Condition:
    """Read a condition.

    Raises:
        ConfigInvalid: It cannot be read; says where and what was expected (A2220).
    """
    if len(text) > MAX_LENGTH:
        raise _wrong(text[:60], "it is too long", f"{MAX_LENGTH:,} characters are allowed.")
    parser = _Parser(text)
    found = parser.either()
    if parser.kind != "end":
        raise parser.expected("`&`, `|` or the end")
    return found


def operands_of(condition: Condition, name: str) -> Iterator[Operand]:
    """Give the facts of one name that a condition asks for, such as all its crons."""
    match condition:
        case Operand():
            if condition.name == name:
                yield condition
        case Both() | Either():
            yield from operands_of(condition.left, name)
            yield from operands_of(condition.right, name)
        case Since():
            yield from operands_of(condition.trigger, name)
            yield from operands_of(condition.reset, name)
        case Not() | NewlyTrue() | Deps():
            yield from operands_of(condition.inner, name)


def timing_of_cron(operand: Operand) -> Timing:
    """Give when a `cron(...)` of a condition is true."""
    return Timing(crons=(cron_of(operand.cron, operand.zone),))


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = self._from = 0
        self._depth = 0
        self.kind = self._value = ""
        self._advance()

    def either(self) -> Condition:
        found = self._both()
        while self._take("|"):
            found = Either(found, self._both())
        return found

    def expected(self, what: str) -> ConfigInvalid:
        got = f"`{self._value}`" if self._value else "the end"
        return _wrong(
            self._text, f"{got} stands at character {self._from + 1}", f"Expected is {what}."
        )

    def _both(self) -> Condition:
        found = self._negated()
        while self._take("&"):
            found = Both(found, self._negated())
        return found

    def _negated(self) -> Condition:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _wrong(self._text, "it is nested too deeply", f"{_MAX_DEPTH} levels are allowed.")
        try:
            if self._take("~"):
                return Not(self._negated())
            if self._take("("):
                found = self.either()
                self._close()
                return found
            return self._named()
        finally:
            self._depth -= 1

    def _named(self) -> Condition:
        name, at = self._value, self._from
        if self.kind != "name":
            raise self.expected("a name, `~` or `(`")
        self._advance()
        if name == "on_cron":
            return condition_of(_ON_CRON.format(", ".join(self._texts("cron", _CRON))))
        if name == LATEST and self._value == "(":
            return self._latest()
        if name == "cron":
            texts = [text[1:-1] for text in self._texts("cron", _CRON)]
            operand = Operand("cron", *texts)
            timing_of_cron(operand)
            return operand
        if name in PRESETS:
            return condition_of(PRESETS[name])
        if name in LASTING or name in PASSING:
            return Operand(name)
        if name not in FUNCTIONS:
            self._value, self._from = name, at
            known = (*LASTING, *PASSING, *FUNCTIONS, *PRESETS, "on_cron")
            error = self.expected(f"one of {', '.join(known)}")
            error.hint = did_you_mean(name, known) or error.hint
            error.known = tuple(nearest(name, known)) or known
            raise error
        return self._called(name)

    def _called(self, name: str) -> Condition:
        self._open(name)
        first = self.either()
        if name == "since":
            if not self._take(","):
                raise self.expected("`,`: since(what, until)")
            found: Condition = Since(first, self.either())
        elif name == "newly_true":
            found = NewlyTrue(first)
        else:
            found = Deps(first, every=name == "all_deps")
        self._close()
        return found

    def _latest(self) -> Condition:
        (text,) = self._texts(LATEST, _LOOKBACK, most=1)
        if not duration_of(text[1:-1]):
            raise _wrong(self._text, f"{text} is no duration", f"Expected is {_LOOKBACK}.")
        return Operand(LATEST, lookback=text[1:-1].strip())

    def _texts(self, name: str, what: str, *, most: int = 2) -> list[str]:
        self._open(name)
        found: list[str] = []
        while self.kind == "text" and len(found) < most:
            found.append(self._value)
            self._advance()
            if not self._take(","):
                break
        if not found:
            raise self.expected(what)
        self._close()
        return found

    def _open(self, name: str) -> None:
        if not self._take("("):
            raise self.expected(f"`(` behind {name}")

    def _close(self) -> None:
        if not self._take(")"):
            raise self.expected("`)`")

    def _take(self, sign: str) -> bool:
        if self.kind == "sign" and self._value == sign:
            self._advance()
            return True
        return False

    def _advance(self) -> None:
        match = _TOKEN.match(self._text, self._at)
        if match is None:
            self._from = self._at
            self.kind, self._value = "other", self._text[self._at :].strip()[:1]
            return
        self.kind = match.lastgroup or "end"
        self._value, self._from, self._at = match[self.kind], match.start(self.kind), match.end()


def _wrong(text: str, what: str, hint: str) -> ConfigInvalid:
    return ConfigInvalid("A2220", f"`{text}` is not a condition: {what}.", hint=hint, where=Where())
