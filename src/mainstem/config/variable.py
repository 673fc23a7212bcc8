# SPDX-License-Identifier: Apache-2.0
"""`${NAME}`, `${NAME:-default}`, `${file:/run/secrets/x}` and `$$`, resolved when first asked for.

Looked up in the process, which wins, then in `.env.<environment>`, then in `.env`: what is said of
one environment is stronger than what is said of all (GRAMMAR 2). No value ever enters an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from mainstem.errors import ConfigInvalid, Where
from mainstem.types import dataclass, did_you_mean

MASK = "****"

_REFERENCE = re.compile(
    r"\$(?:(?P<dollar>\$)"
    r"|\{file:(?P<file>[^}]*)\}"
    r"|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}"
    r"|(?P<bad>\{[^}]*\}?))"
)
_LINE = re.compile(r"\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_.]*)\s*=\s*(?P<value>.*?)\s*$")


@dataclass(frozen=True, slots=True)
class Variables:
    """What `${NAME}` can mean in one environment of one project."""

    values: Mapping[str, str] = field(repr=False)
    origins: Mapping[str, str] = field(default_factory=dict)
    """Where each came from: `.env.dev`, `.env`, `process`."""
    folder: Path = field(default_factory=Path)
    """Relative paths of `${file:...}` start here."""

    def expand(self, text: str, *, where: Where | None = None, of: str = "") -> str:
        """Replace the references in a text.

        Args:
            text: As written.
            where: Where it is written.
            of: What it belongs to, for the error: `connection `shop``.

        Raises:
            ConfigInvalid: A variable is not set, a secret file is unreadable, a `${` is malformed.
        """
        if "$" not in text:
            return text
        return _REFERENCE.sub(lambda match: self._value(match, where, of), text)

    def expand_all(self, value: Any, *, where: Where | None = None, of: str = "") -> Any:
        """Replace the references in all texts of a nested value."""
        match value:
            case str():
                return self.expand(value, where=where, of=of)
            case Mapping():
                return {
                    key: self.expand_all(item, where=where, of=of) for key, item in value.items()
                }
            case list() | tuple():
                return [self.expand_all(item, where=where, of=of) for item in value]
            case _:
                return value

    def _value(self, match: re.Match[str], where: Where | None, of: str) -> str:
        owner = f"{of} needs it" if of else "a setting needs it"
        if match["dollar"]:
            return "$"
        if match["file"] is not None:
            path = self.folder / match["file"]
            try:
                return path.read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
                raise ConfigInvalid(
                    "A1024",
                    f"The secret file {match['file']} cannot be read ({reason}); {owner}.",
                    hint="Check that it is mounted, and that you may read it.",
                    where=where,
                ) from error
        if match["bad"] is not None:
            raise ConfigInvalid(
                "A1023",
                f"`${match['bad']}` is not a reference to a variable; {owner}.",
                hint="Write ${NAME}, ${NAME:-default} or ${file:path}; $$ is a dollar.",
                where=where,
            )
        name, default = match["name"], match["default"]
        value = self.values.get(name)
        if default is not None and not value:  # as in a shell, `:-` also replaces empty text
            return default
        if value is None:
            raise ConfigInvalid(
                "A1022",
                f"The variable {name} is not set; {owner}.",
                hint=did_you_mean(name, self.values)
                or f"Set it in the process or in .env, or write ${{{name}:-default}}.",
                where=where,
            )
        return value


def load_variables(folder: Path, environment: str, *, process: Mapping[str, str]) -> Variables:
    """Lay the process over `.env.<environment>` over `.env`.

    Args:
        folder: The project.
        environment: Name of the environment.
        process: `os.environ`.

    Raises:
        ConfigInvalid: A line of an env file cannot be read.
    """
    values: dict[str, str] = {}
    origins: dict[str, str] = {}
    for name in (".env", f".env.{environment}"):
        for key, value in _env_file(folder / name, name).items():
            values[key] = value
            origins[key] = name
    for key, value in process.items():
        values[key] = value
        origins[key] = "process"
    return Variables(values, origins, folder)


def references(text: str) -> tuple[str, ...]:
    """Name the variables and secret files that a text refers to."""
    return tuple(
        match["name"] or f"file:{match['file']}"
        for match in _REFERENCE.finditer(text)
        if match["name"] or match["file"] is not None
    )


def _env_file(path: Path, name: str) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigInvalid(
            "A1004", f"{name} cannot be read: {reason}.", where=Where(file=name)
        ) from error
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise ConfigInvalid(
                "A1025",
                f"Line {number} of {name} is not NAME=value.",  # the line may hold a secret
                hint="Put text with spaces in quotes; begin comments with #.",
                where=Where(file=name, line=number),
            )
        found[match["name"]] = _env_value(match["value"])
    return found


def _env_value(written: str) -> str:
    if len(written) >= 2 and written[0] in "'\"":
        end = written.find(written[0], 1)
        while end > 0 and written[0] == '"' and written[end - 1] == "\\":
            end = written.find('"', end + 1)
        if end > 0:
            inner = written[1:end]
            if written[0] == "'":
                return inner
            escapes = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "$": "$"}
            return re.sub(r"\\([nt\"\\$])", lambda match: escapes[match[1]], inner)
    return re.split(r"\s+#", written, maxsplit=1)[0].strip()
