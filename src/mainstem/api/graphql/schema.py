# SPDX-License-Identifier: Apache-2.0
"""The schema as a whole: made once, when somebody first asks, or beside the first answers."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.graphql import OperationType

from mainstem.api.graphql.context import Context
from mainstem.api.graphql.limits import Limits
from mainstem.api.graphql.mutation import Mutation
from mainstem.api.graphql.operation import Operation
from mainstem.api.graphql.query import Query
from mainstem.api.graphql.scalars import config
from mainstem.api.graphql.subscription import Subscription
from mainstem.api.problem import HIDDEN, problem_of, refused
from mainstem.api.settings import ApiSettings
from mainstem.errors import MainstemError, UserError

_OF_CALLERS = (InvalidOperationTypeError, CannotGetOperationTypeError)
_LOG = logging.getLogger("mainstem.api")


class Schema(strawberry.Schema):
    """A schema whose log has our own faults alone: those of callers go to the callers."""

    def process_errors(self, errors: list[GraphQLError], execution_context: Any = None) -> None:
        """Log what callers are not told."""
        del execution_context
        for error in errors:
            cause = error.original_error
            if cause is None or isinstance(cause, (_OF_CALLERS, GraphQLError)):
                continue
            if problem_of(cause) is HIDDEN:
                _LOG.error("GraphQL: %s", type(cause).__name__, exc_info=cause)


@cache
def schema(settings: ApiSettings) -> Schema:
    """Make the schema with the limits of the settings."""
    return Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        config=config(),
        extensions=[lambda: Limits(settings)],
    )


def sdl() -> str:
    """Give the schema in GraphQL's own language, as it is committed."""
    return schema(ApiSettings()).as_str() + "\n"


def execute(made: Schema, asked: Operation, context: Context) -> Any:
    """Execute a query or a mutation.

    Raises:
        UserError: It is neither, or not in the document.
    """
    try:
        return made.execute_sync(
            asked.query,
            variable_values=dict(asked.variables),
            context_value=context,
            operation_name=asked.name,
            allowed_operation_types={OperationType.QUERY, OperationType.MUTATION},
        )
    except InvalidOperationTypeError as error:
        kind = error.operation_type.value
        raise UserError(
            "A8105",
            f"A {kind} is not answered once.",
            hint="Ask with `Accept: text/event-stream`.",
        ) from None
    except CannotGetOperationTypeError:
        raise UserError(
            "A8105",
            "The document has no operation of this name, or several and none is named.",
            hint="Name one in `operationName`.",
        ) from None


def told(error: GraphQLError) -> dict[str, Any]:
    """Give an error as a caller sees it: its fields in `extensions`, nothing of ours inside."""
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    if cause is None or isinstance(cause, _OF_CALLERS):
        problem = refused("A8105", error.message)
    elif isinstance(cause, MainstemError):
        problem = problem_of(cause)
    else:
        problem = HIDDEN
    found: dict[str, Any] = {"message": problem.summary, "extensions": problem.fields()}
    if error.locations:
        found["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    if error.path:
        found["path"] = error.path
    return found
