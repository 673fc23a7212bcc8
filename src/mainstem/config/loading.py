# SPDX-License-Identifier: Apache-2.0
"""From mainstem.yml to `Settings`. Called by the project when the file changed, else never."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mainstem.config.document import Document, raise_all, read_yaml
from mainstem.config.execution import read_pools
from mainstem.config.keys import SETTINGS_FILE
from mainstem.config.settings import (
    Alert,
    ApiAccess,
    Connection,
    Declared,
    Environment,
    Executor,
    Job,
    LakeSettings,
    ServeSettings,
    Settings,
    names_of,
)
from mainstem.config.shape import problems_of
from mainstem.errors import ConfigInvalid, Where
from mainstem.types import bytes_in, did_you_mean, duration_of, nearest

SETTINGS_NAMES = ("mainstem.yml", "mainstem.yaml")


def load_settings(folder: Path, *, version: str = "") -> Settings:
    """Read and check mainstem.yml.

    Args:
        folder: The project.
        version: Of Mainstem, compared with `requires_mainstem`; empty: not compared.

    Raises:
        ConfigInvalid: There is no such file, or it is wrong (`ErrorGroup` for several faults).
    """
    name = next((name for name in SETTINGS_NAMES if (folder / name).is_file()), None)
    if name is None:
        raise ConfigInvalid(
            "A1027",
            f"There is no mainstem.yml in {folder.name or folder}, so it is no project.",
            hint="Change to a project's folder, or create one: mainstem init NAME.",
        )
    return settings_of(read_yaml(folder / name, name), version=version)


def settings_of(document: Document, *, version: str = "") -> Settings:
    """Check a parsed mainstem.yml.

    Raises:
        ConfigInvalid: As `load_settings`.
    """
    raise_all(problems_of(document, SETTINGS_FILE))
    value: dict[str, Any] = document.value
    environments = _environments(document)
    settings = Settings(
        name=value["name"],
        file=document.file,
        requires_mainstem=value.get("requires_mainstem") or "",
        include=names_of(value.get("include")),
        default_environment=value.get("default_environment") or _only(environments),
        environments=environments,
        models={
            folder.strip("/"): dict(options or {})
            for folder, options in (value.get("models") or {}).items()
        },
        model_lines={
            folder.strip("/"): document.line(("models", folder))
            for folder in value.get("models") or {}
        },
        jobs={
            name: Job(name=name, options=options or {}, line=document.line(("jobs", name)))
            for name, options in (value.get("jobs") or {}).items()
        },
        retention=dict(value.get("retention") or {}),
        telemetry=dict(value.get("telemetry") or {}),
        openlineage=dict(value.get("openlineage") or {}),
        sensors=_declared(document, "sensors"),
        hooks=_declared(document, "hooks"),
        alerts={
            name: Alert(name=name, options=options or {}, line=document.line(("alerts", name)))
            for name, options in (value.get("alerts") or {}).items()
        },
        executors={
            name: Executor(
                name=name,
                type=options["type"],
                address=options.get("address") or "",
                workers=options.get("workers") or 0,
                resources=options.get("resources") or {},
            )
            for name, options in (value.get("executors") or {}).items()
        },
        pools=read_pools(value.get("pools") or {}),
        memory_bytes=bytes_in(value.get("memory")),
        api=_api(value.get("api") or {}),
        serve=_serve(value.get("serve") or {}),
        lines={
            ".".join(str(part) for part in path): mark.line for path, mark in document.keys.items()
        },
    )
    raise_all(_cross_problems(document, settings, version))
    return settings


def _declared(document: Document, section: str) -> dict[str, Declared]:
    return {
        name: Declared(name=name, options=options or {}, line=document.line((section, name)))
        for name, options in (document.value.get(section) or {}).items()
    }


def _api(written: Mapping[str, Any]) -> ApiAccess:
    return ApiAccess(
        hosts=names_of(written.get("hosts")),
        origins=names_of(written.get("origins")),
        token_required=written.get("token") == "required",
    )


def _environments(document: Document) -> dict[str, Environment]:
    value = document.value
    lake = value.get("lake") or {}
    common_vars = value.get("vars") or {}
    common = _connections(document, ("connections",), value.get("connections") or {})
    written = value.get("environments") or {"local": {"branch": "main"}}
    default = value.get("default_environment") or _only(written)
    environments = {}
    for name, raw in written.items():
        options = raw or {}
        # The default environment targets `main`, any other the branch of its name (SEMANTICS).
        branch = options.get("branch") or ("main" if name == default else name)
        own_lake = options.get("lake") or {}
        environments[name] = Environment(
            name=name,
            branch=branch,
            branch_from=options.get("from") or "main",
            protected=bool(options.get("protected")),
            ingest=options.get("ingest") or ("load" if branch == "main" else "read_through"),
            lake=LakeSettings(
                database=own_lake.get("database") or lake.get("database") or "",
                warehouse=own_lake.get("warehouse") or lake.get("warehouse") or "",
            ),
            vars={**common_vars, **(options.get("vars") or {})},
            connections={
                **common,
                **_connections(
                    document,
                    ("environments", name, "connections"),
                    options.get("connections") or {},
                ),
            },
            dbt_target=options.get("dbt_target") or "",
        )
    return environments


def _serve(written: Mapping[str, Any]) -> ServeSettings:
    share = written.get("share") or {}
    given: dict[str, Any] = {
        name: written[name]
        for name in ("max_runs", "lost", "attempts", "history_days")
        if written.get(name) is not None
    }
    given |= {f"{name}_share": count for name, count in share.items() if count is not None}
    for name in ("grace", "lease"):
        length = duration_of(written.get(name))
        if length is not None:
            given[f"{name}_s"] = length.total_seconds()
    return ServeSettings(**given)


def _connections(
    document: Document, path: tuple[str, ...], written: Mapping[str, Any]
) -> dict[str, Connection]:
    return {
        name: Connection(
            name=name,
            type=options["type"],
            options={key: item for key, item in options.items() if key != "type"},
            where=document.where((*path, name)),
        )
        for name, options in written.items()
        if options
    }


def _only(environments: Mapping[str, Any]) -> str:
    """Name the default when none is named: the only one there is; else there is none."""
    return next(iter(environments)) if len(environments) == 1 else ""


def _cross_problems(
    document: Document, settings: Settings, version: str
) -> Iterator[ConfigInvalid]:
    known = tuple(settings.environments)
    if not settings.default_environment:
        yield ConfigInvalid(
            "A1013",
            f"mainstem.yml has {len(known)} environments and no `default_environment`.",
            hint=f"Write `default_environment: {known[0]}`, or another of {', '.join(known)}.",
            where=document.where(("environments",)),
            known=known,
        )
    elif settings.default_environment not in known:
        yield ConfigInvalid(
            "A1020",
            f"`default_environment` is `{settings.default_environment}`, which is not an "
            f"environment; there is {', '.join(known)}.",
            hint=did_you_mean(settings.default_environment, known),
            where=document.where(("default_environment",), of_value=True),
            known=nearest(settings.default_environment, known) or known,
        )
    for name, environment in settings.environments.items():
        unknown = re.findall(r"\{(?!user\})[^}]*\}", re.sub(r"\$\{[^}]*\}", "", environment.branch))
        if unknown:
            yield ConfigInvalid(
                "A1012",
                f"`branch` of environment `{name}` holds {unknown[0]}; allowed is {{user}}.",
                where=document.where(("environments", name, "branch"), of_value=True),
            )
    yield from _alert_problems(document, settings)
    yield from _pool_problems(document, settings)
    if settings.requires_mainstem:
        where = document.where(("requires_mainstem",), of_value=True)
        yield from _version_problems(settings.requires_mainstem, version, where)


_ALERT_NEEDS = {"slack": ("url",), "webhook": ("url",), "email": ("host", "to")}


def _pool_problems(document: Document, settings: Settings) -> Iterator[ConfigInvalid]:
    for name, pool in settings.pools.items():
        if name == "memory":
            yield ConfigInvalid(
                "A1012",
                "`memory` is not a name for a pool: each machine has one of that name.",
                hint="Write `memory:` at the top of mainstem.yml, or choose another name.",
                where=document.where(("pools", name)),
            )
        elif pool.slots is None and not pool.rate_per_s:
            yield ConfigInvalid(
                "A1013",
                f"pool `{name}` limits nothing.",
                hint=f"Write `{name}: 4`, or `{name}: {{slots: 4, rate: 60/m}}`.",
                where=document.where(("pools", name)),
            )


def _alert_problems(document: Document, settings: Settings) -> Iterator[ConfigInvalid]:
    known = tuple(settings.alerts)
    for name, written in settings.alerts.items():
        kind = str(written.options.get("type"))
        for key in _ALERT_NEEDS.get(kind, ()):
            if not written.options.get(key):
                yield ConfigInvalid(
                    "A1012",
                    f"alert `{name}` of type {kind} has no `{key}`.",
                    hint=f"Write `{key}:`; an alert of type {kind} needs "
                    f"{' and '.join(_ALERT_NEEDS[kind])}.",
                    where=document.where(("alerts", name)),
                )
    for name, job in settings.jobs.items():
        for alert in names_of(job.options.get("alert")):
            if alert not in known:
                yield ConfigInvalid(
                    "A1012",
                    f"`alert` of job `{name}` is `{alert}`, which is not under `alerts:`.",
                    hint=did_you_mean(alert, known),
                    where=document.where(("jobs", name, "alert"), of_value=True),
                    known=known,
                )


_CONDITION = re.compile(r"(>=|<=|==|!=|~=|<|>)\s*(\d+(?:\.\d+)*)(?:\.\*)?")


def _version_problems(required: str, version: str, where: Where) -> Iterator[ConfigInvalid]:
    for condition in required.split(","):
        match = _CONDITION.fullmatch(condition.strip())
        if match is None:
            yield ConfigInvalid(
                "A1012",
                f"`requires_mainstem` is `{required}`; allowed are conditions such as >=0.1,<0.2.",
                where=where,
            )
            return
        if version and not _holds(match[1], _numbers(match[2]), _numbers(version)):
            yield ConfigInvalid(
                "A1021",
                f"This project needs mainstem {required}; this is {version}.",
                hint=f'Install one that fits: pip install "mainstem{required}".',
                where=where,
            )
            return


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _holds(operator: str, wanted: tuple[int, ...], actual: tuple[int, ...]) -> bool:
    size = max(len(wanted), len(actual))
    left = actual + (0,) * (size - len(actual))
    right = wanted + (0,) * (size - len(wanted))
    match operator:
        case ">=":
            return left >= right
        case "<=":
            return left <= right
        case "<":
            return left < right
        case ">":
            return left > right
        case "==":
            return actual[: len(wanted)] == wanted
        case "!=":
            return actual[: len(wanted)] != wanted
        case _:  # ~=
            return left >= right and actual[: len(wanted) - 1] == wanted[:-1]
