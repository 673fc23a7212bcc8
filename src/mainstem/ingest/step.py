# SPDX-License-Identifier: Apache-2.0
"""The step that loads files into a table: looks, reads once, sets aside what does not fit."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from mainstem.errors import MainstemError, SourceUnavailable, Where
from mainstem.graph import Asset
from mainstem.ingest.load import Load, Loaded
from mainstem.ingest.observation import FoundFile, Observation, digest_of, observe
from mainstem.ingest.rejecting import Rule
from mainstem.ingest.table import FileTable
from mainstem.ingest.version import cursor_of, interval_of, version_of
from mainstem.runs import StepContext, StepOutcome
from mainstem.types import AssetKey, Change, CursorWrite, Engine, Provenance, Schema, TableRef


class FileStep:
    """Implements `mainstem.runs.Step` for assets of kind `file`.

    Args:
        asset: With a `FileTable`.
        engine: What reads and writes.
        project_folder: What `path:` is relative to.
        expand: Replaces `${NAME}`.
        reload: Read all files again, whatever the cursor says.
        quarantine: Gives for the table's columns the rules that send rows aside.
    """

    def __init__(
        self,
        asset: Asset,
        engine: Engine,
        *,
        project_folder: Path,
        expand: Callable[[str], str] = str,
        reload: bool = False,
        quarantine: Callable[[Schema], Sequence[Rule]] | None = None,
    ) -> None:
        assert isinstance(asset.definition, FileTable), "a FileStep loads files"
        self.asset = asset
        self.definition = asset.definition
        self.engine = engine
        self.project_folder = project_folder
        self.expand = expand
        self.reload = reload
        self.quarantine = quarantine
        self.outputs: tuple[AssetKey, ...] = (asset.key,)
        self.inputs: tuple[AssetKey, ...] = ()

    def execute(self, context: StepContext) -> StepOutcome:
        """Load what is new; changes are the table, its cursor, and the quarantine if there is one.

        Raises:
            MainstemError: With the ingest file as its place, if it has no better one.
        """
        try:
            return self._execute(context)
        except MainstemError as error:
            if error.where is None or not (error.where.file or error.where.line):
                error.where = Where(
                    file=self.asset.file, line=self.asset.line, asset=str(self.asset.key)
                )
            raise

    def _execute(self, context: StepContext) -> StepOutcome:
        key = self.asset.key
        found = context.current(key)
        current = found if isinstance(found, TableRef) else None
        # Without its table a cursor stands for nothing.
        cursor = context.cursor(key) if current is not None else None
        seen = observe(
            self.asset, cursor, self.project_folder, expand=self.expand, reload=self.reload
        )
        if seen.problem is not None:
            raise seen.problem
        if seen.mode == "nothing":
            return StepOutcome(unchanged=(key,), notes=(seen.summary,), warnings=seen.warnings)
        files = [_digested(file) for file in seen.files]
        files, renamed = _without_renamed(files, seen, cursor)
        kept = [*seen.kept, *renamed] if seen.mode == "add" else []
        if not files:
            write = CursorWrite(key=key, value=self._cursor(context, kept, cursor, seen))
            notes = tuple(f"{file.name} was loaded under another name" for file in renamed)
            return StepOutcome(changes=(write,), unchanged=(key,), notes=notes)
        loaded = self._load(context, current, seen, files)
        for file in files:
            _require_still(file)
        value = self._cursor(context, [*kept, *files], cursor, seen)
        return self._outcome(loaded, CursorWrite(key=key, value=value), seen)

    def _load(
        self,
        context: StepContext,
        current: TableRef | None,
        seen: Observation,
        files: Sequence[FoundFile],
    ) -> Loaded:
        provenance = Provenance(
            origin="ingested",
            data_version=version_of(self.asset, seen, files, current),
            code_version=self.asset.code_version,
            cursor_interval=interval_of(files),
        )
        with (
            tempfile.TemporaryDirectory(prefix="mainstem-ingest-") as scratch,
            self.engine.session() as session,
        ):
            deregister = context.cancel.on_cancel(session.interrupt)
            try:
                load = Load(
                    asset=self.asset,
                    definition=self.definition,
                    session=session,
                    context=context,
                    current=current,
                    # An empty table has no rows whose types would bind the first ones.
                    replaces=seen.mode == "reload" or current is None or not current.row_count,
                    is_free=self._is_free(seen, current),
                    provenance=provenance,
                    scratch=Path(scratch),
                    rules=self.quarantine,
                )
                return load.run(files)
            finally:
                deregister()

    def _is_free(self, seen: Observation, current: TableRef | None) -> bool:
        """Whether the files decide the types: else what the table has binds them."""
        if current is None or not current.row_count or self.reload:
            return True
        if seen.mode != "reload":
            return False
        definition = self.definition
        return (definition.new_columns, definition.other_types) == ("evolve", "evolve")

    def _cursor(
        self,
        context: StepContext,
        files: Sequence[FoundFile],
        cursor: object,
        seen: Observation,
    ) -> dict[str, object]:
        before = cursor if isinstance(cursor, dict) and seen.mode == "add" else {}
        gone = {name: before["files"][name] for name in seen.removed} if before else {}
        return cursor_of(self.asset, files, gone=gone, read_at=context.logical_time)

    def _outcome(self, loaded: Loaded, cursor: CursorWrite, seen: Observation) -> StepOutcome:
        key = self.asset.key
        changes: tuple[Change, ...] = (*loaded.changes, cursor)
        if not loaded.changes:
            return StepOutcome(
                changes=changes,
                unchanged=(key,),
                notes=loaded.notes,
                warnings=(*seen.warnings, *loaded.warnings),
            )
        return StepOutcome(
            changes=changes,
            rows={key: loaded.row_count},
            notes=loaded.notes,
            warnings=(*seen.warnings, *loaded.warnings),
        )


def _digested(file: FoundFile) -> FoundFile:
    if file.digest:
        return file
    return FoundFile(
        name=file.name,
        path=file.path,
        size=file.size,
        mtime_ns=file.mtime_ns,
        digest=digest_of(file.path),
    )


def _without_renamed(
    files: list[FoundFile], seen: Observation, cursor: object
) -> tuple[list[FoundFile], list[FoundFile]]:
    """Part from files to add those that were loaded under a name that is gone now."""
    if seen.mode != "add" or not isinstance(cursor, dict) or not seen.removed:
        return files, []
    gone = {cursor["files"][name]["digest"] for name in seen.removed}
    renamed = [file for file in files if file.digest in gone]
    return [file for file in files if file not in renamed], renamed


def _require_still(file: FoundFile) -> None:
    """Refuse a file that changed under our hands: its digest and its rows may not belong together.

    Raises:
        SourceUnavailable: It did; another attempt may find it at rest.
    """
    try:
        stat = Path(file.path).stat()
        is_same = (stat.st_size, stat.st_mtime_ns) == (file.size, file.mtime_ns)
    except OSError:
        is_same = False
    if not is_same:
        raise SourceUnavailable(
            "A3018",
            f"{file.name} changed while it was read.",
            hint="Run again once it is complete; write files under another name and rename them.",
        )
