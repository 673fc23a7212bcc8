# SPDX-License-Identifier: Apache-2.0
"""Identity of Python code without running it: what a function's meaning can depend on.

That is its module and each project module it imports, directly or not: their syntax without
docstrings, comments, our decorators and other assets that it does not name; and the versions of
only the distributions that those modules import (SEMANTICS, Versions).
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mainstem.models.python.definition import Code
from mainstem.models.python.installed import Distribution, distributions_of

_OURS = frozenset({"asset", "multi_asset", "check"})


@dataclass(frozen=True, slots=True)
class Part:
    """A statement at the top of a module, and what it mentions."""

    declares: str
    """Name of the asset or check that it defines; empty for anything else."""
    text: str
    """Its syntax."""
    used: frozenset[str]
    """Identifiers, attributes and imported names."""
    imports: tuple[tuple[str, int], ...]
    """Dotted names with the level of relative imports."""
    takes_all: bool
    """`from x import *`."""
    variables: frozenset[str]


@dataclass(frozen=True, slots=True)
class Module:
    """One project module, parsed."""

    path: str
    """Relative to the project folder."""
    text_digest: str
    parts: tuple[Part, ...]
    declares: bool
    """Whether it imports one of our decorators."""


class Project:
    """The modules of a project folder, parsed once per content."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._modules: dict[str, Module] = {}

    def module(self, path: str) -> Module:
        """Parse a module, unless it was parsed with equal content.

        Raises:
            SyntaxError: It does not parse.
            OSError: It cannot be read.
        """
        raw = (self.root / path).read_bytes()
        digest = hashlib.sha256(raw).hexdigest()
        known = self._modules.get(path)
        if known is None or known.text_digest != digest:
            tree = ast.parse(raw, filename=path)
            ours = frozenset(_local_decorators(tree))
            documented = ast.get_docstring(tree, clean=False) is not None
            statements = tree.body[1 if documented else 0 :]
            parts = tuple(_part(each, ours) for each in statements if not _imports_us(each))
            known = Module(path, digest, parts, bool(ours))
            self._modules[path] = known
        return known

    def exists(self, path: str) -> bool:
        """Tell whether the project has this file."""
        return path in self._modules or (self.root / path).is_file()


@dataclass(slots=True)
class Closure:
    """What was found while following a function's names and imports."""

    project: Project
    modules: dict[str, Module] = field(default_factory=dict)
    parts: list[str] = field(default_factory=list)
    """Syntax of statements in the order found."""
    used: set[str] = field(default_factory=set)
    """Identifiers that included statements mention."""
    waiting: dict[str, list[tuple[Module, Part]]] = field(default_factory=dict)
    """Decorated functions that nothing has named yet."""
    outside: set[str] = field(default_factory=set)
    """Top-level names imported from outside the project."""
    variables: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    """Imported modules that do not parse; importing them tells the user."""

    def follow(self, path: str, function: str) -> None:
        """Include a module for the sake of one function, and all that this needs.

        Args:
            path: The module.
            function: A decorated function of it; empty includes them all.
        """
        if function:
            self.used.add(function)
        self._add(self.project.module(path), everything=not function)
        while named := self.waiting.keys() & self.used:
            for name in sorted(named):
                for module, part in self.waiting.pop(name):
                    self._include(module, part)

    def _add(self, module: Module, *, everything: bool = False) -> None:
        if module.path in self.modules:
            return
        self.modules[module.path] = module
        for part in module.parts:
            if part.declares and not everything:
                self.waiting.setdefault(part.declares, []).append((module, part))
            else:
                self._include(module, part)

    def _include(self, module: Module, part: Part) -> None:
        self.parts.append(part.text)
        self.used |= part.used
        self.variables |= part.variables
        for dotted, level in part.imports:
            self._import(module, dotted, level)
        if part.takes_all:
            self.used.update(self.waiting)

    def _import(self, module: Module, dotted: str, level: int) -> None:
        found = _project_files(self.project, module.path, dotted, level)
        for path in found:
            try:
                self._add(self.project.module(path))
            except (SyntaxError, ValueError, OSError):
                self.broken.add(path)
        if not found and not level:
            self.outside.add(dotted.partition(".")[0])


