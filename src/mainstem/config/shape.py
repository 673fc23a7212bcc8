# SPDX-License-Identifier: Apache-2.0
"""What a file may hold, as a table of keys: one table validates and emits the JSON Schema.

ADR 0008 says why this is not pydantic. `mainstem.config.keys` holds the tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from mainstem.errors import ConfigInvalid
from mainstem.types import dataclass, did_you_mean, nearest

if TYPE_CHECKING:
    # Reading YAML is not for a run that finds nothing changed, which asks for tables of keys.
    from mainstem.config.document import Document, KeyPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Text; numbers and dates written without quotes are taken as written when `loose`."""

    choices: tuple[str, ...] = ()
    pattern: str = ""
    example: str = ""


@dataclass(frozen=True, slots=True)
class Flag:
    """`true` or `false`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number."""

    integer: bool = False
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Scalar:
    """Text, a number, `true`, `false` or nothing."""


@dataclass(frozen=True, slots=True)
class Anything:
    """Whatever YAML can say; its owner looks at it later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """A list; one item may stand alone unless `strict`."""

    of: Shape
    strict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """Names chosen by the owner, each with a value of one shape."""

    of: Shape
    name: str = "name"
    """What the keys are, for messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """A fixed set of keys."""

    title: str
    """With article, for messages: `an ingest table`."""
    keys: Mapping[str, Key]
    required: tuple[str, ...] = ()
    is_open: bool = False
    """Further keys are kept as they are."""
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """Keys that belong to something else, with the hint that says to what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Either:
    """The first shape whose outermost kind fits decides."""

    of: tuple[Shape, ...]


Shape = Text | Flag | Number | Scalar | Anything | Items | Mapped | Keys | Either


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its shape, and a line for editors."""

    shape: Shape
    doc: str = ""
    default: Any = field(default=None, kw_only=True)


def problems_of(
    document: Document, shape: Shape, path: KeyPath = (), value: Any = None
) -> Iterator[ConfigInvalid]:
    """Find all that is wrong with a document.

    Args:
        document: What was read.
        shape: What is allowed.
        path: Where in the document to begin.
        value: The value there; the whole document by default.
    """
    if not path:
        value = document.value
    match shape:
        case Either():
            fitting = next((option for option in shape.of if _fits(option, value)), None)
            if fitting is None:
                yield _wrong_kind(document, shape, path, value)
            else:
                yield from problems_of(document, fitting, path, value)
        case _ if not _fits(shape, value):
            yield _wrong_kind(document, shape, path, value)
        case Items():
            if not isinstance(value, list):
                yield from problems_of(document, shape.of, path, value)
            else:
                for index, item in enumerate(value):
                    yield from problems_of(document, shape.of, (*path, index), item)
        case Mapped():
            for name, item in value.items():
                # `prod:` with nothing behind it means: with no option set.
                is_bare = item is None and isinstance(shape.of, Keys)
                yield from problems_of(document, shape.of, (*path, name), {} if is_bare else item)
        case Keys():
            yield from _key_problems(document, shape, path, value)
        case Text():
            yield from _text_problems(document, shape, path, value)
        case Number():
            yield from _number_problems(document, shape, path, value)
        case Flag() | Scalar() | Anything():
            return


def noun(shape: Shape) -> str:
    """Say what a shape allows, as part of a sentence."""
    match shape:
        case Text():
            if shape.choices:
                return "one of " + ", ".join(shape.choices)
            return f"text such as {shape.example}" if shape.example else "text"
        case Flag():
            return "true or false"
        case Number():
            return "a whole number" if shape.integer else "a number"
        case Scalar():
            return "a single value"
        case Anything():
            return "anything"
        case Items():
            inner = noun(shape.of)
            return f"a list of {inner}" if shape.strict else f"{inner}, or a list of that"
        case Mapped():
            return f"keys, each a {shape.name}"
        case Keys():
            shown = list(shape.keys)[:6]
            return "keys such as " + ", ".join(shown)
        case Either():
            return " or ".join(noun(option) for option in shape.of)


