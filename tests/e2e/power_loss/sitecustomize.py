# SPDX-License-Identifier: Apache-2.0
"""Put on the path of a `mainstem` process to write down what it has made durable.

Every `os.fsync` and every sync of SQLite appends one JSON line to the file named by
`POWER_LOSS_LOG`: for a file its size then, for a folder the names then in it. The harness uses the
list to take away whatever a loss of power could have taken.
"""

import json
import os
import stat
from pathlib import Path

import apsw

_LOG = os.open(os.environ["POWER_LOSS_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
_fsync = os.fsync
_fdatasync = os.fdatasync


def _note(path):
    mode = Path(path).stat()
    if stat.S_ISDIR(mode.st_mode):
        entry = {"folder": path, "names": [name.name for name in Path(path).iterdir()]}
    else:
        entry = {"file": path, "size": mode.st_size}
    os.write(_LOG, (json.dumps(entry) + "\n").encode())


def _traced(sync):
    def traced(handle):
        number = handle if isinstance(handle, int) else handle.fileno()
        result = sync(number)
        _note(str(Path(f"/proc/self/fd/{number}").readlink()))
        return result

    return traced


os.fsync = _traced(_fsync)
os.fdatasync = _traced(_fdatasync)


class _TracedFile(apsw.VFSFile):
    def __init__(self, name, flags):
        self.path = name if isinstance(name, str) else name.filename()
        super().__init__("unix", name, flags)

    def xSync(self, flags):  # noqa: N802
        super().xSync(flags)
        if self.path:
            _note(self.path)


class _TracedFileSystem(apsw.VFS):
    def __init__(self):
        super().__init__("traced", "unix", makedefault=True, iVersion=3)

    def xOpen(self, name, flags):  # noqa: N802
        return _TracedFile(name, flags)


_FILE_SYSTEM = _TracedFileSystem()
