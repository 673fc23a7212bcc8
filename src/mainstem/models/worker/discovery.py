# SPDX-License-Identifier: Apache-2.0
"""Ask workers what the Python files of a project define; the supervisor never imports them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mainstem.errors import ModelInvalid, StepFailed, Where
from mainstem.models.python.definition import Discovered
from mainstem.models.worker.message import Load, Loaded, Loading
from mainstem.models.worker.output import Stream
from mainstem.models.worker.pool import WorkerPool

IMPORT_TIMEOUT_S = 60.0


def discover(
    pool: WorkerPool,
    files: Sequence[str],
    *,
    log: Callable[[str, Stream], object] | None = None,
    timeout_s: float = IMPORT_TIMEOUT_S,
) -> tuple[Discovered, ...]:
    """Import files in a worker and tell what each defines.

    A file that hangs, exits or crashes the worker costs one error; the others go on in a new one.

    Args:
        pool: Where to import them.
        files: Relative to the project folder, with forward slashes.
        log: Takes what the files print while they are imported; by default that is dropped.
        timeout_s: For each file.

    Returns:
        One answer for each file, in their order.
    """
    found: dict[str, Discovered] = {}
    left = list(files)
    while left:
        loading: list[str] = []

        def note(message: Any, loading: list[str] = loading) -> None:
            if isinstance(message, Loading):
                loading.append(message.file)
            elif isinstance(message, Loaded):
                found[message.discovered.file] = message.discovered

        try:
            pool.run(
                Load(files=tuple(left)),
                asset="the project's Python files",
                answer=note,
                log=log or _drop,
                timeout_s=timeout_s,
                is_per_message=True,
            )
        except StepFailed as error:
            culprit = loading[-1] if loading else left[0]
            found[culprit] = Discovered(file=culprit, errors=(_broken(culprit, error),))
        left = [file for file in left if file not in found]
    return tuple(found[file] for file in files)


def _broken(file: str, error: StepFailed) -> ModelInvalid:
    how = "took too long" if error.code == "A7111" else error.summary.partition(" files ")[2]
    return ModelInvalid(
        "A7107",
        f"{file} cannot be imported: the worker process {how.removesuffix('.')}.",
        hint="A file of a project is imported to see its assets: move work into the functions.",
        where=Where(file=file),
        details=error.details,
    )


def _drop(_text: str, _stream: Stream) -> None:
    pass
