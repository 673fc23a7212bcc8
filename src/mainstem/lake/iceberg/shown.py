# SPDX-License-Identifier: Apache-2.0
"""Layouts as other readers can take them: older ones may speak of columns that are gone. Pure.

Every reader we know binds a layout to the current schema. DuckDB fails on one whose column was
dropped, Java on one whose field has the name of another column; neither matters to us, so the field
is left out or renamed in what is written for them.
"""

from __future__ import annotations

import dataclasses

from mainstem.types import PartitionSpec, PartitionValue, Schema, dataclass


@dataclass(frozen=True, slots=True)
class ShownLayout:
    """A layout for other readers, and where its values are in a file's partition."""

    spec: PartitionSpec
    positions: tuple[int, ...]

    def values(self, partition: tuple[PartitionValue, ...]) -> tuple[PartitionValue, ...]:
        """Pick the values of the shown fields."""
        return tuple(partition[position] for position in self.positions)


def shown_layout(spec: PartitionSpec, schema: Schema) -> ShownLayout:
    """Fit a layout to a schema."""
    columns = {field.id: field for field in schema.fields}
    names = {field.name.casefold(): field.id for field in schema.fields}
    fields, positions = [], []
    for position, part in enumerate(spec.fields):
        if part.source_id not in columns:
            continue
        namesake = names.get(part.name.casefold())
        is_taken = namesake is not None and (
            namesake != part.source_id or part.transform != "identity"
        )
        name = f"{part.name}_{part.field_id}" if is_taken else part.name
        fields.append(dataclasses.replace(part, name=name))
        positions.append(position)
    return ShownLayout(dataclasses.replace(spec, fields=tuple(fields)), tuple(positions))
