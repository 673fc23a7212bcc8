# SPDX-License-Identifier: Apache-2.0
"""Files of the project that a command runs: found by words and globs, told by content."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from hashlib import blake2b
from pathlib import Path

from mainstem.types import dataclass

_WORD = re.compile(r"[^\s'\"|;&<>()$`=]+")
_WORDS_AT_MOST = 500
_ENDINGS = (
    *(".awk", ".bash", ".do", ".exe", ".go", ".ipynb", ".jar", ".jl", ".jq", ".js", ".lua", ".mjs"),
    *(".php", ".pl", ".ps1", ".py", ".qmd", ".r", ".rb", ".rmd", ".sas", ".scala", ".sed", ".sh"),
    *(".sql", ".ts", ".zsh"),
)
"""Of files that are code; others count if they may be executed, or under `files:`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripts:
    """What was found, and how to look again."""

    words: tuple[str, ...] = ()
    """Parts of the command that may be paths of files."""
    globs: tuple[str, ...] = ()
    found: Mapping[str, str] = field(default_factory=dict)
    """Digest of each file, by its path relative to the project folder."""


def find_scripts(folder: Path, words: tuple[str, ...], globs: tuple[str, ...]) -> Scripts:
    """Find the files of a command now."""
    paths = sorted({*_named(folder, words), *_matching(folder, globs)})
    found = {path: _digest(folder / path) for path in paths}
    return Scripts(words=words, globs=globs, found=found)


def scripts_are_current(scripts: Scripts, folder: Path) -> bool:
    """Tell whether the same files are there with the same content."""
    return find_scripts(folder, scripts.words, scripts.globs).found == scripts.found


def script_stamps(scripts: Scripts, folder: Path) -> dict[str, tuple[int, int]]:
    """Give time and size of each file as it is now: cheap enough to be asked for all the time."""
    stamps = {}
    for path in {*_named(folder, scripts.words), *_matching(folder, scripts.globs)}:
        try:
            status = (folder / path).stat()
        except OSError:
            continue
        stamps[path] = (status.st_mtime_ns, status.st_size)
    return stamps


def words_in(text: str) -> tuple[str, ...]:
    """Give the words of a shell text that may be paths."""
    return tuple(dict.fromkeys(_WORD.findall(text)))[:_WORDS_AT_MOST]


def _named(folder: Path, words: tuple[str, ...]) -> Iterator[str]:
    for word in words:
        path = os.path.normpath(word)
        inside = not path.startswith((os.sep, f"..{os.sep}", ".mainstem")) and path != ".."
        # A word may also name what the command writes: that is no part of its code.
        if inside and os.path.isfile(folder / path) and _is_code(folder / path):  # noqa: PTH113  # any text: never raises
            yield Path(path).as_posix()


def _is_code(path: Path) -> bool:
    return path.suffix.lower() in _ENDINGS or os.access(path, os.X_OK)


def _matching(folder: Path, globs: tuple[str, ...]) -> Iterator[str]:
    for glob in globs:
        for path in folder.glob(glob):
            below = path.relative_to(folder)
            is_hidden = any(part.startswith((".", "__pycache__")) for part in below.parts)
            if not is_hidden and path.is_file():
                yield below.as_posix()


def _digest(path: Path) -> str:
    try:
        return blake2b(path.read_bytes(), digest_size=16).hexdigest()
    except OSError:
        return ""
