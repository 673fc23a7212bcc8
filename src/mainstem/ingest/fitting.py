# SPDX-License-Identifier: Apache-2.0
"""Which columns a load reads, under which names and types: rules, globs and contract.

Decided before data is read, and again when values did not fit.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import field, replace

from mainstem.engines import literal, quote, type_sql
from mainstem.errors import ConfigInvalid, ContractBroken, SchemaDrifted, Where
from mainstem.graph import Asset
from mainstem.ingest.column_type import sql_type
from mainstem.ingest.scan import FILE_COLUMN, Fault
from mainstem.ingest.strict import NANOSECONDS, strict_cast
from mainstem.ingest.table import FileTable
from mainstem.types import Schema, Session, dataclass, did_you_mean, nearest

_LADDERS = (
    ("BOOLEAN",),
    ("BIGINT", "HUGEINT", "DOUBLE"),
    ("DATE", "TIMESTAMP", "TIMESTAMPTZ"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How columns of the files become columns of the table."""

    types: Mapping[str, str]
    """Name in the files to the type to read; columns left out are not here."""
    names: Mapping[str, str]
    """Name in the files to name in the table, for the same columns."""
    filters: Mapping[str, str] = field(default_factory=dict)
    """Columns that are read for `where` alone, with their names there."""
    lenient: Mapping[str, str] = field(default_factory=dict)
    """Columns read as text whose values are null if they are not of this type."""
    unwanted: tuple[str, ...] = ()
    """New columns that the contract refuses: rows that have a value in one are set aside."""
    fixed: frozenset[str] = frozenset()
    """Columns (casefolded) that are not widened: declared, or the table has them."""
    notes: tuple[str, ...] = ()

    def select(self, query: str, where: str, *, keep: Sequence[str] = ()) -> str:
        """Write the query over a scan's: names, casts, the owner's condition.

        Args:
            query: Of the scan.
            where: Condition over the table's names.
            keep: Further columns of the scan's query.
        """
        every = {**self.names, **self.filters}
        is_as_read = list(every.items()) == [(name, name) for name in self.types]
        if is_as_read and not (self.lenient or where or keep or FILE_COLUMN in query):
            return query  # the scan's is that already, and DuckDB parses long texts slowly
        columns = [
            f"{strict_cast(quote(name), self.lenient[name])} as {quote(new)}"
            if name in self.lenient
            else quote(name)
            if name == new
            else f"{quote(name)} as {quote(new)}"
            for name, new in every.items()
        ]
        sql = f"select {', '.join((*columns, *keep))} from ({query})"
        if where:
            # On a line of its own, so that a comment at its end ends there.
            sql = f"select * from ({sql}) where (\n{where}\n)"
        if self.filters:
            wanted = ", ".join((*(quote(name) for name in self.names.values()), *keep))
            sql = f"select {wanted} from ({sql})"
        return sql

    def sketch(self) -> str:
        """Write a query with the columns that `select` gives, and nothing to read."""
        columns = [
            f"null::{self.lenient.get(name, self.types[name])} as {quote(new)}"
            for name, new in self.names.items()
        ]
        return f"select {', '.join(columns)}"


def fit_columns(
    session: Session,
    columns: Mapping[str, str],
    asset: Asset,
    *,
    known: Schema | None,
    declared: frozenset[str],
) -> Fit:
    """Decide names and types before reading.

    Args:
        session: To translate types.
        columns: Of the scan: name in the files to type as found.
        asset: With its `FileTable`.
        known: The table's columns if they bind this load; `None` if types are free.
        declared: Columns (casefolded) whose type the owner set.

    Raises:
        ConfigInvalid: A rule or pattern names a column that is not there.
        SchemaDrifted: There are new columns, and the contract is `freeze`.
    """
    definition = asset.definition
    assert isinstance(definition, FileTable), "fit_columns() is for assets of kind file"
    _require_known(columns, asset, definition, known)
    renamed = {name: _table_name(name, definition) for name in columns}
    selected = _selected(columns, definition, asset)
    fit = Fit(
        types={name: _read_as(name, of, definition) for name, of in columns.items()},
        names={name: renamed[name] for name in selected},
        filters=(
            {name: renamed[name] for name in columns if name not in selected}
            if definition.where
            else {}
        ),
        fixed=declared,
    )
    if known is not None:
        fit = _bound(session, fit, asset, definition, known)
    wanted = {**fit.names, **fit.filters, **dict.fromkeys(fit.unwanted, "")}
    _require_distinct({**fit.names, **fit.filters}, asset)
    return replace(fit, types={name: of for name, of in fit.types.items() if name in wanted})


