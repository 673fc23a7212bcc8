# SPDX-License-Identifier: Apache-2.0
"""What each file of the project says by itself, kept until the file or its surroundings change."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import orjson

from mainstem import __version__, models  # what parses SQL is imported for SQL only
from mainstem.config import Environment, Settings, load_settings
from mainstem.errors import ConfigInvalid, ErrorGroup, MainstemError, Where
from mainstem.graph import Asset
from mainstem.ingest import load_ingest_file
from mainstem.models import Properties, PropertyIndex, load_properties
from mainstem.project.files import ProjectFile, digest_of
from mainstem.project.loaded import env_digest, env_is_current
from mainstem.types import changed, dataclass

if TYPE_CHECKING:
    from mainstem.models import Draft, Surroundings

Value = TypeVar("Value")
Next = TypeVar("Next")

_GROUP = 32
"""Files of SQL that are read together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What one file said."""

    digest: str
    """Of the file and of what else it was read with."""
    kind: str
    assets: tuple[Asset, ...] = ()
    properties: tuple[Properties, ...] = ()
    check: Any = None
    env: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that it read, as digests of their values."""
    problems: tuple[MainstemError, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surrounding:
    """What all files are read with."""

    folder: Path
    settings: Settings
    environment: Environment
    env: Mapping[str, str]
    contents: Mapping[str, bytes] = field(default_factory=dict)
    """Of files that were just read: what their digest was made of."""

    @property
    def target(self) -> Mapping[str, Any]:
        """What templates see as `target`."""
        return {
            "name": self.environment.name,
            "type": "duckdb",
            "schema": "main",
            "profile_name": self.settings.name,
        }


def read_settings(folder: Path, variables: Mapping[str, Any]) -> Settings:
    """Read mainstem.yml, with the command line's variables on top."""
    return load_settings(folder, version=__version__).with_vars(variables)


def parse_all(
    files: Iterable[ProjectFile], surrounding: Surrounding, *, known: Mapping[str, Parsed]
) -> dict[str, Parsed]:
    """Parse every file but Python and settings; one broken file does not hide the others."""
    ordered = list(files)
    parsed: dict[str, Parsed] = {}
    for file in ordered:
        if file.kind in {"properties", "ingest"}:
            parsed[file.path] = _kept(known, file, file.digest) or _parse_yaml(file, surrounding)
    index = PropertyIndex(
        entries=tuple(entry for item in parsed.values() for entry in item.properties)
    )
    macros: dict[str, str] = {}
    for file in ordered:
        if file.kind == "macro":
            try:
                macros[file.path] = _text_of(file, surrounding)
            except ConfigInvalid as error:
                parsed[file.path] = Parsed(digest="", kind=file.kind, problems=(error,))
    reader = _SqlReader(surrounding, index, macros, known=known)
    texts = [file for file in ordered if file.kind in {"sql", "seed", "check"}]
    for first in range(0, len(texts), _GROUP):
        parsed |= reader.read(texts[first : first + _GROUP])
    return parsed


def _kept(known: Mapping[str, Parsed], file: ProjectFile, digest: str) -> Parsed | None:
    before = known.get(file.path)
    return before if before is not None and before.digest == digest else None


def _text_of(file: ProjectFile, surrounding: Surrounding) -> str:
    """Read a file; a byte that is no UTF-8 must not end up as `\ufffd` in somebody's data."""
    content = surrounding.contents.get(file.path)
    if content is None:
        content = (surrounding.folder / file.path).read_bytes()
    content = content.removeprefix(BOM_UTF8)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigInvalid(
            "A1063",
            f"{file.path} is not UTF-8: byte 0x{content[error.start]:02x} in line {line}.",
            hint="Save it in the encoding UTF-8.",
            where=Where(file=file.path, line=line),
        ) from error


def _parse_yaml(file: ProjectFile, surrounding: Surrounding) -> Parsed:
    try:
        text = _text_of(file, surrounding)
        if file.kind == "ingest":
            assets = tuple(load_ingest_file(text, file.path))
            return Parsed(digest=file.digest, kind=file.kind, assets=assets)
        properties = load_properties(text, file.path)
        return Parsed(digest=file.digest, kind=file.kind, properties=properties)
    except MainstemError as error:
        return Parsed(digest=file.digest, kind=file.kind, problems=_each(error))


class _Begun(NamedTuple, Generic[Value]):
    """A SQL model that is being loaded."""

    digest: str
    value: Value
    """What is known of it so far."""


def _further(begun: Parsed | _Begun[Value], step: Callable[[Value], Next]) -> Parsed | _Begun[Next]:
    """Do the next step of loading a SQL model, unless all is said of it."""
    if isinstance(begun, Parsed):
        return begun
    try:
        return _Begun(begun.digest, step(begun.value))
    except MainstemError as error:
        return Parsed(digest=begun.digest, kind="sql", problems=_each(error))


class _SqlReader:
    """Reads models, seeds and checks, unless they are known."""

    def __init__(
        self,
        surrounding: Surrounding,
        index: PropertyIndex,
        macros: Mapping[str, str],
        *,
        known: Mapping[str, Parsed],
    ) -> None:
        self._surrounding = surrounding
        self._index = index
        self._macros = macros
        self._known = known
        environment = surrounding.environment
        common = [macros, surrounding.settings.name, environment.name, dict(environment.vars)]
        options = orjson.OPT_SORT_KEYS
        self._common = digest_of(orjson.dumps(common, option=options, default=str))

    def read(self, files: Iterable[ProjectFile]) -> dict[str, Parsed]:
        """Give what some files say, by path.

        Each step is done for all of them before the next: the parser and what follows it do not
        fit into the caches of a processor together, and one file after the other takes a sixth
        longer.
        """
        begun = {file.path: self._begun(file) for file in files}
        understood = {path: _further(it, models.understand) for path, it in begun.items()}
        made = {path: _further(it, models.sql_asset) for path, it in understood.items()}
        return {
            path: self._finished(it) if isinstance(it, _Begun) else it for path, it in made.items()
        }

    def _begun(self, file: ProjectFile) -> Parsed | _Begun[Draft]:
        settings, is_model = self._surrounding.settings, file.kind == "sql"
        below = file.path.partition("/")[2].rpartition(".")[0]
        options = settings.model_options(below) if is_model else {}
        properties = _properties_of(file, options, self._index)
        digest = f"{file.digest}-{self._around_digest(options, properties)}"
        before = _kept(self._known, file, digest)
        if before is not None and env_is_current(before.env, self._surrounding.env):
            return before
        try:
            return self._read(file, digest, options, properties)
        except MainstemError as error:
            return Parsed(digest=digest, kind=file.kind, problems=_each(error))

    def _around_digest(self, options: Mapping[str, Any], properties: Properties | None) -> str:
        """Identify all that a file is read with."""
        if not options and properties is None:
            return self._common
        written = orjson.dumps(options, option=orjson.OPT_SORT_KEYS, default=str)
        described = repr(properties).encode() if properties is not None else b""
        return digest_of(b"\0".join((self._common.encode(), written, described)))

    def _read(
        self,
        file: ProjectFile,
        digest: str,
        options: Mapping[str, Any],
        properties: Properties | None,
    ) -> Parsed | _Begun[Draft]:
        if file.kind == "seed":
            asset = models.load_seed(file.path, file.digest, properties)
            return Parsed(digest=digest, kind=file.kind, assets=(asset,))
        text, around = _text_of(file, self._surrounding), self._around
        if options or properties is not None:
            around = changed(around, folder_options=options, properties=properties)
        if file.kind == "check":
            check = models.load_check(text, file.path, around)
            return Parsed(digest=digest, kind=file.kind, check=check)
        return _Begun(digest, models.draft_sql_model(text, file.path, around))

    def _finished(self, begun: _Begun[Asset]) -> Parsed:
        asset = begun.value
        env = {
            used.name: env_digest(self._surrounding.env.get(used.name))
            for used in asset.definition.used
            if used.kind == "env_var"
        }
        return Parsed(digest=begun.digest, kind="sql", assets=(asset,), env=env)

    @cached_property
    def _around(self) -> Surroundings:
        """What all of them are read with; made for the first, since it needs what parses SQL."""
        surrounding = self._surrounding
        return models.Surroundings(
            project_name=surrounding.settings.name,
            environment=surrounding.environment.name,
            vars=surrounding.environment.vars,
            env=surrounding.env,
            target=surrounding.target,
            macros=self._macros,
        )


def _properties_of(
    file: ProjectFile, options: Mapping[str, Any], index: PropertyIndex
) -> Properties | None:
    if file.kind == "check" or not index.entries:
        return None
    if file.kind == "seed":
        return index.of(models.seed_key(file.path), section="seeds")
    try:
        key = models.key_of(file.path, namespace=str(options.get("namespace") or ""))
    except MainstemError:
        return None  # loading the file says it better
    return index.of(key, section="models")


def _each(error: MainstemError) -> tuple[MainstemError, ...]:
    return error.errors if isinstance(error, ErrorGroup) else (error,)
