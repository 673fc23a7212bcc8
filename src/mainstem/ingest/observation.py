# SPDX-License-Identifier: Apache-2.0
"""What a source of files would give, found by looking at names, sizes and times: no data is parsed.

Planning and runs without a change call this for every file asset, so it imports nothing heavy, and
reads a file (for its digest) only if size or time differ from what was loaded.
"""

from __future__ import annotations

import os
import stat as stat_module
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from mainstem.errors import ConfigInvalid, DataError, MainstemError, SourceUnavailable, Where
from mainstem.graph import Asset
from mainstem.ingest.table import FileTable
from mainstem.types import AssetKey, dataclass, nearest

Mode = Literal["nothing", "add", "reload"]
"""nothing: all is loaded; add: some are new; reload: all are read, and all rows replaced."""

_WILD = frozenset("*?[")
_BLOCK = 1 << 17


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """One file as it is now."""

    name: str
    """Identity: path relative to the project folder, forward slashes; absolute if outside."""
    path: str
    size: int
    mtime_ns: int
    digest: str = ""
    """Empty: not known, and not needed yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a run would read."""

    key: AssetKey
    mode: Mode
    files: tuple[FoundFile, ...] = ()
    """To read, in the order in which they are read."""
    kept: tuple[FoundFile, ...] = ()
    """Loaded before and unchanged; with the present time if it was only touched."""
    new_count: int = 0
    changed_count: int = 0
    removed: tuple[str, ...] = ()
    size_bytes: int = 0
    summary: str = ""
    """`2 new files, 1.2 MB`, `nothing new in 3 files`."""
    problem: MainstemError | None = None
    """Why nothing can be read; a step raises it."""
    warnings: tuple[str, ...] = ()

    @property
    def is_fresh(self) -> bool:
        """Whether a run has nothing to read."""
        return self.mode == "nothing" and self.problem is None


def observe(
    asset: Asset,
    cursor: Mapping[str, Any] | None,
    project_folder: Path,
    *,
    expand: Callable[[str], str] = str,
    reload: bool = False,
) -> Observation:
    """Compare the files of an asset with what was loaded.

    Args:
        asset: Of kind `file`.
        cursor: Committed with the rows, `None` before the first load.
        project_folder: What `path:` is relative to.
        expand: Replaces `${NAME}` in `path:`.
        reload: All files are to be read again.
    """
    definition = asset.definition
    assert isinstance(definition, FileTable), "observe() is for assets of kind file"
    known: Mapping[str, Mapping[str, Any]] = (cursor or {}).get("files", {})
    try:
        present = find_files(definition, project_folder, expand=expand, asset=asset)
        new, changed, kept = _compared(present, known)
    except MainstemError as error:
        # It fails this table when its turn comes; the others go on.
        return _failed(asset, error)
    if not present and not known:
        return _failed(asset, _nothing_found(definition, asset))
    names = {file.name for file in present}
    removed = tuple(sorted(name for name in known if name not in names))
    first = not known or reload
    other_options = bool(known) and (cursor or {}).get("options") != asset.code_version
    found = _Found(new, changed, kept, removed, is_first=first, other_options=other_options)
    return _decide(asset, definition, found)


def _compared(
    present: Iterable[FoundFile], known: Mapping[str, Mapping[str, Any]]
) -> tuple[list[FoundFile], list[FoundFile], list[FoundFile]]:
    """Part files into new, changed and kept ones."""
    new: list[FoundFile] = []
    changed: list[FoundFile] = []
    kept: list[FoundFile] = []
    for file in present:
        state = known.get(file.name)
        if state is None:
            new.append(file)
        elif (file.size, file.mtime_ns) == (state["size"], state["mtime_ns"]):
            kept.append(_with_digest(file, state["digest"]))
        else:
            digest = state["digest"] if file.size != state["size"] else digest_of(file.path)
            is_equal = file.size == state["size"] and digest == state["digest"]
            (kept if is_equal else changed).append(_with_digest(file, digest if is_equal else ""))
    return new, changed, kept


def _failed(asset: Asset, problem: MainstemError) -> Observation:
    return Observation(key=asset.key, mode="nothing", summary=problem.summary, problem=problem)


def digest_of(path: str) -> str:
    """Give the SHA-256 of a file's content."""
    digest = sha256()
    try:
        with Path(path).open("rb", buffering=0) as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise unreadable(path, error) from error
    return digest.hexdigest()


