# SPDX-License-Identifier: Apache-2.0
"""YAML 1.2 as plain values plus the place of every key, so that any later error can point.

`NO`, `on`, `12:30`, `2024-01-01` and `1_000` are text, as YAML 1.2 says; a key that stands twice is
an error. Kept from YAML 1.1 because people rely on it: merge keys (`<<: *defaults`).
Every package that reads YAML reads it here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, TypeVar

import yaml

from mainstem.errors import ConfigInvalid, ErrorGroup, MainstemError, Where
from mainstem.types import dataclass

KeyPath = tuple[str | int, ...]
"""Keys and list positions from the root: `("tables", "flights", "key", 0)`."""

_MAX_NODES = 200_000
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Mark:
    """Where something stands; counted from 1."""

    line: int
    column: int
    length: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One parsed file."""

    file: str
    """As errors name it: relative to the project folder."""
    value: Any
    """Dicts, lists, text, numbers, booleans, `None`. Keys are always text, as written."""
    keys: Mapping[KeyPath, Mark] = field(default_factory=dict)
    """Of each key, and of each list item."""
    values: Mapping[KeyPath, Mark] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    line_offset: int = 0

    def where(self, path: KeyPath = (), *, of_value: bool = False) -> Where:
        """Give the place of a key (or its value); of the nearest parent if it is not written."""
        marks = self.values if of_value else self.keys
        while path and path not in marks:
            path = path[:-1]
        mark = marks.get(path)
        if mark is None:
            return Where(file=self.file, line=1 + self.line_offset)
        number = mark.line - self.line_offset - 1
        return Where(
            file=self.file,
            line=mark.line,
            column=mark.column,
            length=mark.length,
            excerpt=self.lines[number] if 0 <= number < len(self.lines) else "",
        )

    def line(self, path: KeyPath = ()) -> int:
        """Give the line of a key."""
        return self.where(path).line


def read_yaml(path: Path, file: str) -> Document:
    """Read and parse a YAML file.

    Args:
        path: Where it is.
        file: How errors name it.

    Raises:
        ConfigInvalid: It is missing, unreadable, not UTF-8, or not YAML.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigInvalid(
            "A1004",
            f"{file} cannot be read: {error.strerror or error}.",
            hint="Check that the file exists and that you may read it.",
            where=Where(file=file),
        ) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigInvalid(
            "A1004",
            f"{file} is not UTF-8: byte {content[error.start]:#04x} in line {line}.",
            hint="Save it with the encoding UTF-8.",
            where=Where(file=file, line=line),
        ) from error
    return load_yaml(text, file)


def load_yaml(text: str, file: str, *, line_offset: int = 0) -> Document:
    """Parse one YAML document.

    Args:
        text: The document; empty gives `None`.
        file: How errors name it.
        line_offset: Lines of the file before `text`, for YAML inside another file.

    Raises:
        ConfigInvalid: It is not YAML, or a key stands twice (`ErrorGroup` for several).
    """
    lines = tuple(text.split("\n"))
    try:
        root = yaml.compose(text, Loader=_Loader12)
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, file, lines, line_offset) from error
    except yaml.reader.ReaderError as error:
        raise ConfigInvalid(
            "A1001",
            f"{file} holds a character that YAML does not allow: {error.reason}.",
            where=Where(file=file),
        ) from error
    except RecursionError as error:
        raise _too_large(file, "it is nested too deeply") from error
    if root is None:
        return Document(file=file, value=None, lines=lines, line_offset=line_offset)
    reading = _Reading(file=file, lines=lines, line_offset=line_offset)
    reading.values[()] = reading.mark(root)
    try:
        value = reading.plain(root, ())
    except RecursionError as error:
        raise _too_large(file, "it is nested too deeply, or an alias refers to itself") from error
    raise_all(reading.problems)
    return Document(
        file=file,
        value=value,
        keys=reading.keys,
        values=reading.values,
        lines=lines,
        line_offset=line_offset,
    )


_Error = TypeVar("_Error", bound=MainstemError)


def raise_all(problems: Iterable[_Error]) -> None:
    """Raise the one problem, or all of them as a group; nothing if there are none."""
    found = list(problems)
    if len(found) == 1:
        raise found[0]
    if found:
        raise ErrorGroup(found)


class _Loader12(yaml.CSafeLoader):
    """The C parser with YAML 1.2's core schema (YAML 1.2.2, 10.3.2) instead of 1.1's types."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  # pyyaml's own attribute


def _resolve(tag: str, pattern: str, first: str) -> None:
    compiled = re.compile(pattern)
    for character in first:
        _Loader12.yaml_implicit_resolvers.setdefault(character, []).append(
            (f"{_TAG}{tag}", compiled)
        )


