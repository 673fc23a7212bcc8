# SPDX-License-Identifier: Apache-2.0
"""Every public error, in one tree: who must act gives the branch, `is_retryable` the rest.

    MainstemError
    ├── UserError             the project or the command is wrong            exit 1
    │   ├── ConfigInvalid         a settings or property file
    │   ├── AssetNotFound         a name that is not in the graph or the lake
    │   ├── SelectionInvalid      a selection or ref expression
    │   ├── SqlInvalid            SQL or Jinja that does not parse, bind or resolve
    │   ├── CycleFound            assets that need each other
    │   ├── ModelInvalid          a model definition (header, decorator, options)
    │   └── RefNotFound           a branch, tag or commit that does not exist
    ├── DataError             the data is wrong                              exit 2
    │   ├── GateFailed            a check of severity `error` failed
    │   ├── SchemaDrifted         a schema change that is not allowed
    │   ├── ContractBroken        rows that do not fit what was promised
    │   ├── KeyNotUnique          a key repeats, or is null
    │   └── StepFailed            user code or SQL raised at run time
    ├── ConflictError         somebody else moved (retryable)                exit 3
    │   ├── BranchConflict        a merge or publish that does not commute
    │   ├── LeaseLost             another attempt took over
    │   └── BranchBusy            another run holds an asset on this branch
    ├── RemoteError           an outside system failed (retryable)           exit 3
    │   ├── SourceUnavailable     a file, database or API cannot be read
    │   ├── EngineUnavailable     the engine cannot run the query
    │   ├── StorageFailed         disk full, file missing, truncated or corrupt
    │   └── DatabaseUnavailable   the catalog is locked, corrupt or on a network file system
    ├── Cancelled             the user stopped it                            exit 130
    └── InternalError         our bug: please report                         exit 70

An error carries fields, not prose: the CLI, the API and the log render the same ones.
Each `code` has a page that `mainstem explain CODE` prints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "AssetNotFound",
    "BranchBusy",
    "BranchConflict",
    "Cancelled",
    "ConfigInvalid",
    "ConflictError",
    "ContractBroken",
    "CycleFound",
    "DataError",
    "DatabaseUnavailable",
    "EngineUnavailable",
    "ErrorGroup",
    "GateFailed",
    "InternalError",
    "KeyNotUnique",
    "LeaseLost",
    "MainstemError",
    "ModelInvalid",
    "RefNotFound",
    "RemoteError",
    "SchemaDrifted",
    "SelectionInvalid",
    "SourceUnavailable",
    "SqlInvalid",
    "StepFailed",
    "StorageFailed",
    "UserError",
    "Where",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """The place an error speaks of; lines and columns count from 1, 0 means unknown."""

    file: str = ""
    """Path relative to the project folder, with forward slashes."""
    line: int = 0
    column: int = 0
    length: int = 1
    """Characters to underline from `column`."""
    asset: str = ""
    """Asset key, if the place belongs to one."""
    excerpt: str = ""
    """The source line, without its line break; rendered below the place."""

    def __str__(self) -> str:
        parts = [self.file or self.asset]
        if self.line:
            parts.append(str(self.line))
            if self.column:
                parts.append(str(self.column))
        return ":".join(parts)

    def __reduce__(self) -> tuple[Any, ...]:
        # Cached projects keep one for each name that a model reads: the standard way asks for the
        # fields of the class each time, which takes ten times as long.
        values = (self.file, self.line, self.column, self.length, self.asset, self.excerpt)
        return _unpickled, values


def _unpickled(  # the fields
    file: str, line: int, column: int, length: int, asset: str, excerpt: str
) -> Where:
    return Where(file=file, line=line, column=column, length=length, asset=asset, excerpt=excerpt)


class MainstemError(Exception):
    """Root of all errors that are part of the interface.

    Args:
        code: Stable identifier such as `A2041`; has a page of its own.
        summary: One sentence: what is wrong and where, what we had, what was allowed.
        hint: What to do next, as a sentence or a command.
        where: The place in the user's files.
        known: Valid values, nearest first, when a name was not found.
        details: Further lines to show, such as a traceback of user code.
        raised: Names of the user's exception and of its base classes, its own first.
    """

    exit_code: ClassVar[int] = 70
    is_retryable: ClassVar[bool] = False

    def __init__(
        self,
        code: str,
        summary: str,
        *,
        hint: str = "",
        where: Where | None = None,
        known: Iterable[str] = (),
        details: str = "",
        raised: Iterable[str] = (),
    ) -> None:
        super().__init__(code, summary)
        self.code = code
        self.summary = summary
        self.hint = hint
        self.where = where
        self.known = tuple(known)
        self.details = details
        self.raised = tuple(raised)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where is not None and str(self.where) else ""
        return f"{place}{self.summary}" + (f" {self.hint}" if self.hint else "")

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors cross from worker processes to the supervisor, keyword fields included.
        return (_rebuild, (type(self), dict(self.__dict__)))

    def to_json(self) -> dict[str, object]:
        """Give the fields as plain values, for `--json`, the log and the API."""
        where = self.where
        place = (
            None
            if where is None
            else {
                "file": where.file,
                "line": where.line,
                "column": where.column,
                "asset": where.asset,
            }
        )
        return {
            "code": self.code,
            "kind": type(self).__name__,
            "summary": self.summary,
            "hint": self.hint,
            "where": place,
            "known": list(self.known),
            "details": self.details,
            "raised": list(self.raised),
            "retryable": self.is_retryable,
        }


def _rebuild(kind: type[MainstemError], fields: dict[str, Any]) -> MainstemError:
    error = kind.__new__(kind)
    Exception.__init__(error, fields["code"], fields["summary"])
    error.__dict__.update(fields)
    return error


class ErrorGroup(MainstemError):
    """Several static faults, collected so that one broken file does not hide the others."""

    exit_code = 1

    def __init__(self, errors: Iterable[MainstemError]) -> None:
        self.errors = tuple(errors)
        count = len(self.errors)
        super().__init__("A1000", f"{count} error{'s' if count != 1 else ''}; nothing was run.")
        self.exit_code = max((error.exit_code for error in self.errors), default=1)  # type: ignore[misc]  # an instance may be stricter than its class

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


def united(errors: Sequence[MainstemError]) -> MainstemError:
    """Give what to raise of one fault or several: itself, or a group."""
    return errors[0] if len(errors) == 1 else ErrorGroup(errors)


class UserError(MainstemError):
    """The project or the command is wrong; its author must change it."""

    exit_code = 1


class ConfigInvalid(UserError):
    """A settings or property file has an unknown key, a wrong type or a missing value."""


class AssetNotFound(UserError):
    """A name is not an asset of the graph, nor a table of the lake."""


class SelectionInvalid(UserError):
    """A selection or ref expression cannot be read."""


class SqlInvalid(UserError):
    """SQL or Jinja does not parse, bind or resolve."""


class CycleFound(UserError):
    """Assets need each other in a circle."""


class ModelInvalid(UserError):
    """A model's header, decorator or options contradict themselves."""


