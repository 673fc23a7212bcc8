# SPDX-License-Identifier: Apache-2.0
"""Backfills: stored plans to build partitions, carried out as launches, resumable at any moment."""

from mainstem.service.backfill.driver import BackfillRounds
from mainstem.service.backfill.facade import BackfilledAsset, BackfillReport, Backfills

__all__ = ["BackfillReport", "BackfillRounds", "BackfilledAsset", "Backfills"]
