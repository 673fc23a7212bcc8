# SPDX-License-Identifier: Apache-2.0
"""Load a project that changed, reading again only the files that did. Called by `snapshot`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from mainstem.config import load_variables
from mainstem.models import Command, SqlModel, is_current
from mainstem.project.assembly import assemble
from mainstem.project.loaded import LoadedProject, LoadRequest
from mainstem.project.parsing import Parsed, Surrounding, parse_all, read_settings
from mainstem.types import changed, dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mainstem.automation import Triggers
    from mainstem.config import Settings
    from mainstem.errors import MainstemError
    from mainstem.graph import Graph
    from mainstem.models import Discovered
    from mainstem.project.files import ProjectFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What each file said; kept on disk, without those that were wrong."""

    parsed: Mapping[str, Parsed]
    python: Mapping[str, Discovered]


def load(
    request: LoadRequest,
    files: tuple[ProjectFile, ...],
    contents: Mapping[str, bytes],
    before: Memory | None,
) -> tuple[LoadedProject, Memory]:
    """Load a project.

    Args:
        request: What to load.
        files: The project's.
        contents: Of those that were just read.
        before: What this gave the last time.

    Returns:
        The project, and what to give the next time.

    Raises:
        ConfigInvalid: mainstem.yml is wrong, so nothing else can be said.
    """
    settings = read_settings(request.folder, request.variables)
    environment = settings.environment(request.environment)
    env = load_variables(request.folder, environment.name, process=request.process).values
    surrounding = Surrounding(
        folder=request.folder,
        settings=settings,
        environment=environment,
        env=env,
        contents=contents,
    )
    before = before or Memory(parsed={}, python={})
    parsed = parse_all(files, surrounding, known=before.parsed)
    python = _discovered(request, files, before.python)
    graph, judges, problems = assemble(parsed, python.values(), surrounding)
    triggers, wrong = _triggers(settings, graph, python.values())
    memory = Memory(
        parsed={path: _shared(it, graph) for path, it in parsed.items() if not it.problems},
        python={path: found for path, found in python.items() if not found.errors},
    )
    loaded = LoadedProject(
        settings=settings,
        environment=environment,
        graph=graph,
        judges=judges,
        problems=(*problems, *wrong),
        env={name: digest for item in parsed.values() for name, digest in item.env.items()},
        python=tuple(python.values()),
        scripts=tuple(
            asset.definition.scripts
            for asset in graph.assets.values()
            if isinstance(asset.definition, Command)
        ),
        triggers=triggers,
    )
    return loaded, memory


def _shared(parsed: Parsed, graph: Graph) -> Parsed:
    """Keep a SQL model as the graph has it, so that it is stored once.

    Resolving it again gives the same: its inputs are found anew by the names that it wrote. Checks
    would be attached twice, so a model that has some is kept as its file said it.
    """
    if len(parsed.assets) != 1 or not isinstance(parsed.assets[0].definition, SqlModel):
        return parsed
    own = parsed.assets[0]
    found = graph.assets.get(own.key)
    is_own = found is not None and found.file == own.file and not found.checks
    return changed(parsed, assets=(found,)) if found is not None and is_own else parsed


def _triggers(
    settings: Settings, graph: Graph, python: Iterable[Discovered]
) -> tuple[Triggers | None, tuple[MainstemError, ...]]:
    sensors = [sensor for found in python for sensor in found.sensors]
    promised = any(asset.run_when or asset.freshness for asset in graph.assets.values())
    if not (sensors or promised or settings.jobs or settings.sensors or settings.hooks):
        return None, ()
    problems: list[MainstemError] = []
    # Imported late: a project without triggers needs no cron.
    triggers: Triggers = import_module("mainstem.automation").triggers_of(
        settings, graph, sensors, problems
    )
    return triggers, tuple(problems)


def _discovered(
    request: LoadRequest, files: tuple[ProjectFile, ...], known: Mapping[str, Discovered]
) -> dict[str, Discovered]:
    paths = [file.path for file in files if file.kind == "python"]
    found = {
        path: known[path]
        for path in paths
        if path in known and is_current(known[path], request.folder)
    }
    missing = tuple(path for path in paths if path not in found)
    if missing:
        found |= {item.file: item for item in request.discover(missing)}
    return {path: found[path] for path in paths}
