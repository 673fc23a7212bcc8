# SPDX-License-Identifier: Apache-2.0
"""Import Python files of a project and find decorated functions in them. Only workers do this."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mainstem.errors import ModelInvalid
from mainstem.models.python.declaration import Declaration, declaration_of


class Stopped(BaseException):
    """The supervisor asked the process to end; user code gets to close what it opened."""


def import_file(root: Path, file: str) -> types.ModuleType:
    """Import a project file under its dotted name, once per process.

    Folders of the project are packages whether or not they have an `__init__.py`, and shadow
    installed packages of their name: `from models.lib import x` means the project's.
    """
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
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=search)
    assert spec is not None, "a .py file always has a loader"
    assert spec.loader is not None, "a .py file always has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
