# SPDX-License-Identifier: Apache-2.0
"""Where a command acts: the project folder, the environment, the branch of the lake."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from pathlib import Path

from mainstem.config import Environment
from mainstem.errors import ConfigInvalid
from mainstem.project.git import git_state

SETTINGS_NAMES = ("mainstem.yml", "mainstem.yaml")


def find_project(start: Path) -> Path:
    """Give the nearest folder, from `start` upwards, that has a mainstem.yml.

    Raises:
        ConfigInvalid: There is none.
    """
    start = start.absolute()
    for folder in (start, *start.parents):
        if any((folder / name).is_file() for name in SETTINGS_NAMES):
            return folder
    raise ConfigInvalid(
        "A1027",
        f"There is no mainstem.yml in {start.name or start} nor in a folder above it.",
        hint="Change to a project's folder, or create one: mainstem init NAME.",
    )


def branch_of(
    environment: Environment,
    *,
    asked: str | None,
    process: Mapping[str, str],
    folder: Path,
) -> str:
    """Give the lake branch to act on (GRAMMAR 1: `--branch`, MAINSTEM_BRANCH, environment, main).

    Raises:
        ConfigInvalid: The branch follows git, and there is no git branch.
    """
    chosen = asked or process.get("MAINSTEM_BRANCH")
    if chosen:
        return chosen
    if environment.branch != "git":
        return environment.branch_for(_user(process))
    branch = git_state(folder).branch
    if not branch or branch == "(detached)":
        raise ConfigInvalid(
            "A1028",
            f"Environment `{environment.name}` follows the git branch, and none is checked out.",
            hint="Check out a branch, or name the lake's with --branch.",
        )
    return branch


def _user(process: Mapping[str, str]) -> str:
    named = process.get("USER") or process.get("LOGNAME")
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "user"
