# SPDX-License-Identifier: Apache-2.0
"""The normal form of a query: one walk that hashes its meaning and collects what it reads.

Ignored: white space, comments, table aliases, names of CTEs, case and quoting of names. Kept: names
given to output columns, as written, since they become the table's. The walk resolves aliases scope
by scope, so two queries have one normal form only if they mean the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Any

from sqlglot import exp

from mainstem.sql.scope import TableName, is_file_name, sources_of, table_name, table_parts
from mainstem.sql.volatile import call_reason, may_be_volatile, sample_reason, table_reason

NORMAL_FORM_VERSION = "1"
"""Part of every hash: raise it when the walk below changes what it writes."""


@dataclass(slots=True)
class Outline:
    """Where the words of one SELECT's projections stand among those of the whole query."""

    words: list[str]
    spans: dict[int, tuple[int, int]] = field(default_factory=dict)
    """By identity of the projection."""
    is_free: bool = True
    """Names in projections are not counted on: each gives the same words when written alone."""

    def without(self, cut: Sequence[exp.Expr]) -> list[str]:
        """Give the words of all but some projections, which are in their order."""
        if not cut:
            return self.words
        found: list[str] = []
        at = 0
        for item in cut:
            start, end = self.spans[id(item)]
            found += self.words[at:start]
            at = end
        return found + self.words[at:]

    def alone(self, items: Sequence[exp.Expr]) -> list[str]:
        """Give the words of some projections."""
        found: list[str] = []
        for item in items:
            start, end = self.spans[id(item)]
            found += self.words[start:end]
        return found


@dataclass(slots=True)
class Names:
    """Canonical names that a scope adds to those of the scopes around it."""

    outer: Names | None = None
    sources: dict[str, str] = field(default_factory=dict)
    ctes: dict[str, str] = field(default_factory=dict)
    depth: int = 0

    def source(self, name: str) -> str | None:
        """Find the canonical name of a relation by its alias."""
        scope: Names | None = self
        while scope is not None:
            if name in scope.sources:
                return scope.sources[name]
            scope = scope.outer
        return None

    def cte(self, name: str) -> str | None:
        """Find the canonical name of a CTE."""
        scope: Names | None = self
        while scope is not None:
            if name in scope.ctes:
                return scope.ctes[name]
            scope = scope.outer
        return None


def normalise(tree: exp.Expr, shaping: exp.Select | None = None) -> Walk:
    """Walk a query once.

    Args:
        tree: The query.
        shaping: A SELECT in it, of which the outline is wanted.
    """
    walk = Walk(shaping)
    walk.emit(tree, Names())
    return walk


