# SPDX-License-Identifier: Apache-2.0
"""From what each file says to one graph: names resolved, options layered, checks attached."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from mainstem import models  # what parses SQL is imported for SQL only
from mainstem.checks import number_repeats, parse_checks
from mainstem.config import Settings
from mainstem.errors import ConfigInvalid, ErrorGroup, MainstemError, Where
from mainstem.graph import Asset, Graph, Names
from mainstem.ingest import FileTable
from mainstem.models import (
    Command,
    Properties,
    PropertyIndex,
    PythonAsset,
    Seed,
    SqlModel,
    output_keys,
    python_assets,
    resolved_check,
)
from mainstem.project.parsing import Parsed, Surrounding
from mainstem.types import AssetKey, CheckSpec, did_you_mean

if TYPE_CHECKING:
    from mainstem.models import Discovered, PythonCheck, PythonModel

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_WORD = re.compile(r"\w+")
_SECTIONS = {"sql": "models", "python": "models", "seed": "seeds", "file": "assets"}


def assemble(
    parsed: Mapping[str, Parsed],
    python: Iterable[Discovered],
    surrounding: Surrounding,
) -> tuple[Graph, tuple[PythonCheck, ...], tuple[MainstemError, ...]]:
    """Connect everything; whatever is wrong is collected.

    Args:
        parsed: What each file said, by path.
        python: What the Python files define.
        surrounding: Settings and environment.

    Returns:
        The graph, the checks written in Python, and all problems.
    """
    problems = [problem for item in parsed.values() for problem in item.problems]
    discovered = list(python)
    problems += [error for found in discovered for error in found.errors]
    index = PropertyIndex(
        entries=tuple(entry for item in parsed.values() for entry in item.properties)
    )
    loaded = [asset for item in parsed.values() for asset in item.assets]
    judged = [(entry, _attempt(problems, models.is_command, entry)) for entry in index.entries]
    commands = [entry for entry, is_command in judged if is_command]
    declared = [entry for entry, is_command in judged if is_command is not False]
    functions = [model for found in discovered for model in found.models]
    names = _names(loaded, functions, commands, problems)
    assets = [_resolved(asset, names, index, problems) for asset in loaded]
    for function in functions:
        assets += _attempt(problems, _python, function, names, index, surrounding) or ()
    for entry in commands:
        made = _attempt(problems, _command, entry, names, surrounding)
        assets += (made,) if made is not None else ()
    assets = [_with_checks(asset, index, problems) for asset in assets]
    assets = _with_check_files(assets, parsed.values(), names, problems)
    resolved = [
        _attempt(problems, resolved_check, check, names)
        for found in discovered
        for check in found.checks
    ]
    judges = tuple(judge for judge in resolved if judge is not None)
    graph = Graph.build(assets)
    problems += _unknown_pools(assets, surrounding.settings)
    if index.entries and not any(item.problems for item in parsed.values()):
        sections = {asset.key: _SECTIONS.get(asset.kind, "assets") for asset in assets}
        # What is wrong with these was said: that there is no such asset is only its consequence.
        sections |= {AssetKey.parse(entry.name): "assets" for entry in declared}
        problems += index.unused(sections)
    # An input that could not be resolved was reported with its place; the graph's word is weaker.
    reported = {error.where.asset for error in problems if error.where is not None}
    problems += [
        error
        for error in graph.problems
        if error.code != "A2003" or error.where is None or error.where.asset not in reported
    ]
    return graph, judges, tuple(_without_consequences(problems, parsed, surrounding.folder))


def _without_consequences(
    problems: Iterable[MainstemError], parsed: Mapping[str, Parsed], folder: Path
) -> Iterable[MainstemError]:
    """Leave out names that are unknown only because the file that speaks of them is broken."""
    words: set[str] = set()
    for path, item in parsed.items():
        if item.problems:
            text = (folder / path).read_text(encoding="utf-8", errors="replace")
            words.update(_WORD.findall(f"{Path(path).stem} {text}".casefold()))
    for error in problems:
        named = re.match(r"`([^`]+)`", error.summary) if error.code == "A2003" else None
        if named is None or named[1].rpartition(".")[2].casefold() not in words:
            yield error


def _names(
    loaded: Iterable[Asset],
    functions: Iterable[PythonModel],
    commands: Iterable[Properties],
    problems: list[MainstemError],
) -> Names:
    keys = [asset.key for asset in loaded]
    keys += [AssetKey.parse(entry.name) for entry in commands]
    for function in functions:
        keys += _attempt(problems, output_keys, function) or ()
    return Names(keys)


def _resolved(
    asset: Asset, names: Names, index: PropertyIndex, problems: list[MainstemError]
) -> Asset:
    if isinstance(asset.definition, SqlModel):
        found, unresolved = models.resolve_inputs(asset, names)
        problems += unresolved
        return found
    if isinstance(asset.definition, FileTable):
        return _described(asset, index)
    return asset


def _described(asset: Asset, index: PropertyIndex) -> Asset:
    """Add what `assets:` in a property file says of an ingested table."""
    said = index.of(asset.key, section="assets")
    if said is None:
        return asset
    columns: dict[str, Mapping[str, Any]] = {
        name: dict(value) for name, value in asset.columns.items()
    }
    for name, described in said.columns.items():
        columns[name] = {**columns.get(name, {}), **described}
    return replace(
        asset,
        tags=tuple(dict.fromkeys((*asset.tags, *said.tags))),
        owner=said.owner or asset.owner,
        description=said.description or asset.description,
        columns=columns,
    )


def _python(
    function: PythonModel, names: Names, index: PropertyIndex, surrounding: Surrounding
) -> tuple[Asset, ...]:
    below = function.file.partition("/")[2].rpartition(".")[0]
    folder = surrounding.settings.model_options(below)

    def layers(key: AssetKey) -> tuple[Mapping[str, Any], ...]:
        said = index.of(key, section="models")
        return (folder,) if said is None else (folder, {**said.options, "columns": said.columns})

    assets = python_assets(function, names, layers=layers, variables=surrounding.environment.vars)
    for asset in assets:
        _require_executor(asset, surrounding.settings)
    return assets


def _command(entry: Properties, names: Names, surrounding: Surrounding) -> Asset:
    below = entry.where.file.partition("/")[2].rpartition(".")[0]
    return models.command_asset(
        entry,
        names,
        folder=surrounding.folder,
        folder_options=surrounding.settings.model_options(below),
    )


def _unknown_pools(assets: Iterable[Asset], settings: Settings) -> Iterable[ConfigInvalid]:
    known = tuple(settings.pools)
    for asset in assets:
        for name in asset.execution.asks.pools:
            if name not in known:
                yield ConfigInvalid(
                    "A1032",
                    f"{asset.key} asks for the pool `{name}`, which is not under `pools:`.",
                    hint=did_you_mean(name, known) or "Write it under `pools:` in mainstem.yml.",
                    where=Where(file=asset.file, line=asset.line, asset=str(asset.key)),
                    known=known,
                )


def _require_executor(asset: Asset, settings: Settings) -> None:
    definition = asset.definition
    assert isinstance(definition, PythonAsset), "assets of the kind python"
    name, known = definition.options.executor, tuple(settings.executors)
    if name and name not in known:
        raise ConfigInvalid(
            "A1030",
            f"{asset.key} asks for the executor `{name}`, which is not under `executors:`.",
            hint=did_you_mean(name, known) or "Write it under `executors:` in mainstem.yml.",
            where=Where(file=asset.file, line=asset.line, asset=str(asset.key)),
            known=known,
        )


def _with_checks(asset: Asset, index: PropertyIndex, problems: list[MainstemError]) -> Asset:
    """Read the raw checks of an asset, from its own file and from property files."""
    specs: list[CheckSpec] = []
    for entry, column, file, line in _raw_checks(asset, index):
        found = _attempt(
            problems, parse_checks, [entry], asset.key, column=column or None, file=file, line=line
        )
        specs += found or ()
    problems += [_cannot_part(asset, spec) for spec in specs if spec.quarantine and _is_text(asset)]
    return replace(asset, checks=tuple(number_repeats(specs))) if specs else asset


def _is_text(asset: Asset) -> bool:
    return asset.materialized in {"view", "ephemeral"}


def _cannot_part(asset: Asset, spec: CheckSpec) -> ConfigInvalid:
    return ConfigInvalid(
        "A4005",
        f"check `{spec.title}` of {asset.key} cannot quarantine: the model is materialized as "
        f"{asset.materialized}, so there are no rows to move aside.",
        hint="Set `materialized: table`, or use `severity: warn`.",
        where=Where(file=spec.file, line=spec.line, asset=str(asset.key)),
    )


def _raw_checks(asset: Asset, index: PropertyIndex) -> Iterable[tuple[Any, str, str, int]]:
    definition = asset.definition
    if isinstance(definition, FileTable):
        for raw in definition.raw_checks:
            yield raw.value, raw.column or "", asset.file, raw.line
    elif isinstance(definition, SqlModel | Seed | PythonAsset):
        for check in definition.checks:
            yield check.entry, check.column, check.file or asset.file, check.line
    # Models and seeds were read together with their properties.
    if isinstance(definition, FileTable | PythonAsset | Command):
        section = _SECTIONS.get(asset.kind, "assets")
        said = index.of(asset.key, section=section)
        for check in said.checks if said is not None else ():
            yield check.entry, check.column, check.file, check.line


def _with_check_files(
    assets: list[Asset],
    parsed: Iterable[Parsed],
    names: Names,
    problems: list[MainstemError],
) -> list[Asset]:
    """Attach `checks/NAME.sql` to the assets that they name."""
    extra: dict[AssetKey, list[CheckSpec]] = {}
    for item in parsed:
        if item.check is None:
            continue
        check = item.check
        key = _attempt(problems, names.resolve, check.asset, where=check.where)
        if key is None:
            continue
        found = _attempt(problems, parse_checks, [check.entry], key, file=check.where.file, line=1)
        extra.setdefault(key, []).extend(found or ())
    if not extra:
        return assets
    return [
        replace(asset, checks=tuple(number_repeats([*asset.checks, *extra[asset.key]])))
        if asset.key in extra
        else asset
        for asset in assets
    ]


def _attempt(
    problems: list[MainstemError],
    act: Callable[Arguments, Result],
    *arguments: Arguments.args,
    **options: Arguments.kwargs,
) -> Result | None:
    """Do something; what is wrong is noted, and the rest goes on."""
    try:
        return act(*arguments, **options)
    except ErrorGroup as group:
        problems.extend(group.errors)
    except MainstemError as error:
        problems.append(error)
    return None
