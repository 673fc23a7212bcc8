# SPDX-License-Identifier: Apache-2.0
"""Changes of partitions: keys of dynamic ones come and go, data of any is deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import strawberry
from strawberry import argument, field

from mainstem.api.graphql.arguments import Key
from mainstem.api.graphql.commit import Commit, commit
from mainstem.api.graphql.context import Info
from mainstem.api.graphql.scalars import Long
from mainstem.api.graphql.why import Partitions, partitions_node
from mainstem.errors import UserError
from mainstem.project import (
    add_partitions,
    delete_partitions,
    partitions_of,
    permit,
    remove_partitions,
)

_MOST_KEYS = 1_000

Keys = Annotated[list[str], argument(description="Keys of partitions, 1,000 at most.")]
Partitioned = Annotated[str, argument(description="Key of an asset with partitions.")]


@strawberry.type(description="What became of a list of dynamic partitions.")
class PartitionKeys:
    """A change of keys."""

    count: int = field(description="Keys that were added, or taken away; the others were so.")
    partitions: Partitions = field(description="How the asset stands now.")


@strawberry.type(description="What deleting the data of partitions came to.")
class DeletedPartitions:
    """A deletion."""

    row_count: Long = field(description="Rows that are gone.")
    commit: Commit | None = field(description="By which they went; null: there was nothing.")
    partitions: Partitions = field(description="How the asset stands now.")


def add_keys(info: Info, asset: Partitioned, keys: Keys) -> PartitionKeys:
    """Add keys to the dynamic partitions of an asset."""
    project = info.context.project
    added = add_partitions(project, asset, _checked(keys))
    return PartitionKeys(count=len(added), partitions=_standing(info, asset))


def remove_keys(info: Info, asset: Partitioned, keys: Keys) -> PartitionKeys:
    """Take keys from the dynamic partitions of an asset; their rows stay."""
    project = info.context.project
    count = remove_partitions(project, asset, _checked(keys))
    return PartitionKeys(count=count, partitions=_standing(info, asset))


def delete_data(
    info: Info,
    asset: Key,
    partitions: Annotated[
        str, argument(description="Which, as `mainstem run --partition` takes them.")
    ],
    *,
    yes: Annotated[
        bool, argument(description="On a protected environment: that this is meant.")
    ] = False,
) -> DeletedPartitions:
    """Delete the rows of partitions, in one commit."""
    project = info.context.project
    permit(project, is_meant=yes)
    made, rows = delete_partitions(project, asset, partitions)
    return DeletedPartitions(
        row_count=Long(rows),
        commit=None if made is None else commit(made),
        partitions=_standing(info, asset),
    )


def _checked(keys: Sequence[str]) -> Sequence[str]:
    if not 0 < len(keys) <= _MOST_KEYS:
        raise UserError("A8113", f"`keys` has from 1 to {_MOST_KEYS:,} of them, not {len(keys):,}.")
    return keys


def _standing(info: Info, asset: str) -> Partitions:
    return partitions_node(partitions_of(info.context.project, asset))
