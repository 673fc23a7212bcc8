# SPDX-License-Identifier: Apache-2.0
"""Merged options with their meaning: what materialization, keys and strategies go together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from hashlib import blake2b
from typing import Any, Literal

import orjson

from mainstem.config import read_execution
from mainstem.errors import MainstemError, ModelInvalid
from mainstem.graph import Asset, Materialization, OnCodeChange, Partitioning, read_partitioning
from mainstem.models.definition import RawCheck, Strategy
from mainstem.models.described import CHECK_KEYS, checks_in, columns_in
from mainstem.models.options import Merged, layout_in, names_in
from mainstem.types import (
    AssetKey,
    Execution,
    LayoutColumn,
    dataclass,
    did_you_mean,
    seconds_in,
)

_MATERIALIZED = ("view", "table", "incremental", "ephemeral")
_STRATEGIES = ("append", "upsert", "delete_insert", "replace_partitions")
_CONTRACT_HINT = (
    "Write `contract: true` with types under `columns:`, or `contract: {column: type}`."
)


_INSTEAD = {
    "materialized": "Use `table` or `incremental` for now.",
    "enabled": "Move the file out of `models/` for now.",
    "vars": "Set variables in mainstem.yml, or give `var()` a default.",
    "versions": "Give each version a file of its own.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Options of a SQL model, each with its type."""

    asset: Asset
    """Nobody's, with all that its options say of an asset, whatever builds it."""
    strategy: Strategy = "append"
    contract: tuple[tuple[str, str], ...] = ()
    columns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    checks: tuple[RawCheck, ...] = ()
    deps: tuple[str, ...] = ()
    rebuild: str = ""
    """As written."""
    digest: str = ""
    """Hash of the options that shape data (SEMANTICS, "Fingerprint")."""

    @property
    def materialized(self) -> Materialization:
        """What becomes of its rows."""
        return self.asset.materialized


_NOBODY = AssetKey("", "")
_Plain = tuple[tuple[str, type, object], ...]
_PLACED = frozenset({*CHECK_KEYS, "columns"})
"""Options of which the line is kept."""
_KNOWN: dict[tuple[_Plain, str], Settled] = {}
"""Most models of a project say the same few things, or nothing."""
_MOST_KNOWN = 1000


def settle(merged: Merged, volatile: str, problems: list[MainstemError]) -> Settled:
    """Read merged options.

    Args:
        merged: As written.
        volatile: Why the query is volatile, as found in its text.
        problems: Receives what is wrong.
    """
    plain = _plain(merged.values)
    known = _KNOWN.get((plain, volatile)) if plain is not None else None
    if known is not None:
        return known
    found: list[MainstemError] = []
    settled = _settle(merged, volatile, found)
    if plain is not None and not found:
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        _KNOWN[plain, volatile] = settled
    problems.extend(found)
    return settled


def _plain(values: Mapping[str, Any]) -> _Plain | None:
    """Give options as a key, if what they mean does not depend on where they are written."""
    found: list[tuple[str, type, object]] = []
    for name, value in values.items():
        if isinstance(value, list) and name not in _PLACED and _is_names(value):
            found.append((name, list, tuple(value)))
        elif value is None or isinstance(value, str | int | float):
            found.append((name, type(value), value))
        else:
            return None
    return tuple(found)