def refit(
    session: Session, fit: Fit, faults: Sequence[Fault], asset: Asset, *, is_free: bool
) -> Fit | None:
    """Decide what to do about values that did not fit; nothing if the rest is to be kept.

    Raises:
        SchemaDrifted: The contract is `freeze` and a value is of another type.
        ContractBroken: The contract is `freeze` and a row is malformed.
    """
    definition = asset.definition
    assert isinstance(definition, FileTable), "refit() is for assets of kind file"
    types, lenient = dict(fit.types), dict(fit.lenient)
    changed = False
    for fault in faults:
        if fault.kind != "cast":
            if definition.other_types == "freeze":
                raise _malformed(fault, asset)
            continue
        name = next((one for one in types if one.casefold() == fault.column.casefold()), None)
        if name is None:
            continue
        if is_free and name.casefold() not in fit.fixed:
            types[name] = _widened(session, types[name], fault.values)
            changed = True
        elif definition.other_types == "freeze":
            raise drifted(fault, asset, types[name])
        elif definition.other_types == "discard_value":
            lenient[name], types[name] = types[name], "VARCHAR"
            changed = True
    if not changed:
        return None
    return replace(fit, types=types, lenient=lenient)


def drifted(fault: Fault, asset: Asset, of: str, *, whole_file: bool = False) -> SchemaDrifted:
    """Make the error for values of another type than the table's."""
    line = f":{fault.line}" if fault.line else ""
    shown = f"`{fault.values[0]}`" if fault.values else "a value"
    rows = "1 row" if fault.rows == 1 else f"{fault.rows:,} rows"
    rest = f"no row of the load fits ({rows})" if whole_file else f"{rows} in all"
    return SchemaDrifted(
        "A3031",
        f"{fault.file}{line}: column `{fault.column}` has {shown}, which is not {of}; {rest}.",
        hint="Set the column's type under `columns:`, which reads all files again; or let "
        "`contract:` set such rows aside (quarantine).",
        where=Where(file=asset.file, line=asset.line, asset=str(asset.key)),
        details=fault.raw,
    )


def _bound(session: Session, fit: Fit, asset: Asset, definition: FileTable, known: Schema) -> Fit:
    """Take types from the table; treat new columns as the contract says."""
    types, names, filters = dict(fit.types), dict(fit.names), dict(fit.filters)
    fixed = set(fit.fixed)
    found = _storage_types(session, types)
    new: list[str] = []
    for name in list(fit.types):
        column = known.field(names.get(name, filters.get(name, "")))
        if column is None:
            if name in names:
                new.append(name)
            continue
        table_type = type_sql(column.type)
        is_promotion = _is_promotion(str(column.type), found.get(name, ""))
        if not (is_promotion and definition.other_types == "evolve"):
            types[name] = table_type
            fixed.add(name.casefold())
        if name in names:
            names[name] = column.name
    if new and definition.new_columns == "freeze":
        raise _new_columns(new, asset, known)
    notes = list(fit.notes)
    unwanted: tuple[str, ...] = ()
    if new and definition.new_columns == "evolve":
        notes.append(f"new column{'s' if len(new) > 1 else ''} {', '.join(new)}")
    elif new:
        for name in new:
            del names[name]
        if definition.new_columns == "discard_value":
            notes.append(f"left out new column{'s' if len(new) > 1 else ''} {', '.join(new)}")
        else:
            unwanted = tuple(new)
    return replace(
        fit,
        types=types,
        names=names,
        filters=filters,
        fixed=frozenset(fixed),
        unwanted=unwanted,
        notes=tuple(notes),
    )


def _storage_types(session: Session, types: Mapping[str, str]) -> dict[str, str]:
    columns = ", ".join(f"null::{of} as {quote(name)}" for name, of in types.items())
    schema = session.describe(f"select {columns}")
    return {name: str(found.type) for name, found in zip(types, schema, strict=True)}


def _is_promotion(before: str, after: str) -> bool:
    """Whether Iceberg reads old files under the new type (Iceberg spec, Schema Evolution)."""
    if (before, after) in {("int", "long"), ("float", "double")}:
        return True
    if before.startswith("decimal(") and after.startswith("decimal("):
        (p0, s0), (p1, s1) = (text[8:-1].split(",") for text in (before, after))
        return s0.strip() == s1.strip() and int(p1) > int(p0)
    return False


