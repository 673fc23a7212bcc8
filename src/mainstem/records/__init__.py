# SPDX-License-Identifier: Apache-2.0
"""What is kept of runs beside the database: logs and history in files, with secrets masked.

Knows neither tables nor runs. Written by `runs`, read by `project`.
"""

from mainstem.records.history import History
from mainstem.records.log import AttemptLog
from mainstem.records.query import events_query, logs_query
from mainstem.records.redaction import Redactor
from mainstem.records.retention import Pruned, RecordFiles, Retention
from mainstem.records.tail import LogLine, LogPage, RunLogs, RunPage

__all__ = [
    "AttemptLog",
    "History",
    "LogLine",
    "LogPage",
    "Pruned",
    "RecordFiles",
    "Redactor",
    "Retention",
    "RunLogs",
    "RunPage",
    "events_query",
    "logs_query",
]