def digest_of(words: list[str]) -> str:
    """Hash what a walk wrote."""
    text = "\x1f".join((NORMAL_FORM_VERSION, *words))
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class Walk:
    """Writes a tree as words.

    Args:
        shaping: A SELECT, of whose projections it is noted where they are written.
    """

    def __init__(self, shaping: exp.Select | None = None) -> None:
        self.words: list[str] = []
        self.shaping = shaping
        self.outline = Outline(self.words)
        self.tables: list[TableName] = []
        self.volatile = ""
        self.count = 0

    def digest(self) -> str:
        """Hash the words written so far."""
        return digest_of(self.words)

    def emit(self, node: exp.Expr, names: Names) -> None:
        """Write one node and all below it."""
        _WRITERS[type(node)](self, node, names)

    def emit_chain(self, node: exp.Expr, names: Names) -> None:
        """Write `a or b or c` without going down once for each: chains may be long."""
        flags = _flags(node)
        operands: list[exp.Expr] = []
        first = node
        while type(first) is type(node) and flags is not None and _flags(first) == flags:
            operands.append(first.expression)
            first = first.this
        if not operands:
            _plain(self, node, names)
            return
        self.words.extend((f"{node.key}*", *(flags or ()), "["))
        self.emit(first, names)
        for operand in reversed(operands):
            self.emit(operand, names)
        self.words.append("]")

    def emit_arguments(self, node: exp.Expr, names: Names, *, skip: frozenset[str]) -> None:
        """Write the arguments that are set, in the order of their names."""
        words = self.words
        words.append("(")
        arguments = node.args
        written = [
            key
            for key, value in arguments.items()
            if (value or not (value is None or value is False or value == [])) and key not in skip
        ]
        for key in sorted(written):
            value = arguments[key]
            words.append(key)
            if isinstance(value, exp.Expr):
                self.emit(value, names)
            elif key == "expressions" and node is self.shaping:
                self.emit_projections(value, names)
            else:
                self.emit_value(value, names)
        words.append(")")

    def emit_projections(self, items: Sequence[exp.Expr], names: Names) -> None:
        """Write the projections of the shaping SELECT."""
        outline, words = self.outline, self.words
        words.append("[")
        for item in items:
            start, count = len(words), self.count
            self.emit(item, names)
            outline.spans[id(item)] = (start, len(words))
            outline.is_free = outline.is_free and self.count == count
        words.append("]")

    def emit_value(self, value: Any, names: Names) -> None:
        """Write an argument."""
        if isinstance(value, exp.Expr):
            self.emit(value, names)
        elif isinstance(value, list):
            self.words.append("[")
            for item in value:
                self.emit_value(item, names)
            self.words.append("]")
        else:
            self.words.append(str(value))

    def open_scope(self, node: exp.Expr, names: Names) -> Names:
        """Give the names inside a query: its CTEs, written first, and its relations."""
        inner = Names(outer=names, depth=names.depth + 1)
        clause = node.args.get("with_")
        if clause is not None:
            self._emit_ctes(clause, inner)
        sources = inner.sources
        for name, _ in sources_of(node) if isinstance(node, exp.Select) else ():
            if name and name not in sources:
                # Unique along the chain of scopes, and untouched by what other scopes hold.
                sources[name] = f"\x02s{inner.depth}.{len(sources)}"
        return inner

    def fresh(self, letter: str) -> str:
        """Make the next canonical name."""
        self.count += 1
        return f"\x02{letter}{self.count}"

    def _emit_ctes(self, clause: exp.Expr, inner: Names) -> None:
        recursive = bool(clause.args.get("recursive"))
        for cte in clause.expressions:
            canonical = self.fresh("c")
            name = cte.alias.casefold()
            if recursive:
                inner.ctes[name] = canonical
            self.words.append(f"with{'*' if recursive else ''}")
            self.emit(cte.this, inner)
            self.words.extend(_column_aliases(cte))
            self.words.append(canonical)
            inner.ctes[name] = canonical  # not before: a CTE does not see itself


def _plain(walk: Walk, node: exp.Expr, names: Names) -> None:
    """Write class name and arguments."""
    walk.words.append(node.key)
    walk.emit_arguments(node, names, skip=_NONE)


def _scope(walk: Walk, node: exp.Expr, names: Names) -> None:
    """Write a query of any other kind."""
    _plain(walk, node, walk.open_scope(node, names))


def _operator(walk: Walk, node: exp.Expr, names: Names) -> None:
    if type(node.this) is type(node):
        walk.emit_chain(node, names)
    else:
        _plain(walk, node, names)


def _call(walk: Walk, node: exp.Expr, names: Names, *, write: _Writer) -> None:
    walk.volatile = walk.volatile or call_reason(node)
    write(walk, node, names)


def _select(walk: Walk, node: exp.Expr, names: Names) -> None:
    inner = walk.open_scope(node, names)
    if node.args.get("sample") is not None:
        walk.volatile = walk.volatile or sample_reason(node.args["sample"])
    walk.words.append("select")
    walk.emit_arguments(node, inner, skip=_WITH)


def _query(walk: Walk, node: exp.Expr, names: Names) -> None:
    inner = walk.open_scope(node, names)
    walk.words.append(node.key)
    walk.emit_arguments(node, inner, skip=_WITH_ALIAS)
    walk.words.extend(_column_aliases(node))


def _table(walk: Walk, node: exp.Expr, names: Names) -> None:
    assert isinstance(node, exp.Table)
    parts = table_parts(node)
    words = walk.words
    words.append("table")
    if not parts:
        walk.emit(node.this, names)
    else:
        cte = names.cte(parts[0].name.casefold()) if len(parts) == 1 else None
        if cte is not None:
            words.append(cte)
        elif is_file_name(parts):
            walk.volatile = walk.volatile or f"it reads {parts[0].name}"
            words.append(parts[0].name)
        else:
            reason = table_reason(parts)
            walk.volatile = walk.volatile or reason
            table = table_name(parts, is_aliased=node.args.get("alias") is not None)
            words.append(table.name.casefold())
            if not reason:
                walk.tables.append(table)
    if node.args.get("sample") is not None:
        walk.volatile = walk.volatile or sample_reason(node.args["sample"])
    words.extend(_column_aliases(node))
    walk.emit_arguments(node, names, skip=_TABLE_NAME)


