# SPDX-License-Identifier: Apache-2.0
"""All tables of a project's database, each package's in its own order."""

from __future__ import annotations

from mainstem.automation import MIGRATIONS as AUTOMATION_MIGRATIONS
from mainstem.observers import ALERT_MIGRATIONS, FAILURE_MIGRATIONS
from mainstem.state import ALL_MIGRATIONS

MIGRATIONS = (
    *ALL_MIGRATIONS,
    *AUTOMATION_MIGRATIONS,
    *FAILURE_MIGRATIONS,
    *ALERT_MIGRATIONS,
)
