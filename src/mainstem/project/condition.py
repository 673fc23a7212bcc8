# SPDX-License-Identifier: Apache-2.0
"""A condition on rows as strangers may write it: comparisons, joined by and, or, not; no more.

    amount >= 10 and (status in ('paid', 'sent') or customer is null) and not name like 'test%'

It is read here and written anew, names and values quoted: no function, no query, no comment of
the caller ever reaches the engine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from mainstem.errors import SelectionInvalid
from mainstem.types import nearest

MAX_LENGTH = 4_000
MAX_DEPTH = 20
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?(?![\w.]))
    | (?P<text>'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")+")
    | (?P<word>[^\W\d]\w*(?:\.[^\W\d]\w*)*)
    | (?P<sign><>|!=|<=|>=|=|<|>|\(|\)|,)
    )""",
    re.VERBOSE,
)
_SIGNS = {"=": "=", "!=": "<>", "<>": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_CONSTANTS = {"true", "false"}


def condition_sql(text: str, columns: Iterable[str]) -> str:
    """Read a condition and give it as SQL.

    Args:
        text: What the caller wrote.
        columns: Of the table.

    Raises:
        SelectionInvalid: It is no such condition, or names a column that is not there.
    """
    if len(text) > MAX_LENGTH:
        raise _wrong(f"it has {len(text):,} characters, and {MAX_LENGTH:,} are allowed")
    reader = _Reader(_tokens(text), {name.casefold(): name for name in columns})
    sql = reader.either()
    reader.end()
    return sql


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at = 0
    rest = len(text.rstrip())
    while at < rest:
        match = _TOKEN.match(text, at)
        if match is None:
            raise _wrong(f"`{text[at : at + 20].strip()}` is neither a name, a value nor a sign")
        kind = match.lastgroup or ""
        found.append((kind, match[kind]))
        at = match.end()
    return found


class _Reader:
    """Recursive descent; each method reads one thing and gives its SQL."""

    def __init__(self, tokens: list[tuple[str, str]], columns: dict[str, str]) -> None:
        self._tokens = tokens
        self._columns = columns
        self._at = 0
        self._depth = 0

    def either(self) -> str:
        parts = [self.both()]
        while self._takes("or"):
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else f"({' or '.join(parts)})"

    def both(self) -> str:
        parts = [self.negated()]
        while self._takes("and"):
            parts.append(self.negated())
        return parts[0] if len(parts) == 1 else f"({' and '.join(parts)})"

    def negated(self) -> str:
        if self._takes("not"):
            return f"(not {self._deeper(self.negated)})"
        if self._takes("("):
            inner = self._deeper(self.either)
            self._must(")")
            return f"({inner})"
        return self.comparison()

    def comparison(self) -> str:
        left = self.column()
        if self._takes("is"):
            negation = "not " if self._takes("not") else ""
            self._must("null")
            return f"({left} is {negation}null)"
        negation = "not " if self._takes("not") else ""
        if self._takes("in"):
            self._must("(")
            values = [self.value()]
            while self._takes(","):
                values.append(self.value())
            self._must(")")
            return f"({left} {negation}in ({', '.join(values)}))"
        if self._takes("between"):
            low = self.value()
            self._must("and")
            return f"({left} {negation}between {low} and {self.value()})"
        for word in ("like", "ilike"):
            if self._takes(word):
                return f"({left}::varchar {negation}{word} {self.value()})"
        kind, sign = self._next("a comparison")
        if negation or kind != "sign" or sign not in _SIGNS:
            raise _wrong(f"`{sign}` stands where a comparison should")
        return f"({left} {_SIGNS[sign]} {self.operand()})"

    def operand(self) -> str:
        kind, text = self._peek()
        is_name = kind == "quoted" or (kind == "word" and text.casefold() not in _CONSTANTS)
        return self.column() if is_name else self.value()

    def column(self) -> str:
        kind, text = self._next("the name of a column")
        if kind not in {"word", "quoted"}:
            raise _wrong(f"`{text}` stands where the name of a column should")
        name = text[1:-1].replace('""', '"') if kind == "quoted" else text
        known = self._columns.get(name.casefold())
        if known is None:
            close = nearest(name, self._columns.values())
            raise SelectionInvalid(
                "A8114",
                f"The filter names `{name}`, which is no column here.",
                hint=f"Did you mean `{close[0]}`?"
                if close
                else f"There are {', '.join(list(self._columns.values())[:30])}.",
                known=close or tuple(self._columns.values())[:30],
            )
        return '"' + known.replace('"', '""') + '"'

    def value(self) -> str:
        kind, text = self._next("a value")
        if kind == "number" or (kind == "word" and text.casefold() in _CONSTANTS):
            return text
        if kind != "text" or "\0" in text:
            raise _wrong(f"`{text}` stands where a value should; texts are written 'so'")
        return text

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise _wrong(f"`{self._tokens[self._at][1]}` is one too many")

    def _deeper(self, read: Callable[[], str]) -> str:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _wrong(f"it is nested deeper than {MAX_DEPTH}")
        sql = read()
        self._depth -= 1
        return sql

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("", "")

    def _next(self, what: str) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise _wrong(f"it ends where {what} should stand")
        self._at += 1
        return self._tokens[self._at - 1]

    def _takes(self, word: str) -> bool:
        kind, text = self._peek()
        if kind in {"word", "sign"} and text.casefold() == word:
            self._at += 1
            return True
        return False

    def _must(self, word: str) -> None:
        if not self._takes(word):
            raise _wrong(f"`{word}` is missing before `{self._peek()[1] or 'the end'}`")


def _wrong(why: str) -> SelectionInvalid:
    return SelectionInvalid(
        "A8114",
        f"The filter cannot be read: {why}.",
        hint="Write it as: amount >= 10 and (status in ('paid', 'sent') or note is null)",
    )
