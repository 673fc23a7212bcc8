# SPDX-License-Identifier: Apache-2.0
"""The project as it was last loaded, valid while nothing that it was made from changed.

A project in which nothing changed imports no parser of SQL or YAML and no user code: this module
and what it unpickles are all that a run with nothing to do needs. Everything else is in `loading`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from mainstem.config import load_variables
from mainstem.models import is_current, scripts_are_current
from mainstem.project.files import ProjectFile, scan
from mainstem.project.garbage import seldom_collecting
from mainstem.project.loaded import LoadedProject, LoadRequest, env_is_current
from mainstem.types import Clock, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    request: str
    files: Mapping[str, ProjectFile]
    read_at_ns: int
    loaded: LoadedProject | None
    """`None` if there were problems: they are looked for anew each time."""


def load_project(request: LoadRequest, *, clock: Clock) -> LoadedProject:
    """Load a project, from the snapshot if it still holds.

    Raises:
        ConfigInvalid: mainstem.yml is wrong, so nothing else can be said.
    """
    cache = request.cache()
    before: _Snapshot | None = cache.load()
    now_ns = int(clock.now().timestamp() * 1e9)
    contents: dict[str, bytes] = {}
    files = scan(
        request.folder,
        known=before.files if before is not None else {},
        read_at_ns=before.read_at_ns if before is not None else 0,
        contents=contents,
    )
    if before is not None and before.loaded is not None and _holds(before, request, files):
        return before.loaded
    with seldom_collecting():
        loading = import_module("mainstem.project.loading")
        loaded: LoadedProject
        loaded, memory = loading.load(request, files, contents, cache.load_rest())
        cache.store(
            _Snapshot(
                request=request.digest,
                files={file.path: file for file in files},
                read_at_ns=now_ns,
                loaded=None if loaded.problems else loaded,
            ),
            memory,
        )
    return loaded


def _holds(before: _Snapshot, request: LoadRequest, files: tuple[ProjectFile, ...]) -> bool:
    loaded = before.loaded
    assert loaded is not None, "asked only for a whole result"
    if before.request != request.digest or len(files) != len(before.files):
        return False
    same = all(
        file.path in before.files and before.files[file.path].digest == file.digest
        for file in files
    )
    return (
        same
        and _env_holds(loaded, request)
        and _python_holds(loaded, request, files)
        and all(scripts_are_current(scripts, request.folder) for scripts in loaded.scripts)
    )


def _env_holds(loaded: LoadedProject, request: LoadRequest) -> bool:
    if not loaded.env:
        return True
    name = loaded.environment.name
    values = load_variables(request.folder, name, process=request.process).values
    return env_is_current(loaded.env, values)


def _python_holds(
    loaded: LoadedProject, request: LoadRequest, files: tuple[ProjectFile, ...]
) -> bool:
    """Look at what Python files depend on beyond the files that were scanned."""
    scanned = {file.path for file in files}
    return all(
        (set(found.files) <= scanned and not found.absent and not found.installed)
        or is_current(found, request.folder)
        for found in loaded.python
    )