def _settle(merged: Merged, volatile: str, problems: list[MainstemError]) -> Settled:
    values = merged.values
    materialized = _materialized(merged, problems)
    problems.extend(
        _wrong(merged, name, "text, or a list of that")
        for name in ("key", "tags", "deps", "partition_by")
        if not _is_names(values.get(name))
    )
    row_key = names_in(values.get("key"))
    partition_by = layout_in(merged, problems)
    strategy = _strategy(merged, materialized, row_key, partition_by, problems)
    partitions = _partitions(merged, materialized, problems)
    checks, columns = checks_in(merged), columns_in(merged)
    contract = _contract(merged, columns, problems)
    shaping = {
        "materialized": materialized,
        "strategy": strategy if materialized == "incremental" else "",
        "key": row_key,
        "partition_by": [str(column) for column in partition_by],
        "contract": contract,
        **({"partitions": partitions.shape()} if partitions is not None else {}),
    }
    rebuild, rebuild_after_s = values.get("rebuild"), _rebuild_after(merged, materialized, problems)
    asset = Asset(
        key=_NOBODY,
        kind="sql",
        materialized=materialized,
        volatile=_volatile(merged, volatile),
        rebuild_after_s=rebuild_after_s,
        rebuild_rule=f"rebuild: {rebuild}" if rebuild_after_s is not None else "",
        on_code_change=_on_code_change(merged, materialized, problems),
        upstream_mutable=values.get("upstream") == "mutable",
        execution=_execution(merged, problems),
        row_key=row_key,
        partition_by=partition_by,
        partitions=partitions,
        tags=names_in(values.get("tags")),
        owner=str(values.get("owner") or ""),
        run_when=str(values.get("run_when") or ""),
        freshness=values.get("freshness") or {},
        description=str(values.get("description") or "").strip(),
    )
    return Settled(
        asset=asset,
        strategy=strategy,
        contract=contract,
        columns=columns,
        checks=checks,
        deps=names_in(values.get("deps")),
        rebuild=str(rebuild or ""),
        digest=blake2b(orjson.dumps(shaping), digest_size=16).hexdigest(),
    )


