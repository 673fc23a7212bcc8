# SPDX-License-Identifier: Apache-2.0
"""JSON Schema (draft 2020-12) of the YAML files, for editors; made from the key tables."""

from __future__ import annotations

from typing import Any, Literal

from mainstem.config.keys import FILES, INGEST_FILE
from mainstem.config.shape import (
    Anything,
    Either,
    Flag,
    Items,
    Keys,
    Mapped,
    Number,
    Scalar,
    Shape,
    Text,
)

FileType = Literal["mainstem", "ingest", "models"]


def json_schema(file_type: FileType) -> dict[str, Any]:
    """Give the schema of one kind of file: `mainstem` (mainstem.yml), `ingest` or `models`."""
    schema = _schema_of(FILES[file_type])
    if file_type == "ingest":
        # Only type files is known key by key yet; an editor must not redden the others.
        is_files = {"properties": {"type": {"const": "files"}}}
        schema = {"if": is_files, "then": schema, "else": _schema_of(INGEST_FILE)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Mainstem: {FILES[file_type].title}",
        **schema,
    }


def _schema_of(shape: Shape) -> dict[str, Any]:
    match shape:
        case Text():
            schema: dict[str, Any] = {"type": "string"}
            if shape.choices:
                schema["enum"] = list(shape.choices)
            if shape.pattern:
                schema["pattern"] = f"^(?:{shape.pattern})$"
            return schema
        case Flag():
            return {"type": "boolean"}
        case Number():
            schema = {"type": "integer" if shape.integer else "number"}
            if shape.minimum is not None:
                schema["minimum"] = shape.minimum
            if shape.maximum is not None:
                schema["maximum"] = shape.maximum
            return schema
        case Scalar():
            return {"type": ["string", "number", "boolean", "null"]}
        case Anything():
            return {}
        case Items():
            inner = _schema_of(shape.of)
            many = {"type": "array", "items": inner}
            return many if shape.strict else {"anyOf": [inner, many]}
        case Mapped():
            return {"type": "object", "additionalProperties": _schema_of(shape.of)}
        case Keys():
            return _schema_of_keys(shape)
        case Either():
            return {"anyOf": [_schema_of(option) for option in shape.of]}


def _schema_of_keys(shape: Keys) -> dict[str, Any]:
    properties = {}
    for name, key in shape.keys.items():
        schema = _schema_of(key.shape)
        properties[name] = {**schema, "description": key.doc} if key.doc else schema
    whole: dict[str, Any] = {"type": "object", "properties": properties}
    if shape.required:
        whole["required"] = list(shape.required)
    if not shape.is_open:
        whole["additionalProperties"] = False
    return whole
