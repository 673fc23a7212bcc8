# SPDX-License-Identifier: Apache-2.0
"""Secrets are masked in all that is kept or told: texts, values, errors, and streams of bytes.

One compiled pattern finds every form in which a secret may show up: as it is, line by line, quoted
for JSON, Python, SQL, URLs or HTML, in base64 at any alignment, in hex. What becomes of values in
*tables* is the owner's business: data is never changed here.
"""

from __future__ import annotations

import base64
import html
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus

import orjson

from mainstem.errors import MainstemError

MASK = "****"
SHORTEST = 4
"""Characters of a secret at least: `1` or `on` would be everywhere."""

_SHORTEST_LINE = 8
_SHORTEST_ENCODED = 8
_WORDS = frozenset({"true", "false", "none", "null", "default", "localhost"})

_CUT = re.compile(r"…|\n  \.\.\. \d+ characters left out \.\.\.\n")
"""How a worker marks what it has left out of messages and tracebacks."""

T = TypeVar("T")


class Redactor:
    """Masks the secrets that it is given, in texts that everybody can hold.

    Args:
        secrets: Values; those shorter than four characters cannot be told from other text.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        found = {form for secret in secrets for form in _forms(secret)}
        # The longest first: alternatives are tried in order, and a part must not hide the whole.
        self._forms = sorted(found, key=lambda form: (-len(form), form))

    def __bool__(self) -> bool:
        return bool(self._forms)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(map(re.escape, self._forms)))

    def text(self, text: str) -> str:
        """Mask a text; letters that are none (half of a surrogate pair) become escapes."""
        return _sayable(self._pattern.sub(MASK, text) if self._forms and text else text)

    def value(self, value: Any) -> Any:
        """Mask all texts within what JSON can hold, keys of mappings included."""
        match value:
            case str():
                return self.text(value)
            case bytes() if self._forms:
                return b"".join((stream := self.stream()).feed(value)) + stream.end()
            case Mapping():
                return {self.value(key): self.value(item) for key, item in value.items()}
            case list() | tuple():
                return type(value)(self.value(item) for item in value)
            case _:
                return value

    def fields(self, value: T, *names: str) -> T:
        """Mask some fields of a dataclass; gives the same object if there is nothing to mask."""
        if not is_dataclass(value) or isinstance(value, type):
            return value
        chosen = names or tuple(field.name for field in fields(value))
        masked = {name: self.value(getattr(value, name)) for name in chosen}
        changed = {name: item for name, item in masked.items() if item != getattr(value, name)}
        return replace(value, **changed) if changed else value

    def error(self, error: MainstemError) -> MainstemError:
        """Mask the fields of an error, in place: its identity and traceback stay."""
        where = error.where
        for name in ("summary", "hint", "details"):
            setattr(error, name, self._at_cuts(self.text(getattr(error, name))))
        error.known = self.value(error.known)
        if where is not None:
            error.where = self.fields(where)
        error.args = (error.code, error.summary)
        return error

    def _at_cuts(self, text: str) -> str:
        """Mask what is left of a secret where a worker has cut a text before it was masked."""
        cuts = list(_CUT.finditer(text)) if self._forms else []
        for cut in reversed(cuts):
            left, right = text[: cut.start()], text[cut.end() :]
            before = max((_overlap(left, form) for form in self._forms), default=0)
            after = max((_overlap(form, right) for form in self._forms), default=0)
            if before:
                left = left[:-before] + MASK
            if after:
                right = MASK + right[after:]
            text = left + cut[0] + right
        return text

    def stream(self) -> RedactingStream:
        """Begin a stream of bytes, such as what a process prints."""
        return RedactingStream(self._forms)


class RedactingStream:
    """Masks secrets in bytes that come in pieces, wherever these are cut.

    Only the end of a piece that may be the beginning of a secret is held back.
    """

    def __init__(self, forms: Iterable[str]) -> None:
        encoded = [form.encode("utf-8", "surrogateescape") for form in forms]
        self._sorted = sorted(encoded)
        self._longest = max(map(len, encoded), default=0)
        self._pattern = re.compile(b"|".join(map(re.escape, encoded))) if encoded else None
        self._mask = MASK.encode()
        self._held = b""

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Take a piece; gives what is safe to pass on."""
        if self._pattern is None:
            yield piece
            return
        data = self._held + piece
        cut, done = self._beginning(data, 0), 0
        for match in self._pattern.finditer(data):
            if match.start() >= cut:
                break
            yield data[done : match.start()]
            yield self._mask
            done = match.end()
            if done > cut:
                # A secret ends here: what held the rest back may have been its own letters.
                cut = self._beginning(data, done)
        if cut > done:
            yield data[done:cut]
        self._held = data[max(cut, done) :]

    def end(self) -> bytes:
        """Give what was held back: no more comes, so it is no secret."""
        held, self._held = self._held, b""
        return self._pattern.sub(self._mask, held) if self._pattern is not None else held

    def _beginning(self, data: bytes, start: int) -> int:
        """Find where the end of some data is the beginning of a secret; its length if nowhere."""
        for place in range(max(start, len(data) - self._longest + 1), len(data)):
            tail = data[place:]
            index = bisect_left(self._sorted, tail)
            # Forms that begin with the tail stand next to each other, the tail itself first.
            if index < len(self._sorted) and self._sorted[index] == tail:
                index += 1
            if index < len(self._sorted) and self._sorted[index].startswith(tail):
                return place
        return len(data)


def _sayable(text: str) -> str:
    """Give a text that UTF-8 can hold: user code raises and logs what no file or database takes."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _overlap(text: str, following: str) -> int:
    """Give how many letters at the end of one text are the beginning of another; few are none."""
    for count in range(min(len(text), len(following)), SHORTEST - 1, -1):
        if text.endswith(following[:count]):
            return count
    return 0


def _forms(secret: str) -> Iterator[str]:
    secret = secret.strip()
    if len(secret) < SHORTEST or secret.casefold() in _WORDS:
        return
    yield from _written(secret)
    yield from _encoded(secret)
    lines = secret.splitlines()
    if len(lines) > 1:
        # Logs have lines, and so has a private key.
        for line in lines:
            if len(line) >= _SHORTEST_LINE and not line.startswith("-----"):
                yield from _written(line)
                yield from _encoded(line)


def _written(secret: str) -> Iterator[str]:
    yield secret
    yield orjson.dumps(secret).decode("utf-8")[1:-1]
    yield secret.encode("unicode_escape").decode("ascii")
    yield repr(secret)[1:-1]
    yield secret.replace("'", "''")
    yield html.escape(secret)
    for quoted in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield quoted
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), quoted)


def _encoded(secret: str) -> Iterator[str]:
    raw = secret.encode("utf-8")
    if len(raw) >= _SHORTEST_ENCODED // 2:
        yield raw.hex()
        yield raw.hex().upper()
    for offset in range(3):
        whole = base64.b64encode(b"\0" * offset + raw).decode("ascii")
        # Letters at the edges also depend on the neighbours of the secret: they are left out.
        first = (offset * 8 + 5) // 6
        last = (offset + len(raw)) * 8 // 6
        form = whole[first:last]
        if len(form) >= min(_SHORTEST_ENCODED, len(raw)):
            yield form
            yield form.translate(_URL_SAFE)


_URL_SAFE = str.maketrans("+/", "-_")
