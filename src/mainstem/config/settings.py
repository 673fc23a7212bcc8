# SPDX-License-Identifier: Apache-2.0
"""The project's settings as frozen values.

No YAML is imported here, so a project whose settings are cached pays nothing for it. Text
keeps its `${NAME}` until somebody asks `Variables` for it (`mainstem.config.variable`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any, Literal

from mainstem.config.variable import Variables
from mainstem.errors import ConfigInvalid, Where
from mainstem.types import Pool, dataclass, did_you_mean, nearest

IngestMode = Literal["load", "read_through"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeSettings:
    """Where catalog and data are; empty means the project's `.mainstem/`. May hold `${NAME}`."""

    database: str = ""
    warehouse: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One outside system; its options are resolved when it is first used."""

    name: str
    type: str
    options: Mapping[str, Any]
    """As written, without `type`; may hold `${NAME}`."""
    where: Where = field(default_factory=Where)

    def resolve(self, variables: Variables) -> dict[str, Any]:
        """Give the options with every `${NAME}` replaced.

        Raises:
            ConfigInvalid: A variable is not set; names it and this connection, shows no value.
        """
        resolved: dict[str, Any] = variables.expand_all(
            self.options, where=self.where, of=f"connection `{self.name}`"
        )
        return resolved


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Connections, variables and one lake branch (SEMANTICS, Branches)."""

    name: str
    branch: str
    """As written: may be `git`, and may hold `{user}`."""
    branch_from: str = "main"
    protected: bool = False
    ingest: IngestMode = "load"
    lake: LakeSettings = field(default_factory=LakeSettings)
    """The project's, overridden by the environment's."""
    vars: Mapping[str, Any] = field(default_factory=dict)
    """The project's, overridden by the environment's."""
    connections: Mapping[str, Connection] = field(default_factory=dict)
    """The same."""
    dbt_target: str = ""

    def branch_for(self, user: str) -> str:
        """Give the branch with `{user}` filled in; `git` is left to the caller."""
        return self.branch.replace("{user}", user)

    def connection(self, name: str, *, where: Where | None = None) -> Connection:
        """Find a connection.

        Raises:
            ConfigInvalid: There is none of that name.
        """
        found = self.connections.get(name)
        if found is None:
            known = tuple(self.connections)
            raise ConfigInvalid(
                "A1026",
                f"`{name}` is not a connection of environment `{self.name}`.",
                hint=did_you_mean(name, known) or "Write it under `connections:` in mainstem.yml.",
                where=where,
                known=nearest(name, known) or known,
            )
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """Carries out Python steps elsewhere than in worker processes of this machine."""

    name: str
    type: str
    address: str = ""
    """May hold `${NAME}`."""
    workers: int = 0
    resources: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """Something named in mainstem.yml; its keys were checked, `automation` gives them a meaning."""

    name: str
    options: Mapping[str, Any]
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A named run with a schedule; its keys were checked, `automation` gives them a meaning."""

    name: str
    options: Mapping[str, Any]
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Where to tell what; its keys are checked now and used by a later issue."""

    name: str
    options: Mapping[str, Any]
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiAccess:
    """Whom the server answers."""

    hosts: tuple[str, ...] = ()
    """Names that it is called by, beside those of the machine itself."""
    origins: tuple[str, ...] = ()
    """Other sites whose pages may call it."""
    token_required: bool = False
    """Also of callers on the same machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """How `mainstem serve` goes about its work."""

    max_runs: int = 4
    """Launches that run at once."""
    fresh_share: int = 3
    backfill_share: int = 1
    """Slots are divided so while fresh work and backfills both wait."""
    lost: Literal["requeue", "report"] = "requeue"
    """What becomes of a launch whose server died while it ran."""
    attempts: int = 3
    """How often a launch is tried by servers that die of it, before it is given up."""
    grace_s: float = 30.0
    """How long runs may go on when the server is told to stop."""
    lease_s: float = 15.0
    """How long a server may be silent before another one leads."""
    history_days: int = 90
    """Launches are remembered so long after they ended."""

    @property
    def hold_s(self) -> float:
        """How long what a process holds (launches, leases, tickets) is its own if it is silent."""
        return 2 * self.lease_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """mainstem.yml, checked."""

    name: str
    file: str = "mainstem.yml"
    requires_mainstem: str = ""
    include: tuple[str, ...] = ()
    default_environment: str = "local"
    environments: Mapping[str, Environment] = field(default_factory=dict)
    """At least one; without `environments:` it is `local` on branch main."""
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Folder below `models/` to options, as written."""
    model_lines: Mapping[str, int] = field(default_factory=dict)
    jobs: Mapping[str, Job] = field(default_factory=dict)
    sensors: Mapping[str, Declared] = field(default_factory=dict)
    hooks: Mapping[str, Declared] = field(default_factory=dict)
    alerts: Mapping[str, Alert] = field(default_factory=dict)
    executors: Mapping[str, Executor] = field(default_factory=dict)
    pools: Mapping[str, Pool] = field(default_factory=dict)
    memory_bytes: int | None = None
    """What all steps on a machine may need together; `None`: most of what it has."""
    api: ApiAccess = field(default_factory=ApiAccess)
    serve: ServeSettings = field(default_factory=ServeSettings)
    retention: Mapping[str, Any] = field(default_factory=dict)
    """`logs`, `history`, `steps` to durations, as written."""
    telemetry: Mapping[str, Any] = field(default_factory=dict)
    openlineage: Mapping[str, Any] = field(default_factory=dict)
    """Empty: nothing is sent. Both may hold `${NAME}`."""
    lines: Mapping[str, int] = field(default_factory=dict)
    """Line of each setting by dotted name: `environments.prod.branch`."""

    def environment(self, name: str | None = None) -> Environment:
        """Find an environment; the default one without a name.

        Raises:
            ConfigInvalid: There is none of that name.
        """
        wanted = name or self.default_environment
        found = self.environments.get(wanted)
        if found is None:
            known = tuple(self.environments)
            raise ConfigInvalid(
                "A1020",
                f"`{wanted}` is not an environment of this project; it has {', '.join(known)}.",
                hint=did_you_mean(wanted, known) or "Name one with --env.",
                where=Where(file=self.file, line=self.lines.get("environments", 0)),
                known=nearest(wanted, known) or known,
            )
        return found

    def model_options(self, path: str) -> dict[str, Any]:
        """Give the options of a model by its path below `models/`; deeper folders win.

        Tags of all levels add up, as in dbt.
        """
        if not self.models:
            return {}
        merged: dict[str, Any] = {}
        tags: list[str] = []
        folders = sorted(self.models, key=lambda folder: folder.count("/"))
        for folder in folders:
            if path == folder or path.startswith(f"{folder}/"):
                options = self.models[folder]
                written = options.get("tags") or ()
                tags += [written] if isinstance(written, str) else list(written)
                merged |= options
        if tags:
            merged["tags"] = list(dict.fromkeys(tags))
        return merged

    def with_vars(self, overrides: Mapping[str, Any]) -> Settings:
        """Give these settings with variables of the command line over every environment's."""
        if not overrides:
            return self
        return replace(
            self,
            environments={
                name: replace(environment, vars={**environment.vars, **overrides})
                for name, environment in self.environments.items()
            },
        )


def names_of(value: Any) -> tuple[str, ...]:
    """Read what may be one name or a list of names."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(str(item) for item in value)
