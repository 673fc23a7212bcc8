# SPDX-License-Identifier: Apache-2.0
"""How large an operation may be: depth, and cost, with lists counted by their limits. Pure.

Looked at before validation, whose own rules cost the square of what they look at. Fragments are
measured once each, however often they are spread, so that no document makes this slow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
)
from strawberry.extensions import SchemaExtension

from mainstem.api.settings import ApiSettings
from mainstem.errors import UserError
from mainstem.types import dataclass

_SIZES = {"first", "limit", "depth"}
_LISTS = {"edges", "nodes"}
DEFAULT_SIZE = 20
"""Of a list that names no limit."""
_SAME = 50
"""Fields of one name in one place: comparing them for conflicts costs the square."""
_INTROSPECTION_COST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Of an operation, or a part of one."""

    depth: int = 0
    cost: int = 0


class Limits(SchemaExtension):
    """Refuses what is too large, between parsing and validation."""

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings

    def on_operation(self) -> Iterator[None]:
        """Have the parser count words."""
        self.execution_context.parse_options["max_tokens"] = self._settings.max_tokens
        yield

    def on_parse(self) -> Iterator[None]:
        """Measure what was parsed."""
        yield
        document = self.execution_context.graphql_document
        if document is not None:
            check_size(document, self.execution_context.variables or {}, self._settings)


def check_size(document: DocumentNode, variables: Mapping[str, Any], settings: ApiSettings) -> None:
    """Go on only if every operation of a document is within the limits.

    Raises:
        GraphQLError: One is not.
    """
    measure = _Measure(document, variables)
    for operation in document.definitions:
        if not isinstance(operation, OperationDefinitionNode):
            continue
        size = measure.of(operation.selection_set, 1)
        if size.depth > settings.max_depth:
            raise too_large(f"is {size.depth} fields deep, and {settings.max_depth} are allowed")
        if size.cost > settings.max_cost:
            raise too_large(f"costs {size.cost:,}, and {settings.max_cost:,} are allowed")


def too_large(why: str) -> GraphQLError:
    """Say that an operation is too large."""
    error = UserError(
        "A8111",
        f"The operation {why}.",
        hint="Ask for less at once: a smaller `first`, and the next page by `after`.",
    )
    return GraphQLError(error.summary, original_error=error)


class _Measure:
    def __init__(self, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self._variables = variables
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._known: dict[str, Size] = {}
        self._open: set[str] = set()

    def of(self, selections: SelectionSetNode | None, level: int) -> Size:
        """Measure what is selected; `level` guards the stack."""
        if selections is None:
            return Size()
        if level > 200:
            raise too_large("is nested deeper than anybody asks")
        depth = cost = 0
        names: dict[str, int] = {}
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                name = (selection.alias or selection.name).value
                names[name] = names.get(name, 0) + 1
                if names[name] > _SAME:
                    raise too_large(f"names `{name[:40]}` more than {_SAME} times in one place")
                size = self._field(selection, level)
            elif isinstance(selection, FragmentSpreadNode):
                size = self._fragment(selection.name.value, level)
            elif isinstance(selection, InlineFragmentNode):
                size = self.of(selection.selection_set, level + 1)
            else:
                continue
            depth, cost = max(depth, size.depth), cost + size.cost
        return Size(depth=depth, cost=cost)

    def _field(self, node: FieldNode, level: int) -> Size:
        if node.name.value in {"__schema", "__type"}:
            # The engine has a limit of its own for these.
            return Size(depth=1, cost=_INTROSPECTION_COST)
        inner = self.of(node.selection_set, level + 1)
        return Size(depth=inner.depth + 1, cost=1 + inner.cost * self._times(node))

    def _fragment(self, name: str, level: int) -> Size:
        if name in self._known:
            return self._known[name]
        fragment = self._fragments.get(name)
        if fragment is None or name in self._open:
            return Size()  # validation says what is wrong with it
        self._open.add(name)
        size = self.of(fragment.selection_set, level + 1)
        self._open.discard(name)
        self._known[name] = size
        return size

    def _times(self, node: FieldNode) -> int:
        """Tell how often what is below a field may come."""
        if node.name.value in _LISTS or node.selection_set is None:
            return 1  # counted where the list's limit stands
        for argument in node.arguments or ():
            if argument.name.value in _SIZES:
                value = argument.value
                number: Any = DEFAULT_SIZE
                if isinstance(value, IntValueNode):
                    number = int(value.value) if len(value.value) < 10 else 10**9
                elif isinstance(value, VariableNode):
                    number = self._variables.get(value.name.value)
                if isinstance(number, int) and not isinstance(number, bool):
                    return max(1, min(number, 10**9))
                return DEFAULT_SIZE
        is_list = any(
            isinstance(inner, FieldNode) and inner.name.value in _LISTS
            for inner in node.selection_set.selections
        )
        return DEFAULT_SIZE if is_list else 1
