# SPDX-License-Identifier: Apache-2.0
"""Load one SQL model from its text: pure, so that `project` may cache the result file by file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field, replace
from hashlib import blake2b
from typing import Any

import orjson

from mainstem.errors import (
    CycleFound,
    ErrorGroup,
    MainstemError,
    ModelInvalid,
    SqlInvalid,
    UserError,
    Where,
)
from mainstem.graph import Asset
from mainstem.models.definition import Reference, SqlModel
from mainstem.models.header import split_header
from mainstem.models.options import Merged, Written, config_options, header_problems, merge
from mainstem.models.properties import Properties
from mainstem.models.settled import Settled, settle
from mainstem.sql import (
    Query,
    RenderContext,
    Rendered,
    change_parts,
    column_lines,
    is_template,
    parse,
    place_at,
    place_of,
    release,
    relocate,
    render,
    where_at,
    where_of,
)
from mainstem.types import AssetKey, changed, dataclass

_AS_WRITTEN = Rendered(sql="")
"""Of a model that is no template: it called nothing, and its text is the query's."""
_LOOKBACK = re.compile(r"__newer_than__\([^()]*, '")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a model's file depends on besides its text."""

    project_name: str = ""
    environment: str = ""
    vars: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    target: Mapping[str, Any] = field(default_factory=dict)
    macros: Mapping[str, str] = field(default_factory=dict)
    """Text of each file in `macros/`, by path relative to the project."""
    folder_options: Mapping[str, Any] = field(default_factory=dict)
    """Options of mainstem.yml's `models:` for this file, merged."""
    properties: Properties | None = None
    """What property files say of this model; `None`: nothing."""

    def context(self, key: AssetKey, *, is_incremental: bool = False) -> RenderContext:
        """Give the part that templates see."""
        return RenderContext(
            key=key,
            project_name=self.project_name,
            environment=self.environment,
            vars=self.vars,
            env=self.env,
            target=self.target,
            macros=self.macros,
            is_incremental=is_incremental,
        )


def key_of(path: str, *, namespace: str = "") -> AssetKey:
    """Give the asset key of a model's file: the first folder below `models/` is the namespace.

    Raises:
        ModelInvalid: The file's name cannot be the name of a table (A2037).
    """
    _top, _, below = path.partition("/")
    folder, _, file = below.rpartition("/")
    name = file.rpartition(".")[0] or file
    if not name or "." in name or '"' in name:
        raise ModelInvalid(
            "A2037",
            f"`{name}` cannot be the name of an asset: it has a dot or a quote.",
            hint="Rename the file; the name of a model is its file's name.",
            where=Where(file=path),
        )
    return AssetKey(namespace or folder.partition("/")[0] or "main", name)


def load_sql_model(text: str, path: str, surroundings: Surroundings) -> Asset:
    """Load a SQL model.

    Args:
        text: Content of the file.
        path: Relative to the project folder: `models/marts/delays.sql`.
        surroundings: What else it depends on.

    Returns:
        The asset with `inputs` still empty: `resolve_inputs` fills them in, since what a bare name
        means depends on the whole project. `definition` is a `SqlModel`.

    Raises:
        UserError: What is wrong with it; several faults come as an `ErrorGroup`.
    """
    split = split_header(text, path)
    problems: list[MainstemError] = []
    options, properties = surroundings.folder_options, surroundings.properties
    weaker = [Written(values=options, file="mainstem.yml")] if options else []
    if properties is not None:
        weaker.append(properties.written)
    stronger: list[Written] = []
    if split.header is not None and split.header.value:
        problems.extend(header_problems(split.header))
        stronger.append(Written(values=split.header.value, document=split.header, file=path))
    _raise(problems)
    merged = merge([*weaker, *stronger], file=path)
    key = _key(path, merged)
    compiled = _compile(split.body, path, key, surroundings)
    if compiled.rendered.config:
        # An option of the header wins over the same one in config(...): it stands above.
        written = config_options(compiled.rendered.config, file=path)
        merged = merge([*weaker, Written(values=written, file=path), *stronger], file=path)
        if _key(path, merged) != key:
            key = _key(path, merged)
            compiled = _compile(split.body, path, key, surroundings)
    settled = settle(merged, compiled.volatile, problems)
    problems.extend(_contradictions(key, compiled, settled, path))
    _raise(problems)
    asset = _asset(key, path, merged, settled, compiled, properties)
    for query in compiled.queries:
        release(query)
    return asset


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """Rendered and parsed SQL of one model."""

    rendered: Rendered
    main: Query
    incremental: Query | None
    """With `is_incremental()` true, if that makes a difference."""
    body: str

    @property
    def queries(self) -> tuple[Query, ...]:
        """All forms of it."""
        return (self.main,) if self.incremental is None else (self.main, self.incremental)

    @property
    def volatile(self) -> str:
        """Why it is volatile in either form."""
        return next((query.volatile for query in self.queries if query.volatile), "")


def _key(path: str, merged: Merged) -> AssetKey:
    return key_of(path, namespace=str(merged.values.get("namespace") or ""))


def _compile(body: str, path: str, key: AssetKey, surroundings: Surroundings) -> Compiled:
    if not is_template(body):
        main = _parse(body, body, path)
        return Compiled(rendered=_AS_WRITTEN, main=main, incremental=None, body=body)
    rendered = render(body, surroundings.context(key), file=path)
    main = _parse(rendered.sql, body, path)
    incremental = None
    if rendered.asks_incremental:
        again = render(body, surroundings.context(key, is_incremental=True), file=path)
        if again.sql != rendered.sql:
            incremental = _parse(again.sql, body, path)
    return Compiled(rendered=rendered, main=main, incremental=incremental, body=body)


