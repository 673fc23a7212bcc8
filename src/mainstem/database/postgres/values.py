# SPDX-License-Identifier: Apache-2.0
"""Values on their way in and out, so that callers get what SQLite would have given them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from psycopg import Connection
from psycopg.adapt import Buffer
from psycopg.types.bool import BoolBinaryLoader
from psycopg.types.numeric import Int8BinaryDumper, NumericBinaryLoader
from psycopg.types.string import StrDumperUnknown

_NUL = "\N{SYMBOL FOR NULL}"


class _TextDumper(StrDumperUnknown):
    """Text that PostgreSQL can keep: it has no NUL, which user code may well print into an error.

    Of no declared type, so that a parameter takes the type of what it is compared with.
    """

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(obj.replace("\0", _NUL) if "\0" in obj else obj)


class _NumberLoader(NumericBinaryLoader):
    """What sums and divisions give: `int` where there is no fraction part, else `float`."""

    def load(self, data: Buffer) -> Any:
        value: Decimal = super().load(data)
        exponent = value.as_tuple().exponent
        return int(value) if isinstance(exponent, int) and exponent >= 0 else float(value)


class _FlagLoader(BoolBinaryLoader):
    """Truth as SQLite gives it: 0 or 1."""

    def load(self, data: Buffer) -> Any:
        return int(super().load(data))


def adapt(connection: Connection[Any]) -> None:
    """Let a connection take and give the values of the port."""
    adapters = connection.adapters
    # One width for all integers: else each statement would be prepared once for each width.
    adapters.register_dumper(int, Int8BinaryDumper)
    adapters.register_dumper(bool, Int8BinaryDumper)
    adapters.register_dumper(str, _TextDumper)
    adapters.register_loader("numeric", _NumberLoader)
    adapters.register_loader("bool", _FlagLoader)
