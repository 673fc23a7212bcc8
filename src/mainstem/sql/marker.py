# SPDX-License-Identifier: Apache-2.0
"""Names that rendered SQL uses to mark what a template wrote; apart, so that rendering stays light."""

from __future__ import annotations

REF_NAMESPACE = "__ref__"
"""Marks names that a template wrote with `ref`: never a CTE, whatever it is called."""

NEWER_THAN = "__newer_than__"
"""Function that stands for `newer_than(...)` in rendered SQL."""

RUN_STARTED_AT = "__run_started_at__"
"""Text that stands for the run's logical time; followed by a format in hex if there is one."""
