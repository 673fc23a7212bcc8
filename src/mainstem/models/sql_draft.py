# SPDX-License-Identifier: Apache-2.0
"""Read the file of one SQL model: its options, and its SQL as trees that nobody looked at yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from mainstem.errors import ModelInvalid, SqlInvalid, Where, united
from mainstem.models.header import split_header
from mainstem.models.options import Merged, Written, config_options, header_problems, merge
from mainstem.models.properties import Properties
from mainstem.sql import (
    RenderContext,
    Rendered,
    Statement,
    is_template,
    read_statement,
    relocate,
    render,
)
from mainstem.types import AssetKey, dataclass

_AS_WRITTEN = Rendered(sql="")
"""Of a model that is no template: it called nothing, and its text is the query's."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What the file of a SQL model says."""

    key: AssetKey
    path: str
    body: str
    """Its text, with the header blanked out."""
    merged: Merged
    """All options, those of other files too."""
    properties: Properties | None
    rendered: Rendered
    statements: tuple[Statement, ...]
    """Its SQL; a second one with `is_incremental()` true, if that makes a difference."""


def draft_sql_model(text: str, path: str, surroundings: Surroundings) -> Draft:
    """Read a SQL model.

    Args:
        text: Content of the file.
        path: Relative to the project folder: `models/marts/delays.sql`.
        surroundings: What else it depends on.

    Raises:
        UserError: What is wrong with it; several faults come as an `ErrorGroup`.
    """
    split = split_header(text, path)
    options, properties = surroundings.folder_options, surroundings.properties
    weaker = [Written(values=options, file="mainstem.yml")] if options else []
    if properties is not None:
        weaker.append(properties.written)
    stronger: list[Written] = []
    if split.header is not None and split.header.value:
        if problems := header_problems(split.header):
            raise united(problems)
        stronger.append(Written(values=split.header.value, document=split.header, file=path))
    merged = merge([*weaker, *stronger], file=path)
    key = _key(path, merged)
    rendered, statements = _read(split.body, path, key, surroundings)
    if rendered.config:
        # An option of the header wins over the same one in config(...): it stands above.
        written = config_options(rendered.config, file=path)
        merged = merge([*weaker, Written(values=written, file=path), *stronger], file=path)
        if _key(path, merged) != key:
            key = _key(path, merged)
            rendered, statements = _read(split.body, path, key, surroundings)
    return Draft(
        key=key,
        path=path,
        body=split.body,
        merged=merged,
        properties=properties,
        rendered=rendered,
        statements=statements,
    )


def _key(path: str, merged: Merged) -> AssetKey:
    return key_of(path, namespace=str(merged.values.get("namespace") or ""))


def _read(
    body: str, path: str, key: AssetKey, surroundings: Surroundings
) -> tuple[Rendered, tuple[Statement, ...]]:
    if not is_template(body):
        return _AS_WRITTEN, (read_statement(body, file=path),)
    rendered = render(body, surroundings.context(key), file=path)
    texts = [rendered.sql]
    if rendered.asks_incremental:
        again = render(body, surroundings.context(key, is_incremental=True), file=path)
        texts += [again.sql] if again.sql != rendered.sql else []
    return rendered, tuple([_statement(sql, body, path) for sql in texts])


def _statement(sql: str, body: str, path: str) -> Statement:
    try:
        return read_statement(sql, file=path)
    except SqlInvalid as error:
        move_to_template(error, sql, body)
        raise


def move_to_template(error: SqlInvalid, sql: str, body: str) -> None:
    """Move the place of an error from rendered SQL to the template that it came from."""
    if error.where is not None and sql != body:
        error.where = relocate(error.where, body)
