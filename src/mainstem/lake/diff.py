# SPDX-License-Identifier: Apache-2.0
"""How two commits differ: tables, schemas, counts and files; what is equal is skipped by hash.

Rows are compared by an engine, from the files that are listed here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from mainstem.lake import manifest
from mainstem.lake.catalog import Catalog
from mainstem.lake.content import is_cursor, load_entry, load_state, load_view
from mainstem.lake.table_state import TableState
from mainstem.lake.values import CatalogDiff, Commit, Entry, SchemaChange, TableDiff
from mainstem.types import AssetKey, Field, List, Map, Primitive, Schema, Struct, Type


def diff(
    catalog: Catalog, before: Commit, after: Commit, *, keys: Collection[AssetKey] | None = None
) -> CatalogDiff:
    """Compare two commits.

    Args:
        catalog: To read from.
        before: The older side.
        after: The newer side.
        keys: Only these; `None`: all.
    """
    added: list[Entry] = []
    removed: list[Entry] = []
    changed: list[TableDiff] = []
    for slot, (old_hash, new_hash) in sorted(catalog.tries.diff(before.root, after.root).items()):
        if is_cursor(slot):
            continue
        old = None if old_hash is None else load_entry(catalog, old_hash)
        new = None if new_hash is None else load_entry(catalog, new_hash)
        some = old or new
        if some is None or (keys is not None and some.key not in keys):
            continue
        if old is None and new is not None:
            added.append(new)
        elif new is None and old is not None:
            removed.append(old)
        elif old is not None and new is not None:
            changed.append(table_diff(catalog, old, new))
    return CatalogDiff(added=tuple(added), removed=tuple(removed), changed=tuple(changed))


def table_diff(catalog: Catalog, before: Entry, after: Entry) -> TableDiff:
    """Compare two versions of one key."""
    added, removed = _files(catalog, before, after)
    version = after.provenance.data_version
    return TableDiff(
        key=after.key,
        kind=after.kind,
        before=before,
        after=after,
        schema_changes=tuple(schema_changes(_schema(catalog, before), _schema(catalog, after))),
        rows_before=before.row_count,
        rows_after=after.row_count,
        files_added=added,
        files_removed=removed,
        is_same_data=bool(version)
        and before.kind == after.kind
        and before.provenance.data_version == version,
    )


def schema_changes(before: Schema, after: Schema) -> Iterator[SchemaChange]:
    """Compare two schemas of one table by field id, of views (all ids 0) by name."""
    yield from _field_changes(before.fields, after.fields, "")


def _field_changes(
    before: tuple[Field, ...], after: tuple[Field, ...], path: str
) -> Iterator[SchemaChange]:
    old = {_identity(field): field for field in before}
    new = {_identity(field): field for field in after}
    for identity, field in old.items():
        if identity not in new:
            yield SchemaChange(
                change="dropped", column=f"{path}{field.name}", before=str(field.type)
            )
    for identity, field in new.items():
        name = f"{path}{field.name}"
        was = old.get(identity)
        if was is None:
            yield SchemaChange(change="added", column=name, after=str(field.type))
            continue
        if was.name != field.name:
            yield SchemaChange(
                change="renamed", column=name, before=f"{path}{was.name}", after=name
            )
        if was.required != field.required:
            yield SchemaChange(change="required" if field.required else "optional", column=name)
        yield from _type_changes(was.type, field.type, name)
    kept_before = [identity for identity in old if identity in new]
    kept_after = [identity for identity in new if identity in old]
    for was_there, is_there in zip(kept_before, kept_after, strict=True):
        if was_there != is_there:
            yield SchemaChange(change="moved", column=f"{path}{new[is_there].name}")
            return


def _type_changes(before: Type, after: Type, path: str) -> Iterator[SchemaChange]:
    match before, after:
        case Struct(), Struct():
            yield from _field_changes(before.fields, after.fields, f"{path}.")
        case List(), List():
            yield from _type_changes(before.element, after.element, f"{path}.element")
        case Map(), Map():
            yield from _type_changes(before.key, after.key, f"{path}.key")
            yield from _type_changes(before.value, after.value, f"{path}.value")
        case Primitive(), Primitive() if before == after:
            return
        case _:
            yield SchemaChange(change="retyped", column=path, before=str(before), after=str(after))


def _identity(field: Field) -> int | str:
    return field.id or field.name.casefold()


def _schema(catalog: Catalog, entry: Entry) -> Schema:
    if entry.kind == "view":
        return load_view(catalog, entry)[1]
    return load_state(catalog, entry.content).schema


def _files(
    catalog: Catalog, before: Entry, after: Entry
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    old, new = _state(catalog, before), _state(catalog, after)
    # Manifests that both have are not read: the cost grows with what changed.
    old_hashes = {ref.hash for ref in old.manifests} if old is not None else set()
    new_hashes = {ref.hash for ref in new.manifests} if new is not None else set()
    old_paths = _paths(catalog, old, old_hashes - new_hashes)
    new_paths = _paths(catalog, new, new_hashes - old_hashes)
    return (
        tuple(path for path in new_paths if path not in old_paths),
        tuple(path for path in old_paths if path not in new_paths),
    )


def _state(catalog: Catalog, entry: Entry) -> TableState | None:
    return load_state(catalog, entry.content) if entry.kind == "table" else None


def _paths(catalog: Catalog, state: TableState | None, hashes: set[str]) -> dict[str, None]:
    if state is None:
        return {}
    return {
        path: None
        for ref in state.manifests
        if ref.hash in hashes
        for path in manifest.paths_of(ref, catalog.objects)
    }
