# SPDX-License-Identifier: Apache-2.0
"""Templates that need Jinja: sandboxed, with the project's macros; the only importer of jinja2."""

from __future__ import annotations

import inspect
import re
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import lru_cache
from types import CodeType
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, UndefinedError
from jinja2.exceptions import SecurityError
from jinja2.nodes import Macro
from jinja2.sandbox import SandboxedEnvironment

from mainstem.errors import MainstemError, SqlInvalid, Where
from mainstem.sql.marker import RUN_STARTED_AT, quoted
from mainstem.sql.template import Recorder, RenderContext, Rendered, digest
from mainstem.types import AssetKey, did_you_mean, nearest

_UNDEFINED = re.compile(r"'([^']+)' is undefined")


class Relation(str):
    """`this`: the model's table; prints as its name."""

    __slots__ = ("identifier", "name", "schema", "table")

    name: str
    schema: str
    table: str
    identifier: str

    @classmethod
    def of(cls, key: AssetKey) -> Relation:
        """Make the relation of an asset."""
        one = cls(f"{quoted(key.namespace)}.{quoted(key.name)}")
        one.schema = key.namespace
        one.name = one.table = one.identifier = key.name
        return one


class RunTime:
    """`run_started_at`: prints as a placeholder that the run replaces with its logical time."""

    def __init__(self, shift: timedelta = timedelta(0)) -> None:
        self._shift = shift

    def strftime(self, pattern: str) -> str:
        """Print with a format."""
        seconds = int(self._shift.total_seconds())
        return f"{RUN_STARTED_AT}{seconds:+d}_{pattern.encode().hex()}__"

    def isoformat(self) -> str:
        """Print as ISO 8601."""
        return self.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")

    def date(self) -> str:
        """Print the day."""
        return self.strftime("%Y-%m-%d")

    def __add__(self, shift: timedelta) -> RunTime:
        return RunTime(self._shift + shift)

    def __sub__(self, shift: timedelta) -> RunTime:
        return RunTime(self._shift - shift)

    def __str__(self) -> str:
        return self.strftime("%Y-%m-%d %H:%M:%S.%f+00:00")


