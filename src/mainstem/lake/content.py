# SPDX-License-Identifier: Apache-2.0
"""What a commit holds: entries of tables, views and cursors, and the objects behind them.

A trie leads from a key to the hash of an entry; an entry names its table state, view or cursor. A
cursor has the key of its table, so it has a place of its own in the trie.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import orjson

from mainstem.errors import AssetNotFound, UserError
from mainstem.graph import fingerprint
from mainstem.lake import planner
from mainstem.lake.catalog import Catalog
from mainstem.lake.table_state import TableState, state_from_bytes, state_to_bytes
from mainstem.lake.values import Commit, Entry, EntryKind
from mainstem.types import (
    AssetKey,
    BuiltPartitions,
    Provenance,
    Relation,
    Schema,
    ViewRef,
    ViewWrite,
    did_you_mean,
    nearest,
    schema_from_json,
    schema_to_json,
)

_RELATION, _CURSOR = "t:", "c:"


def slot_of(key: AssetKey, kind: EntryKind) -> str:
    """Give the place of a key in the trie; tables and views share one."""
    return (_CURSOR if kind == "cursor" else _RELATION) + key.folded


def slots_of(key: AssetKey) -> tuple[str, str]:
    """Give both places of a key: of its table or view, and of its cursor."""
    return slot_of(key, "table"), slot_of(key, "cursor")


def is_cursor(slot: str) -> bool:
    """Tell whether a place holds a cursor."""
    return slot.startswith(_CURSOR)


def put_entry(catalog: Catalog, entry: Entry) -> str:
    """Keep an entry and give its hash."""
    content_hash = catalog.objects.put(entry_to_bytes(entry))
    catalog.caches.entries.keep(content_hash, entry)
    return content_hash


def load_entry(catalog: Catalog, content_hash: str) -> Entry:
    """Load an entry by its hash."""
    known = catalog.caches.entries.get(content_hash)
    if known is not None:
        return known
    body = catalog.objects.get(content_hash)
    return catalog.caches.entries.keep(content_hash, entry_from_bytes(body))


def load_entries(catalog: Catalog, slots: Mapping[str, str]) -> dict[str, Entry]:
    """Load many entries, by place in the trie."""
    known = catalog.caches.entries
    missing = [one for one in slots.values() if known.get(one) is None]
    loaded = {
        content_hash: known.keep(content_hash, entry_from_bytes(body))
        for content_hash, body in catalog.objects.get_many(missing)
    }
    return {
        slot: loaded[content_hash] if content_hash in loaded else load_entry(catalog, content_hash)
        for slot, content_hash in slots.items()
    }


def find_entry(
    catalog: Catalog, root: str, key: AssetKey, kind: EntryKind = "table"
) -> Entry | None:
    """Look a table or view (or cursor) up in a commit's root."""
    content_hash = catalog.tries.find(root, slot_of(key, kind))
    return None if content_hash is None else load_entry(catalog, content_hash)


def relations(catalog: Catalog, root: str) -> Mapping[AssetKey, Entry]:
    """Give all tables and views; the same mapping for the same root."""
    known = catalog.caches.contents.get(root)
    if known is not None:
        return known
    slots = {
        slot: content_hash
        for slot, content_hash in catalog.tries.items(root).items()
        if not is_cursor(slot)
    }
    found = {entry.key: entry for entry in load_entries(catalog, slots).values()}
    return catalog.caches.contents.keep(root, MappingProxyType(found))


def cursors(catalog: Catalog, root: str) -> dict[AssetKey, Mapping[str, Any]]:
    """Give all cursors."""
    slots = {
        slot: content_hash
        for slot, content_hash in catalog.tries.items(root).items()
        if is_cursor(slot)
    }
    entries = load_entries(catalog, slots).values()
    bodies = dict(catalog.objects.get_many(entry.content for entry in entries))
    return {entry.key: orjson.loads(bodies[entry.content]) for entry in entries}


