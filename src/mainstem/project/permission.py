# SPDX-License-Identifier: Apache-2.0
"""Who may run in a protected environment: jobs, and people who say so, from a clean git tree."""

from __future__ import annotations

from pathlib import Path

from mainstem.config import Environment
from mainstem.errors import UserError
from mainstem.project.git import git_state


def require_permission(environment: Environment, folder: Path, *, is_meant: bool) -> None:
    """Let pass what may run here (SEMANTICS, Branches and merges).

    Args:
        environment: Where the run would publish.
        folder: The project.
        is_meant: `--yes` was given.

    Raises:
        UserError: The environment is protected, and it was not meant or the git tree is dirty.
    """
    if not environment.protected:
        return
    if not is_meant:
        raise UserError(
            "A1054",
            f"Environment `{environment.name}` is protected: only jobs run there by themselves.",
            hint="If you mean it: mainstem run --yes",
        )
    git = git_state(folder)
    if not git.sha or git.edited:
        state = f"{git.edited} edited" if git.sha else "no git commit"
        raise UserError(
            "A1080",
            f"Environment `{environment.name}` is protected and needs a clean git tree; "
            f"there is {state}.",
            hint="Commit first, so that the data can be traced to its code.",
        )
