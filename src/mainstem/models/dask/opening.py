# SPDX-License-Identifier: Apache-2.0
"""From settings to a Dask executor; nothing of Dask is imported before one is asked for."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from mainstem.config import Executor
from mainstem.errors import ConfigInvalid

if TYPE_CHECKING:
    from mainstem.models.dask.executor import DaskExecutor


def open_dask(folder: Path, settings: Executor) -> DaskExecutor:
    """Make an executor; it connects when its first step comes.

    Raises:
        ConfigInvalid: Dask is not installed.
    """
    if find_spec("distributed") is None:
        raise ConfigInvalid(
            "A7144",
            f"Executor `{settings.name}` is of type dask, and Dask is not installed.",
            hint="pip install 'mainstem[dask]'",
        )
    executor: DaskExecutor = import_module("mainstem.models.dask.executor").DaskExecutor(
        folder, settings
    )
    return executor
