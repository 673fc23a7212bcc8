# SPDX-License-Identifier: Apache-2.0
"""SQL and Jinja as text and trees: parse, render, rewrite, infer. Pure: no data, no connection.

The only importer of sqlglot and jinja2. Names load on first use, so that a run in which no model
changed pays for neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstem.types import lazily

if TYPE_CHECKING:
    from mainstem.sql.change import change_parts, column_lines
    from mainstem.sql.inference import Inference, infer
    from mainstem.sql.marker import Used, quoted
    from mainstem.sql.place import Place, place_at, place_of, relocate, where_at, where_of
    from mainstem.sql.query import Query, Statement, parse, query_of, read_statement, release
    from mainstem.sql.rewrite import expand, pin_time, qualify, table_name
    from mainstem.sql.scope import TableName
    from mainstem.sql.template import RenderContext, Rendered, is_template, render
    from mainstem.sql.unnamed import compares_unnamed

_PLACES = {
    "change": ("change_parts", "column_lines"),
    "inference": ("Inference", "infer"),
    "marker": ("Used", "quoted"),
    "place": ("Place", "place_at", "place_of", "relocate", "where_at", "where_of"),
    "query": ("Query", "Statement", "parse", "query_of", "read_statement", "release"),
    "rewrite": ("expand", "pin_time", "qualify", "table_name"),
    "scope": ("TableName",),
    "template": ("RenderContext", "Rendered", "is_template", "render"),
    "unnamed": ("compares_unnamed",),
}
_HOME = {name: module for module, names in _PLACES.items() for name in names}

__all__ = [
    "Inference",
    "Place",
    "Query",
    "RenderContext",
    "Rendered",
    "Statement",
    "TableName",
    "Used",
    "change_parts",
    "column_lines",
    "compares_unnamed",
    "expand",
    "infer",
    "is_template",
    "parse",
    "pin_time",
    "place_at",
    "place_of",
    "qualify",
    "query_of",
    "quoted",
    "read_statement",
    "release",
    "relocate",
    "render",
    "table_name",
    "where_at",
    "where_of",
]

__getattr__ = lazily(__name__, _HOME)
