# SPDX-License-Identifier: Apache-2.0
"""Render a model's template to SQL; templates of plain calls never import Jinja.

Rendering happens at load and is symbolic: what only a run knows stays a placeholder that
`mainstem.sql.rewrite` fills in, so the normal form of a model does not change from run to run, and
a run needs neither the template nor the macros.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import field
from hashlib import blake2b
from importlib import import_module
from typing import Any

from mainstem.errors import SqlInvalid, Where
from mainstem.sql.marker import NEWER_THAN, REF_NAMESPACE, Used, quoted
from mainstem.sql.place import where_at
from mainstem.types import AssetKey, dataclass, did_you_mean, nearest

_EXPRESSION = re.compile(r"\{\{(?![-+])(.*?)(?<![-+])\}\}", re.DOTALL)
_NEEDS_JINJA = re.compile(r"\{%|\{#|\{\{[-+]|[-+]\}\}")
_LOOKBACK = re.compile(r"\s*\d+(\.\d+)?\s*[a-z]+\s*\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderContext:
    """What a template may see."""

    key: AssetKey
    project_name: str = ""
    environment: str = ""
    vars: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    target: Mapping[str, Any] = field(default_factory=dict)
    macros: Mapping[str, str] = field(default_factory=dict)
    """Text of each file in `macros/`, by path relative to the project."""
    is_incremental: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """SQL with placeholders, and what it was made from."""

    sql: str
    refs: tuple[str, ...] = ()
    """Names given to `ref`, as written."""
    sources: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    used: tuple[Used, ...] = ()
    asks_incremental: bool = False
    """It called `is_incremental()`: both answers must be rendered."""
    is_template: bool = False


class Recorder:
    """The functions that templates call; records each call."""

    def __init__(self, context: RenderContext, place: Callable[[], Where]) -> None:
        self.context = context
        self.place = place
        self.refs: dict[str, None] = {}
        self.sources: dict[str, None] = {}
        self.options: dict[str, Any] = {}
        self.used: dict[tuple[str, str], str] = {}
        self.asks_incremental = False

    def ref(self, *names: str, **options: Any) -> str:
        """Name an asset: `ref('flights')`, `ref('staging.flights')`, `ref('shop', 'flights')`."""
        if options:
            raise self.fault("A2024", f"ref() takes no `{next(iter(options))}`.", "Give a name.")
        if not 1 <= len(names) <= 2 or not all(names):
            raise self.fault("A2024", "ref() takes the name of one asset.", "Write ref('orders').")
        if len(names) == 2 and names[0] != self.context.project_name:
            raise self.fault(
                "A2024",
                f"ref('{names[0]}', '{names[1]}') names a package, and packages are not read yet.",
                f"If `{names[0]}` is a namespace, write ref('{names[0]}.{names[1]}').",
            )
        self.refs[names[-1]] = None
        return ".".join((REF_NAMESPACE, *(quoted(part) for part in split_name(names[-1]))))

    def source(self, *names: str) -> str:
        """Name a table that another project or a loader fills: `source('raw', 'flights')`."""
        if len(names) != 2 or not all(names):
            raise self.fault(
                "A2024",
                "source() takes a namespace and a name.",
                "Write source('raw', 'orders').",
            )
        self.sources[".".join(names)] = None
        return ".".join((REF_NAMESPACE, *(quoted(part) for part in names)))

    def config(self, *positional: Mapping[str, Any], **options: Any) -> str:
        """Take options of the model."""
        for mapping in positional:
            if not isinstance(mapping, Mapping):
                raise self.fault(
                    "A2024",
                    "config() takes options by name.",
                    "Write config(materialized='table').",
                )
            self.options.update(mapping)
        self.options.update(options)
        return ""

    def var(self, name: str, *default: Any) -> Any:
        """Give a project variable."""
        values = self.context.vars
        if name not in values and not default:
            raise self.fault(
                "A2022",
                f"the variable `{name}` is not set.",
                did_you_mean(name, values)
                or f"Set it under `vars:` in mainstem.yml, or with --vars '{name}: ...'.",
                known=nearest(name, values) or sorted(values),
            )
        value = values.get(name, default[0] if default else None)
        self.used["var", name] = digest(value)
        return value

    def env_var(self, name: str, *default: str) -> str:
        """Give a variable of the process's environment."""
        value = self.context.env.get(name)
        if value is None and not default:
            raise self.fault(
                "A2023",
                f"the environment variable `{name}` is not set.",
                f"Set it, put it into .env, or give a default: env_var('{name}', '...').",
            )
        chosen = str(default[0]) if value is None else value
        self.used["env_var", name] = digest(chosen)
        return chosen

    def this(self) -> str:
        """Name the model's own table."""
        return ".".join(
            quoted(part) for part in (self.context.key.namespace, self.context.key.name)
        )

    def is_incremental(self) -> bool:
        """Tell whether rows are added to a table that is there; both answers are compiled."""
        self.asks_incremental = True
        return self.context.is_incremental

    def newer_than(self, column: str, *, lookback: str = "") -> str:
        """Stand for `column > (select max(column) from this)`; true on the first build."""
        if lookback and not _LOOKBACK.match(lookback):
            raise self.fault(
                "A2024",
                f"newer_than() cannot read the lookback `{lookback}`.",
                "Write a number and a unit: lookback='3 days'.",
            )
        return f"{NEWER_THAN}({column}, '{lookback}')" if lookback else f"{NEWER_THAN}({column})"

    def fault(
        self, code: str, summary: str, hint: str = "", *, known: list[str] | None = None
    ) -> SqlInvalid:
        """Make an error at the call's place."""
        return SqlInvalid(code, summary, hint=hint, where=self.place(), known=known or ())

    def finish(self, sql: str, *, is_template: bool) -> Rendered:
        """Freeze what was recorded."""
        return Rendered(
            sql=sql,
            refs=tuple(self.refs),
            sources=tuple(self.sources),
            config=self.options,
            used=tuple(
                Used(kind=kind, name=name, digest=value)
                for (kind, name), value in sorted(self.used.items())
            ),
            asks_incremental=self.asks_incremental,
            is_template=is_template,
        )


