# SPDX-License-Identifier: Apache-2.0
"""`checks/NAME.sql`: a query whose rows are failing rows, with a header that names the asset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from mainstem.errors import ModelInvalid, SelectionInvalid, SqlInvalid, Where
from mainstem.models.header import split_header
from mainstem.models.sql_draft import Surroundings
from mainstem.sql import parse, qualify, relocate, render
from mainstem.types import AssetKey, dataclass, did_you_mean

_OPTIONS = (
    "asset", "name", "description", "severity", "tags", "sample", "warn_if", "error_if", "mostly",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFile:
    """One check of one asset, raw: `mainstem.checks` gives it a meaning."""

    asset: str
    """`namespace.name`, as written."""
    entry: Mapping[str, Any]
    """As it would stand below `checks:`: `{"sql": {"name": ..., "sql": ...}}`."""
    where: Where


def load_check(text: str, path: str, surroundings: Surroundings) -> CheckFile:
    """Load a check's file.

    Args:
        text: Its content.
        path: Relative to the project folder: `checks/no_time_travel.sql`.
        surroundings: What its template may see.

    Raises:
        ModelInvalid: There is no `asset:`, or an unknown option (A2038).
        SqlInvalid: The template or the SQL is wrong.
    """
    split = split_header(text, path)
    header = split.header
    options = dict(header.value or {}) if header is not None else {}
    for name in options:
        if name not in _OPTIONS and header is not None:
            raise ModelInvalid(
                "A2038",
                f"`{name}` is not an option of a check's file.",
                hint=did_you_mean(str(name), _OPTIONS) or f"Known: {', '.join(_OPTIONS)}.",
                where=header.where((name,)),
                known=_OPTIONS,
            )
    where = header.where(("asset",)) if header is not None else Where(file=path, line=1)
    key = _asset_key(options.pop("asset", None), where)
    rendered = render(split.body, surroundings.context(key), file=path)
    try:
        # Names without an asset stay as they are: only the template's marks are taken off.
        sql = qualify(parse(rendered.sql, file=path), {})
    except SqlInvalid as error:
        if error.where is not None and rendered.sql != split.body:
            error.where = relocate(error.where, split.body)
        raise
    name = options.pop("name", None) or PurePosixPath(path).stem
    return CheckFile(
        asset=str(key), entry={"sql": {"name": name, "sql": sql.strip(), **options}}, where=where
    )


def _asset_key(name: object, where: Where) -> AssetKey:
    try:
        if name:
            return AssetKey.parse(str(name))
    except SelectionInvalid:
        pass
    raise ModelInvalid(
        "A2038",
        f"`{name}` is not an asset key."
        if name
        else "the check does not say which asset it judges.",
        hint="Begin the file with three lines: `/* ---`, `asset: namespace.name`, `--- */`.",
        where=where,
    )
