# SPDX-License-Identifier: Apache-2.0
"""Errors as the reader meets them: code, sentence, place with excerpt and carets, what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mainstem.cli.render.harmless import harmless
from mainstem.cli.render.look import Look
from mainstem.errors import ErrorGroup, InternalError, MainstemError, Where
from mainstem.types import nearest, plural

_NAME = re.compile(r"[\w.-]+")
_SUGGESTION = "Did you mean"


def error_lines(error: MainstemError, look: Look, *, ending: str = "") -> list[str]:
    """Render one error, or all of a group, and a last line that says how to read more.

    Args:
        error: What went wrong.
        look: Where it goes.
        ending: What did not happen because of it: `nothing was run`.
    """
    errors = error.errors if isinstance(error, ErrorGroup) else (error,)
    lines: list[str] = []
    for one in errors:
        lines += _one(one, look)
    codes = list(dict.fromkeys(one.code for one in errors))
    consequence = f"; {ending}" if ending else ""
    more = f" More: mainstem explain {codes[0]}" if codes else ""
    lines.append(f"{plural(len(errors), 'error')}{consequence}.{more}")
    return lines


def _one(error: MainstemError, look: Look) -> list[str]:
    head = look.paint(f"error[{error.code}]", "red")
    lines = [f"{head}: {look.paint(_sentence(error.summary), 'bold')}"]
    hint = error.hint
    where = error.where
    if where is not None and str(where):
        lines.append(f"  {_place(where)}")
        if where.excerpt and where.line:
            suggestion = ""
            if where.column:
                suggestion, hint = _split(hint, _near(where, error.known))
            lines += _excerpt(where, suggestion, look)
    lines += [f"  {line}" for line in hint.splitlines() if line.strip()]
    lines += [f"  {look.paint(harmless(line), 'dim')}" for line in error.details.splitlines()]
    if isinstance(error, InternalError):
        lines.append("  This is a bug in Mainstem. Please report it with the lines above.")
    return lines


def _sentence(summary: str) -> str:
    """A heading carries no full stop, unless it is several sentences."""
    return summary[:-1] if summary.endswith(".") and ". " not in summary else summary


def _place(where: Where) -> str:
    return str(where)


def _excerpt(where: Where, suggestion: str, look: Look) -> list[str]:
    number = str(where.line)
    gutter = " " * len(number)
    text = where.excerpt.replace("\t", " ").rstrip()
    lines = [f"    {look.paint(number + ' |', 'dim')} {text}"]
    if where.column:
        carets = "^" * max(1, min(where.length, max(1, len(text) - where.column + 1)))
        under = " " * (where.column - 1) + look.paint(carets, "red")
        tail = f" {suggestion}" if suggestion else ""
        lines.append(f"    {look.paint(gutter + ' |', 'dim')} {under}{tail}")
    return lines


def _near(where: Where, known: Sequence[str]) -> list[str]:
    """Give what is like the underlined name: where nothing is, errors know all that there is."""
    found = _NAME.match(where.excerpt, where.column - 1)
    if found is None:
        return []
    name = found.group()
    return nearest(name, known) or nearest(name.rpartition(".")[2], known)


def _split(hint: str, known: Sequence[str]) -> tuple[str, str]:
    """Move "did you mean" behind the carets, where the eye is; the rest stays below."""
    if hint.startswith(_SUGGESTION):
        sentence, mark, rest = hint.partition("?")
        return sentence[0].lower() + sentence[1:] + mark, rest.strip()
    return (f"did you mean `{known[0]}`?" if known else ""), hint