_resolve("null", r"^(?:~|null|Null|NULL|)$", "~nN")
_Loader12.yaml_implicit_resolvers[""] = [(f"{_TAG}null", re.compile("^$"))]
_resolve("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
_resolve("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789")
_resolve(
    "float",
    r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
    "-+.0123456789",
)
_resolve("merge", r"^<<$", "<")


class _Reading:
    """Turns nodes into values while it notes places and problems."""

    def __init__(self, *, file: str, lines: tuple[str, ...], line_offset: int) -> None:
        self.file = file
        self.lines = lines
        self.line_offset = line_offset
        self.keys: dict[KeyPath, Mark] = {}
        self.values: dict[KeyPath, Mark] = {}
        self.problems: list[ConfigInvalid] = []
        self._node_count = 0

    def mark(self, node: yaml.Node) -> Mark:
        start, end = node.start_mark, node.end_mark
        length = end.column - start.column if end.line == start.line else 1
        return Mark(start.line + 1 + self.line_offset, start.column + 1, max(1, length))

    def where(self, node: yaml.Node) -> Where:
        mark = self.mark(node)
        line = node.start_mark.line
        excerpt = self.lines[line] if line < len(self.lines) else ""
        return Where(
            file=self.file,
            line=mark.line,
            column=mark.column,
            length=mark.length,
            excerpt=excerpt,
        )

    def plain(self, node: yaml.Node, path: KeyPath) -> Any:
        # Aliases are expanded once per use, so a file of nested aliases could grow without end.
        self._node_count += 1
        if self._node_count > _MAX_NODES:
            raise _too_large(self.file, f"it holds more than {_MAX_NODES:,} values")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _item(self, node: yaml.Node, path: KeyPath) -> Any:
        self.keys[path] = self.values[path] = self.mark(node)
        return self.plain(node, path)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == f"{_TAG}merge":
                sources = (
                    reversed(value_node.value)
                    if isinstance(value_node, yaml.SequenceNode)
                    else [value_node]
                )
                for source in sources:
                    value = self.plain(source, path)
                    merged |= value if isinstance(value, dict) else {}
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem("A1001", "a key must be text, not a list or a mapping", key_node)
                continue
            key = str(key_node.value)
            place = (*path, key)
            if key in own:
                self._problem(
                    "A1002",
                    f"`{key}` stands twice; it was already set in line {self.keys[place].line}",
                    key_node,
                    hint="Keep one of them.",
                )
                continue
            self.keys[place] = self.mark(key_node)
            self.values[place] = self.mark(value_node)
            own[key] = self.plain(value_node, place)
        return {**merged, **own} if merged else own

    def _scalar(self, node: yaml.Node) -> Any:
        text = str(node.value)
        match node.tag.removeprefix(_TAG):
            case "str" | "merge":
                return text
            case "null":
                return None
            case "bool" if text.lower() in {"true", "false"}:
                return text.lower() == "true"
            case "int":
                return _number(text, int)
            case "float":
                return _number(text, float)
            case _:
                self._problem(
                    "A1001",
                    f"`{node.tag}` is read as a YAML tag, and tags have no meaning here",
                    node,
                    hint='Put text that begins with `!` in quotes, as in "!internal_*".',
                )
                return text

    def _problem(self, code: str, summary: str, node: yaml.Node, *, hint: str = "") -> None:
        self.problems.append(ConfigInvalid(code, f"{summary}.", hint=hint, where=self.where(node)))


def _number(text: str, kind: type[int | float]) -> int | float | str:
    try:
        if kind is int:
            return int(text, 0) if text[:2].lower() in {"0o", "0x"} else int(text)
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:  # an explicit tag on something else, as in `!!int abc`
        return text


def _syntax_error(
    error: yaml.MarkedYAMLError, file: str, lines: tuple[str, ...], line_offset: int
) -> ConfigInvalid:
    mark = error.problem_mark or error.context_mark
    line = mark.line if mark is not None else 0
    excerpt = lines[line] if line < len(lines) else ""
    problem = (error.problem or "it cannot be parsed").replace("did not find", "did not find an")
    problem = problem.replace("an expected", "the expected")
    return ConfigInvalid(
        "A1001",
        f"{file} is not valid YAML: {problem}.",
        hint=_syntax_hint(excerpt),
        where=Where(
            file=file,
            line=line + 1 + line_offset,
            column=(mark.column + 1) if mark is not None else 0,
            excerpt=excerpt,
        ),
    )


def _syntax_hint(excerpt: str) -> str:
    if "\t" in excerpt[: len(excerpt) - len(excerpt.lstrip())]:
        return "Indent with spaces; YAML does not allow tabs."
    if re.search(r"(?:^|[\s:\[,])!", excerpt):
        return 'Put text that begins with `!` in quotes, as in "!internal_*".'
    if re.search(r"(?:^|[\s:\[,])[*&@`%>|]", excerpt):
        return "Put text that begins with * & @ % > | or ` in quotes."
    if re.search(r":\s+\S.*:\s", excerpt):
        return "Put text that holds `: ` in quotes."
    return "Look at the indentation, the brackets and the quotes of this line and the one above."


def _too_large(file: str, why: str) -> ConfigInvalid:
    return ConfigInvalid(
        "A1003",
        f"{file} is not read: {why}.",
        hint="Split it, or write the aliases out.",
        where=Where(file=file),
    )
