# SPDX-License-Identifier: Apache-2.0
"""Read a function's signature: which parameter is which asset, in what form.

Forms are told by the names of annotated classes, so that no vendor is imported to compare with, and
text annotations work where their names exist for type checkers only.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from mainstem.errors import ModelInvalid, Where
from mainstem.models.python.definition import FORM_NAMES, Form, Parameter, Returns
from mainstem.types import dataclass, did_you_mean

_FORMS: Mapping[tuple[str, str], Form] = {
    ("pyarrow", "Table"): "arrow",
    ("pyarrow", "RecordBatchReader"): "reader",
    ("pandas", "DataFrame"): "pandas",
    ("polars", "DataFrame"): "polars",
    ("polars", "LazyFrame"): "lazy",
    ("dask", "DataFrame"): "dask",
    ("duckdb", "DuckDBPyRelation"): "duckdb",
    ("mainstem", "TableRef"): "reference",
    ("mainstem", "ViewRef"): "reference",
}
_PREFIXES = {
    "pa": "pyarrow",
    "pd": "pandas",
    "pl": "polars",
    "dd": "dask",
    "ms": "mainstem",
    "_duckdb": "duckdb",
}
_UNAMBIGUOUS = {name: form for (_, name), form in _FORMS.items() if name != "DataFrame"}
_OPTIONAL = re.compile(r"^(?:typing\.)?Optional\[(.*)\]$")
ALLOWED = ", ".join(FORM_NAMES.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The parts of a signature that matter to a run."""

    parameters: tuple[Parameter, ...]
    takes_context: bool
    this: Form | None
    returns: Returns


def signature_of(
    function: Callable[..., Any], inputs: Mapping[str, str], *, where: Where
) -> Signature:
    """Read the signature of a decorated function.

    Args:
        function: The user's function.
        inputs: What `inputs=` says: parameter name -> asset.
        where: The place of its `def`.

    Raises:
        ModelInvalid: A parameter that cannot be an input, or `inputs=` names none of them.
    """
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise ModelInvalid(
            "A7105",
            f"{where.asset} is an async function; models are plain ones.",
            hint="Call asyncio.run() within a plain function.",
            where=where,
        )
    described = inspect.signature(function)
    parameters: list[Parameter] = []
    takes_context, this = False, None
    for name, parameter in described.parameters.items():
        _refuse_unnamed(parameter, where)
        if name in inputs:
            form = _form(function, name, parameter.annotation, where)
            parameters.append(Parameter(name=name, source=inputs[name], form=form, line=where.line))
        elif name == "context":
            takes_context = True
        elif name == "this":
            this = _form(function, name, parameter.annotation, where)
        elif parameter.default is inspect.Parameter.empty:
            form = _form(function, name, parameter.annotation, where)
            parameters.append(Parameter(name=name, source=name, form=form, line=where.line))
    for name in inputs:
        if name not in described.parameters:
            raise ModelInvalid(
                "A7105",
                f"`inputs` of {where.asset} names `{name}`, which is not a parameter of it.",
                hint=did_you_mean(name, described.parameters) or "Name a parameter, or use deps=.",
                where=where,
                known=tuple(described.parameters),
            )
    return Signature(
        parameters=tuple(parameters),
        takes_context=takes_context,
        this=this,
        returns=_returns(function, described.return_annotation),
    )


def _refuse_unnamed(parameter: inspect.Parameter, where: Where) -> None:
    if parameter.kind not in {parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD}:
        is_double = parameter.kind == parameter.VAR_KEYWORD
        is_single = parameter.kind == parameter.VAR_POSITIONAL
        spelled = ("**" if is_double else "*" if is_single else "/, ") + parameter.name
        raise ModelInvalid(
            "A7105",
            f"{where.asset} takes `{spelled}`; a parameter's name must say which asset it is.",
            hint="Give each input a parameter of its own.",
            where=where,
        )


def _form(function: Callable[..., Any], name: str, annotation: Any, where: Where) -> Form:
    if annotation is inspect.Parameter.empty:
        return "arrow"
    if isinstance(annotation, str):
        annotation = _evaluate(function, annotation)
    form = _form_of_text(annotation) if isinstance(annotation, str) else _form_of(annotation)
    if form is None:
        shown = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
        raise ModelInvalid(
            "A7104",
            f"Parameter `{name}` of {where.asset} is annotated `{shown}`, "
            "which no data can be given as.",
            hint=f"Allowed are {ALLOWED}. Give it a default if it is no input.",
            where=where,
            known=tuple(FORM_NAMES.values()),
        )
    return form


def _evaluate(function: Callable[..., Any], text: str) -> Any:
    """Give what a text annotation means in the function's module, or else the text."""
    names = getattr(inspect.unwrap(function), "__globals__", {})
    holder = types.SimpleNamespace(__annotations__={"it": text})
    try:
        return typing.get_type_hints(holder, globalns=dict(names))["it"]
    except (NameError, AttributeError, TypeError, SyntaxError):  # names under TYPE_CHECKING
        return text


def _form_of(annotation: Any) -> Form | None:
    if annotation is None or annotation is type(None):
        return "nothing"
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        members = [each for each in typing.get_args(annotation) if each is not type(None)]
        forms = {_form_of(each) for each in members}
        return forms.pop() if len(forms) == 1 else None
    if not isinstance(annotation, type):
        return None
    package = annotation.__module__.partition(".")[0]
    return _FORMS.get((_PREFIXES.get(package, package), annotation.__name__))


def _form_of_text(annotation: str) -> Form | None:
    text = annotation.strip().strip("'\"")
    if (optional := _OPTIONAL.match(text)) is not None:
        text = optional.group(1)
    members = [part.strip() for part in text.split("|")]
    named = [part for part in members if part != "None"]
    if not named:
        return "nothing"
    package, _, name = named[0].rpartition(".")
    root = package.partition(".")[0]
    form = _FORMS.get((_PREFIXES.get(root, root), name))
    return form if form is not None or package else _UNAMBIGUOUS.get(name)


def _returns(function: Callable[..., Any], annotation: Any) -> Returns:
    if annotation is inspect.Signature.empty:
        return "unknown"
    if isinstance(annotation, str):
        annotation = _evaluate(function, annotation)
    return "nothing" if annotation in {None, "None"} or annotation is type(None) else "data"
