# SPDX-License-Identifier: Apache-2.0
"""The nouns every package shares: frozen values and Protocols, no I/O, nothing heavy to import."""

from mainstem.types.check import CheckResult, CheckSpec, Severity, Verdict
from mainstem.types.clock import Clock, SystemClock
from mainstem.types.duration import duration_of, duration_text, seconds_in
from mainstem.types.engine import Engine, Session
from mainstem.types.execution import NO_RETRY, Asks, Backoff, Execution, Pool, Retry
from mainstem.types.key import AssetKey
from mainstem.types.layout import (
    LayoutColumn,
    PartitionField,
    PartitionSpec,
    PartitionValue,
    Transform,
    layout_text,
)
from mainstem.types.lazily import lazily
from mainstem.types.nearest import did_you_mean, nearest
from mainstem.types.plural import plural
from mainstem.types.schema import (
    Field,
    List,
    Map,
    Primitive,
    Schema,
    Struct,
    Type,
    field_from_json,
    field_to_json,
    schema_from_json,
    schema_to_json,
    type_from_json,
    type_to_json,
)
from mainstem.types.sensing import Cursor, RunRequest, SensorAnswer, Skip
from mainstem.types.size import bytes_in, bytes_text
from mainstem.types.table import (
    BuiltPartitions,
    Change,
    CursorWrite,
    DataFile,
    Operation,
    Origin,
    Physical,
    Provenance,
    Relation,
    TableRef,
    TableWrite,
    ViewRef,
    ViewWrite,
    WriteTarget,
)
from mainstem.types.usage import Usage, cpu_s, machine_memory, peak_memory, reset_peak
from mainstem.types.value import changed, dataclass

__all__ = [
    "NO_RETRY",
    "Asks",
    "AssetKey",
    "Backoff",
    "BuiltPartitions",
    "Change",
    "CheckResult",
    "CheckSpec",
    "Clock",
    "Cursor",
    "CursorWrite",
    "DataFile",
    "Engine",
    "Execution",
    "Field",
    "LayoutColumn",
    "List",
    "Map",
    "Operation",
    "Origin",
    "PartitionField",
    "PartitionSpec",
    "PartitionValue",
    "Physical",
    "Pool",
    "Primitive",
    "Provenance",
    "Relation",
    "Retry",
    "RunRequest",
    "Schema",
    "SensorAnswer",
    "Session",
    "Severity",
    "Skip",
    "Struct",
    "SystemClock",
    "TableRef",
    "TableWrite",
    "Transform",
    "Type",
    "Usage",
    "Verdict",
    "ViewRef",
    "ViewWrite",
    "WriteTarget",
    "bytes_in",
    "bytes_text",
    "changed",
    "cpu_s",
    "dataclass",
    "did_you_mean",
    "duration_of",
    "duration_text",
    "field_from_json",
    "field_to_json",
    "layout_text",
    "lazily",
    "machine_memory",
    "nearest",
    "peak_memory",
    "plural",
    "reset_peak",
    "schema_from_json",
    "schema_to_json",
    "seconds_in",
    "type_from_json",
    "type_to_json",
]