def _is_names(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(isinstance(item, str) for item in value)
    return value is None or isinstance(value, str)


def _materialized(merged: Merged, problems: list[MainstemError]) -> Materialization:
    written = merged.values.get("materialized", "view")
    _not_yet(merged, problems)
    if written == "history":
        return "table"
    for known in _MATERIALIZED:
        if written == known:
            return known  # type: ignore[return-value]  # one of the literals
    problems.append(
        ModelInvalid(
            "A2032",
            f"`materialized` is `{written}`; allowed is {', '.join(_MATERIALIZED)}.",
            hint=did_you_mean(str(written), _MATERIALIZED),
            where=merged.where("materialized"),
            known=_MATERIALIZED,
        )
    )
    return "view"


def _not_yet(merged: Merged, problems: list[MainstemError]) -> None:
    """Refuse what GRAMMAR has and this version does not."""
    values = merged.values
    refused = {
        "materialized": values.get("materialized") == "history",
        "enabled": values.get("enabled") is False,
        **{name: values.get(name) is not None for name in ("vars", "versions")},
    }
    problems.extend(
        ModelInvalid(
            "A2034",
            f"`{name}: {values[name]}` is not there yet in this version."
            if name in {"materialized", "enabled"}
            else f"`{name}:` is not there yet in this version.",
            hint=_INSTEAD[name],
            where=merged.where(name),
        )
        for name, is_refused in refused.items()
        if is_refused
    )


def _strategy(
    merged: Merged,
    materialized: Materialization,
    row_key: tuple[str, ...],
    partition_by: tuple[LayoutColumn, ...],
    problems: list[MainstemError],
) -> Strategy:
    written = merged.values.get("strategy")

    def fault(code: str, summary: str, hint: str, at: str = "strategy") -> None:
        problems.append(ModelInvalid(code, summary, hint=hint, where=merged.where(at)))

    if materialized in {"view", "ephemeral"}:
        for name in ("strategy", "partition_by"):
            if merged.values.get(name) is not None:
                fault(
                    "A2033",
                    f"`{name}` has no meaning for a model that is materialized as "
                    f"{materialized}: it stores no rows.",
                    "Set `materialized: table`.",
                    name,
                )
        return "append"
    if written is None:
        return "upsert" if row_key and materialized == "incremental" else "append"
    if materialized == "table":
        fault(
            "A2033",
            "`strategy` has no meaning for a model that is materialized as table: all its "
            "rows are replaced.",
            "Set `materialized: incremental`, or leave `strategy` out.",
        )
    if written not in _STRATEGIES:
        fault(
            "A2032",
            f"`strategy` is `{written}`; allowed is {', '.join(_STRATEGIES)}.",
            did_you_mean(str(written), _STRATEGIES),
        )
        return "append"
    if written in {"upsert", "delete_insert"} and not row_key:
        fault(
            "A2033",
            f"`strategy: {written}` needs `key`: the columns that identify a row.",
            "Write for example `key: [order_id]`.",
        )
    if written == "replace_partitions" and not partition_by:
        fault(
            "A2033",
            "`strategy: replace_partitions` needs `partition_by`.",
            "Write for example `partition_by: [month(ordered_at)]`.",
        )
    strategy: Strategy = written
    return strategy


def _partitions(
    merged: Merged, materialized: Materialization, problems: list[MainstemError]
) -> Partitioning | None:
    written = merged.values.get("partitions")
    if written is None:
        return None
    if materialized in {"view", "ephemeral"}:
        problems.append(
            ModelInvalid(
                "A2033",
                "`partitions` has no meaning for a model that is materialized as "
                f"{materialized}: it stores no rows.",
                hint="Set `materialized: table`.",
                where=merged.where("partitions"),
            )
        )
        return None
    try:
        return read_partitioning(written if isinstance(written, Mapping) else {})
    except ModelInvalid as error:
        error.where = merged.where("partitions")
        problems.append(error)
        return None


def _on_code_change(
    merged: Merged, materialized: Materialization, problems: list[MainstemError]
) -> OnCodeChange:
    written = merged.values.get("on_code_change")
    if written in {"rebuild", "forward"}:
        chosen: Literal["rebuild", "forward"] = written
        return chosen
    if written is not None:
        problems.append(_wrong(merged, "on_code_change", "rebuild, forward"))
    return "forward" if materialized == "incremental" else "rebuild"


def _execution(merged: Merged, problems: list[MainstemError]) -> Execution:
    def refuse(name: str, allowed: str) -> None:
        problems.append(_wrong(merged, name, allowed))

    return read_execution(merged.values, refuse)


def _wrong(merged: Merged, name: str, allowed: str) -> ModelInvalid:
    return ModelInvalid(
        "A2032",
        f"`{name}` is `{merged.values[name]}`; allowed is {allowed}.",
        where=merged.where(name),
    )


def _volatile(merged: Merged, volatile: str) -> str:
    written = merged.values.get("rebuild")
    if written is None:
        return volatile
    # With an age as well: that, and what changed, say when it is built.
    return "rebuild: always" if written == "always" else ""


def _rebuild_after(
    merged: Merged, materialized: Materialization, problems: list[MainstemError]
) -> float | None:
    written = merged.values.get("rebuild")
    if written in (None, "always", "on_change"):
        return None
    seconds = seconds_in(written)
    if seconds is None:
        problems.append(_wrong(merged, "rebuild", "on_change, always, or an age such as 12h or 1d"))
    elif materialized in {"view", "ephemeral"}:
        problems.append(
            ModelInvalid(
                "A2033",
                f"`rebuild: {written}` has no meaning for a model that is materialized as "
                f"{materialized}: it stores no rows that could grow old.",
                hint="Set `materialized: table`.",
                where=merged.where("rebuild"),
            )
        )
        return None
    return seconds


def _contract(
    merged: Merged, columns: Mapping[str, Mapping[str, Any]], problems: list[MainstemError]
) -> tuple[tuple[str, str], ...]:
    written = merged.values.get("contract")
    if written in (None, False):
        return ()
    enforced = written.get("enforced") if isinstance(written, dict) else written
    if enforced is False:
        return ()
    if enforced is True or enforced == "enforced":
        promised = {name: str(of["type"]) for name, of in columns.items() if of.get("type")}
    elif isinstance(written, dict):
        promised = {str(name): str(of) for name, of in written.items() if isinstance(of, str)}
    else:
        promised = {}
    if not promised:
        problems.append(
            ModelInvalid(
                "A2032",
                "`contract` promises no column with a type.",
                hint=_CONTRACT_HINT,
                where=merged.where("contract"),
            )
        )
    return tuple(promised.items())
