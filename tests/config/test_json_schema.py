# SPDX-License-Identifier: Apache-2.0
"""The JSON Schemas for editors say the same as the validation."""

import subprocess
import sys

import orjson
import pytest

from mainstem.config import INGEST_FILES, PROPERTY_FILE, json_schema, load_yaml, problems_of
from mainstem.config.keys import SETTINGS_FILE

SHAPES = {"mainstem": SETTINGS_FILE, "ingest": INGEST_FILES, "models": PROPERTY_FILE}
CASES = [
    ("mainstem", "name: shop", True),
    ("mainstem", "nam: shop", False),
    ("mainstem", "name: 12", False),
    ("mainstem", "{name: x, environments: {dev: {protected: true}}}", True),
    ("mainstem", "{name: x, environments: {dev: {protected: 1}}}", False),
    ("mainstem", "{name: x, connections: {a: {type: s3, anything: 1}}}", True),
    ("mainstem", "{name: x, jobs: {a: {retries: -1}}}", False),
    ("mainstem", "{name: x, models: {staging: {tags: [a, b], key: id}}}", True),
    ("ingest", "{type: files, tables: {a: a.csv, b: [x.csv, y.csv], c: {files: z.csv}}}", True),
    ("ingest", "{type: files, tables: {a: {files: a.csv, key: 1}}}", False),
    ("ingest", "{type: files, tables: {a: {files: a.csv, contract: freezed}}}", False),
    ("ingest", "{type: files, tables: {a: {files: a.csv, columns: {x: int, y: {pii: a}}}}}", True),
    ("ingest", "{type: files}", False),
    ("models", "{models: [{name: a, columns: [{name: b, tests: [unique]}]}]}", True),
    ("models", "{models: [{nme: a}]}", False),
    ("models", "{assets: [{key: a.b, checks: [unique: id]}]}", True),
]


def _accepts(schema, value):
    """Judge by the part of JSON Schema that is emitted."""
    if "if" in schema:
        branch = "then" if _accepts(schema["if"], value) else "else"
        return _accepts(schema[branch], value)
    if "anyOf" in schema and not any(_accepts(one, value) for one in schema["anyOf"]):
        return False
    if "const" in schema and value != schema["const"]:
        return False
    kinds = schema.get("type", [])
    if kinds and not any(
        _is(value, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)
    ):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "minimum" in schema and value < schema["minimum"]:
        return False
    if isinstance(value, list) and "items" in schema:
        return all(_accepts(schema["items"], item) for item in value)
    if isinstance(value, dict):
        known = schema.get("properties", {})
        rest = schema.get("additionalProperties", True)
        for name, item in value.items():
            of = known.get(name, rest)
            if of is False or (isinstance(of, dict) and not _accepts(of, item)):
                return False
        return all(name in value for name in schema.get("required", []))
    return True


def _is(value, kind):
    if isinstance(value, bool):
        return kind == "boolean"
    kinds = {
        "string": str,
        "number": (int, float),
        "integer": int,
        "array": list,
        "object": dict,
        "null": type(None),
    }
    return kind in kinds and isinstance(value, kinds[kind])


@pytest.mark.parametrize(("kind", "text", "fits"), CASES)
def test_schema_and_validation_agree(kind, text, fits):
    document = load_yaml(text, "x.yml")

    assert _accepts(json_schema(kind), document.value) is fits
    assert (list(problems_of(document, SHAPES[kind])) == []) is fits


@pytest.mark.parametrize("kind", ["mainstem", "ingest", "models"])
def test_schemas_are_json_and_describe_their_keys(kind):
    schema = json_schema(kind)

    assert orjson.loads(orjson.dumps(schema)) == schema
    assert schema["$schema"].endswith("2020-12/schema")
    assert "description" in orjson.dumps(schema).decode()


def test_other_source_types_are_not_reddened_by_editors():
    value = {"type": "rest", "base_url": "https://example.com", "tables": {"a": {"path": "/a"}}}

    assert _accepts(json_schema("ingest"), value)


def test_cached_settings_load_no_yaml_parser():
    code = (
        "import sys; from mainstem.config import Settings, Environment, load_variables; "
        "from mainstem.ingest import observe, FileTable; "
        "print([m for m in ('yaml','pydantic','duckdb','pyarrow','sqlglot') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