class Target(Mapping[str, Any]):
    """`target`: the environment; records which of its values are read."""

    def __init__(self, values: Mapping[str, Any], record: Callable[[str, Any], None]) -> None:
        self._values = values
        self._record = record

    def __getitem__(self, name: str) -> Any:
        value = self._values[name]
        self._record(name, value)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Renderer:
    """An environment with the macros of one project."""

    def __init__(self, macros: Mapping[str, str]) -> None:
        # Macros see globals only, so one rendering at a time owns them.
        self._lock = threading.Lock()
        self._recorder: Recorder | None = None
        self._macros = dict(macros)
        self.digest = digest(sorted(self._macros.items()))
        self.environment = SandboxedEnvironment(
            undefined=StrictUndefined,
            extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"],
            keep_trailing_newline=True,
            autoescape=False,  # SQL, not HTML
        )
        names = ("ref", "source", "config", "var", "env_var", "is_incremental", "newer_than")
        for name in names:
            self.environment.globals[name] = self._calling(name)
        self.environment.globals["exceptions"] = {"raise_compiler_error": self._raise}
        self.environment.globals["execute"] = False
        self.environment.globals["modules"] = {"datetime": {"timedelta": timedelta}}
        self._codes: dict[str, CodeType] = {}
        self._modules: dict[str, Mapping[str, Any]] = {}
        self._load_macros()

    def render(self, text: str, context: RenderContext, *, file: str) -> Rendered:
        """Render one template."""
        recorder = Recorder(context, lambda: self._place(text, file))
        recorder.used["macros", ""] = self.digest
        target = {"name": context.environment, "type": "duckdb", "database": "lake"}
        target |= {"schema": context.key.namespace, **context.target}
        with self._lock:
            self._recorder = recorder
            self._modules = {}
            self.environment.globals |= {
                "this": Relation.of(context.key),
                "target": Target(target, lambda name, value: _record(recorder, name, value)),
                "run_started_at": RunTime(),
                "project_name": context.project_name,
            }
            try:
                sql = self._template(text, file).render()
            except MainstemError:
                raise
            except Exception as error:  # noqa: BLE001  # a template runs the user's code: any error may come out
                raise self._explain(error, text, file) from None
            finally:
                self._recorder = None
        return recorder.finish(sql, is_template=True)

    def _template(self, text: str, file: str) -> Template:
        environment = self.environment
        code = environment.compile(text, name=file, filename=file or "<template>")
        return Template.from_code(environment, code, environment.make_globals(None))

    def _calling(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            recorder = self._recorder
            assert recorder is not None, "a template's function was called outside of rendering"
            try:
                return getattr(recorder, name)(*arguments, **options)
            except TypeError as error:
                message = str(error).replace("Recorder.", "")
                raise recorder.fault("A2024", f"{message}.") from None

        return call

    def _raise(self, message: str) -> None:
        recorder = self._recorder
        assert recorder is not None, "a template's function was called outside of rendering"
        raise recorder.fault("A2025", str(message))

    def _load_macros(self) -> None:
        homes: dict[str, str] = {}
        for file, text in sorted(self._macros.items()):
            try:
                tree = self.environment.parse(text, filename=file)
                self._codes[file] = self.environment.compile(text, name=file, filename=file)
            except Exception as error:  # noqa: BLE001  # same boundary as rendering
                raise self._explain(error, text, file) from None
            for macro in tree.find_all(Macro):
                if macro.name in homes:
                    raise SqlInvalid(
                        "A2026",
                        f"the macro `{macro.name}` is in {homes[macro.name]} already.",
                        hint="Rename one of them.",
                        where=_line(text, file, macro.lineno),
                    )
                homes[macro.name] = file
                if not macro.name.startswith("_"):
                    self.environment.globals[macro.name] = self._forwarding(macro.name, file)

    def _forwarding(self, name: str, file: str) -> Callable[..., Any]:
        """Make a macro known to all files, whatever their order.

        A file's macros see the globals of the moment at which its module is made, so that is done
        once for each rendering, when the first of them is called.
        """

        def forward(*arguments: Any, **options: Any) -> Any:
            if file not in self._modules:
                globals_now = self.environment.make_globals(None)
                template = Template.from_code(self.environment, self._codes[file], globals_now)
                self._modules[file] = template.make_module().__dict__
            return self._modules[file][name](*arguments, **options)

        return forward

    def _place(self, text: str, file: str) -> Where:
        frame = inspect.currentframe()
        while frame is not None:
            template = frame.f_globals.get("__jinja_template__")
            if template is not None:
                line = template.get_corresponding_lineno(frame.f_lineno)
                home = template.filename or ""
                return _line(self._macros.get(home, text), home, line)
            frame = frame.f_back
        return Where(file=file)

    def _explain(self, error: Exception, text: str, file: str) -> SqlInvalid:
        if isinstance(error, TemplateSyntaxError):
            return SqlInvalid(
                "A2020",
                f"the template cannot be read: {(error.message or '').rstrip('.')}.",
                hint="Look for a tag that is not closed, such as {% if %} without {% endif %}.",
                where=_line(text, file, error.lineno),
            )
        line, home = _line_of_error(error)
        if home in self._macros:
            file, text = home, self._macros[home]
        where = _line(text, file, line)
        if isinstance(error, UndefinedError):
            return self._undefined(error, where)
        if isinstance(error, SecurityError):
            return SqlInvalid("A2025", f"the template may not do that: {error}.", where=where)
        name = "" if isinstance(error, TemplateError) else f"{type(error).__name__}: "
        return SqlInvalid("A2025", f"the template failed: {name}{error}.", where=where)

    def _undefined(self, error: UndefinedError, where: Where) -> SqlInvalid:
        match = _UNDEFINED.match(str(error))
        if match is None:
            return SqlInvalid(
                "A2021", f"the template uses what is not there: {error}.", where=where
            )
        name = match[1]
        known = list(self.environment.globals)
        column = where.excerpt.find(name) + 1
        return SqlInvalid(
            "A2021",
            f"the template uses `{name}`, which is not defined.",
            hint=did_you_mean(name, known) or "Macros are read from macros/*.sql.",
            where=Where(
                file=where.file,
                line=where.line,
                column=column,
                length=len(name) if column else 1,
                excerpt=where.excerpt,
            ),
            known=nearest(name, known),
        )


def render(text: str, context: RenderContext, *, file: str = "") -> Rendered:
    """Render a template with Jinja."""
    renderer = _renderer(tuple(sorted(context.macros.items())))
    return renderer.render(text, context, file=file)


@lru_cache(maxsize=4)
def _renderer(macros: tuple[tuple[str, str], ...]) -> Renderer:
    return Renderer(dict(macros))


def _record(recorder: Recorder, name: str, value: Any) -> None:
    recorder.used["target", name] = digest(value)


def _line(text: str, file: str, line: int) -> Where:
    lines = text.split("\n")
    if not 1 <= line <= len(lines):
        return Where(file=file)
    excerpt = lines[line - 1].rstrip("\r")
    return Where(
        file=file,
        line=line,
        column=len(excerpt) - len(excerpt.lstrip()) + 1,
        length=max(1, len(excerpt.strip())),
        excerpt=excerpt,
    )


def _line_of_error(error: Exception) -> tuple[int, str]:
    """Find the template's line that raised; Jinja rewrites tracebacks to template lines."""
    line, home = 0, ""
    for frame, number in traceback.walk_tb(error.__traceback__):
        template = frame.f_globals.get("__jinja_template__")
        if template is not None:
            line, home = number, template.filename or ""
        elif "__jinja_exception__" in frame.f_globals:
            line, home = number, frame.f_code.co_filename
    return line, home
