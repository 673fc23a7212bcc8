# SPDX-License-Identifier: Apache-2.0
"""Partitions as values: definitions, keys, sets and mappings between them. Pure, never enumerating.

An asset's partitions are numbered in each dimension; a set is run-length ranges of such numbers, so
a million hours that are built are one range. What time it is comes in as an argument.
"""

from mainstem.graph.partition.definition import (
    Dimension,
    Partitions,
    ProductPartitions,
    product_partitions,
)
from mainstem.graph.partition.mapping import (
    MappingKind,
    MappingRule,
    PartitionMapping,
    infer_mapping,
    read_rule,
)
from mainstem.graph.partition.names import DynamicPartitions, StaticPartitions, static_partitions
from mainstem.graph.partition.partition_set import PartitionRange, PartitionSet
from mainstem.graph.partition.partitioning import (
    Partitioning,
    read_partitioning,
)
from mainstem.graph.partition.rows import (
    Bounds,
    ColumnRule,
    RowRule,
    TimeRange,
    partitions_within,
    row_rule,
)
from mainstem.graph.partition.spans import Point
from mainstem.graph.partition.text import RESERVED
from mainstem.graph.partition.windows import GRAINS, Grain, TimePartitions, time_partitions

__all__ = [
    "GRAINS",
    "RESERVED",
    "Bounds",
    "ColumnRule",
    "Dimension",
    "DynamicPartitions",
    "Grain",
    "MappingKind",
    "MappingRule",
    "PartitionMapping",
    "PartitionRange",
    "PartitionSet",
    "Partitioning",
    "Partitions",
    "Point",
    "ProductPartitions",
    "RowRule",
    "StaticPartitions",
    "TimePartitions",
    "TimeRange",
    "infer_mapping",
    "partitions_within",
    "product_partitions",
    "read_partitioning",
    "read_rule",
    "row_rule",
    "static_partitions",
    "time_partitions",
]