def find_files(
    definition: FileTable,
    project_folder: Path,
    *,
    expand: Callable[[str], str],
    asset: Asset | None = None,
) -> list[FoundFile]:
    """List the files that the patterns mean, by name.

    Raises:
        SourceUnavailable: A file without wildcard does not exist, or cannot be looked at.
        ConfigInvalid: The path is not on this machine.
    """
    where = Where(file=asset.file, line=asset.line) if asset is not None else None
    folder = expand(definition.path)
    if "://" in folder or any("://" in pattern for pattern in definition.patterns):
        raise ConfigInvalid(
            "A3001",
            f"`{definition.path or definition.patterns[0]}` is not a local path; files behind an "
            "address cannot be read yet.",
            where=where,
        )
    base = project_folder / folder
    found: dict[str, FoundFile] = {}
    for written in definition.patterns:
        pattern = expand(written)
        paths = [base / pattern] if _WILD.isdisjoint(pattern) else _matches(base, pattern)
        for path in paths:
            file = _look(path, project_folder, where)
            found[file.name] = file
    return sorted(found.values(), key=lambda file: file.name)


def _matches(base: Path, pattern: str) -> list[Path]:
    """Expand a glob; files whose name begins with a dot must be asked for, as in a shell."""
    root = Path(pattern).anchor
    found = Path(root).glob(pattern[len(root) :]) if root else base.glob(pattern)
    wants_hidden = pattern.rpartition("/")[2].startswith(".")
    return [
        path
        for path in found
        # A link that leads nowhere is a file that somebody misses: looking at it says so.
        if (path.is_file() or (path.is_symlink() and not path.is_dir()))
        and (wants_hidden or not path.name.startswith("."))
    ]


def unreadable(path: str, error: OSError, where: Where | None = None) -> SourceUnavailable:
    """Make the error for a file that the system refuses."""
    return SourceUnavailable(
        "A3011",
        f"{path} cannot be read: {error.strerror or error}.",
        hint="Check that it is a file and that you may read it.",
        where=where,
    )