def render(text: str, context: RenderContext, *, file: str = "") -> Rendered:
    """Render a template.

    Line breaks are kept by the static path, so that places in the SQL are places in the file.

    Raises:
        SqlInvalid: The template is wrong (A2020 to A2026), with its line.
    """
    if not is_template(text):
        return Rendered(sql=text)
    if not _NEEDS_JINJA.search(text):
        static = _render_static(text, context, file)
        if static is not None:
            return static
    rendered: Rendered = import_module("mainstem.sql.jinja").render(text, context, file=file)
    return rendered


def is_template(text: str) -> bool:
    """Tell whether there is anything to render."""
    return "{" in text and ("{{" in text or "{%" in text or "{#" in text)


def split_name(name: str) -> tuple[str, ...]:
    """Split `namespace.name` at the last dot, as `AssetKey` does."""
    namespace, dot, last = name.rpartition(".")
    return (namespace, last) if dot and namespace else (name,)


def digest(value: object) -> str:
    """Hash a value that a template read."""
    return blake2b(repr(value).encode("utf-8", "replace"), digest_size=16).hexdigest()


def _render_static(text: str, context: RenderContext, file: str) -> Rendered | None:
    """Replace calls with literal arguments; `None` if there is anything else."""
    offset = 0
    recorder = Recorder(context, lambda: where_at(text, offset, file=file, length=2))
    pieces: list[str] = []
    end = 0
    for match in _EXPRESSION.finditer(text):
        call = _literal_call(match[1])
        if call is None:
            return None
        name, arguments, options = call
        offset = match.start()
        try:
            value = str(getattr(recorder, name)(*arguments, **options))
        except TypeError:
            return None  # wrong arguments: Jinja words the error
        pieces.append(text[end : match.start()])
        pieces.append(value + "\n" * (match[0].count("\n") - value.count("\n")))
        end = match.end()
    if "{{" in text[end:] or "}}" in text[end:]:
        return None
    pieces.append(text[end:])
    return recorder.finish("".join(pieces), is_template=True)


def _literal_call(text: str) -> tuple[str, list[Any], dict[str, Any]] | None:
    if "\\" in text:
        return None
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return None
    if isinstance(tree, ast.Name) and tree.id == "this":
        return ("this", [], {})
    if not (isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name)):
        return None
    if tree.func.id not in _STATIC_CALLS:
        return None
    try:
        arguments = [_literal(argument) for argument in tree.args]
        options = {str(word.arg): _literal(word.value) for word in tree.keywords if word.arg}
    except ValueError:
        return None
    if len(options) != len(tree.keywords):
        return None
    return (tree.func.id, arguments, options)


def _literal(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value) if isinstance(value, str | int | float | bool | None):
            return value
        case ast.Name(id) if id in _JINJA_LITERALS:
            return _JINJA_LITERALS[id]
        case ast.List(elements):
            return [_literal(element) for element in elements]
        case ast.Dict(keys, values) if None not in keys:
            return {
                _literal(key): _literal(value)
                for key, value in zip(keys, values, strict=True)
                if key is not None
            }
        case ast.UnaryOp(ast.USub(), ast.Constant(value)) if isinstance(value, int | float):
            return -value
    raise ValueError


_STATIC_CALLS = frozenset({"ref", "source", "config", "var", "env_var", "newer_than"})
_JINJA_LITERALS = {"true": True, "false": False, "none": None}
