# SPDX-License-Identifier: Apache-2.0
"""One load: files -> scan -> fit -> data files, read once unless a sample misled about types."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from mainstem.errors import (
    ConfigInvalid,
    ContractBroken,
    InternalError,
    MainstemError,
    SqlInvalid,
    StepFailed,
    Where,
)
from mainstem.graph import Asset
from mainstem.ingest.fitting import Fit, drifted, fit_columns, refit
from mainstem.ingest.lost_rows import LONG_LINE, OPEN_QUOTE
from mainstem.ingest.observation import FoundFile, files_text
from mainstem.ingest.opening import Opened, open_scan
from mainstem.ingest.rejecting import (
    Parted,
    Refusal,
    Rule,
    part,
    write_quarantine,
)
from mainstem.ingest.scan import FILE_COLUMN, Fault, Scan
from mainstem.ingest.table import FileTable
from mainstem.ingest.unpacking import Part, parts_of
from mainstem.ingest.upserting import key_columns, last_file_wins, replacing, require_unique
from mainstem.runs import StepContext
from mainstem.types import (
    AssetKey,
    Change,
    DataFile,
    Provenance,
    Schema,
    Session,
    TableRef,
    TableWrite,
    WriteTarget,
    dataclass,
)

_MAX_READINGS = 12
"""Every reading widens at least one column, and each column at most three times."""
_LOST = {
    OPEN_QUOTE: ("A3035", 'Close or double the quote, or set `quote: ""` if quotes mean nothing.'),
    LONG_LINE: ("A3021", "Is a line break missing, or is it no CSV? Then set `format:`."),
}
"""What refuses a file of which rows would be lost: code, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What came of a load; no changes if there was no row and no file with columns."""

    changes: tuple[Change, ...] = ()
    row_count: int = 0
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    files: tuple[DataFile, ...]
    target: WriteTarget
    row_count: int
    removed: tuple[DataFile, ...] = ()
    rejects: tuple[str, ...] = ()
    """SQL of rows to quarantine."""
    rejected_count: int = 0
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Everything that one load needs."""

    asset: Asset
    definition: FileTable
    session: Session
    context: StepContext
    current: TableRef | None
    replaces: bool
    """All rows are replaced."""
    is_free: bool
    """The files decide the types, not the table."""
    provenance: Provenance
    scratch: Path
    rules: Callable[[Schema], Sequence[Rule]] | None = None

    def run(self, files: Sequence[FoundFile]) -> Loaded:
        """Read files and write the table.

        Raises:
            MainstemError: Nothing was taken in.
        """
        parts = [one for file in files for one in parts_of(file, self.definition, self.scratch)]
        written, opened = self._read(parts)
        empty = tuple(f"{name} is empty" for name in opened.empty)
        if written is None:
            return self._nothing_but_empty(empty)
        change = self._change(written)
        key = self.asset.key.quarantine
        beside = write_quarantine(
            self.session,
            self.context,
            key,
            written.rejects,
            replaces=self.replaces,
            provenance=replace(
                self.provenance, data_version=f"{self.provenance.data_version}-quarantine"
            ),
        )
        self.context.progress(rows=written.row_count)
        return Loaded(
            changes=(change,) if beside is None else (change, beside),
            row_count=written.row_count,
            notes=(files_text(len(files)), *written.notes, *_rejected_note(written, key)),
            warnings=(*empty, *self._warnings(written)),
        )

    def _read(self, parts: Sequence[Part]) -> tuple[_Written | None, Opened]:
        opened = open_scan(self.session, parts, self.definition, scratch=self.scratch)
        if opened.scan is None:
            return None, opened
        try:
            return self._fit_and_write(opened.scan, opened), opened
        except StepFailed as error:
            if parts[0].format not in {"json", "jsonl"}:
                raise self._place(error) from error
        opened = open_scan(
            self.session, parts, self.definition, scratch=self.scratch, is_careful=True
        )
        assert opened.scan is not None, "there was something to read a moment ago"
        try:
            return self._fit_and_write(opened.scan, opened), opened
        except StepFailed as error:
            raise self._place(error) from error

    def _fit_and_write(self, scan: Scan, opened: Opened) -> _Written:
        known = None if self.is_free or self.current is None else self.current.schema
        fit = fit_columns(
            self.session, scan.columns, self.asset, known=known, declared=opened.fixed
        )
        for _ in range(_MAX_READINGS):
            try:
                written, faults = self._write(scan, fit)
            except StepFailed as error:
                if not scan.recover(self.session, error.summary):
                    raise
                continue
            next_fit = refit(self.session, fit, faults, self.asset, is_free=self.is_free)
            if next_fit is None:
                self._require_some_rows(scan, written, faults, fit)
                return self._judged(written, scan, faults, fit)
            self._discard(written)
            fit = next_fit
        raise InternalError("A9030", f"the types of {self.asset.key} do not come to rest.")

    def _write(self, scan: Scan, fit: Fit) -> tuple[_Written, list[Fault]]:
        is_keyed = self.definition.write == "upsert"
        ranks = is_keyed and scan.file_count > 1
        query = scan.query(fit.types, with_file=ranks)
        keep = (FILE_COLUMN,) if ranks else ()
        asked = replace(fit, names={**fit.names, **{name: name for name in fit.unwanted}})
        sql = asked.select(query, self.definition.where, keep=keep)
        schema = self._described(fit, query)
        keys = key_columns(self.asset, schema) if self.asset.row_key else ()
        if ranks:
            sql = last_file_wins(sql, keys)
        rules = self._rules(fit, schema)
        parted: Parted | None = None
        if rules or (is_keyed and not self.replaces):
            parted = part(self.session, sql, rules, keep=schema.names)
            sql = parted.good
        written = self._write_rows(sql, schema, keys, is_parted=parted is not None)
        if parted is not None and parted.bad_count:
            written = self._with_bad_rows(written, parted)
        return written, scan.faults(self.session)

    def _described(self, fit: Fit, query: str) -> Schema:
        try:
            sql = fit.select(query, self.definition.where)
            # What an owner wrote is looked at; a scan gives the types that it is asked for.
            return self.session.describe(sql, like="" if self.definition.where else fit.sketch())
        except SqlInvalid as error:
            if not self.definition.where:
                raise
            raise ConfigInvalid(
                "A3007",
                f"`where` of {self.asset.key} cannot be used: {error.summary}",
                hint=error.hint,
                where=Where(file=self.asset.file, line=self.asset.line, asset=str(self.asset.key)),
                known=error.known,
            ) from error

    def _write_rows(
        self, sql: str, schema: Schema, keys: Sequence[str], *, is_parted: bool
    ) -> _Written:
        target = self.context.target(
            self.asset.key,
            schema,
            partition_by=self.asset.partition_by,
            replaces=self.replaces,
        )
        if self.definition.write != "upsert":
            files = self.session.write(sql, target)
            return _Written(files=files, target=target, row_count=_rows(files))
        if self.replaces:
            files = self.session.write(sql, target)
            self._require_unique_files(files, target, keys)
            return _Written(files=files, target=target, row_count=_rows(files))
        assert is_parted, "an upsert into a table goes through a batch"
        assert self.current is not None, "only a table that is there can be added to"
        batch = '"__mainstem_new"'
        self.session.rows(f"create or replace temp view {batch} as {sql}")
        require_unique(self.session, self.asset, batch, keys)
        count: int = self.session.rows(f"select count(*) from {batch}")[0][0]
        change = replacing(self.session, self.current, batch, keys)
        files = self.session.write(change.sql, target) if count else ()
        return _Written(
            files=files,
            target=target,
            row_count=count,
            removed=change.removed if count else (),
        )

    def _require_unique_files(
        self, files: tuple[DataFile, ...], target: WriteTarget, keys: Sequence[str]
    ) -> None:
        """Look for repeated keys in what was written: cheaper than in the source."""
        name = AssetKey("__mainstem", "written")
        written = TableRef(
            key=name,
            schema=target.schema,
            files=files,
            warehouse=target.warehouse,
            schemas={target.schema.schema_id: target.schema},
            spec=target.spec,
            specs={target.spec.spec_id: target.spec},
            row_count=_rows(files),
        )
        self.session.register(written)
        try:
            require_unique(self.session, self.asset, f"{name.namespace}.{name.name}", keys)
        except MainstemError:
            self._discard(_Written(files=files, target=target, row_count=0))
            raise

    def _rules(self, fit: Fit, schema: Schema) -> Sequence[Rule]:
        rules: list[Rule] = list(self.rules(schema)) if self.rules is not None else []
        for name in fit.unwanted:
            quoted = '"' + name.replace('"', '""') + '"'
            rules.append(
                Refusal(check_id=f"new column `{name}`", predicate=f"{quoted} is not null")
            )
        return rules

    def _with_bad_rows(self, written: _Written, parted: Parted) -> _Written:
        if self.definition.new_columns == "discard_row" and self.rules is None:
            note = f"{parted.bad_count:,} rows with new columns discarded (contract)"
            return replace(written, notes=(*written.notes, note))
        return replace(
            written,
            rejects=(*written.rejects, parted.bad),
            rejected_count=written.rejected_count + parted.bad_count,
        )

    def _judged(self, written: _Written, scan: Scan, faults: Sequence[Fault], fit: Fit) -> _Written:
        notes = list(fit.notes)
        if fit.lenient:
            columns = ", ".join(fit.lenient)
            notes.append(f"values of {columns} that are of another type became null (contract)")
        written = replace(written, notes=(*written.notes, *notes), faults=tuple(faults))
        if not faults:
            return written
        rejects = scan.rejects()
        count: int = self.session.rows(f"select count(*) from ({rejects})")[0][0]
        if self.definition.other_types == "discard_row":
            note = f"{count:,} row{'s' if count != 1 else ''} discarded (contract)"
            return replace(written, notes=(*written.notes, note), faults=())
        return replace(
            written,
            rejects=(*written.rejects, rejects),
            rejected_count=written.rejected_count + count,
        )

    def _require_some_rows(
        self, scan: Scan, written: _Written, faults: Sequence[Fault], fit: Fit
    ) -> None:
        """Refuse a load of which no row fits: then the files are of another kind, not damaged."""
        self._require_all_rows(written, faults)
        rejected = sum(fault.rows for fault in faults)
        malformed = sum(fault.rows for fault in faults if fault.kind != "cast")
        is_kept = written.row_count or written.rejects
        if not rejected or (is_kept and malformed <= written.row_count):
            return
        cast = next((fault for fault in faults if fault.kind == "cast" and not malformed), None)
        self._discard(written)
        if cast is not None:
            types = {name.casefold(): of for name, of in fit.types.items()}
            of = types.get(cast.column.casefold(), "of the column's type")
            raise drifted(cast, self.asset, of, whole_file=True)
        fault = next(fault for fault in faults if fault.kind != "cast")
        line = f":{fault.line}" if fault.line else ""
        raise ContractBroken(
            "A3034",
            f"{fault.file}{line}: {fault.reason}; {malformed:,} rows are malformed, "
            f"{written.row_count:,} are not.",
            hint="Set `delimiter`, `quote`, `header`, or `skip` for lines above the header.",
            where=Where(file=self.asset.file, line=self.asset.line, asset=str(self.asset.key)),
            details="\n".join((f"found: {scan.description}", fault.raw)),
        )

    def _require_all_rows(self, written: _Written, faults: Sequence[Fault]) -> None:
        """Refuse a file of which rows are neither read nor set aside."""
        for fault in faults:
            if fault.kind in _LOST:
                code, hint = _LOST[fault.kind]
                self._discard(written)
                raise ContractBroken(
                    code,
                    f"{fault.file}: line {fault.line} {fault.reason}.",
                    hint=hint,
                    where=Where(file=fault.file, line=fault.line, asset=str(self.asset.key)),
                    details=fault.raw[:200],
                )

    def _change(self, written: _Written) -> TableWrite:
        is_upsert = bool(written.removed)
        return TableWrite(
            key=self.asset.key,
            operation="overwrite" if self.replaces else "upsert" if is_upsert else "append",
            provenance=self.provenance,
            schema=written.target.schema,
            spec=written.target.spec,
            table_id=written.target.table_id,
            added=written.files,
            removed=tuple(file.path for file in written.removed),
            row_key=self.asset.row_key,
            base_version=self.current.data_version
            if self.current is not None and not self.replaces
            else "",
        )

    def _nothing_but_empty(self, empty: tuple[str, ...]) -> Loaded:
        if self.current is None or self.replaces:
            raise ContractBroken(
                "A3022",
                f"{'; '.join(empty[:3])}: there is no column to make {self.asset.key} of.",
                hint="A file with a header and no rows makes an empty table.",
                where=Where(file=self.asset.file, line=self.asset.line, asset=str(self.asset.key)),
            )
        return Loaded(warnings=empty)

    def _warnings(self, written: _Written) -> tuple[str, ...]:
        shown = []
        for fault in written.faults:
            line = f":{fault.line}" if fault.line else ""
            column = f" in column {fault.column}" if fault.column else ""
            more = f", and {fault.rows - 1:,} more" if fault.rows > 1 else ""
            hint = (
                "; if the file is not UTF-8, set `encoding:`"
                if fault.kind == "invalid encoding"
                else ""
            )
            shown.append(f"{fault.file}{line}: {fault.reason}{column}{more}{hint}")
        return tuple(shown)

    def _place(self, error: StepFailed) -> MainstemError:
        if self.definition.where and error.code == "A7510":
            return StepFailed(
                "A3007",
                f"The rows of {self.asset.key} cannot be read: {error.summary}",
                hint="Look at `where:` and `columns:` of the table.",
                where=Where(file=self.asset.file, line=self.asset.line, asset=str(self.asset.key)),
            )
        return error

    def _discard(self, written: _Written) -> None:
        """Remove files that will not be committed; sweeping would find them later, too."""
        for file in written.files:
            with contextlib.suppress(OSError):
                Path(written.target.warehouse, file.path).unlink()


def _rows(files: Sequence[DataFile]) -> int:
    return sum(file.record_count for file in files)


def _rejected_note(written: _Written, key: AssetKey) -> tuple[str, ...]:
    if not written.rejected_count:
        return ()
    rows = "row" if written.rejected_count == 1 else "rows"
    return (f"{written.rejected_count:,} {rows} quarantined in {key}",)