class RefNotFound(UserError):
    """A branch, tag or commit does not exist, or may not be moved that way."""


class DataError(MainstemError):
    """The data is wrong; its owner must act."""

    exit_code = 2


class GateFailed(DataError):
    """A check of severity `error` failed, so nothing that relies on it was published."""


class SchemaDrifted(DataError):
    """A column changed in a way that the table's history or contract does not allow."""


class ContractBroken(DataError):
    """Rows do not fit what was promised about them."""


class KeyNotUnique(DataError):
    """A declared key repeats within one version, or is null."""


class StepFailed(DataError):
    """User code or SQL raised while a step ran; keeps the traceback in `details`."""


class ConflictError(MainstemError):
    """Somebody else moved first; the same command may succeed when run again."""

    exit_code = 3
    is_retryable = True


class BranchConflict(ConflictError):
    """Two changes do not commute; names tables, partitions and keys."""


class LeaseLost(ConflictError):
    """Another attempt took over, so this one may not commit."""


class BranchBusy(ConflictError):
    """Another run is building the same asset on the same branch."""


class RemoteError(MainstemError):
    """An outside system failed."""

    exit_code = 3
    is_retryable = True


class SourceUnavailable(RemoteError):
    """A file, database or API cannot be read now."""


class EngineUnavailable(RemoteError):
    """The engine could not run a query for reasons outside the query."""


class StorageFailed(RemoteError):
    """The disk is full, or a data file is missing, truncated or corrupt."""

    is_retryable = False


class DatabaseUnavailable(RemoteError):
    """The catalog is locked, corrupt, or on a file system that cannot lock."""


class Cancelled(MainstemError):
    """The user stopped the run."""

    exit_code = 130


class InternalError(MainstemError):
    """Our bug: please report it with the details."""

    exit_code = 70
