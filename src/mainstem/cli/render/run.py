# SPDX-License-Identifier: Apache-2.0
"""A run as lines: its header, a line a step, and what came of it (GRAMMAR 6)."""

from __future__ import annotations

from collections import Counter

from mainstem.cli.render.checks import finding_lines, finding_width
from mainstem.cli.render.look import Look, Mark
from mainstem.cli.render.words import count, listing, seconds
from mainstem.runs import RunFinished, RunStarted, StepFinished, StepRetried
from mainstem.types import AssetKey, plural

_MARK: dict[str, Mark] = {
    "built": "ok",
    "read": "ok",
    "linked": "ok",
    "unchanged": "ok",
    "held": "fail",
    "failed": "fail",
    "skipped": "skip",
    "cancelled": "skip",
}
_INDENT = 8
_PARTITIONS_SHOWN = 3


def started_line(event: RunStarted, look: Look) -> str:
    """Say which run this is, where it acts and how much it has to do."""
    steps = f"{plural(event.step_count, 'step')}, {plural(event.check_count, 'check')}"
    parts = [look.paint(f"run {event.run_id}", "bold"), event.environment]
    parts += [f"branch {event.branch}", steps, "Ctrl-C stops cleanly"]
    return " · ".join(parts)


def step_mark(event: StepFinished) -> Mark:
    """Tell how a finished step is marked: a step whose checks warn is marked too."""
    mark = _MARK[event.status]
    warns = event.warnings or any(result.verdict == "warned" for result in event.checks)
    return "warn" if mark == "ok" and warns else mark


def step_line(event: StepFinished, look: Look, *, key_width: int) -> str:
    """Render one finished step."""
    rows = _rows(event)
    note = _note(event)
    took = "" if event.status in {"skipped", "cancelled"} else seconds(event.elapsed_s)
    tail = f"{took:<8}{note}" if took else note
    name_width = max(key_width + 4, len(event.name) + 1)  # a partition makes it longer
    head = f"  {look.mark(step_mark(event))} {event.name:<{name_width}}"
    return f"{head}{rows}     {tail}".rstrip()


def retry_line(event: StepRetried, look: Look, *, key_width: int) -> str:
    """Say that an attempt failed and when the next begins."""
    head = f"  {look.mark('warn')} {event.key!s:<{key_width + 4}}"
    return (
        f"{head}attempt {event.attempt} failed, again in {seconds(event.delay_s)}: "
        f"{event.error.summary}"
    )


def finished_lines(event: RunFinished, look: Look) -> list[str]:
    """Say what was published, what was held and why, and what to do next."""
    lines = []
    if event.status == "nothing_to_do":
        # Nothing ran, so nothing has been said of what may not run.
        key_width = max((len(str(step.key)) for step in event.steps), default=0)
        lines += [step_line(step, look, key_width=key_width) for step in event.steps]
    lines.append(_outcome(event))
    width = finding_width([step.name for step in event.steps if _has_finding(step)])
    lines += _all_held(event, look, width)
    for step in event.steps:
        warned = [result for result in step.checks if result.verdict == "warned"]
        for result in warned:
            lines += finding_lines(result, "WARN", look, key_width=width)
        for warning in step.warnings:
            lines.append(f"  {look.paint('WARN', 'yellow')}  {step.key!s:<{width}}{warning}")
    return [*lines, *_stale(event, look)]


def _all_held(event: RunFinished, look: Look, width: int) -> list[str]:
    """Say what was held; of many partitions of one asset the first few, and how many more."""
    lines: list[str] = []
    told: Counter[AssetKey] = Counter()
    for step in event.steps:
        if step.status not in {"held", "failed"}:
            continue
        told[step.key] += 1
        if not step.partition or told[step.key] <= _PARTITIONS_SHOWN:
            lines += _held(step, event, look, width)
    for key, number in told.items():
        if number > _PARTITIONS_SHOWN:
            more = plural(number - _PARTITIONS_SHOWN, "more partition")
            lines.append(f"        and {more} of {key}: mainstem partitions {key}")
    return lines


