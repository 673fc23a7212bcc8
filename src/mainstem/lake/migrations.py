# SPDX-License-Identifier: Apache-2.0
"""The catalog's tables. Hashes are blobs, ids of commits are hex text, times are microseconds."""

from __future__ import annotations

from mainstem.database import Migration

_OBJECT = """
create table lake_object (
  hash blob not null primary key,
  created_at bigint not null,
  body blob not null)
"""
"""Rows with large bodies stay out of the key's tree: hashes are random, bodies append."""

_COMMIT = """
create table lake_commit (
  id text not null primary key,
  generation bigint not null,
  created_at bigint not null,
  body blob not null)
"""

_REF = """
create table lake_ref (
  name text not null primary key,
  kind text not null,
  commit_id text not null,
  protected integer not null,
  sealed integer not null,
  expires_at bigint,
  created_from text not null)
"""

_REFLOG = """
create table lake_reflog (
  name text not null,
  number integer not null,
  moved_at bigint not null,
  old text not null,
  new text not null,
  why text not null,
  primary key (name, number))
"""

_TABLE = """
create table lake_table (
  table_id text not null primary key,
  folded text not null unique,
  last_sequence bigint not null,
  last_field bigint not null,
  last_schema integer not null,
  last_spec integer not null,
  last_partition integer not null,
  last_prefix bigint not null)
"""

_GIVEN = """
create table lake_given (
  table_id text not null,
  kind text not null,
  what blob not null,
  number integer not null,
  primary key (table_id, kind, what, number))
"""
"""What ids were given for: `what` is the hash of a column's path and type, of a schema, ..."""

_PREFIX = """
create table lake_prefix (
  directory text not null,
  prefix text not null,
  created_at bigint not null,
  primary key (directory, prefix))
"""
"""How the names of all files begin that may exist."""

MIGRATIONS = (
    Migration(
        package="lake",
        number=1,
        statements=(_OBJECT, _COMMIT, _REF, _REFLOG, _TABLE, _GIVEN, _PREFIX),
    ),
)
