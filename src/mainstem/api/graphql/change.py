# SPDX-License-Identifier: Apache-2.0
"""Changes of branches, tags and history."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import strawberry
from strawberry import argument, field

from mainstem.api.graphql.arguments import Message, Name, Place
from mainstem.api.graphql.commit import Branch, Commit, Tag, branch_node, commit, tag
from mainstem.api.graphql.context import Info
from mainstem.lake import MergeResult


@strawberry.enum(description="Whose version of a table in conflict is taken.")
class OnConflict(Enum):
    """Of merges."""

    FAIL = "fail"
    OURS = "ours"
    THEIRS = "theirs"


@strawberry.type(description="Two changes of one table that do not commute.")
class Conflict:
    """A conflict."""

    asset: str = field(description="Key of the table.")
    kind: str = field(description="schema, layout, overwrite, partition, file, key, dropped, ...")
    message: str = field(description="What does not fit, in a sentence.")
    ours: str = field(description="What the target did.")
    theirs: str = field(description="What the source did.")


@strawberry.type(description="What a merge did, or would do.")
class Merge:
    """A merge."""

    commit: Commit | None = field(
        description="What was made; null: conflicts, a dry run, or nothing to merge."
    )
    merged: list[str] = field(description="Keys that the target gets.")
    stale: list[str] = field(description="Keys that the next run builds because of it.")
    conflicts: list[Conflict] = field(description="Why nothing was merged.")
    notes: list[str] = field(description="Decisions worth a line.")


def create_branch(info: Info, name: Name, at: Place = "main") -> Branch:
    """Make a branch."""
    served = info.context.project
    ref = served.lake.create_branch(name, at=at)
    return branch_node(ref, served.lake.resolve(ref.commit_id), current=served.branch)


def delete_branch(info: Info, name: Name) -> Commit:
    """Delete a branch; gives what it named."""
    lake = info.context.project.lake
    head = lake.resolve(lake.ref(name).commit_id)
    lake.delete_branch(name)
    return commit(head)


def create_tag(info: Info, name: Name, at: Place = "main") -> Tag:
    """Make a tag."""
    lake = info.context.project.lake
    ref = lake.tag(name, at=at)
    return tag(ref, lake.resolve(ref.commit_id))


def delete_tag(info: Info, name: Name) -> Commit:
    """Delete a tag; gives what it named."""
    lake = info.context.project.lake
    named = lake.resolve(lake.ref(name).commit_id)
    lake.delete_tag(name)
    return commit(named)


def merge(
    info: Info,
    branch: Annotated[str, argument(description="What is merged: a branch, tag or commit.")],
    into: Annotated[str | None, argument(description="The environment's branch without.")] = None,
    on_conflict: Annotated[
        OnConflict, argument(description="`OURS` is the target's.")
    ] = OnConflict.FAIL,
    message: Message = "",
    *,
    dry_run: Annotated[bool, argument(description="Only tell what would be.")] = False,
) -> Merge:
    """Merge a branch."""
    found = info.context.project.merge(
        branch, into=into, on_conflict=on_conflict.value, dry_run=dry_run, message=message
    )
    return _merge(found)


def revert(
    info: Info,
    commit_id: Annotated[str, argument(name="commit", description="What to undo.")],
    message: Message = "",
    *,
    keep_cursors: Annotated[
        bool, argument(description="Leave positions in sources where they are.")
    ] = False,
) -> Commit:
    """Undo a commit."""
    made = info.context.project.revert(commit_id, keep_cursors=keep_cursors, message=message)
    return commit(made)


def _merge(found: MergeResult) -> Merge:
    return Merge(
        commit=None if found.commit is None else commit(found.commit),
        merged=[str(key) for key in found.merged],
        stale=[str(key) for key in found.stale],
        conflicts=[
            Conflict(
                asset=str(each.key),
                kind=each.kind,
                message=each.message,
                ours=each.ours,
                theirs=each.theirs,
            )
            for each in found.conflicts
        ],
        notes=list(found.notes),
    )
