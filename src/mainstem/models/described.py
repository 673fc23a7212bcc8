# SPDX-License-Identifier: Apache-2.0
"""Checks and described columns of headers and property files: kept raw, with their lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mainstem.models.definition import RawCheck
from mainstem.models.options import Merged, Written

CHECK_KEYS = ("checks", "data_tests", "tests")


def checks_in(merged: Merged) -> tuple[RawCheck, ...]:
    """Collect the checks of a header; those of property files come with `Properties`."""
    homes = {id(home): home for home in merged.homes.values() if home.document is not None}
    return tuple(
        check for home in homes.values() if home.file == merged.file for check in checks_of(home)
    )


def columns_in(merged: Merged) -> dict[str, dict[str, Any]]:
    """Read the columns described where `columns:` won."""
    home = merged.homes.get("columns")
    return columns_of(home) if home is not None else {}


def checks_of(written: Written) -> tuple[RawCheck, ...]:
    """Collect all checks of one place: of the asset and below its columns."""
    return tuple(_checks(written))


def columns_of(written: Written) -> dict[str, dict[str, Any]]:
    """Read `columns:`: description, type and tags of each."""
    found: dict[str, dict[str, Any]] = {}
    for name, options, _ in _columns(written):
        kept = {key: options[key] for key in ("description", "tags", "pii") if options.get(key)}
        declared = options.get("type") or options.get("data_type")
        found[name] = {**kept, "type": declared} if declared else kept
    return found


def _checks(written: Written) -> Iterator[RawCheck]:
    for key in CHECK_KEYS:
        entries = written.values.get(key)
        for index, entry in enumerate(_listed(entries)):
            line = _line(written, key, index)
            yield RawCheck(entry=entry, file=written.file, line=line)
    for name, options, path in _columns(written):
        for key in CHECK_KEYS:
            for index, entry in enumerate(_listed(options.get(key))):
                line = _line(written, *path, key, index)
                yield RawCheck(entry=entry, column=name, file=written.file, line=line)


def _columns(
    written: Written,
) -> Iterator[tuple[str, Mapping[str, Any], tuple[str | int, ...]]]:
    columns = written.values.get("columns")
    if isinstance(columns, dict):
        for name, options in columns.items():
            given = options if isinstance(options, dict) else {"type": options}
            yield str(name), given, ("columns", name)
        return
    for index, options in enumerate(columns or ()):
        if isinstance(options, dict) and options.get("name"):
            yield str(options["name"]), options, ("columns", index)


def _listed(entries: object) -> list[Any]:
    if entries is None:
        return []
    return entries if isinstance(entries, list) else [entries]


def _line(written: Written, *path: str | int) -> int:
    document = written.document
    return document.line((*written.path, *path)) if document is not None else 0
