# SPDX-License-Identifier: Apache-2.0
"""The environment of a command: what the project says, and what `MAINSTEM_*` tell of the run."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import orjson

from mainstem.config import Variables
from mainstem.errors import StepFailed
from mainstem.models.command.definition import Command
from mainstem.runs import StepContext
from mainstem.types import AssetKey

_INHERITED = (
    *("HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LC_ALL", "LC_CTYPE"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)
"""Of the process, and nothing else: secrets of the server are not those of its commands."""
_SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")


def facts_of(context: StepContext, asset: AssetKey, folder: Path) -> dict[str, str]:
    """Tell a command of the run that it is part of."""
    facts = {
        "MAINSTEM_RUN_ID": str(context.run_id),
        "MAINSTEM_ATTEMPT": str(context.attempt),
        "MAINSTEM_ASSET": str(asset),
        "MAINSTEM_ENVIRONMENT": context.environment,
        "MAINSTEM_BRANCH": context.branch,
        "MAINSTEM_LOGICAL_TIME": context.logical_time.isoformat(),
        "MAINSTEM_FULL_REFRESH": "1" if context.full_refresh else "0",
        "MAINSTEM_PROJECT": str(folder),
    }
    slice_ = context.partition
    if slice_ is not None:
        facts["MAINSTEM_PARTITION"] = slice_.text
        facts["MAINSTEM_PARTITION_KEYS"] = orjson.dumps(slice_.keys).decode()
        if slice_.window is not None:
            start, end = slice_.window
            facts["MAINSTEM_PARTITION_START"] = start.isoformat()
            facts["MAINSTEM_PARTITION_END"] = end.isoformat()
    return facts


def environment_of(
    command: Command, facts: Mapping[str, str], variables: Variables, *, asset: str
) -> dict[str, str]:
    """Give all variables of a command; what the owner wrote may refer to what we tell.

    Raises:
        ConfigInvalid: A variable that it refers to is not set.
    """
    inherited = {name: variables.values[name] for name in _INHERITED if name in variables.values}
    # Beside our interpreter: its Python, its tools, and this very program.
    path = [str(Path(sys.executable).parent), variables.values.get("PATH", os.defpath)]
    known = _with(variables, facts)
    own = {
        name: known.expand(text, of=f"`{name}` of {asset}") for name, text in command.env.items()
    }
    return {**inherited, "PATH": os.pathsep.join(path), **own, **facts}


def argv_of(
    command: Command, environment: Mapping[str, str], variables: Variables, *, asset: str
) -> list[str]:
    """Give program and arguments.

    Raises:
        ConfigInvalid: A variable that one refers to is not set.
        StepFailed: One has a byte that no argument can have.
    """
    known = _with(variables, environment)
    argv = (
        [*_SHELL, command.shell]  # which expands its own variables
        if command.shell
        else [known.expand(word, of=f"the command of {asset}") for word in command.argv]
    )
    if any("\0" in word for word in (*argv, *environment.values())):
        raise StepFailed("A7153", f"An argument or variable of {asset} holds a zero byte.")
    return argv


def _with(variables: Variables, more: Mapping[str, str]) -> Variables:
    return replace(variables, values={**variables.values, **more})
