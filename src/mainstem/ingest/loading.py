# SPDX-License-Identifier: Apache-2.0
"""From ingest/NAME.yml to assets. Reads no data and no environment: `${NAME}` stays as written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from hashlib import sha256
from typing import Any

import orjson

from mainstem.config import (
    EXECUTION_KEYS,
    INGEST_EXTERNAL,
    INGEST_FILE,
    INGEST_FILES,
    SOURCE_TYPES,
    Document,
    load_yaml,
    names_of,
    problems_of,
    raise_all,
    read_execution,
)
from mainstem.errors import ConfigInvalid, MainstemError
from mainstem.graph import Asset
from mainstem.ingest.column_type import type_problem
from mainstem.ingest.external import external_assets
from mainstem.ingest.table import ColumnRule, Contract, CsvOptions, FileTable, RawCheck, Write
from mainstem.types import AssetKey, Execution, LayoutColumn, Transform

_LAYOUT = re.compile(r"(?:(year|month|day|hour)\s*\(\s*(.+?)\s*\)|([^()]+))")
_TRANSFORMS: dict[str, Transform] = {
    "year": "year",
    "month": "month",
    "day": "day",
    "hour": "hour",
}
_LATER = frozenset(SOURCE_TYPES) - {"files", "external"}
_NOT_DATA = frozenset(
    {"checks", "description", "tags", "owner", "fresh_for", "run_when", "freshness"}
    | EXECUTION_KEYS
)
"""Keys that do not shape data, so editing them reads nothing again."""


def load_ingest_file(text: str, file: str) -> list[Asset]:
    """Read one ingest file.

    Args:
        text: Its content.
        file: Its path relative to the project: `ingest/nyc.yml`.

    Returns:
        One asset per table, in the order written. Checks are in `definition.raw_checks`.

    Raises:
        ConfigInvalid: Something in it is wrong (`ErrorGroup` for several faults).
    """
    document = load_yaml(text, file)
    value = document.value
    if isinstance(value, dict) and value.get("type") == "external":
        raise_all(problems_of(document, INGEST_EXTERNAL))
        return external_assets(document)
    if not isinstance(value, dict) or value.get("type") not in _LATER:
        raise_all(problems_of(document, INGEST_FILES))
        return _file_assets(document)
    raise_all(problems_of(document, INGEST_FILE))
    raise ConfigInvalid(
        "A3001",
        f"Sources of type `{value['type']}` cannot be loaded yet; this version reads files, "
        "and takes reports of type external.",
        hint="Remove the file until then, or load an export of the source with type: files.",
        where=document.where(("type",), of_value=True),
        known=("files", "external"),
    )


def _file_assets(document: Document) -> list[Asset]:
    source: dict[str, Any] = document.value
    stem = document.file.rpartition("/")[2].rpartition(".")[0]
    problems: list[MainstemError] = []
    if source.get("connection"):
        problems.append(
            _not_yet(document, ("connection",), "Files behind a connection", "Use `path:`.")
        )
    if source.get("fresh_for"):
        hint = "Files are looked at each time; only new ones are read."
        problems.append(_not_yet(document, ("fresh_for",), "`fresh_for:` of files", hint))
    assets = []
    for name, written in source["tables"].items():
        path = ("tables", name)
        table = written if isinstance(written, dict) else {"files": written}
        options = {**(source.get("defaults") or {}), **table}
        found = list(_problems(document, path, options))
        problems += found
        if not found:
            assets.append(_asset(document, stem, name, options))
    raise_all(problems)
    return assets


def _asset(document: Document, stem: str, name: str, options: Mapping[str, Any]) -> Asset:
    source: dict[str, Any] = document.value
    path = ("tables", name)
    key = AssetKey(source.get("into") or stem, options.get("as") or name)
    definition = _definition(document, stem, path, options)
    shaping = {name: item for name, item in options.items() if name not in _NOT_DATA}
    columns = {rule.rename or rule.name: rule for rule in definition.columns}
    return Asset(
        key=key,
        kind="file",
        materialized="table",
        code_version=_code_version(definition, shaping),
        code_text_hash=_hash([source.get("path"), shaping]),
        row_key=definition.key,
        partition_by=tuple(_layout(text) for text in names_of(options.get("partition_by"))),
        tags=tuple(dict.fromkeys((*names_of(source.get("tags")), *names_of(options.get("tags"))))),
        owner=options.get("owner") or source.get("owner") or "",
        run_when=options.get("run_when") or "",
        freshness=options.get("freshness") or {},
        description=options.get("description") or "",
        file=document.file,
        line=document.line(path),
        execution=_execution(document, path, options),
        columns={
            name: _column_facts(rule, options["columns"][rule.name])
            for name, rule in columns.items()
        },
        definition=definition,
    )


def _execution(document: Document, path: tuple[str, ...], options: Mapping[str, Any]) -> Execution:
    def refuse(name: str, allowed: str) -> None:
        raise ConfigInvalid(
            "A1012",
            f"`{name}` is `{options[name]}`; allowed is {allowed}.",
            where=document.where((*path, name), of_value=True),
        )

    return read_execution(options, refuse)


def _definition(
    document: Document, stem: str, path: tuple[str, ...], options: Mapping[str, Any]
) -> FileTable:
    key = names_of(options.get("key"))
    contract: Any = options.get("contract") or "evolve"
    contracts: dict[str, Contract] = (
        contract if isinstance(contract, dict) else {"columns": contract, "types": contract}
    )
    nulls = options.get("null_values")
    nulls = nulls if isinstance(nulls, list) else [] if nulls is None else [nulls]
    return FileTable(
        path=document.value.get("path") or "",
        patterns=names_of(options.get("files")),
        source=stem,
        format=options.get("format") or "auto",
        compression=options.get("compression") or "auto",
        member=options.get("member") or "*",
        csv=_csv_options(options),
        # Nothing between two delimiters is null, as everywhere; more is never assumed.
        null_values=tuple(dict.fromkeys(["", *(_as_text(item) for item in nulls)])),
        records=options.get("records") or "",
        nested=options.get("nested") or "json",
        write=_write(options, key),
        key=key,
        columns=_rules(document, path, options),
        select=names_of(options.get("select")),
        where=(options.get("where") or "").strip(),
        new_columns=contracts.get("columns") or "evolve",
        other_types=contracts.get("types") or "evolve",
        raw_checks=tuple(_raw_checks(document, path, options)),
    )


def _csv_options(options: Mapping[str, Any]) -> CsvOptions:
    delimiter = options.get("delimiter")
    return CsvOptions(
        delimiter={"tab": "\t", "\\t": "\t"}.get(delimiter, delimiter) if delimiter else None,
        quote=options.get("quote"),
        escape=options.get("escape"),
        header=options.get("header"),
        skip=options.get("skip") or 0,
        comment=options.get("comment") or "",
        encoding=(options.get("encoding") or "utf-8").lower(),
        date_format=options.get("date_format") or "",
        timestamp_format=options.get("timestamp_format") or "",
        decimal_separator=options.get("decimal_separator") or "",
    )


def _rules(
    document: Document, path: tuple[str, ...], options: Mapping[str, Any]
) -> tuple[ColumnRule, ...]:
    rules = []
    for name, written in (options.get("columns") or {}).items():
        facts = {"type": written} if isinstance(written, str) else written or {}
        rules.append(
            ColumnRule(
                name=name,
                type=facts.get("type") or "",
                rename=facts.get("rename") or "",
                line=document.line((*path, "columns", name)),
            )
        )
    return tuple(rules)


def _column_facts(rule: ColumnRule, written: Any) -> dict[str, Any]:
    facts = dict(written) if isinstance(written, dict) else {}
    facts.pop("checks", None)
    facts.pop("rename", None)
    return {**facts, "type": rule.type} if rule.type else facts


def _raw_checks(
    document: Document, path: tuple[str, ...], options: Mapping[str, Any]
) -> Iterator[RawCheck]:
    written = options.get("checks") or []
    for index, value in enumerate(written if isinstance(written, list) else [written]):
        yield RawCheck(value=value, column=None, line=document.line((*path, "checks", index)))
    for name, column in (options.get("columns") or {}).items():
        if isinstance(column, dict):
            own = column.get("checks") or []
            place = (*path, "columns", name, "checks")
            for index, value in enumerate(own if isinstance(own, list) else [own]):
                yield RawCheck(
                    value=value,
                    column=column.get("rename") or name,
                    line=document.line((*place, index)),
                )


def _write(options: Mapping[str, Any], key: tuple[str, ...]) -> Write:
    write: Write = options.get("write") or ("upsert" if key else "replace")
    return write


def _problems(
    document: Document, path: tuple[str, ...], options: Mapping[str, Any]
) -> Iterator[MainstemError]:
    name = path[-1]
    if not names_of(options.get("files")):
        yield ConfigInvalid(
            "A1013",
            f"Table `{name}` needs the key `files`: a name or glob below `path`.",
            hint=f"For example `{name}: {name}.csv`.",
            where=document.where(path),
        )
    write = options.get("write")
    if write not in {None, "append", "replace", "upsert"}:
        yield _not_yet(document, (*path, "write"), f"`write: {write}`", "Use upsert or append.")
    if write == "upsert" and not names_of(options.get("key")):
        yield ConfigInvalid(
            "A3002",
            f"Table `{name}` has `write: upsert` and no `key`, so rows cannot be matched.",
            hint="Name the columns that identify a row, as in `key: [order_id]`.",
            where=document.where((*path, "write"), of_value=True),
        )
    hints = {
        "cursor": "Files are incremental by their identity.",
        "fresh_for": "Files are looked at each time; only new ones are read.",
        "records": "",
    }
    for later, hint in hints.items():
        if options.get(later):
            yield _not_yet(document, (*path, later), f"`{later}:` of files", hint)
    if options.get("nested") == "tables":
        yield _not_yet(document, (*path, "nested"), "`nested: tables`", "Use json or struct.")
    for column, written in (options.get("columns") or {}).items():
        of_type = written if isinstance(written, str) else (written or {}).get("type")
        place = (*path, "columns", column)
        if of_type is not None:
            where = document.where(place, of_value=isinstance(written, str))
            yield from type_problem(of_type, column, where)
        if isinstance(written, dict) and written.get("pii"):
            yield _not_yet(document, (*place, "pii"), "`pii:`", "")
    for text in names_of(options.get("partition_by")):
        if not _LAYOUT.fullmatch(text.strip()):
            yield ConfigInvalid(
                "A1012",
                f"`partition_by` has `{text}`; allowed is a column, or year, month, day or hour "
                "of one, as in month(time_hour).",
                where=document.where((*path, "partition_by"), of_value=True),
            )
    yield from _rename_problems(document, path, options)


def _rename_problems(
    document: Document, path: tuple[str, ...], options: Mapping[str, Any]
) -> Iterator[MainstemError]:
    taken: dict[str, str] = {}
    for column, written in (options.get("columns") or {}).items():
        new = (written.get("rename") if isinstance(written, dict) else None) or column
        other = taken.setdefault(new.casefold(), column)
        if other != column:
            yield ConfigInvalid(
                "A3003",
                f"The columns `{other}` and `{column}` would both be called `{new}`.",
                hint="Names are compared without case; rename one of them otherwise.",
                where=document.where((*path, "columns", column)),
            )


def _not_yet(document: Document, path: tuple[str, ...], what: str, hint: str) -> ConfigInvalid:
    return ConfigInvalid(
        "A3001",
        f"{what} cannot be used yet in this version.",
        hint=hint,
        where=document.where(path),
    )


def _layout(text: str) -> LayoutColumn:
    match = _LAYOUT.fullmatch(text.strip())
    assert match is not None, "checked by _problems"
    if match[3]:
        return LayoutColumn(column=match[3].strip())
    return LayoutColumn(column=match[2], transform=_TRANSFORMS[match[1]])


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _code_version(definition: FileTable, shaping: Mapping[str, Any]) -> str:
    facts = asdict(definition)
    for name in ("raw_checks", "source"):
        del facts[name]
    # The line of a rule and what describes it do not shape data.
    facts["columns"] = [[rule["name"], rule["type"], rule["rename"]] for rule in facts["columns"]]
    return _hash([facts, names_of(shaping.get("partition_by"))])


def _hash(value: Any) -> str:
    content = orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str)
    return sha256(content).hexdigest()[:32]
