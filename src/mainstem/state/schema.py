# SPDX-License-Identifier: Apache-2.0
"""All tables of run state: each area keeps its own migrations, and they are gathered here."""

from __future__ import annotations

from mainstem.state.access import ACCESS_MIGRATIONS
from mainstem.state.backfill import BACKFILL_MIGRATIONS
from mainstem.state.control import CONTROL_MIGRATIONS
from mainstem.state.item import ITEM_MIGRATIONS
from mainstem.state.launch import LAUNCH_MIGRATIONS
from mainstem.state.leader import LEADER_MIGRATIONS
from mainstem.state.listing import LISTING_MIGRATIONS
from mainstem.state.migrations import MIGRATIONS
from mainstem.state.partition import PARTITION_MIGRATIONS
from mainstem.state.pool import POOL_MIGRATIONS
from mainstem.state.ticket import TICKET_MIGRATIONS

ALL_MIGRATIONS = (
    *MIGRATIONS,
    *ACCESS_MIGRATIONS,
    *BACKFILL_MIGRATIONS,
    *LAUNCH_MIGRATIONS,
    *LEADER_MIGRATIONS,
    *TICKET_MIGRATIONS,
    *LISTING_MIGRATIONS,
    *POOL_MIGRATIONS,
    *CONTROL_MIGRATIONS,
    *PARTITION_MIGRATIONS,
    *ITEM_MIGRATIONS,
)
"""Runs write to tables of several areas: whoever works with one has all."""
