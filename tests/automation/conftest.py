"""An empty database with the tables of automation."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mainstem import automation, state
from mainstem.database import open_database


@pytest.fixture
def database(database_url):
    opened = open_database(database_url)
    opened.migrate(
        (*state.MIGRATIONS, *state.LAUNCH_MIGRATIONS, *automation.MIGRATIONS),
    )
    yield opened
    opened.close()


@pytest.fixture
def utc():
    """Read a time in UTC."""
    return lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC)
