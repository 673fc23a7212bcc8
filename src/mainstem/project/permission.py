# SPDX-License-Identifier: Apache-2.0
"""Who may run in a protected environment: jobs, and people who say so, from a clean git tree."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mainstem.config import Environment, Settings
from mainstem.errors import UserError
from mainstem.project.git import git_state

if TYPE_CHECKING:
    from mainstem.project.project import Project


def permit(project: Project, *, is_meant: bool) -> None:
    """Let pass what may run on the branch of a project; raises what `require_permission` does."""
    require_permission(
        project.settings,
        project.environment,
        branch=project.branch,
        folder=project.folder,
        is_meant=is_meant,
    )


def require_permission(
    settings: Settings, environment: str, *, branch: str, folder: Path, is_meant: bool
) -> None:
    """Let pass what may run here (SEMANTICS, Branches and merges).

    Args:
        settings: Of the project.
        environment: The one that is run in.
        branch: Where the run would publish: of a protected environment, it is as protected.
        folder: The project.
        is_meant: `--yes` was given.

    Raises:
        UserError: The environment is protected, and it was not meant or the git tree is dirty.
    """
    guard = _guarding(settings, settings.environment(environment), branch)
    if not guard.protected:
        return
    if not is_meant:
        raise UserError(
            "A1054",
            f"Environment `{guard.name}` is protected: only jobs run there by themselves.",
            hint="If you mean it: mainstem run --yes",
        )
    git = git_state(folder)
    if not git.sha or git.edited:
        state = f"{git.edited} edited" if git.sha else "no git commit"
        raise UserError(
            "A1080",
            f"Environment `{guard.name}` is protected and needs a clean git tree; "
            f"there is {state}.",
            hint="Commit first, so that the data can be traced to its code.",
        )


def _guarding(settings: Settings, environment: Environment, branch: str) -> Environment:
    """Give the environment whose protection holds: another one's, if this is its branch."""
    if environment.protected:
        return environment
    for other in settings.environments.values():
        if other.protected and other.lake == environment.lake and other.branch == branch:
            return other
    return environment