def _parse(sql: str, body: str, path: str) -> Query:
    try:
        return parse(sql, file=path)
    except SqlInvalid as error:
        if error.where is not None and sql != body:
            error.where = relocate(error.where, body)
        raise


def _contradictions(
    key: AssetKey, compiled: Compiled, settled: Settled, path: str
) -> list[MainstemError]:
    """Find what templates and options say against each other."""
    sql = compiled.incremental.text if compiled.incremental is not None else compiled.main.text
    own = next((t for t in compiled.main.tables if t.name.casefold() == key.folded), None)
    if own is not None and settled.materialized != "incremental":
        where = where_at(compiled.main.text, own.start, file=path, length=own.end - own.start)
        return [
            CycleFound(
                "A2005",
                f"{key} reads itself, and is materialized as {settled.materialized}.",
                hint="Only an incremental model can read the rows that it has.",
                where=relocate(where, compiled.body),
            )
        ]
    reads_newer = "__newer_than__(" in sql
    looks_back = reads_newer and _LOOKBACK.search(sql)
    if looks_back and settled.materialized == "incremental" and settled.strategy == "append":
        return [
            ModelInvalid(
                "A2033",
                "newer_than() with a lookback reads rows again, and without `key` they would be "
                "added twice.",
                hint="Give the model a `key:`, or leave out the lookback.",
                where=_where_word(compiled.body, "lookback", path),
            )
        ]
    reads_own_table = compiled.rendered.asks_incremental or reads_newer
    if reads_own_table and settled.materialized != "incremental":
        word = "is_incremental" if compiled.rendered.asks_incremental else "newer_than"
        return [
            ModelInvalid(
                "A2033",
                f"{word}() is used, but the model is materialized as {settled.materialized}.",
                hint="Set `materialized: incremental` in the header.",
                where=_where_word(compiled.body, word, path),
            )
        ]
    return []


def _where_word(body: str, word: str, path: str) -> Where:
    return where_at(body, max(body.find(word), 0), file=path, length=len(word))


def _asset(
    key: AssetKey,
    path: str,
    merged: Merged,
    settled: Settled,
    compiled: Compiled,
    properties: Properties | None,
) -> Asset:
    parts = change_parts(compiled.incremental or compiled.main)
    parts["config"] = settled.digest
    first, *others = [query.normal_form for query in compiled.queries]
    model = SqlModel(
        sql=compiled.main.text,
        incremental_sql=compiled.incremental.text if compiled.incremental is not None else "",
        template=compiled.body if compiled.body != compiled.main.text else "",
        references=_references(compiled, key, path),
        strategy=settled.strategy,
        contract=settled.contract,
        checks=(*settled.checks, *(properties.checks if properties is not None else ())),
        after=_after(merged, settled) if settled.deps else (),
        used=compiled.rendered.used,
    )
    return changed(
        settled.asset,
        key=key,
        code_version=_digest([first, settled.digest, *others]),
        # The rendered texts, not the file's: a macro that it uses may have changed.
        code_text_hash=_digest([model.sql, model.incremental_sql, settled.digest]),
        file=path,
        line=1,
        columns=_columns(settled, column_lines(compiled.main), properties),
        change_summary=parts,
        definition=model,
    )


def _references(compiled: Compiled, key: AssetKey, path: str) -> tuple[Reference, ...]:
    found: dict[str, Reference] = {}
    for query in compiled.queries:
        for table in query.tables:
            name = table.name
            folded = name.casefold()
            if folded in found or folded == key.folded:
                continue
            place = place_at(query.text, table.start, table.end - table.start)
            if compiled.body != query.text:
                shown = _shown(where_of(path, place), table.is_ref)
                place = place_of(relocate(shown, compiled.body))
            found[folded] = Reference(name=name, file=path, place=place)
    return tuple(found.values())


def _after(merged: Merged, settled: Settled) -> tuple[Reference, ...]:
    where = merged.where("deps")
    place = place_of(where)
    return tuple(Reference(name=name, file=where.file, place=place) for name in settled.deps)


def _shown(where: Where, is_ref: bool) -> Where:  # noqa: FBT001  # private, read at its one call
    """Underline the last part of a `ref`'d name: the marker is not in the template."""
    if not is_ref:
        return where
    word = where.excerpt[where.column - 1 : where.column - 1 + where.length]
    last = word.rpartition(".")[2]
    quote = 1 if last.startswith('"') else 0  # the template's name had no SQL quotes
    start = where.column + len(word) - len(last) + quote
    return replace(where, column=start, length=len(last) - 2 * quote)


def _columns(
    settled: Settled, lines: Mapping[str, int], properties: Properties | None
) -> dict[str, dict[str, Any]]:
    columns: dict[str, dict[str, Any]] = {name: {"line": line} for name, line in lines.items()}
    spelled = {name.casefold(): name for name in columns}
    described = properties.columns if properties is not None else {}
    for name, options in (*described.items(), *settled.columns.items()):
        own = columns.setdefault(spelled.setdefault(name.casefold(), name), {})
        own |= options
    return columns


def _raise(problems: list[MainstemError]) -> None:
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise ErrorGroup(problems)


def _digest(parts: list[str]) -> str:
    return blake2b(orjson.dumps(parts), digest_size=16).hexdigest()


__all__ = ["Surroundings", "UserError", "key_of", "load_sql_model"]
