# SPDX-License-Identifier: Apache-2.0
"""SQL and Jinja as text and trees: parse, render, rewrite, infer. Pure: no data, no connection.

The only importer of sqlglot and jinja2. Names load on first use, so that a run in which no model
changed pays for neither.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainstem.sql.change import change_parts
    from mainstem.sql.infer import Inference, infer
    from mainstem.sql.query import Query, TableName, parse
    from mainstem.sql.rewrite import expand, inline, pin_time, qualify
    from mainstem.sql.template import Rendered, RenderContext, Used, render

_HOME = {
    "change_parts": "change",
    "Inference": "infer",
    "infer": "infer",
    "Query": "query",
    "TableName": "query",
    "parse": "query",
    "expand": "rewrite",
    "inline": "rewrite",
    "pin_time": "rewrite",
    "qualify": "rewrite",
    "RenderContext": "template",
    "Rendered": "template",
    "Used": "template",
    "render": "template",
}

__all__ = [
    "Inference",
    "Query",
    "RenderContext",
    "Rendered",
    "TableName",
    "Used",
    "change_parts",
    "expand",
    "infer",
    "inline",
    "parse",
    "pin_time",
    "qualify",
    "render",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(name)
    return getattr(import_module(f"mainstem.sql.{_HOME[name]}"), name)
