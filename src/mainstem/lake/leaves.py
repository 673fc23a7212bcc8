# SPDX-License-Identifier: Apache-2.0
"""The primitives inside a schema, in the order of Parquet's columns. Pure and light."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from mainstem.types import List, Map, Primitive, Schema, Struct, Type, dataclass


@dataclass(frozen=True, slots=True)
class Leaf:
    """A primitive inside a schema, in the order of Parquet's columns."""

    id: int
    type: Primitive
    is_repeated: bool
    """Inside a list or map."""


@lru_cache(maxsize=512)
def leaves(schema: Schema) -> tuple[Leaf, ...]:
    """Give the primitives of a schema depth first."""
    return tuple(leaf for column in schema.fields for leaf in _leaves(column.id, column.type))


def _leaves(number: int, of: Type, *, is_repeated: bool = False) -> Iterator[Leaf]:
    match of:
        case Primitive():
            yield Leaf(number, of, is_repeated)
        case Struct():
            for child in of.fields:
                yield from _leaves(child.id, child.type, is_repeated=is_repeated)
        case List():
            yield from _leaves(of.element_id, of.element, is_repeated=True)
        case Map():
            yield from _leaves(of.key_id, of.key, is_repeated=True)
            yield from _leaves(of.value_id, of.value, is_repeated=True)
