# SPDX-License-Identifier: Apache-2.0
"""Checks: what is asserted of an asset's rows, parsed from YAML or Python, and judged as gates.

Here: the names of GRAMMAR 5, proofs from file statistics, failing rows, quarantine predicates.
Not here: when gates are evaluated (`runs`), where bad rows go (`models`, `ingest`). Parsing imports
nothing heavy.

What null means, as in dbt: `not_null` is the check that finds nulls; `accepted_values`, `between`,
`regex`, `like`, `length`, `increasing`, `relationships`, `expression` and `unique` of one column
pass over them; `unique` of several columns takes null as a value like any other. `mostly` is a
share of all rows that `where` selects, rows with nulls included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstem.types import lazily

if TYPE_CHECKING:
    from mainstem.checks.gate import CheckGate, evaluate_all, gate_of, gates_of
    from mainstem.checks.parsing import number_repeats, parse_checks
    from mainstem.checks.predicate import quarantine_predicate
    from mainstem.checks.rows import failing_rows

__all__ = [
    "CheckGate",
    "evaluate_all",
    "failing_rows",
    "gate_of",
    "gates_of",
    "number_repeats",
    "parse_checks",
    "quarantine_predicate",
]

_HOME = {
    "CheckGate": "gate",
    "evaluate_all": "gate",
    "failing_rows": "rows",
    "gate_of": "gate",
    "gates_of": "gate",
    "number_repeats": "parsing",
    "parse_checks": "parsing",
    "quarantine_predicate": "predicate",
}

__getattr__ = lazily(__name__, _HOME)
