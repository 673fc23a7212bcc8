# SPDX-License-Identifier: Apache-2.0
"""Which files make a project, and whether they changed since they were last read.

A file is trusted to be unchanged if size and modification time are; unless it was modified so
shortly before the last reading that an edit could hide in the clock's resolution ("racily clean",
as git says), then its digest decides.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from io import FileIO
from pathlib import Path
from typing import Literal, NamedTuple

from mainstem.errors import ConfigInvalid, Where

FileKind = Literal["settings", "ingest", "sql", "python", "properties", "seed", "check", "macro"]

RACY_NS = 2_000_000_000
"""Coarsest modification time of a supported file system, with room to spare."""

_FOLDERS: tuple[tuple[str, Mapping[str, FileKind]], ...] = (
    ("ingest", {".yml": "ingest", ".yaml": "ingest"}),
    ("models", {".sql": "sql", ".py": "python", ".yml": "properties", ".yaml": "properties"}),
    ("seeds", {".csv": "seed", ".yml": "properties", ".yaml": "properties"}),
    ("checks", {".sql": "check", ".py": "python", ".yml": "properties", ".yaml": "properties"}),
    ("macros", {".sql": "macro"}),
    ("sensors", {".py": "python"}),
)


class ProjectFile(NamedTuple):
    """One file of the project as last read; a named tuple, because caches are full of them."""

    path: str
    """Relative to the project folder, forward slashes."""
    kind: FileKind
    size: int
    mtime_ns: int
    digest: str

    @property
    def stem(self) -> str:
        """File name without its ending."""
        return self.path.rpartition("/")[2].rpartition(".")[0]


def scan(
    folder: Path,
    *,
    known: Mapping[str, ProjectFile],
    read_at_ns: int,
    contents: dict[str, bytes] | None = None,
) -> tuple[ProjectFile, ...]:
    """List the project's files in order of path.

    Args:
        folder: The project.
        known: What the last scan found, by path.
        read_at_ns: When the last scan was made; 0 for never.
        contents: Receives what was read of SQL, by path: whoever parses it need not read it again.

    Raises:
        ConfigInvalid: A file or folder cannot be read, or links to where it is in.
    """
    found = sorted(_candidates(folder), key=lambda one: one[0])
    files = []
    for path, kind, entry in found:
        file, content = _stamp(entry, path, kind, known=known.get(path), read_at_ns=read_at_ns)
        files.append(file)
        if contents is not None and content is not None and kind == "sql":
            contents[path] = content
    return tuple(files)


def digest_of(content: bytes) -> str:
    """Give the digest by which files are compared."""
    return blake2b(content, digest_size=16).hexdigest()


def _candidates(folder: Path) -> Iterator[tuple[str, FileKind, os.DirEntry[str]]]:
    names = {"mainstem.yml", "mainstem.yaml"}
    for entry in os.scandir(folder):
        if entry.name in names or entry.name == ".env" or entry.name.startswith(".env."):
            yield entry.name, "settings", entry
    for top, kinds in _FOLDERS:
        yield from _below(folder / top, top, kinds)


def _below(
    folder: Path, prefix: str, kinds: Mapping[str, FileKind]
) -> Iterator[tuple[str, FileKind, os.DirEntry[str]]]:
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        if not folder.is_dir():
            return
        raise _unreadable(prefix, error) from error
    for entry in entries:
        name = entry.name
        if name.startswith((".", "__pycache__")):
            continue
        path = f"{prefix}/{name}"
        try:
            is_folder = entry.is_dir()
        except OSError as error:
            raise _unreadable(path, error) from error
        if is_folder:
            if entry.is_symlink():
                _refuse_circle(entry.path, path)
            yield from _below(folder / name, path, kinds)
        else:
            kind = kinds.get(name[name.rfind(".") :].lower())
            if kind is not None:
                yield path, kind, entry


def _stamp(
    entry: os.DirEntry[str],
    path: str,
    kind: FileKind,
    *,
    known: ProjectFile | None,
    read_at_ns: int,
) -> tuple[ProjectFile, bytes | None]:
    try:
        stat = entry.stat()
        if (
            known is not None
            and known.size == stat.st_size
            and known.mtime_ns == stat.st_mtime_ns
            and stat.st_mtime_ns < read_at_ns - RACY_NS
        ):
            return known, None
        content = _content(entry.path, stat.st_size)
    except OSError as error:
        raise _unreadable(path, error) from error
    file = ProjectFile(path, kind, stat.st_size, stat.st_mtime_ns, digest_of(content))
    return file, content


def _content(path: str, size: int) -> bytes:
    """Read a file in as few calls as it takes: there are thousands, and most are small."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = os.read(descriptor, size + 1)
        if len(content) == size:
            return content
        # It changed since it was looked at, or is too large for one call.
        return content + FileIO(descriptor, closefd=False).readall()
    finally:
        os.close(descriptor)


def _unreadable(path: str, error: OSError) -> ConfigInvalid:
    return ConfigInvalid(
        "A1064",
        f"{path} cannot be read: {error.strerror or error}.",
        hint="Correct the link or the permissions, or move it out of the project.",
        where=Where(file=path),
    )


def _refuse_circle(folder: str, path: str) -> None:
    target = os.path.realpath(folder)
    parent = os.path.realpath(Path(folder).parent)
    if parent == target or parent.startswith(target + os.sep):
        raise ConfigInvalid(
            "A1064",
            f"{path} is a link to a folder that it is in: its files would be read without end.",
            hint="Remove the link.",
            where=Where(file=path),
        )
