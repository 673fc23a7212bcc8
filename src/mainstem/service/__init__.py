# SPDX-License-Identifier: Apache-2.0
"""The long-lived process over one project: leads or stands by, launches, watches, recovers.

Knows nothing of HTTP; `api` mounts a `Server`, and the CLI starts one.
"""

from mainstem.service.backfill import BackfilledAsset, BackfillReport, Backfills
from mainstem.service.bus import EventBus, Filter, Subscription
from mainstem.service.event import ServerEvent, Topic
from mainstem.service.launcher import RunningLaunch
from mainstem.service.projects import Reloaded
from mainstem.service.server import Server, ServerStatus, TriggersOf, Upkeep
from mainstem.service.trigger import LeaderWrite, Trigger

__all__ = [
    "BackfillReport",
    "BackfilledAsset",
    "Backfills",
    "EventBus",
    "Filter",
    "LeaderWrite",
    "Reloaded",
    "RunningLaunch",
    "Server",
    "ServerEvent",
    "ServerStatus",
    "Subscription",
    "Topic",
    "Trigger",
    "TriggersOf",
    "Upkeep",
]