def _widened(session: Session, of: str, values: Sequence[str]) -> str:
    for ladder in _LADDERS:
        if of in ladder:
            candidates = ladder[ladder.index(of) + 1 :]
            break
    else:
        candidates = ()
    for candidate in candidates:
        listed = ", ".join(f"({literal(value)})" for value in values)
        rows = session.rows(
            f"select bool_and({strict_cast('value', candidate)} is not null) "
            f"from (values {listed}) as given(value)"
        )
        if rows[0][0]:
            return candidate
    return "VARCHAR"


def _selected(columns: Mapping[str, str], definition: FileTable, asset: Asset) -> tuple[str, ...]:
    includes = [pattern for pattern in definition.select if not pattern.startswith("!")]
    excludes = [pattern[1:] for pattern in definition.select if pattern.startswith("!")]

    def matches(name: str, patterns: list[str]) -> bool:
        folded = name.casefold()
        return any(fnmatch.fnmatchcase(folded, pattern.casefold()) for pattern in patterns)

    chosen = tuple(
        name
        for name in columns
        if (not includes or matches(name, includes)) and not matches(name, excludes)
    )
    for pattern in includes:
        if not any(matches(name, [pattern]) for name in columns) and not set("*?[") & set(pattern):
            raise _unknown_column(pattern, "select", columns, asset)
    if not chosen:
        raise ConfigInvalid(
            "A3005",
            f"`select` of {asset.key} leaves no column: {', '.join(definition.select)}.",
            hint=f"The files have {', '.join(list(columns)[:20])}.",
            where=Where(file=asset.file, line=asset.line, asset=str(asset.key)),
            known=tuple(columns),
        )
    return chosen


def _read_as(name: str, found: str, definition: FileTable) -> str:
    rule = definition.rule(name)
    if rule is not None and rule.type:
        return sql_type(rule.type)
    return "TIMESTAMP" if found == NANOSECONDS else found


def _table_name(name: str, definition: FileTable) -> str:
    rule = definition.rule(name)
    return rule.rename if rule is not None and rule.rename else name


def _require_known(
    columns: Mapping[str, str], asset: Asset, definition: FileTable, known: Schema | None
) -> None:
    present = {name.casefold() for name in columns}
    for rule in definition.columns:
        in_table = known is not None and known.field(rule.rename or rule.name) is not None
        if rule.name.casefold() not in present and not in_table:
            raise _unknown_column(rule.name, "columns", columns, asset, line=rule.line)


def _require_distinct(names: Mapping[str, str], asset: Asset) -> None:
    seen: dict[str, str] = {}
    for name, new in names.items():
        other = seen.setdefault(new.casefold(), name)
        if other != name:
            raise ConfigInvalid(
                "A3003",
                f"The columns `{other}` and `{name}` would both be called `{new}`.",
                hint="Names are compared without case; rename one of them otherwise.",
                where=Where(file=asset.file, line=asset.line, asset=str(asset.key)),
            )


def _unknown_column(
    name: str, key: str, columns: Mapping[str, str], asset: Asset, *, line: int = 0
) -> ConfigInvalid:
    return ConfigInvalid(
        "A3005",
        f"`{key}` of {asset.key} names the column `{name}`, which the files do not have.",
        hint=did_you_mean(name, columns) or f"They have {', '.join(list(columns)[:20])}.",
        where=Where(file=asset.file, line=line or asset.line, asset=str(asset.key)),
        known=nearest(name, columns) or tuple(columns),
    )


def _new_columns(new: Sequence[str], asset: Asset, known: Schema) -> SchemaDrifted:
    return SchemaDrifted(
        "A3030",
        f"The files of {asset.key} have new columns ({', '.join(new)}), and its contract is "
        f"freeze; it has {', '.join(known.names[:20])}.",
        hint="Set `contract: {columns: evolve}` to take them in, or `discard_value` to leave "
        "them out.",
        where=Where(file=asset.file, line=asset.line, asset=str(asset.key)),
    )


def _malformed(fault: Fault, asset: Asset) -> ContractBroken:
    line = f":{fault.line}" if fault.line else ""
    return ContractBroken(
        "A3032",
        f"{fault.file}{line}: {fault.reason}; {fault.rows:,} such row"
        f"{'s' if fault.rows != 1 else ''}, and the contract of {asset.key} is freeze.",
        hint="Mend the file, or let `contract:` set such rows aside (quarantine).",
        where=Where(file=asset.file, line=asset.line, asset=str(asset.key)),
        details=fault.raw,
    )
