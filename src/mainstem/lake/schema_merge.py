# SPDX-License-Identifier: Apache-2.0
"""Uniting two schemas of one table, by field id: a write that meets a newer head, two branches.

Pure. The result is a schema that reads the files of both sides; what cannot be united is said in
sentences without the table's name. Called by `table_apply` and `table_merge`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping

from mainstem.errors import BranchConflict
from mainstem.lake.evolution import is_promotion
from mainstem.types import AssetKey, Field, List, Map, Primitive, Schema, Struct, Type


def unite_schemas(
    current: Schema,
    written: Schema,
    *,
    base: Schema | None,
    dropped: Collection[int],
    new_schema_id: Callable[[Schema], int],
    table: AssetKey,
) -> Schema:
    """Give the schema of a table after rows written with another schema of it are added.

    Raises:
        BranchConflict: A column got different types or names meanwhile.
    """
    merged, problems = merge_schemas(base, current, written, dropped=dropped)
    if problems:
        raise BranchConflict(
            "A5525",
            f"{table} changed its columns since: {'; '.join(problems)}.",
            hint="Run it again, so that it writes with the new columns.",
        )
    return with_known_id(merged, (current, written), new_schema_id)


def with_known_id(
    schema: Schema, known: tuple[Schema, ...], new_schema_id: Callable[[Schema], int]
) -> Schema:
    """Give a schema the id of an equal one, or a new one."""
    for other in known:
        if other.fields == schema.fields:
            return other
    return dataclasses.replace(schema, schema_id=new_schema_id(schema))


def merge_schemas(
    base: Schema | None, ours: Schema, theirs: Schema, *, dropped: Collection[int] = ()
) -> tuple[Schema, list[str]]:
    """Merge two schemas of one table.

    Args:
        base: What both come from. Without it nothing counts as dropped by either side, names of
            `ours` win, and `dropped` tells which columns of `theirs` are no longer wanted.
        ours: Gives the order of columns; new ones of `theirs` go behind.
        theirs: The other side.
        dropped: Ids that `ours` dropped at some time.

    Returns:
        The merged schema with the id of `ours`, and what stands against it.
    """
    merging = _Merging(has_base=base is not None, dropped=frozenset(dropped))
    before = _by_id(base.fields) if base is not None else {}
    fields = merging.fields(before, ours.fields, theirs.fields, "")
    return dataclasses.replace(ours, fields=fields), merging.problems


class _Merging:
    """One walk over both schemas."""

    __slots__ = ("dropped", "has_base", "problems")

    def __init__(self, *, has_base: bool, dropped: frozenset[int]) -> None:
        self.has_base = has_base
        self.dropped = dropped
        self.problems: list[str] = []

    def fields(
        self,
        base: Mapping[int, Field],
        ours: tuple[Field, ...],
        theirs: tuple[Field, ...],
        path: str,
    ) -> tuple[Field, ...]:
        """Merge the fields of one struct, or the columns."""
        other, own = _by_id(theirs), _by_id(ours)
        result: list[Field] = []
        for field in ours:
            if field.id in other:
                result.append(self._both(base.get(field.id), field, other[field.id], path))
            elif not self.has_base or not self._is_dropped(base.get(field.id), field, path):
                result.append(field)
        for field in theirs:
            if field.id in own:
                continue
            gone = (
                self._is_dropped(base.get(field.id), field, path)
                if self.has_base
                else field.id in self.dropped
            )
            if not gone:
                result.append(dataclasses.replace(field, required=False))
        self._refuse_twins(result, path)
        return tuple(result)

    def _is_dropped(self, before: Field | None, kept: Field, path: str) -> bool:
        if before is None:
            return False
        if before != kept:
            self.problems.append(f"column `{path}{before.name}` was dropped here and changed there")
        return True

    def _both(self, before: Field | None, ours: Field, theirs: Field, path: str) -> Field:
        here = f"{path}{ours.name}"
        of = self._type(None if before is None else before.type, ours.type, theirs.type, here)
        name = ours.name
        if before is not None and theirs.name not in {before.name, ours.name}:
            if ours.name != before.name:
                self.problems.append(
                    f"column `{path}{before.name}` was renamed to `{ours.name}` and"
                    f" to `{theirs.name}`"
                )
            name = theirs.name
        return dataclasses.replace(
            ours,
            name=name,
            type=of,
            required=ours.required and theirs.required,
            doc=ours.doc or theirs.doc,
        )

    def _type(self, before: Type | None, ours: Type, theirs: Type, path: str) -> Type:
        match ours, theirs:
            case Primitive(), Primitive():
                if ours == theirs or is_promotion(theirs, ours):
                    return ours
                if is_promotion(ours, theirs):
                    return theirs
            case Struct(), Struct():
                known = _by_id(before.fields) if isinstance(before, Struct) else {}
                return Struct(fields=self.fields(known, ours.fields, theirs.fields, f"{path}."))
            case List(), List() if ours.element_id == theirs.element_id:
                inner = before.element if isinstance(before, List) else None
                return dataclasses.replace(
                    ours,
                    element=self._type(inner, ours.element, theirs.element, f"{path}.element"),
                    element_required=ours.element_required and theirs.element_required,
                )
            case Map(), Map() if (ours.key_id, ours.value_id) == (theirs.key_id, theirs.value_id):
                key = before.key if isinstance(before, Map) else None
                value = before.value if isinstance(before, Map) else None
                return dataclasses.replace(
                    ours,
                    key=self._type(key, ours.key, theirs.key, f"{path}.key"),
                    value=self._type(value, ours.value, theirs.value, f"{path}.value"),
                    value_required=ours.value_required and theirs.value_required,
                )
            case _:
                pass
        self.problems.append(f"column `{path}` is {ours} here and {theirs} there")
        return ours

    def _refuse_twins(self, fields: list[Field], path: str) -> None:
        seen: dict[str, Field] = {}
        for field in fields:
            twin = seen.setdefault(field.name.casefold(), field)
            if twin is not field:
                self.problems.append(
                    f"column `{path}{field.name}` was added twice, as {twin.type} and {field.type}"
                )


def _by_id(fields: tuple[Field, ...]) -> dict[int, Field]:
    return {field.id: field for field in fields}
