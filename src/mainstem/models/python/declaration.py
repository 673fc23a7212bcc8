# SPDX-License-Identifier: Apache-2.0
"""The decorators `@asset`, `@multi_asset` and `@check`: they note what was written, nothing else.

Each returns the function itself, so tests call it as it is. Options are judged when a worker loads
the file, so that one wrong option does not stop the import of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import timedelta
from types import FunctionType
from typing import Any, Literal, TypedDict, TypeVar, Unpack, cast, overload

from mainstem.types import dataclass

Function = TypeVar("Function", bound=Callable[..., Any])
ATTRIBUTE = "__mainstem__"


class AssetOptions(TypedDict, total=False):
    """Options of `@asset`, and of each output of `@multi_asset` but for those of the function."""

    key: str | Sequence[str]
    """Text: the asset's key, `namespace.name`. A list of columns: its row key, as in SQL."""
    row_key: Sequence[str]
    namespace: str
    inputs: Mapping[str, str]
    """Parameter name -> asset, where the parameter's name does not say it."""
    deps: Sequence[str]
    """Assets to run after, without reading them."""
    materialized: Literal["table", "incremental", "none"]
    strategy: Literal["append", "upsert", "replace_partitions"]
    partition_by: Sequence[str]
    partitions: Mapping[str, Any]
    """From `mainstem.partitions`: the unit of work."""
    on_code_change: Literal["rebuild", "forward"]
    upstream: Literal["mutable"]
    rebuild: str
    """`on_change`, also for what would run each time, or `always`; times come later."""
    fresh_for: str | timedelta
    """Comes later."""
    retries: int
    """Further attempts after a failure."""
    retry_delay: str | timedelta
    retry_backoff: Literal["exponential", "fixed"]
    retry_factor: float
    retry_max_delay: str | timedelta
    retry_jitter: float
    """Part of a delay that is chance, 0 to 1."""
    retry_on: Sequence[str | type[BaseException]]
    """Exceptions worth another attempt, by class or name; all of them without."""
    no_retry_on: Sequence[str | type[BaseException]]
    timeout: str | timedelta
    pool: str | Sequence[str]
    """Names under `pools:` in mainstem.yml; each attempt takes a slot of each."""
    priority: int
    memory: str | int
    """What an attempt needs: `2GiB`."""
    executor: str
    """Name under `executors:` in mainstem.yml; without, a worker process on this machine."""
    checks: Sequence[Mapping[str, Any] | str]
    columns: Mapping[str, Any]
    tags: Sequence[str]
    owner: str
    run_when: str
    """Condition that launches it: eager, on_missing, on_cron("0 6 * * *"), or an expression."""
    freshness: Mapping[str, str]
    """Promise about its age: `{"within": "6h"}`, or `{"by": "08:00", "zone": "Europe/Berlin"}`."""
    description: str


class CheckOptions(TypedDict, total=False):
    """Options of `@check`."""

    severity: Literal["error", "warn", "info"]
    name: str
    inputs: Mapping[str, str]
    tags: Sequence[str]
    description: str
    sample: int
    timeout: str | timedelta


class SensorOptions(TypedDict, total=False):
    """Options of `@sensor`."""

    name: str
    every: str | timedelta
    """Between two looks; 30s by default."""
    job: str
    """Of mainstem.yml: what a run request that selects nothing launches."""
    select: str | Sequence[str]
    """Instead of a job."""
    timeout: str | timedelta
    """Of one look; 60s by default."""
    enabled: bool
    description: str


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a decorator was given; judged by `load`."""

    kind: Literal["asset", "multi_asset", "check", "sensor"]
    options: Mapping[str, Any]
    target: str = ""
    """Of a check: the asset."""
    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Of a multi_asset: options by key."""


@overload
def asset(function: Function, /) -> Function: ...
@overload
def asset(**options: Unpack[AssetOptions]) -> Callable[[Function], Function]: ...
def asset(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a function an asset: its parameters are upstream assets, what it returns is its table.

    The annotation of a parameter decides the form its data arrives in: `pa.Table` (also without an
    annotation), `pa.RecordBatchReader`, `pd.DataFrame`, `pl.DataFrame`, `pl.LazyFrame`,
    `duckdb.DuckDBPyRelation`, or `TableRef` for no data. Parameters with a default are no inputs.
    `context` receives a `mainstem.Context`, `this` the asset's own rows so far (`None` at first).
    The function returns, or yields in parts, any of those, or rows as dicts. Annotated `-> None` it
    is an effect: it runs whenever selected and writes nothing.

    Example:
        >>> @asset(checks=[unique("airport", "month")])
        ... def delays(flights: pa.Table, airports: pl.LazyFrame) -> pa.Table: ...
    """
    if function is not None:
        return _note(function, Declaration("asset", {}))
    return lambda decorated: _note(decorated, Declaration("asset", options))


def multi_asset(
    outputs: Mapping[str, Mapping[str, Any]] | Sequence[str], **options: Unpack[AssetOptions]
) -> Callable[[Function], Function]:
    """Make a generator function several assets: it yields `(key, data)` pairs, in any order.

    Args:
        outputs: Options of each asset by its key; or only the keys.
        options: What holds for all of them, and for the function: inputs, deps, retries, timeout.
    """
    named = outputs if isinstance(outputs, Mapping) else {key: {} for key in outputs}
    declaration = Declaration("multi_asset", options, outputs=named)
    return lambda decorated: _note(decorated, declaration)


def check(asset: str, **options: Unpack[CheckOptions]) -> Callable[[Function], Function]:
    """Make a function a check of an asset: it returns failing rows, or whether all is well.

    Parameters are assets, as with `@asset`; the checked one is read as this run built it.
    """
    if callable(asset):
        # `@check` without the asset decorates at once; whoever loads the file says what is missing.
        return cast("Callable[[Function], Function]", _note(asset, Declaration("check", {})))
    return lambda decorated: _note(decorated, Declaration("check", options, target=str(asset)))


@overload
def sensor(function: Function, /) -> Function: ...
@overload
def sensor(**options: Unpack[SensorOptions]) -> Callable[[Function], Function]: ...
def sensor(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a function a sensor: the server calls it again and again, and launches what it asks for.

    It returns, or yields, any of `RunRequest`, `Skip` and `Cursor`. Its parameters, both optional,
    are `cursor`, the value of the last `Cursor` (`None` at first), and `now`, the time of the look.

    Example:
        >>> @sensor(every="1m", job="nightly")
        ... def letters(cursor):
        ...     for number in range((cursor or 0) + 1, newest() + 1):
        ...         yield RunRequest(run_key=str(number))
        ...         yield Cursor(number)
    """
    if function is not None:
        return _note(function, Declaration("sensor", {}))
    return lambda decorated: _note(decorated, Declaration("sensor", options))


def declaration_of(value: object) -> Declaration | None:
    """Give what a decorator noted on a function, if one did."""
    found = getattr(value, ATTRIBUTE, None) if callable(value) else None
    return found if isinstance(found, Declaration) else None


def _note(function: Any, declaration: Declaration) -> Any:
    if not isinstance(function, FunctionType):
        kind = type(function).__name__
        raise TypeError(f"@{declaration.kind} decorates functions; this is of type {kind}")
    setattr(function, ATTRIBUTE, declaration)
    return function
