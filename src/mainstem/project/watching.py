# SPDX-License-Identifier: Apache-2.0
"""Whether the files of an open project have changed, by looking at them: no hidden helpers.

Costs one `stat` a file. Beside the project's own folders it looks at the Python files that its
modules import from elsewhere, and at the scripts of commands.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from mainstem.errors import MainstemError
from mainstem.models import Discovered, Scripts, script_stamps
from mainstem.project.files import RACY_NS, ProjectFile, scan
from mainstem.types import Clock

_Stamp = tuple[int, int]


class Watch:
    """Remembers the files of a project as they were when it was last asked.

    Args:
        folder: The project.
        clock: Source of time.
    """

    def __init__(self, folder: Path, *, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._files: dict[str, ProjectFile] = {}
        self._read_at_ns = 0
        self._imported: dict[str, _Stamp | None] = {}
        self._scripts: tuple[Scripts, ...] = ()
        self._run: dict[str, _Stamp] = {}
        self.changed()

    def also(self, python: Iterable[Discovered], scripts: Iterable[Scripts] = ()) -> None:
        """Look at what the project's Python imports, and at what its commands run, too."""
        self._scripts = tuple(scripts)
        self._run = self._script_stamps()
        paths = {path for found in python for path in (*found.files, *found.absent)}
        self._imported = {path: self._stamp(path) for path in paths if path not in self._files}

    def changed(self) -> tuple[str, ...]:
        """Give the files that were changed, made or removed since the last call.

        A folder that cannot be read counts as changed: loading it says what is wrong.
        """
        now_ns = int(self._clock.now().timestamp() * 1e9)
        try:
            files = scan(self._folder, known=self._files, read_at_ns=self._read_at_ns)
        except MainstemError as error:
            self._files = {}
            return (error.where.file if error.where is not None else ".",)
        found = {file.path: file for file in files}
        before = self._files
        changed = [
            path
            for path in {**before, **found}
            if path not in before or path not in found or before[path].digest != found[path].digest
        ]
        stamps = {path: self._stamp(path) for path in self._imported}
        changed += [path for path, stamp in stamps.items() if stamp != self._imported[path]]
        run = self._script_stamps()
        changed += [path for path in {*run, *self._run} if run.get(path) != self._run.get(path)]
        self._files, self._read_at_ns, self._imported = found, now_ns, stamps
        self._run = run
        return tuple(sorted(set(changed)))

    def has_newer(self, when: datetime) -> bool:
        """Tell whether a file was changed since a time, or so shortly before that it may be."""
        limit_ns = int(when.timestamp() * 1e9) - RACY_NS
        return any(file.mtime_ns >= limit_ns for file in self._files.values())

    def _script_stamps(self) -> dict[str, _Stamp]:
        stamps: dict[str, _Stamp] = {}
        for scripts in self._scripts:
            stamps |= script_stamps(scripts, self._folder)
        return stamps

    def _stamp(self, path: str) -> _Stamp | None:
        try:
            status = (self._folder / path).stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size
