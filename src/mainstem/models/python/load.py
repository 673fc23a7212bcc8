# SPDX-License-Identifier: Apache-2.0
"""Tell what a Python file of a project defines, by importing it. Only workers do this."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any

from mainstem.errors import MainstemError, ModelInvalid, Where
from mainstem.models.python.current import python_version
from mainstem.models.python.declaration import Declaration
from mainstem.models.python.definition import (
    Discovered,
    Output,
    Parameter,
    PythonCheck,
    PythonModel,
    PythonSensor,
)
from mainstem.models.python.importing import Stopped, declared_in, import_file
from mainstem.models.python.plain import ASSET_OPTIONS, CHECK_OPTIONS, SENSOR_OPTIONS, plain
from mainstem.models.python.raised import import_failed, syntax_failed
from mainstem.models.python.signature import signature_of
from mainstem.models.python.source import Closure, Project, absent_of, code_of, outside_of

SENSOR_PARAMETERS = ("cursor", "now")
_OF_THE_FUNCTION = frozenset({"inputs", "deps"})


def load_file(project: Project, file: str) -> Discovered:
    """Import one file and describe what it defines; errors are part of the answer.

    Args:
        project: The folder; its parsed modules are shared between files.
        file: Path relative to the project folder.
    """
    try:
        _, closure = code_of(project, file, "")
    except SyntaxError as error:
        return Discovered(file=file, errors=(syntax_failed(error, file),))
    except (OSError, ValueError) as error:
        where = Where(file=file)
        broken = ModelInvalid("A7102", f"{file} cannot be read: {error}.", where=where)
        return Discovered(file=file, errors=(broken,))
    found = _identity(file, closure)
    if not _may_declare(project, file):
        return Discovered(**found)
    try:
        module = import_file(project.root, file)
    except BaseException as error:
        if isinstance(error, Stopped):
            raise
        return Discovered(**found, errors=(import_failed(error, file, project.root),))
    return _described(project, file, module, found)


def _may_declare(project: Project, file: str) -> bool:
    """Tell whether importing is worth it: helpers that never decorate have no assets."""
    return project.module(file).declares or b"@" in (project.root / file).read_bytes()


def _identity(file: str, closure: Closure) -> dict[str, Any]:
    return {
        "file": file,
        "files": {path: module.text_digest for path, module in sorted(closure.modules.items())},
        "absent": absent_of(closure),
        "installed": tuple(
            each.metadata_folder for each in outside_of(closure) if each.metadata_folder
        ),
        "python": python_version(),
    }


def _described(
    project: Project, file: str, module: types.ModuleType, found: Mapping[str, Any]
) -> Discovered:
    models: list[PythonModel] = []
    checks: list[PythonCheck] = []
    sensors: list[PythonSensor] = []
    errors: list[MainstemError] = []
    seen: set[int] = set()
    for path, function, declaration in declared_in(module):
        if id(function) in seen:
            continue
        seen.add(id(function))
        try:
            definition = _definition(project, file, path, function, declaration)
        except MainstemError as error:
            errors.append(error)
            continue
        match definition:
            case PythonModel():
                models.append(definition)
            case PythonCheck():
                checks.append(definition)
            case PythonSensor():
                sensors.append(definition)
    return Discovered(
        **found,
        models=tuple(models),
        checks=tuple(checks),
        sensors=tuple(sensors),
        errors=tuple(errors),
    )


def _definition(
    project: Project,
    file: str,
    path: str,
    function: Callable[..., Any],
    declaration: Declaration,
) -> PythonModel | PythonCheck | PythonSensor:
    namespace = _namespace_of(file)
    where = _place(project, file, function, f"{namespace}.{function.__name__}")
    if declaration.kind == "sensor":
        return _sensor(file, path, function, declaration, where)
    known = CHECK_OPTIONS if declaration.kind == "check" else ASSET_OPTIONS
    options = plain(declaration.options, known, where=where)
    inputs = _inputs(options, where)
    signature = signature_of(function, inputs, where=where)
    code, _ = code_of(project, file, function.__name__)
    doc = _first_paragraph(function)
    if declaration.kind == "check":
        _refuse_idle_check(declaration, signature.parameters, where)
        return PythonCheck(
            file=file,
            line=where.line,
            function=path,
            asset=declaration.target,
            namespace=namespace,
            options={name: value for name, value in options.items() if name != "inputs"},
            parameters=signature.parameters,
            takes_context=signature.takes_context,
            code=code,
            doc=doc,
            excerpt=where.excerpt,
        )
    own = {name: value for name, value in options.items() if name not in _OF_THE_FUNCTION}
    is_multi = declaration.kind == "multi_asset"
    outputs = (
        _outputs(declaration, own, where)
        if is_multi
        else (Output(written=_written_key(own, function), options=own),)
    )
    return PythonModel(
        file=file,
        line=where.line,
        function=path,
        outputs=outputs,
        namespace=namespace,
        parameters=signature.parameters,
        deps=tuple(_texts(options.get("deps", ()), "deps", where)),
        takes_context=signature.takes_context,
        this=signature.this,
        returns=signature.returns,
        is_multi=is_multi,
        code=code,
        doc=doc,
        excerpt=where.excerpt,
    )


def _sensor(
    file: str,
    path: str,
    function: Callable[..., Any],
    declaration: Declaration,
    where: Where,
) -> PythonSensor:
    options = plain(declaration.options, SENSOR_OPTIONS, where=where)
    parameters = tuple(inspect.signature(function).parameters)
    unknown = [name for name in parameters if name not in SENSOR_PARAMETERS]
    if unknown:
        raise ModelInvalid(
            "A7105",
            f"The sensor {function.__name__} has the parameter `{unknown[0]}`; allowed are "
            f"{' and '.join(SENSOR_PARAMETERS)}.",
            where=where,
        )
    return PythonSensor(
        file=file,
        line=where.line,
        function=path,
        name=str(options.get("name") or function.__name__),
        options=options,
        parameters=parameters,
        doc=_first_paragraph(function),
    )


def _refuse_idle_check(
    declaration: Declaration, parameters: tuple[Parameter, ...], where: Where
) -> None:
    if not declaration.target:
        raise ModelInvalid(
            "A7103",
            f"The check {where.asset} does not say which asset it is of.",
            hint='Write @check("namespace.name").',
            where=where,
        )
    if not parameters:
        raise ModelInvalid(
            "A7105",
            f"The check {where.asset} has no parameter, so it reads nothing.",
            hint=f"Give it one, named after the asset: {declaration.target.rpartition('.')[2]}.",
            where=where,
        )


def _outputs(
    declaration: Declaration, shared: Mapping[str, Any], where: Where
) -> tuple[Output, ...]:
    if not declaration.outputs:
        raise ModelInvalid("A7103", f"{where.asset} has no outputs.", where=where)
    return tuple(
        Output(
            written=str(key),
            options={**shared, **plain(options or {}, ASSET_OPTIONS, where=where)},
        )
        for key, options in declaration.outputs.items()
    )


def _written_key(options: Mapping[str, Any], function: Callable[..., Any]) -> str:
    key = options.get("key")
    return key if isinstance(key, str) and key else function.__name__


def _inputs(options: Mapping[str, Any], where: Where) -> Mapping[str, str]:
    inputs = options.get("inputs", {})
    if not isinstance(inputs, dict) or not all(isinstance(each, str) for each in inputs.values()):
        raise ModelInvalid(
            "A7103",
            f"`inputs` of {where.asset} is {inputs!r}; allowed is a mapping parameter -> asset.",
            hint='Write inputs={"flights": "raw.flights"}.',
            where=where,
        )
    return inputs


def _texts(value: Any, name: str, where: Where) -> list[str]:
    values = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(each, str) for each in values):
        raise ModelInvalid(
            "A7103", f"`{name}` of {where.asset} is {value!r}; allowed is a list of assets.",
            where=where,
        )  # fmt: skip
    return list(values)


def _namespace_of(file: str) -> str:
    """Give the first folder below `models/` (GRAMMAR 1)."""
    parts = file.split("/")
    return parts[1] if len(parts) > 2 else "main"


def _place(project: Project, file: str, function: Callable[..., Any], asset: str) -> Where:
    code = getattr(function, "__code__", None)
    line = code.co_firstlineno if code is not None else 0
    lines = (project.root / file).read_text("utf-8", errors="replace").splitlines()
    here = next(
        (
            (number, text)
            for number, text in enumerate(lines[line - 1 :], start=line)
            if text.lstrip().startswith(("def ", "async def "))
        ),
        (line, ""),
    )
    return Where(file=file, line=here[0], asset=asset, excerpt=here[1])


def _first_paragraph(function: Callable[..., Any]) -> str:
    doc = function.__doc__ or ""
    return " ".join(doc.strip().split("\n\n")[0].split())