def code_of(project: Project, path: str, function: str) -> tuple[Code, Closure]:
    """Tell the identity of a function's code.

    Args:
        project: Parsed modules, shared between calls.
        path: The module that defines it, relative to the project folder.
        function: Its name; empty for the module as a whole.

    Returns:
        The identity, and the closure behind it.
    """
    closure = Closure(project)
    closure.follow(path, function)
    versions = [str(each) for each in outside_of(closure)]
    digest = hashlib.sha256("\n".join([*closure.parts, *versions]).encode()).hexdigest()
    texts = [module.text_digest for _, module in sorted(closure.modules.items())]
    text_digest = hashlib.sha256("\n".join([function, *texts, *versions]).encode()).hexdigest()
    variables = tuple(sorted(closure.variables))
    code = Code(digest=digest, text_digest=text_digest, variables=variables)
    return code, closure


def outside_of(closure: Closure) -> tuple[Distribution, ...]:
    """Give the distributions that the closure's modules import, ours and Python's aside."""
    names = closure.outside - set(sys.stdlib_module_names) - {"mainstem"}
    return distributions_of(names)


def absent_of(closure: Closure) -> tuple[str, ...]:
    """Give the project paths that would take the place of an outside import if they appeared."""
    names = sorted(closure.outside - {"mainstem", "__future__"})
    return tuple(path for name in names for path in (f"{name}.py", f"{name}/__init__.py"))


def _local_decorators(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "mainstem":
            yield from (alias.asname or alias.name for alias in node.names if alias.name in _OURS)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == "mainstem":
                    yield from (f"{alias.asname or alias.name}.{name}" for name in _OURS)


def _part(statement: ast.stmt, ours: frozenset[str]) -> Part:
    declares = ""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and any(
        _is_ours(each, ours) for each in statement.decorator_list
    ):
        declares = statement.name
    _strip(statement, ours)
    used: set[str] = set()
    imports: list[tuple[str, int]] = []
    variables: set[str] = set()
    for node in ast.walk(statement):
        match node:
            case ast.Name(id=name):
                used.add(name)
            case ast.Attribute(attr=name):
                used.add(name)
                if name == "vars":
                    variables.add(_variable_read(node, statement))
            case ast.Import() | ast.ImportFrom():
                imports += _imported(node)
                used.update(alias.name for alias in node.names)
            case _:
                pass
    return Part(
        declares=declares,
        text=ast.dump(statement),
        used=frozenset(used - {"*"}),
        imports=tuple(imports),
        takes_all="*" in used,
        variables=frozenset(variables),
    )


def _is_ours(decorator: ast.expr, ours: frozenset[str]) -> bool:
    named = decorator.func if isinstance(decorator, ast.Call) else decorator
    return ast.unparse(named) in ours


def _imports_us(statement: ast.stmt) -> bool:
    match statement:
        case ast.ImportFrom(module=module, level=0):
            return (module or "").partition(".")[0] in {"mainstem", "__future__"}
        case ast.Import(names=names):
            return all(alias.name.partition(".")[0] == "mainstem" for alias in names)
        case _:
            return False


def _strip(statement: ast.stmt, ours: frozenset[str]) -> None:
    """Take away what changes no data: docstrings and our decorators."""
    for node in ast.walk(statement):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            node.decorator_list = [each for each in node.decorator_list if not _is_ours(each, ours)]
            if ast.get_docstring(node, clean=False) is not None:
                node.body = node.body[1:] or [ast.Pass()]


def _variable_read(node: ast.Attribute, statement: ast.stmt) -> str:
    """Tell which variable `context.vars["x"]` or `context.vars.get("x")` reads; `*`: any."""
    names = (_key_read(other, node) for other in ast.walk(statement))
    return next((name for name in names if name), "*")


def _key_read(node: ast.AST, variables: ast.Attribute) -> str:
    match node:
        case ast.Subscript(value=value, slice=ast.Constant(value=str(name))) if value is variables:
            return name
        case ast.Call(
            func=ast.Attribute(value=value, attr="get"), args=[ast.Constant(value=str(name)), *_]
        ) if value is variables:
            return name
    return ""


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, int]]:
    if isinstance(node, ast.Import):
        yield from ((alias.name, 0) for alias in node.names)
        return
    base = node.module or ""
    if base:
        yield base, node.level
    for alias in node.names:
        if node.level or base:
            yield (f"{base}.{alias.name}" if base else alias.name), node.level


def _project_files(project: Project, importer: str, dotted: str, level: int) -> list[str]:
    """Give the project files that an import runs: the module, and the packages on the way to it."""
    start: list[str] = []
    if level:
        folders = importer.split("/")[:-1]
        start = folders[: len(folders) - (level - 1)]
    steps = [*start, *dotted.split(".")]
    found = []
    for depth in range(len(start) + 1 if level else 1, len(steps) + 1):
        stem = "/".join(steps[:depth])
        found += [path for path in (f"{stem}/__init__.py", f"{stem}.py") if project.exists(path)]
    return found
