# SPDX-License-Identifier: Apache-2.0
"""Import Python files of a project and find decorated functions in them. Only workers do this."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
)
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from mainstem.errors import ModelInvalid
from mainstem.models.python.declaration import Declaration, declaration_of

if TYPE_CHECKING:
    from importlib.abc import PathEntryFinder


class Stopped(BaseException):
    """The supervisor asked the process to end; user code gets to close what it opened."""


class _FromSource(SourceFileLoader):
    """Compiles a module each time, and keeps nothing of it.

    Compiled files are told apart by size and second: an edit within a second would be missed. Only
    a project's own files change like that; installed packages keep theirs.
    """

    def path_stats(self, path: str | bytes) -> NoReturn:
        """Refuse: without a time, Python neither reads nor writes a compiled file."""
        raise OSError(f"no compiled file is used for {path!r}")


def import_file(root: Path, file: str) -> types.ModuleType:
    """Import a project file under its dotted name, once per process.

    Folders of the project are packages whether or not they have an `__init__.py`, and shadow
    installed packages of their name: `from models.lib import x` means the project's.
    """
    known = _imported.get((root, file))
    if known is not None and sys.modules.get(known.__name__) is known:
        return known
    module = _imported[root, file] = _import(root, file)
    return module


_imported: dict[tuple[Path, str], types.ModuleType] = {}
"""What was asked for by now: a worker that builds a thousand assets asks as often."""


def _import(root: Path, file: str) -> types.ModuleType:
    _see_every_edit(str(root))
    *folders, stem = Path(file).with_suffix("").parts
    for depth in range(1, len(folders) + 1):
        _ensure_package(root, folders[:depth])
    name = ".".join([*folders, stem])
    if name.replace(".", "_").isidentifier():
        return importlib.import_module(name)
    if name not in sys.modules:
        _execute(name, root / file)
    return sys.modules[name]


def declared_in(module: types.ModuleType) -> Iterator[tuple[str, Callable[..., Any], Declaration]]:
    """Find decorated functions of a module, also those in lists and mappings at its top level."""
    for name, value in list(vars(module).items()):
        for path, each in _unfolded(name, value):
            declaration = declaration_of(each)
            if declaration is not None and getattr(each, "__module__", "") == module.__name__:
                yield path, each, declaration


def function_at(module: types.ModuleType, path: str) -> Callable[..., Any]:
    """Give the function that `declared_in` named."""
    function = _declared(module).get(path)
    if function is None:
        raise ModelInvalid("A7103", f"`{path}` is no longer in {module.__name__}.")
    return function


@functools.cache
def _declared(module: types.ModuleType) -> Mapping[str, Callable[..., Any]]:
    # Once a module: a worker that builds a thousand assets of one file asks a thousand times.
    return {path: function for path, function, _ in declared_in(module)}


def _unfolded(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list | tuple):
        yield from ((f"{name}[{index}]", each) for index, each in enumerate(value))
    elif isinstance(value, dict) and not name.startswith("__"):
        yield from ((f"{name}[{key!r}]", each) for key, each in value.items())
    else:
        yield name, value


@functools.cache
def _see_every_edit(root: str) -> None:
    """Have modules below a project's folder compiled anew; an environment in it is not its code."""
    find = FileFinder.path_hook(
        (ExtensionFileLoader, EXTENSION_SUFFIXES), (_FromSource, SOURCE_SUFFIXES)
    )

    def finder(path: str) -> PathEntryFinder:
        is_below = path == root or path.startswith(root + os.sep)
        if not is_below or path.startswith(sys.prefix + os.sep) or "site-packages" in path:
            raise ImportError("not a folder of the project", path=path)
        return find(path)

    sys.path_hooks.insert(0, finder)
    for path in [known for known in sys.path_importer_cache if known.startswith(root)]:
        del sys.path_importer_cache[path]


def _ensure_package(root: Path, folders: list[str]) -> None:
    name, folder = ".".join(folders), root.joinpath(*folders)
    if name in sys.modules:
        return
    if (folder / "__init__.py").is_file():
        _execute(name, folder / "__init__.py", search=[str(folder)])
    else:
        package = types.ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package


def _execute(name: str, path: Path, *, search: list[str] | None = None) -> None:
    spec = importlib.util.spec_from_file_location(
        name, path, loader=_FromSource(name, str(path)), submodule_search_locations=search
    )
    assert spec is not None, "a .py file always has a loader"
    assert spec.loader is not None, "a .py file always has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
