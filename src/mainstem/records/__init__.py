# SPDX-License-Identifier: Apache-2.0
"""What is kept of runs beside the database: logs in files, with secrets masked.

Knows neither tables nor runs. Written by `runs`, read by `project`.
"""

from mainstem.records.log import AttemptLog
from mainstem.records.query import logs_query
from mainstem.records.redaction import Redactor
from mainstem.records.tail import LogLine, LogPage, RunLogs, RunPage

__all__ = [
    "AttemptLog",
    "LogLine",
    "LogPage",
    "Redactor",
    "RunLogs",
    "RunPage",
    "logs_query",
]
