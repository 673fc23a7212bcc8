# SPDX-License-Identifier: Apache-2.0
"""Whether another machine is fit for a request: equal versions, and the code that the run has.

A worker elsewhere has an installation and a checkout of its own. What it built from other code
would be recorded under the fingerprint of ours.
"""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mainstem.errors import StepFailed, Where
from mainstem.models.python.source import Project, code_of
from mainstem.models.worker.message import Build

COMPARED = ("mainstem", "pyarrow", "duckdb")
"""What pickles requests and writes files."""


def own_versions(names: Sequence[str] = COMPARED) -> dict[str, str]:
    """Give the versions of Python and of some distributions here."""
    found = {"python": ".".join(map(str, sys.version_info[:2]))}
    for name in names:
        found[name] = importlib.metadata.version(name)
    return found


def refuse_others(
    request: object, folder: Path, versions: Mapping[str, str], *, asset: str, here: str
) -> None:
    """Make sure that a request means here what it means where it was made.

    Args:
        request: `Build` or `Judge`.
        folder: The project's, here.
        versions: By `own_versions`, where it was made.
        asset: Its name, for errors.
        here: Names this worker to people.

    Raises:
        StepFailed: Versions, or the code of the asset, differ; or there is no such folder.
    """
    unequal = [
        f"{name} {theirs} rather than {ours}"
        for (name, ours), theirs in zip(
            versions.items(), own_versions([*versions][1:]).values(), strict=True
        )
        if theirs != ours
    ]
    where = Where(asset=asset)
    if unequal:
        raise StepFailed(
            "A7142",
            f"The worker {here} has {'; '.join(unequal)}.",
            hint="Install the same versions on the workers as where the run is started.",
            where=where,
        )
    if not folder.is_dir():
        raise StepFailed(
            "A7143",
            f"The worker {here} has no folder {folder}.",
            hint="Give the workers the project folder and the warehouse under the same paths "
            "(a shared file system).",
            where=where,
        )
    if isinstance(request, Build) and request.code:
        _refuse_other_code(request, folder, where, here)


def _refuse_other_code(request: Build, folder: Path, where: Where, here: str) -> None:
    name = request.function.rpartition(".")[2]
    try:
        code, _ = code_of(Project(folder), request.file, name)
        is_equal = code.digest == request.code
    except (OSError, SyntaxError):
        is_equal = False
    if not is_equal:
        raise StepFailed(
            "A7145",
            f"The worker {here} has other code of {where.asset} than the run: {request.file}, or a "
            "module or distribution that it imports, differs.",
            hint="Check out the same commit there, or let it see the same folder.",
            where=where,
        )
