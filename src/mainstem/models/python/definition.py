# SPDX-License-Identifier: Apache-2.0
"""What a Python file of a project defines, as frozen values that cross from a worker process.

Nothing here holds user code: a definition names a function by file and name, and only workers
import that file. Made by `load`, turned into assets by `assemble`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from mainstem.errors import MainstemError
from mainstem.types import AssetKey, dataclass

Form = Literal[
    "arrow", "reader", "pandas", "polars", "lazy", "dask", "duckdb", "reference", "nothing"
]
"""How a parameter's data arrives: `pa.Table`, `pa.RecordBatchReader`, `pd.DataFrame`,
`pl.DataFrame`, `pl.LazyFrame`, `dd.DataFrame`, `duckdb.DuckDBPyRelation`, `TableRef`, `None`."""

FORM_NAMES: Mapping[str, str] = {
    "arrow": "pa.Table",
    "reader": "pa.RecordBatchReader",
    "pandas": "pd.DataFrame",
    "polars": "pl.DataFrame",
    "lazy": "pl.LazyFrame",
    "dask": "dd.DataFrame",
    "duckdb": "duckdb.DuckDBPyRelation",
    "reference": "TableRef",
    "nothing": "None",
}

Returns = Literal["data", "nothing", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a user's function that receives an asset."""

    name: str
    source: str
    """The asset as written: the parameter's name, or what `inputs=` says."""
    form: Form
    line: int = 0
    key: AssetKey | None = None
    """The asset meant, once names are resolved against the whole project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """Identity of a function's code, and what would have to change for it to change."""

    digest: str
    """Of the normal form: syntax without docstrings, over all project modules it imports, and the
    versions of the distributions that those import (SEMANTICS)."""
    text_digest: str
    """Of the raw bytes of those modules and the same versions."""
    variables: tuple[str, ...] = ()
    """Project variables that the code reads; `*` when it cannot be told which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One asset that a function gives, with its options as written."""

    written: str
    """`namespace.name`, or a name that gets its namespace from the folder or `namespace:`."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Plain values only; `checks` are raw entries as in YAML."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonModel:
    """A function decorated with `@asset` or `@multi_asset`."""

    file: str
    """Relative to the project folder."""
    line: int
    function: str
    """The name by which the loaded module finds it."""
    outputs: tuple[Output, ...]
    namespace: str
    """From the folder."""
    parameters: tuple[Parameter, ...] = ()
    deps: tuple[str, ...] = ()
    takes_context: bool = False
    this: Form | None = None
    """How the asset's own current rows arrive as `this`; `None`: the function does not ask."""
    returns: Returns = "unknown"
    is_multi: bool = False
    code: Code
    doc: str = ""
    excerpt: str = ""
    """The `def` line, for errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonCheck:
    """A function decorated with `@check`: rows that it returns are failing rows."""

    file: str
    line: int
    function: str
    asset: str
    """As written: `marts.delays`."""
    namespace: str
    options: Mapping[str, Any] = field(default_factory=dict)
    parameters: tuple[Parameter, ...] = ()
    takes_context: bool = False
    code: Code
    doc: str = ""
    excerpt: str = ""
    key: AssetKey | None = None
    """The asset meant, once names are resolved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonSensor:
    """A function decorated with `@sensor`."""

    file: str
    line: int
    function: str
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()
    """Those of `cursor` and `now` that it takes."""
    doc: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """What one file defines, with all that must stay as it is for this to stay true."""

    file: str
    models: tuple[PythonModel, ...] = ()
    checks: tuple[PythonCheck, ...] = ()
    sensors: tuple[PythonSensor, ...] = ()
    errors: tuple[MainstemError, ...] = ()
    """Not to be cached: a missing package may be there next time."""
    files: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of this file and of each project module that it imports, directly or not."""
    absent: tuple[str, ...] = ()
    """Paths that would shadow an import from outside the project if they appeared."""
    installed: tuple[str, ...] = ()
    """Metadata folders of the distributions whose versions are part of the code's identity."""
    python: str = ""
    """Version of the interpreter that imported it."""
