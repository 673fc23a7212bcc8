# SPDX-License-Identifier: Apache-2.0
"""The PostgreSQL adapter of the port, through psycopg 3; loaded only when a URL asks for it."""

from mainstem.database.postgres.adapter import PostgresDatabase

__all__ = ["PostgresDatabase"]
