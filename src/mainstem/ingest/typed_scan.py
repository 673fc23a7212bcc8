# SPDX-License-Identifier: Apache-2.0
"""Scans of files whose values have types of their own: Parquet, Arrow, JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mainstem.engines import literal, quote
from mainstem.ingest.scan import FILE_COLUMN, Fault
from mainstem.ingest.strict import NANOSECONDS, is_lost, strict_cast
from mainstem.types import Session


@dataclass(slots=True, kw_only=True)
class TypedScan:
    """Files whose values have types of their own: Parquet, Arrow, JSON."""

    base: str
    """SQL that gives all columns as found, and `FILE_COLUMN`."""
    columns: Mapping[str, str]
    names: Mapping[int, str] = field(default_factory=dict)
    """Names of the files by position."""
    declared: frozenset[str] = frozenset()
    """Columns (casefolded) whose type the owner set: nanoseconds may be cut off there."""
    line_rejects: str = ""
    """SQL for lines that could not be read at all."""
    _bad: str = ""
    _casts: Mapping[str, str] = field(default_factory=dict)

    def query(self, types: Mapping[str, str], *, with_file: bool = False) -> str:
        """Give SQL for the rows whose values can be cast."""
        self._casts = {
            name: of
            for name, of in types.items()
            if name in self.columns and of != self.columns[name]
        }
        wanted = [
            f"{self._cast(name, of)} as {quote(name)}"
            if name in self._casts
            else quote(name)
            if name in self.columns
            else f"null::{of} as {quote(name)}"
            for name, of in types.items()
        ]
        if with_file:
            wanted.append(FILE_COLUMN)
        self._bad = " or ".join(self._is_bad(name, of) for name, of in self._casts.items())
        where = f" where not ({self._bad})" if self._bad else ""
        return f"select {', '.join(wanted)} from ({self.base}){where}"

    @property
    def file_count(self) -> int:
        """How many files there are."""
        return len(self.names)

    @property
    def description(self) -> str:
        """How the files were understood."""
        return ", ".join(f"{name} {of}" for name, of in self.columns.items())

    def recover(self, session: Session, message: str) -> bool:  # noqa: ARG002  # of the Protocol
        """Learn nothing: types are in the files."""
        return False

    def _cast(self, name: str, of: str) -> str:
        column = quote(name)
        is_text = self.columns[name] == "VARCHAR"
        return strict_cast(column, of) if is_text else f"try_cast({column} as {of})"

    def _is_bad(self, name: str, of: str) -> str:
        column, before = quote(name), self.columns[name]
        if before == NANOSECONDS and name.casefold() in self.declared:
            return f"({column} is not null and try_cast({column} as {of}) is null)"
        return is_lost(column, before, of)

    def faults(self, session: Session) -> list[Fault]:
        """Tell which values could not be cast."""
        found = []
        for name, of in self._casts.items():
            rows = session.rows(
                f"select count(*), min({FILE_COLUMN}), "
                f"list(distinct {quote(name)}::varchar)[:1000] "
                f"from ({self.base}) where {self._is_bad(name, of)}"
            )
            count, file, values = rows[0]
            if count:
                found.append(
                    Fault(
                        kind="cast",
                        column=name,
                        rows=count,
                        file=self.names.get(file, ""),
                        line=0,
                        reason=f"`{values[0]}` is not {of}",
                        raw="",
                        values=tuple(values),
                    )
                )
        if self.line_rejects:
            count, file, line, reason, raw = session.rows(
                "select count(*), first(file), first(line), first(reason), first(raw) "
                f"from ({self.line_rejects})"
            )[0]
            if count:
                found.append(
                    Fault(
                        kind="invalid json",
                        column="",
                        rows=count,
                        file=file,
                        line=line,
                        reason=reason,
                        raw=raw,
                    )
                )
        return found

    def rejects(self) -> str:
        """Give SQL for the rows that could not be cast; they have no line."""
        selects = [self.line_rejects] if self.line_rejects else []
        if self._bad:
            reasons = ", ".join(
                f"case when {self._is_bad(name, of)} then {literal(f'{name}: not {of}')} end"
                for name, of in self._casts.items()
            )
            columns = ", ".join(
                f"case when {self._is_bad(name, of)} then {literal(name)} end"
                for name, of in self._casts.items()
            )
            cases = " ".join(
                f"when {index} then {literal(name)}" for index, name in self.names.items()
            )
            whole = ", ".join(f"{quote(name)} := {quote(name)}" for name in self.columns)
            selects.append(
                f"select case {FILE_COLUMN} {cases} else '' end as file, null::bigint as line, "
                f"coalesce({columns}) as column_name, concat_ws('; ', {reasons}) as reason, "
                f"to_json(struct_pack({whole}))::varchar as raw "
                f"from ({self.base}) where {self._bad}"
            )
        return " union all ".join(selects)
