# SPDX-License-Identifier: Apache-2.0
"""Results of checks as lines: a verdict each, and what was found with a sample of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mainstem.cli.render.grid import grid, groups
from mainstem.cli.render.look import Look, Mark, Paint
from mainstem.cli.render.words import seconds
from mainstem.types import CheckResult, plural

_MARK: dict[str, Mark] = {
    "passed": "ok",
    "proven": "ok",
    "warned": "warn",
    "failed": "fail",
    "errored": "fail",
}
_PAINT: dict[str, Paint] = {"HELD": "red", "FAIL": "red", "WARN": "yellow"}
_INDENT = 8
_SAMPLE_ROWS = 5
_GROUPED_ROWS = 8


def title_of(check_id: str) -> str:
    """Give the part of a check's id behind the asset."""
    return check_id.partition("/")[2] or check_id


def check_lines(results: Sequence[CheckResult], look: Look) -> list[str]:
    """Render results asset by asset, then a sum."""
    lines: list[str] = []
    width = max((len(title_of(result.check_id)) for result in results), default=0) + 3
    asset = ""
    for result in results:
        if str(result.asset) != asset:
            asset = str(result.asset)
            lines.append(look.paint(asset, "bold"))
        lines += _result_lines(result, look, width)
    lines.append(total_line(results))
    return lines


def total_line(results: Sequence[CheckResult]) -> str:
    """Count verdicts: `13 checks: 11 passed (2 proven), 1 warns, 1 failed, 0.4 s.`."""
    verdicts = [result.verdict for result in results]
    proven = verdicts.count("proven")
    failed = verdicts.count("failed") + verdicts.count("errored")
    warned = verdicts.count("warned")
    passed = verdicts.count("passed") + proven
    parts = [f"{passed} passed" + (f" ({proven} proven)" if proven else "")]
    parts += [f"{warned} warn{'s' if warned == 1 else ''}"] if warned else []
    parts += [f"{failed} failed"] if failed else []
    took = seconds(sum(result.elapsed_s for result in results))
    return f"{plural(len(results), 'check')}: {', '.join(parts)}, {took}."


def finding_width(names: Sequence[str]) -> int:
    """Width of the column of assets in front of findings."""
    return max((len(name) for name in names), default=0) + 3


def finding_lines(
    result: CheckResult,
    word: str,
    look: Look,
    *,
    key_width: int,
    show_all_hint: bool = True,
) -> list[str]:
    """Render a failed or warning check with its sample: `HELD  asset   check: what was seen`."""
    message = _message(result)
    lines = [f"  {look.paint(word, _PAINT[word])}  {result.asset!s:<{key_width}}{message}"]
    lines += sample_lines(result.sample, look, indent=_INDENT)
    if show_all_hint and result.sample:
        title = title_of(result.check_id)
        lines.append(f'{" " * _INDENT}all of them: mainstem check {result.asset} --rows "{title}"')
    return lines


def sample_lines(sample: Sequence[Mapping[str, Any]], look: Look, *, indent: int) -> list[str]:
    """Render sampled rows: values with counts side by side, whole rows as a table."""
    if not sample:
        return []
    names = list(sample[0])
    if len(names) <= 2 and names[-1] == "rows":
        return groups(sample[:_GROUPED_ROWS], indent=indent, width=look.width)
    rows = [[row.get(name) for name in names] for row in sample[:_SAMPLE_ROWS]]
    return [line[: max(look.width, 40)] for line in grid(names, rows, indent=indent, rule=False)]


def _result_lines(result: CheckResult, look: Look, width: int) -> list[str]:
    mark = _MARK[result.verdict]
    if mark == "fail" and result.severity != "error":
        mark = "warn"
    verdict = "" if result.verdict in {"passed", "warned", "failed"} else result.verdict
    text = _detail(result) or verdict
    head = f"  {look.mark(mark)} {title_of(result.check_id):<{width}}{text}".rstrip()
    if mark == "ok":
        return [head]
    return [head, *sample_lines(result.sample, look, indent=_INDENT)]


def _message(result: CheckResult) -> str:
    return result.message or title_of(result.check_id)


def _detail(result: CheckResult) -> str:
    """The message without the check's own name, which stands in front already."""
    _, colon, rest = result.message.partition(": ")
    return rest if colon else result.message