def _fits(shape: Shape, value: Any) -> bool:
    match shape:
        case Text():
            return isinstance(value, str)
        case Flag():
            return isinstance(value, bool)
        case Number():
            return isinstance(value, int | float) and not isinstance(value, bool)
        case Scalar():
            return not isinstance(value, dict | list)
        case Items():
            return isinstance(value, list) or (not shape.strict and _fits(shape.of, value))
        case Mapped() | Keys():
            return isinstance(value, dict)
        case Either():
            return any(_fits(option, value) for option in shape.of)
        case Anything():
            return True


def _key_problems(
    document: Document, shape: Keys, path: KeyPath, value: Mapping[str, Any]
) -> Iterator[ConfigInvalid]:
    for name, item in value.items():
        key = shape.keys.get(name)
        if key is None:
            if not shape.is_open:
                problem = unknown_key(document, (*path, name), tuple(shape.keys), of=shape.title)
                problem.hint = shape.elsewhere.get(name, problem.hint)
                yield problem
        elif item is not None:  # an empty key means: not set
            yield from problems_of(document, key.shape, (*path, name), item)
        elif name in shape.required:
            yield _missing(document, shape, path, name)
    for name in shape.required:
        if name not in value:
            yield _missing(document, shape, path, name)


def unknown_key(
    document: Document, path: KeyPath, known: tuple[str, ...], *, of: str
) -> ConfigInvalid:
    """Make the error for a key that means nothing; also for later looks at `Anything`."""
    name = str(path[-1])
    return ConfigInvalid(
        "A1010",
        f"`{name}` is not a key of {of}.",
        hint=did_you_mean(name, known) or f"Known keys: {', '.join(known)}.",
        where=document.where(path),
        known=nearest(name, known) or known,
    )


def _missing(document: Document, shape: Keys, path: KeyPath, name: str) -> ConfigInvalid:
    return ConfigInvalid(
        "A1013",
        f"{shape.title} needs the key `{name}`, which is {noun(shape.keys[name].shape)}.",
        hint=shape.keys[name].doc,
        where=document.where(path),
    )


def _wrong_kind(document: Document, shape: Shape, path: KeyPath, value: Any) -> ConfigInvalid:
    name = next((str(part) for part in reversed(path) if isinstance(part, str)), document.file)
    return ConfigInvalid(
        "A1011",
        f"`{name}` is {_described(value)}; allowed is {noun(shape)}.",
        hint=_kind_hint(shape, value),
        where=document.where(path, of_value=True),
    )


def _described(value: Any) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return f"the flag {str(value).lower()}"
        case int() | float():
            return f"the number {value}"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "a mapping"


def _kind_hint(shape: Shape, value: Any) -> str:
    if isinstance(value, int | float) and isinstance(shape, Text):
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        return f'Put it in quotes if it is meant as text: "{shown}".'
    if isinstance(value, str) and isinstance(shape, Flag):
        return "YAML 1.2 knows only true and false; yes, no, on and off are text."
    return ""


def _text_problems(
    document: Document, shape: Text, path: KeyPath, value: str
) -> Iterator[ConfigInvalid]:
    name = next((str(part) for part in reversed(path) if isinstance(part, str)), "value")
    where = document.where(path, of_value=True)
    if shape.choices and value not in shape.choices:
        yield ConfigInvalid(
            "A1012",
            f"`{name}` is `{value}`; allowed is {noun(shape)}.",
            hint=did_you_mean(value, shape.choices),
            where=where,
            known=nearest(value, shape.choices) or shape.choices,
        )
    elif shape.pattern and not re.fullmatch(shape.pattern, value):
        yield ConfigInvalid(
            "A1012", f"`{name}` is `{value}`; allowed is {noun(shape)}.", where=where
        )


def _number_problems(
    document: Document, shape: Number, path: KeyPath, value: float
) -> Iterator[ConfigInvalid]:
    name = next((str(part) for part in reversed(path) if isinstance(part, str)), "value")
    limits = []
    if shape.integer and not isinstance(value, int):
        limits.append("a whole number")
    if shape.minimum is not None and value < shape.minimum:
        limits.append(f"at least {shape.minimum:g}")
    if shape.maximum is not None and value > shape.maximum:
        limits.append(f"at most {shape.maximum:g}")
    if limits:
        yield ConfigInvalid(
            "A1012",
            f"`{name}` is {value}; allowed is {' and '.join(limits)}.",
            where=document.where(path, of_value=True),
        )
