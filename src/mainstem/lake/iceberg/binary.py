# SPDX-License-Identifier: Apache-2.0
"""Single values as Iceberg's bytes (spec, Appendix D) and as Avro values of partitions. Pure."""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from typing import Any

from mainstem.types import PartitionValue, Physical, Primitive

_PACKED = {
    "int": "<i",
    "date": "<i",
    "long": "<q",
    "time": "<q",
    "timestamp": "<q",
    "timestamptz": "<q",
    "float": "<f",
    "double": "<d",
}


def encode(value: Physical, of: Primitive) -> bytes:
    """Write a bound or partition value of a type as bytes."""
    packed = _PACKED.get(of.name)
    if packed is not None:
        return struct.pack(packed, value)
    if of.name == "boolean":
        return b"\x01" if value else b"\x00"
    if isinstance(value, str):
        return value.encode() if of.name == "string" else bytes.fromhex(value)
    # Two's complement, big-endian, as few bytes as hold the sign.
    unscaled = int(value)
    return unscaled.to_bytes((unscaled + (unscaled < 0)).bit_length() // 8 + 1, "big", signed=True)


def encode_bound(value: Physical, of: Primitive) -> bytes | None:
    """Write a bound; `None` if this type cannot hold it."""
    try:
        return encode(value, of)
    except (OverflowError, struct.error):
        # A float bound beyond its type; a missing bound only prunes less.
        return None


def avro_partition_value(value: PartitionValue, of: Primitive) -> Any:
    """Give a partition value as the Avro field of its type holds it."""
    if value is None:
        return None
    if of.is_decimal:
        # Not by arithmetic: that rounds to 28 digits.
        sign, digits, _ = Decimal(int(value)).as_tuple()
        return Decimal((sign, digits, -of.precision_and_scale[1]))
    if isinstance(value, str) and of.name != "string":
        return bytes.fromhex(value)
    if of.name in {"float", "double"}:
        return float(value)
    return value


def is_nan(value: PartitionValue) -> bool:
    """Tell whether a partition value is NaN."""
    return isinstance(value, float) and math.isnan(value)
