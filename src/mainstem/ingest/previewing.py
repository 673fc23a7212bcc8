# SPDX-License-Identifier: Apache-2.0
"""What would be read, without reading it: for `ingest NAME --preview` and `init --from FILE`."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson

from mainstem.errors import ConfigInvalid
from mainstem.graph import Asset
from mainstem.ingest.fitting import fit_columns
from mainstem.ingest.observation import FoundFile, find_files
from mainstem.ingest.opening import open_scan
from mainstem.ingest.table import FileTable, format_of
from mainstem.ingest.unpacking import opened, parts_of
from mainstem.types import AssetKey, Engine, Field, dataclass

_NULL_WORDS = ("NA", "N/A", "NULL", "null", "None", "NaN", "nan", "-", r"\N", "#N/A")
"""Words that commonly stand for null; suggested, never assumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePreview:
    """What was found out about the files of one table."""

    key: AssetKey
    files: tuple[FoundFile, ...]
    dialects: tuple[str, ...]
    """Of CSV files: `delimiter comma, quote ", header`; different ones once each."""
    columns: tuple[Field, ...]
    """As the table would have them."""
    rows: tuple[tuple[object, ...], ...]
    """The first few."""
    null_words: tuple[str, ...] = ()
    """Words that look like nulls in the first rows, and are not in `null_values`."""
    empty: tuple[str, ...] = ()


def preview(
    asset: Asset,
    engine: Engine,
    *,
    project_folder: Path,
    expand: Callable[[str], str] = str,
    limit: int = 5,
) -> FilePreview:
    """Look at the beginning of the files of a table.

    Raises:
        MainstemError: They cannot be read.
    """
    definition = asset.definition
    assert isinstance(definition, FileTable), "preview() is for assets of kind file"
    files = find_files(definition, project_folder, expand=expand, asset=asset)
    if not files:
        return FilePreview(key=asset.key, files=(), dialects=(), columns=(), rows=())
    with (
        tempfile.TemporaryDirectory(prefix="mainstem-preview-") as scratch,
        engine.session() as session,
    ):
        folder = Path(scratch)
        parts = [part for file in files for part in parts_of(file, definition, folder)]
        opened = open_scan(session, parts, definition, scratch=folder)
        if opened.scan is None:
            return FilePreview(
                key=asset.key,
                files=tuple(files),
                dialects=(),
                columns=(),
                rows=(),
                empty=opened.empty,
            )
        fit = fit_columns(session, opened.scan.columns, asset, known=None, declared=opened.fixed)
        sql = fit.select(opened.scan.query(fit.types), definition.where)
        schema = session.describe(sql)
        rows = session.rows(f"select * from ({sql}) limit {int(max(limit, 200))}")
        return FilePreview(
            key=asset.key,
            files=tuple(files),
            dialects=tuple(dict.fromkeys(str(one.dialect) for one in opened.sniffed)),
            columns=schema.fields,
            rows=tuple(rows[:limit]),
            null_words=_null_words(rows, definition),
            empty=opened.empty,
        )


def suggest_ingest_file(path: Path, project_folder: Path) -> str:
    """Write an ingest file for one data file: the text of `ingest/NAME.yml`.

    Args:
        path: The data file.
        project_folder: The project that will hold the ingest file.

    Raises:
        ConfigInvalid: The format cannot be told by the file's ending.
    """
    name = path.name
    found, _ = format_of(name)
    if found == "auto" and not name.casefold().endswith(".zip"):
        raise ConfigInvalid(
            "A3016",
            f"The format of {name} cannot be told by its ending.",
            hint="Name a .csv, .tsv, .json, .jsonl, .parquet, .arrow or .feather file; each may "
            "end in .gz, .zst or .zip.",
            known=("csv", "json", "jsonl", "parquet", "arrow"),
        )
    absolute, root = path.resolve(), project_folder.resolve()
    folder = (
        absolute.parent.relative_to(root).as_posix()
        if absolute.is_relative_to(root)
        else absolute.parent.as_posix()
    )
    table = table_name(name)
    words = _words_in(path) if found == "csv" else ()
    lines = ["type: files", f"path: {_yaml_text(folder)}", "into: raw"]
    if words:
        listed = ", ".join(_yaml_text(word) for word in ("", *words))
        lines += ["defaults:", f"  null_values: [{listed}]    # found in the first lines"]
    lines += ["tables:", f"  {table}: {_yaml_text(name)}", ""]
    return "\n".join(lines)


def table_name(file_name: str) -> str:
    """Make the name of a table from that of a file: `Sales 2024.csv.gz` becomes `sales_2024`."""
    stem = file_name
    for _ in range(2):
        stem = re.sub(r"\.[A-Za-z0-9]{1,8}$", "", stem)
    cleaned = re.sub(r"\W+", "_", stem.casefold()).strip("_")
    if not cleaned:
        return "data"
    return f"t_{cleaned}" if cleaned[0].isdigit() else cleaned


def _words_in(path: Path) -> tuple[str, ...]:
    stat = path.stat() if path.is_file() else None
    if stat is None:
        return ()
    file = FoundFile(name=path.name, path=str(path), size=stat.st_size, mtime_ns=stat.st_mtime_ns)
    anything = FileTable(path="", patterns=(), source="", format="csv")
    with tempfile.TemporaryDirectory(prefix="mainstem-preview-") as scratch:
        heads = []
        for part in parts_of(file, anything, Path(scratch)):
            with opened(part) as content:
                heads.append(content.read(65_536).decode("utf-8", "replace"))
    fields = {
        field.strip().strip('"') for head in heads for field in re.split(r"[,;\t|\r\n]", head)
    }
    return tuple(word for word in _NULL_WORDS if word in fields and word != "-")


def _null_words(rows: Sequence[tuple[object, ...]], definition: FileTable) -> tuple[str, ...]:
    values = {value for row in rows for value in row if isinstance(value, str)}
    return tuple(
        word for word in _NULL_WORDS if word in values and word not in definition.null_values
    )


def _yaml_text(text: str) -> str:
    if re.fullmatch(r"[A-Za-z_./][A-Za-z0-9_./\-]*", text) and text.lower() not in {
        "null",
        "true",
        "false",
    }:
        return text
    return orjson.dumps(text).decode()