def _column(walk: Walk, node: exp.Expr, names: Names) -> None:
    """Write a column by the canonical name of its relation, whatever its alias is."""
    arguments = node.args
    this = arguments["this"]
    written = [arguments.get(part) for part in _QUALIFIERS] if len(arguments) > 1 else _NOTHING
    qualifiers = [part.name.casefold() for part in written if part is not None]
    words = walk.words
    words.append("column")
    is_relation = not qualifiers
    while qualifiers:
        canonical = names.source(qualifiers[0])
        # `raw.flights.x` names the relation `flights` by its full name.
        if len(qualifiers) > 1 and names.source(qualifiers[1]) is not None and canonical is None:
            qualifiers = qualifiers[1:]
            continue
        if canonical is not None:
            is_relation = len(qualifiers) == 1
            qualifiers[0] = canonical
        words.extend(qualifiers)
        break
    if not isinstance(this, exp.Identifier):
        walk.emit_value(this, names)
        return
    # The table's own spelling names the output column; a struct's field is named as written.
    name = str(this.this)
    folded = name.casefold()
    words.append(folded if is_relation else name)
    if not written[-1]:
        whole_row = names.source(folded)
        if whole_row is not None:
            words.append(whole_row)


def _alias(walk: Walk, node: exp.Expr, names: Names) -> None:
    words = walk.words
    this, alias = node.args["this"], node.args["alias"]
    walk.emit(this, names)
    words.append("as")
    words.append(str(alias.this) if isinstance(alias, exp.Identifier) else str(alias))


def _identifier(walk: Walk, node: exp.Expr, names: Names) -> None:  # noqa: ARG001  # one signature for all writers
    walk.words.append(str(node.args["this"]).casefold())


def _literal(walk: Walk, node: exp.Expr, names: Names) -> None:  # noqa: ARG001  # one signature for all writers
    walk.words.append("'" if node.args.get("is_string") else "#")
    walk.words.append(str(node.args["this"]))


def _table_alias(walk: Walk, node: exp.Expr, names: Names) -> None:  # noqa: ARG001  # one signature for all writers
    walk.words.extend(str(column.name) for column in node.args.get("columns") or ())


def _flags(node: exp.Expr) -> tuple[str, ...] | None:
    """Give the plain arguments of an operator besides its operands; `None` if others are there."""
    rest = {key: value for key, value in node.args.items() if key not in _OPERANDS and value}
    if any(isinstance(value, exp.Expr | list) for value in rest.values()):
        return None
    return tuple(f"{key}={rest[key]}" for key in sorted(rest))


def _column_aliases(node: exp.Expr) -> list[str]:
    alias = node.args.get("alias")
    columns = alias.args.get("columns") if isinstance(alias, exp.TableAlias) else None
    return ["columns", *(str(column.name) for column in columns)] if columns else []


_Writer = Callable[[Walk, exp.Expr, Names], None]


class _Writers(dict[type, _Writer]):
    """What writes nodes of a class; of most classes it is found when the first one comes."""

    def __missing__(self, kind: type) -> _Writer:
        if issubclass(kind, exp.Query):
            writer = _scope
        else:
            writer = _operator if issubclass(kind, exp.Binary) else _plain
        if may_be_volatile(kind):
            writer = partial(_call, write=writer)
        self[kind] = writer
        return writer


_NOTHING = (None,)
_QUALIFIERS = ("catalog", "db", "table")
_NONE: frozenset[str] = frozenset()
_OPERANDS = frozenset({"this", "expression"})
_WITH = frozenset({"with_"})
_WITH_ALIAS = frozenset({"with_", "alias"})
_TABLE_NAME = frozenset({"this", "db", "catalog", "alias"})

_WRITERS = _Writers(
    {
        exp.Select: _select,
        exp.Union: _query,
        exp.Except: _query,
        exp.Intersect: _query,
        exp.Subquery: _query,
        exp.Table: _table,
        exp.Column: _column,
        exp.Alias: _alias,
        exp.Identifier: _identifier,
        exp.Literal: _literal,
        exp.TableAlias: _table_alias,
    }
)
