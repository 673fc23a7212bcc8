# SPDX-License-Identifier: Apache-2.0
"""What an alert says, and the shapes that receivers take it in: Slack, e-mail, JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_MARK = {"failed": "✗", "held": "✗", "late": "!", "recovered": "✓"}
_ITEMS = 10
_STALE = 12
_SLACK_LIMIT = 2900


def subject_of(body: Mapping[str, Any]) -> str:
    """Sum an alert up in one line: `shop/prod: run 13 failed: marts.delays and 2 more`."""
    items: Sequence[Mapping[str, Any]] = body["items"]
    names = [str(item["asset"]) for item in items]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    run = f"run {body['run_id']} " if body.get("run_id") else "assets " if items else ""
    said = body.get("error") or body.get("note")
    what = f": {names[0]}{more}" if names else f": {said}" if said else ""
    return f"{body['project']}/{body['environment']}: {run}{body['event']}{what}"


def lines_of(body: Mapping[str, Any]) -> list[str]:
    """Write an alert out: what, why, whose, since which commit, what it breaks, where to look."""
    return list(_lines(body))


def slack_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """Give the JSON that Slack's incoming webhooks take."""
    subject = f"{_MARK.get(body['event'], '')} {subject_of(body)}"
    text = _escaped("\n".join(lines_of(body)))[:_SLACK_LIMIT]
    return {
        "text": _escaped(subject),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": subject[:150]}},
            {"type": "section", "text": {"type": "mrkdwn", "text": f"```{text}```"}},
        ],
    }


def _lines(body: Mapping[str, Any]) -> Iterator[str]:
    for said in (body.get("error"), body.get("note")):
        if said:
            yield str(said)
    items: Sequence[Mapping[str, Any]] = body["items"]
    for item in items[:_ITEMS]:
        yield from _item_lines(item)
    if len(items) > _ITEMS:
        yield f"and {len(items) - _ITEMS} more assets"
    if body.get("stale"):
        stale = body["stale"]
        shown = ", ".join(stale[:_STALE]) + (" ..." if len(stale) > _STALE else "")
        count = body.get("stale_count", len(stale))  # a body names some of very many
        yield f"stale downstream: {count} asset{'s' if count != 1 else ''}: {shown}"
    for promise in body.get("promises") or ():
        yield f"freshness at risk: {promise}"
    place = f"branch {body['branch']}" + (f", git {body['git']}" if body.get("git") else "")
    yield place
    if body.get("command"):
        yield f"look: {body['command']}"


def _item_lines(item: Mapping[str, Any]) -> Iterator[str]:
    code = f" [{item['code']}]" if item.get("code") else ""
    yield f"{item['asset']}{code}: {item['message']}"
    details = []
    if item.get("owner"):
        details.append(f"owner {item['owner']}")
    if item.get("place"):
        details.append(f"at {item['place']}")
    if item.get("count", 1) > 1:
        details.append(f"{item['count']} times since {item['first_at']}")
    if item.get("good_git"):
        details.append(f"last good at git {item['good_git']}")
    if item.get("fixed_git"):
        details.append(f"fixed by git {item['fixed_git']}")
    if details:
        yield f"  {', '.join(details)}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