def _rows(event: StepFinished) -> str:
    if event.status in {"skipped", "cancelled"}:
        return f"{'not built':<12}"
    if event.status == "failed":
        return f"{'failed':<12}"
    if event.rows is None:
        return f"{'':<12}" if event.status != "unchanged" else f"{'unchanged':<12}"
    text = plural(event.rows, "row")
    return f"{'+' + text if event.is_increment else text:>12}"


def _note(event: StepFinished) -> str:
    parts = []
    total = len(event.checks)
    bad = sum(result.holds_publishing for result in event.checks)
    warned = sum(result.verdict == "warned" for result in event.checks)
    if event.status == "linked":
        parts.append("linked")
    if event.status == "unchanged":
        parts.append("unchanged")
    if bad:
        parts.append(f"{count(bad)} of {plural(total, 'check')} failed: held")
    elif warned:
        parts.append(
            f"{count(warned)} of {plural(total, 'check')} warn{'s' if warned == 1 else ''}"
        )
    elif event.reason or event.error is not None:
        parts.append(event.reason or _first_line(event.error))
    parts += event.notes
    return ", ".join(parts)


def _first_line(error: BaseException | None) -> str:
    return str(getattr(error, "summary", error)).splitlines()[0]


def _outcome(event: RunFinished) -> str:
    took = seconds(event.elapsed_s)
    if event.status == "nothing_to_do":
        skipped = len(event.steps)
        if not skipped:
            return f"Nothing to do: everything selected is up to date on {event.branch}, {took}."
        return f"Nothing was done on {event.branch}: {plural(skipped, 'asset')} skipped, {took}."
    if event.status == "cancelled":
        kept = f" What was finished is on branch {event.run_branch}." if event.run_branch else ""
        return f"Cancelled after {took}: nothing was published to {event.branch}.{kept}"
    total = len({step.key for step in event.steps})
    if not event.commit_id:
        return f"Published nothing to {event.branch}, {took}."
    published = len(set(event.published))
    done = count(published)
    some = f"{done} of {plural(total, 'asset')}" if published != total else plural(total, "asset")
    return f"Published {some} to {event.branch} in commit {event.commit_id[:8]}, {took}."


def _has_finding(step: StepFinished) -> bool:
    return bool(
        step.status in {"held", "failed"}
        or step.warnings
        or any(result.verdict == "warned" for result in step.checks)
    )


def _held(step: StepFinished, event: RunFinished, look: Look, width: int) -> list[str]:
    word = look.paint("HELD" if step.status == "held" else "FAIL", "red")
    margin = " " * _INDENT
    failures = [result for result in step.checks if result.holds_publishing]
    lines: list[str] = []
    for result in failures:
        lines += finding_lines(result, "HELD", look, key_width=width, show_all_hint=False)
    if step.error is not None:
        place = f"{step.error.where}: " if step.error.where and str(step.error.where) else ""
        lines.append(f"  {word}  {step.name:<{width}}{place}{step.error.summary}")
        lines += [f"{margin}{line}" for line in step.error.hint.splitlines()]
        lines += [margin + look.paint(line, "dim") for line in step.error.details.splitlines()]
    elif not failures:
        lines.append(f"  {word}  {step.name:<{width}}{step.reason}")
    keep = event.held_readers_keep.get(step.key, "")
    readers = f"readers keep {keep}" if keep else "readers see nothing of it"
    if event.run_branch and step.status == "held":
        kept = f", kept {event.kept_days} days" if event.kept_days else ""
        lines.append(f"{margin}{readers}; the new one is on branch {event.run_branch}{kept}")
        query = f'mainstem query --branch {event.run_branch} "select * from {step.key}"'
        lines.append(f"{margin}see it: {query}    then fix and: mainstem run")
    else:
        more = f"    more: mainstem explain {step.error.code}" if step.error is not None else ""
        lines.append(f"{margin}{readers}; fix and: mainstem run{more}")
    return lines


def _stale(event: RunFinished, look: Look) -> list[str]:
    """Name what this run left behind: not what it tried and said more of above."""
    told = {step.key for step in event.steps if step.status in {"held", "failed", "skipped"}}
    names = [str(key) for key in event.stale if key not in told]
    if not names:
        return []
    verb = "was" if len(names) == 1 else "were"
    word = look.paint("STALE", "yellow")
    return [f"  {word} {listing(names)} {verb} made from older inputs: mainstem run"]