def load_state(catalog: Catalog, content_hash: str) -> TableState:
    """Load a table's state."""
    known: TableState | None = catalog.caches.states.get(content_hash)
    if known is None:
        known = state_from_bytes(catalog.objects.get(content_hash))
        catalog.caches.states.keep(content_hash, known)
    return known


def put_state(catalog: Catalog, state: TableState) -> str:
    """Keep a table's state and give its hash."""
    content_hash = catalog.objects.put(state_to_bytes(state))
    catalog.caches.states.keep(content_hash, state)
    return content_hash


def table_entry(
    catalog: Catalog, key: AssetKey, state: TableState, provenance: Provenance
) -> Entry:
    """Keep a state and make the entry for it."""
    return Entry(
        key=key,
        kind="table",
        content=put_state(catalog, state),
        provenance=provenance,
        row_count=state.row_count,
        file_count=state.file_count,
        size_bytes=state.size_bytes,
        snapshot_id=state.snapshot_id,
    )


def view_entry(catalog: Catalog, view: ViewWrite) -> Entry:
    """Keep a view and make the entry for it."""
    body = {
        "sql": view.sql,
        "schema": schema_to_json(view.schema),
        "inputs": [str(key) for key in view.inputs],
    }
    content = catalog.objects.put(orjson.dumps(body, option=orjson.OPT_SORT_KEYS))
    return Entry(key=view.key, kind="view", content=content, provenance=view.provenance)


def cursor_entry(catalog: Catalog, key: AssetKey, value: Mapping[str, Any]) -> Entry:
    """Keep a cursor and make the entry for it.

    Raises:
        UserError: The cursor holds something that JSON cannot.
    """
    try:
        body = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise UserError(
            "A5021",
            f"The cursor of {key} cannot be kept as JSON: {error}.",
            hint="A source's cursor is made of text, numbers, lists and mappings.",
        ) from error
    content = catalog.objects.put(body)
    return Entry(
        key=key,
        kind="cursor",
        content=content,
        provenance=Provenance(origin="ingested", data_version=content),
    )


def load_view(catalog: Catalog, entry: Entry) -> tuple[str, Schema, tuple[AssetKey, ...]]:
    """Load a view: its SQL, schema and inputs."""
    body = orjson.loads(catalog.objects.get(entry.content))
    inputs = tuple(AssetKey.parse(key) for key in body["inputs"])
    return body["sql"], schema_from_json(body["schema"]), inputs


def load_cursor(catalog: Catalog, entry: Entry) -> dict[str, Any]:
    """Load a cursor's value."""
    value: dict[str, Any] = orjson.loads(catalog.objects.get(entry.content))
    return value


def relation(catalog: Catalog, commit: Commit, key: AssetKey) -> Relation:
    """Give what is needed to read a table or view at a commit.

    Raises:
        AssetNotFound: It is not there; names the nearest ones.
    """
    entry = find_entry(catalog, commit.root, key)
    if entry is None:
        raise missing(catalog, commit, key)
    if entry.kind == "view":
        sql, schema, inputs = load_view(catalog, entry)
        return ViewRef(
            key=entry.key,
            sql=sql,
            schema=schema,
            inputs=inputs,
            data_version=data_version(catalog, commit.root, entry.key) or "",
            commit_id=commit.id,
        )
    return planner.table_ref(
        load_state(catalog, entry.content),
        catalog.objects,
        catalog.warehouse,
        entry.key,
        data_version=entry.provenance.data_version,
        commit_id=commit.id,
    )


def table_at(catalog: Catalog, commit: Commit, key: AssetKey) -> Entry:
    """Look up a table that must be there.

    Raises:
        AssetNotFound: It is not there; names the nearest ones.
        UserError: It is a view.
    """
    entry = find_entry(catalog, commit.root, key)
    if entry is None:
        raise missing(catalog, commit, key)
    if entry.kind != "table":
        raise UserError(
            "A5043",
            f"{key} is a view: it has neither files nor columns of its own.",
            hint="Change the view's query, or ask for a table.",
        )
    return entry


