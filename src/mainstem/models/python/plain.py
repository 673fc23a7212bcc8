# SPDX-License-Identifier: Apache-2.0
"""Options as declared, made plain: what YAML could hold. Their meaning is `options`' business."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from mainstem.errors import ModelInvalid, Where
from mainstem.models.python.declaration import AssetOptions, CheckOptions, SensorOptions
from mainstem.types import AssetKey, did_you_mean

LATER: Mapping[str, str] = {
    "contract": "Contracts of Python models come later; `schema` as a check says what must hold.",
}
ASSET_OPTIONS = frozenset(AssetOptions.__annotations__)
CHECK_OPTIONS = frozenset(CheckOptions.__annotations__)
SENSOR_OPTIONS = frozenset(SensorOptions.__annotations__)


def plain(raw: Mapping[str, Any], known: frozenset[str], *, where: Where) -> dict[str, Any]:
    """Check the names of options and make their values plain: what YAML could hold.

    Raises:
        ModelInvalid: An unknown option, or a value that is no plain data.
    """
    for name in raw:
        if name in LATER:
            raise ModelInvalid(
                "A7106", f"{where.asset} uses `{name}`, which does not exist yet.",
                hint=LATER[name], where=where,
            )  # fmt: skip
        if name not in known:
            raise ModelInvalid(
                "A7103",
                f"{where.asset} has the unknown option `{name}`.",
                hint=did_you_mean(name, known) or f"Known are {', '.join(sorted(known))}.",
                where=where,
                known=tuple(sorted(known)),
            )
    return {name: _plain(value, name, where) for name, value in raw.items()}


def _plain(value: Any, name: str, where: Where) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case timedelta():
            return value.total_seconds()
        case AssetKey():
            return str(value)
        case type() if issubclass(value, BaseException):
            return f"{value.__module__}.{value.__qualname__}"
        case Mapping():
            return {str(key): _plain(each, name, where) for key, each in value.items()}
        case Iterable() if not isinstance(value, bytes):
            return [_plain(each, name, where) for each in value]
        case _:
            pass
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise wrong_value(name, value, "plain data: text, numbers, lists, mappings", where)


def wrong_value(
    name: str, value: object, allowed: str, where: Where, known: Iterable[str] = ()
) -> ModelInvalid:
    """Say that an option has a value that is not allowed."""
    hint = did_you_mean(value, known) if isinstance(value, str) else ""
    return ModelInvalid(
        "A7103",
        f"{where.asset} has `{name}: {value!r}`; allowed is {allowed}.",
        hint=hint,
        where=where,
        known=known,
    )
