# SPDX-License-Identifier: Apache-2.0
"""What git says of the project's code: recorded with every commit of data, shown by `plan`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from mainstem.types import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class GitState:
    """Commit and dirtiness of the folder; empty outside a repository."""

    sha: str = ""
    edited: int = 0
    branch: str = ""

    def __str__(self) -> str:
        if not self.sha:
            return ""
        files = f"{self.edited} edited file{'s' if self.edited != 1 else ''}"
        return self.sha[:7] + (f" + {files}" if self.edited else "")


def git_state(folder: Path) -> GitState:
    """Ask git, once, in at most two seconds; anything unusual is as good as no repository."""
    if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        return GitState()
    # Imported late: most commands ask nothing of git.
    subprocess, git = import_module("subprocess"), import_module("shutil").which("git")
    if git is None:
        return GitState()
    try:
        done = subprocess.run(
            [
                git,
                "-C",
                str(folder),
                "status",
                "--porcelain=v2",
                "--branch",
                "--",
                ".",
                ":(exclude).mainstem",
            ],
            capture_output=True,
            text=True,
            timeout=2,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return GitState()
    lines = done.stdout.splitlines()
    headers = dict(line[2:].partition(" ")[::2] for line in lines if line.startswith("# "))
    sha = headers.get("branch.oid", "")
    return GitState(
        sha="" if sha == "(initial)" else sha,
        edited=sum(not line.startswith("#") for line in lines),
        branch=headers.get("branch.head", ""),
    )
