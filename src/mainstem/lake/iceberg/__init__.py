# SPDX-License-Identifier: Apache-2.0
"""Iceberg v2 files of a table version, for other engines: a projection, never the truth.

Table states live in the catalog; these files are written from them at publish or on demand. They
depend on the state and the warehouse's place alone, so writing them twice writes nothing.
"""

from mainstem.lake.iceberg.project import metadata_files, write_metadata

__all__ = ["metadata_files", "write_metadata"]
