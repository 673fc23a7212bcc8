# SPDX-License-Identifier: Apache-2.0
"""Which file system a path lies on: SQLite's locks and shared memory need a local one."""

from __future__ import annotations

from pathlib import Path

from mainstem.errors import DatabaseUnavailable

NETWORK_TYPES = frozenset(
    {"9p", "afs", "ceph", "cifs", "davfs", "drvfs", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4"}
    | {"smb", "smb2", "smb3", "smbfs", "virtiofs", "fuse.ceph", "fuse.davfs", "fuse.glusterfs"}
    | {"fuse.rclone", "fuse.s3fs", "fuse.sshfs", "fuse.goofys", "fuse.gcsfuse", "fuse.juicefs"}
)


def refuse_network(path: Path, mounts: Path) -> None:
    """Check that `path` is on a local file system.

    Raises:
        DatabaseUnavailable: It is not: two machines would each believe that they hold the lock.
    """
    kind = file_system_of(path, mounts)
    if kind in NETWORK_TYPES:
        raise DatabaseUnavailable(
            "A5001",
            f"The database {path} lies on a network file system ({kind}), where locks cannot be "
            "trusted; a local disk is needed.",
            hint="Move .mainstem/ to a local disk, or point `lake: {database: ...}` to one; the "
            "warehouse may stay where it is.",
        )


def file_system_of(path: Path, mounts: Path) -> str:
    """Tell the type of the file system that holds `path`, or nothing where that is unknown."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    resolved = path.resolve()
    best, kind = -1, ""
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(fields[1].replace("\\040", " "))
        # The last of equal mount points is the one that is visible.
        if resolved.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), fields[2]
    return kind