def size_text(size: int) -> str:
    """Write a size as in `1.2 MB`."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.5 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def files_text(count: int, kind: str = "") -> str:
    """Write a number of files as in `2 new files`."""
    return f"{count:,} {kind + ' ' if kind else ''}file{'' if count == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class _Found:
    new: list[FoundFile]
    changed: list[FoundFile]
    kept: list[FoundFile]
    removed: tuple[str, ...]
    is_first: bool
    other_options: bool

    @property
    def all(self) -> tuple[FoundFile, ...]:
        return tuple(sorted((*self.new, *self.changed, *self.kept), key=lambda file: file.name))


def _decide(asset: Asset, definition: FileTable, found: _Found) -> Observation:
    fresh = tuple(sorted((*found.new, *found.changed), key=lambda file: file.name))
    if found.is_first:
        return _observation(asset, found, "reload", found.all, "")
    if found.other_options:
        if not found.removed:
            return _observation(asset, found, "reload", found.all, "its options changed: ")
        warning = (
            f"the options of {asset.key} changed, but {files_text(len(found.removed))} it was "
            "loaded from are gone: rows loaded before keep the old options; put the files back to "
            "have all read again"
        )
        if definition.write != "replace":
            mode: Mode = "add" if fresh else "nothing"
            return _observation(asset, found, mode, fresh, "", warnings=(warning,))
    if definition.write == "replace":
        if not (fresh or found.removed or found.other_options):
            return _observation(asset, found, "nothing", (), "")
        if not found.all:
            return _observation(
                asset, found, "nothing", (), "", problem=_all_gone(definition, asset)
            )
        return _observation(asset, found, "reload", found.all, "")
    if definition.write == "append" and found.changed:
        problem = _changed_under_append(asset, found.changed)
        return _observation(asset, found, "nothing", (), "", problem=problem)
    return _observation(asset, found, "add" if fresh else "nothing", fresh, "")


def _observation(
    asset: Asset,
    found: _Found,
    mode: Mode,
    files: tuple[FoundFile, ...],
    why: str,
    *,
    problem: MainstemError | None = None,
    warnings: tuple[str, ...] = (),
) -> Observation:
    size = sum(file.size for file in files)
    return Observation(
        key=asset.key,
        mode=mode,
        files=files,
        kept=tuple(found.kept),
        new_count=len(found.new),
        changed_count=len(found.changed),
        removed=found.removed,
        size_bytes=size,
        summary=problem.summary if problem is not None else why + _summary(found, mode, files),
        problem=problem,
        warnings=warnings,
    )


def _summary(found: _Found, mode: Mode, files: tuple[FoundFile, ...]) -> str:
    if mode == "nothing":
        return f"nothing new in {files_text(len(found.kept))}"
    size = size_text(sum(file.size for file in files))
    counted = (
        (len(found.new), "new"),
        (len(found.changed), "changed"),
        (len(found.removed) if mode == "reload" else 0, "removed"),
    )
    parts = [files_text(count, kind) for count, kind in counted if count]
    if mode == "reload" and found.kept:
        parts.append(f"{files_text(len(files))} to read")
    return ", ".join((*parts, size))


def _look(path: Path, project_folder: Path, where: Where | None) -> FoundFile:
    try:
        stat = path.stat()
    except FileNotFoundError as error:
        raise _missing(path, project_folder, where) from error
    except OSError as error:
        raise unreadable(_identity(path, project_folder), error, where) from error
    if not stat_module.S_ISREG(stat.st_mode) and not path.is_dir():
        raise SourceUnavailable(
            "A3011",
            f"{_identity(path, project_folder)} is a pipe or a device, not a file.",
            hint="Write what comes from it to a file first.",
            where=where,
        )
    if path.is_dir():
        raise SourceUnavailable(
            "A3011",
            f"{_identity(path, project_folder)} is a folder, not a file.",
            hint="Name its files with a glob, as in `files: sales/*.csv`.",
            where=where,
        )
    return FoundFile(
        name=_identity(path, project_folder),
        path=str(path),
        size=stat.st_size,
        mtime_ns=stat.st_mtime_ns,
    )


def _identity(path: Path, project_folder: Path) -> str:
    # Links are not followed: a name must not change because a disk was moved.
    absolute = os.path.normpath(path.absolute())
    root = os.path.normpath(project_folder.absolute())
    if absolute.startswith(root + os.sep):
        return absolute[len(root) + 1 :].replace(os.sep, "/")
    return absolute.replace(os.sep, "/")


def _missing(path: Path, project_folder: Path, where: Where | None) -> SourceUnavailable:
    siblings = sorted(entry.name for entry in path.parent.iterdir()) if path.parent.is_dir() else []
    name = _identity(path, project_folder)
    if path.is_symlink():
        return SourceUnavailable(
            "A3010",
            f"{name} is a link to {path.readlink()}, which does not exist.",
            hint="Restore that file, or remove the link.",
            where=where,
        )
    if not path.parent.is_dir():
        return SourceUnavailable(
            "A3010",
            f"{name} does not exist; there is no folder {_identity(path.parent, project_folder)}.",
            hint="Check `path:` and `files:`.",
            where=where,
        )
    # Endings are alike among most files, and make no two names near.
    alike = [name for name in siblings if Path(name).suffix == path.suffix] or siblings
    by_stem = {Path(name).stem: name for name in alike}
    known = [by_stem[stem] for stem in nearest(path.stem, by_stem)]
    return SourceUnavailable(
        "A3010",
        f"{name} does not exist.",
        hint=f"Did you mean `{known[0]}`?" if known else "Check `path:` and `files:`.",
        where=where,
        known=known or siblings[:10],
    )


def _nothing_found(definition: FileTable, asset: Asset) -> MainstemError:
    patterns = ", ".join(definition.patterns)
    return SourceUnavailable(
        "A3010",
        f"No file matches {patterns} below {definition.path or 'the project folder'}.",
        hint="Check `path:` and `files:`.",
        where=Where(file=asset.file, line=asset.line, asset=str(asset.key)),
    )


def _all_gone(definition: FileTable, asset: Asset) -> MainstemError:
    return SourceUnavailable(
        "A3010",
        f"All files of {asset.key} are gone ({', '.join(definition.patterns)}); the table keeps "
        "its rows.",
        hint="Put a file there, or drop the table: mainstem table drop.",
        where=Where(file=asset.file, line=asset.line, asset=str(asset.key)),
    )


def _changed_under_append(asset: Asset, changed: list[FoundFile]) -> MainstemError:
    names = ", ".join(file.name for file in changed[:3])
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    return DataError(
        "A3012",
        f"{names}{more} changed after being loaded into {asset.key}; with `write: append` its rows "
        "would be there twice.",
        hint="Put the file back as it was and corrected or further rows into a new file; or use "
        "`write: upsert` with a key, or `write: replace`: either reads all files again.",
        where=Where(file=asset.file, line=asset.line, asset=str(asset.key)),
    )


def _with_digest(file: FoundFile, digest: str) -> FoundFile:
    return FoundFile(
        name=file.name,
        path=file.path,
        size=file.size,
        mtime_ns=file.mtime_ns,
        digest=digest,
    )