def missing(catalog: Catalog, commit: Commit, key: AssetKey) -> AssetNotFound:
    """Say that a table is not there, and what is."""
    names = [str(known) for known in relations(catalog, commit.root)]
    return AssetNotFound(
        "A5022",
        f"There is no table or view `{key}` at commit {commit.short_id}.",
        hint=did_you_mean(str(key), names) or "`mainstem list` shows what there is.",
        known=nearest(str(key), names) or sorted(names)[:10],
    )


def data_version(
    catalog: Catalog, root: str, key: AssetKey, *, within: tuple[AssetKey, ...] = ()
) -> str | None:
    """Tell the data version of a table or view at a root; `None` if it is not there.

    A view's is computed from its definition and the versions of what it reads, so data that comes
    in below changes it without the view being touched.
    """
    entry = find_entry(catalog, root, key)
    if entry is None:
        return None
    if entry.kind == "table":
        return entry.provenance.data_version
    sql, _, inputs = load_view(catalog, entry)
    versions: dict[AssetKey, str] = {}
    for read in inputs:
        # A view cannot read itself by way of others; a damaged catalog must not hang us.
        version = (
            None if read in within else data_version(catalog, root, read, within=(*within, key))
        )
        versions[read] = version or ""
    # As plans derive it: what they record as an input must be what a merge finds.
    return fingerprint(entry.provenance.code_version or sql, versions)


def are_equal(catalog: Catalog, ours: Entry, theirs: Entry) -> bool:
    """Tell whether two entries show the same rows in the same columns, whatever the files.

    Edits of columns keep the data version, so that alone does not tell.
    """
    if ours.content == theirs.content:
        return True
    version = ours.provenance.data_version
    if not version or version != theirs.provenance.data_version:
        return False
    if ours.kind != "table" or theirs.kind != "table":
        return False
    mine, yours = load_state(catalog, ours.content), load_state(catalog, theirs.content)
    return (mine.schema, mine.spec) == (yours.schema, yours.spec)


def entry_to_bytes(entry: Entry) -> bytes:
    """Write an entry canonically, as a row: there may be thousands in a commit."""
    origin = entry.provenance
    return orjson.dumps(
        [
            entry.kind,
            [entry.key.namespace, entry.key.name],
            entry.content,
            [entry.row_count, entry.file_count, entry.size_bytes, entry.snapshot_id],
            [
                origin.origin,
                origin.data_version,
                origin.fingerprint,
                origin.code_version,
                dict(origin.inputs),
                origin.run_id,
                origin.cursor_interval,
                # Only where there are any: other entries keep the bytes that they had.
                *([list(map(_built_row, origin.partitions))] if origin.partitions else []),
            ],
        ],
        option=orjson.OPT_SORT_KEYS,
    )


def entry_from_bytes(body: bytes) -> Entry:
    """Read an entry."""
    kind, (namespace, name), content, counts, origin = orjson.loads(body)
    return Entry(
        key=AssetKey(namespace, name),
        kind=kind,
        content=content,
        provenance=Provenance(
            origin=origin[0],
            data_version=origin[1],
            fingerprint=origin[2],
            code_version=origin[3],
            inputs=origin[4],
            run_id=origin[5],
            cursor_interval=origin[6],
            partitions=tuple(_built_of(row) for row in origin[7]) if len(origin) > 7 else (),
        ),
        row_count=counts[0],
        file_count=counts[1],
        size_bytes=counts[2],
        snapshot_id=counts[3],
    )


def _built_row(built: BuiltPartitions) -> list[Any]:
    return [built.partitions, built.version, built.code_version, dict(built.inputs)]


def _built_of(row: list[Any]) -> BuiltPartitions:
    partitions, version, code_version, inputs = row
    return BuiltPartitions(
        partitions=partitions, version=version, code_version=code_version, inputs=inputs
    )
