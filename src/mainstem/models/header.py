# SPDX-License-Identifier: Apache-2.0
"""The header of a SQL file: YAML in a leading comment that other SQL tools ignore (GRAMMAR 4)."""

from __future__ import annotations

import re

from mainstem.config import Document, load_yaml
from mainstem.errors import ModelInvalid
from mainstem.sql import where_at
from mainstem.types import dataclass

_OPENING = re.compile(r"\s*/\*[ \t]*---[ \t]*\r?\n")
_CLOSING = re.compile(r"^[ \t]*---[ \t]*\*/", re.MULTILINE)
_COMMENT_MARK = re.compile(r"\*/|/\*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A SQL file in its two parts."""

    body: str
    """The file with the header blanked out: lines keep their numbers."""
    header: Document | None


def split_header(text: str, file: str) -> Split:
    """Part a SQL file into header and body.

    Raises:
        ModelInvalid: The header has no end, or a comment mark inside (A2030).
        ConfigInvalid: It is not YAML.
    """
    opening = _OPENING.match(text)
    if opening is None:
        return Split(body=text, header=None)
    closing = _CLOSING.search(text, opening.end())
    mark = _COMMENT_MARK.search(text, opening.end(), closing.start() if closing else len(text))
    if mark is not None:
        raise ModelInvalid(
            "A2030",
            f"`{mark[0]}` stands inside the header, where SQL ends or begins a comment.",
            hint="End the header with a line `--- */`, or put this option into a YAML file "
            "beside the model.",
            where=where_at(text, mark.start(), file=file, length=2),
        )
    if closing is None:
        raise ModelInvalid(
            "A2030",
            "the header has no end.",
            hint="End it with a line `--- */`.",
            where=where_at(text, opening.end() - 1, file=file),
        )
    above = text.count("\n", 0, opening.end())
    header = load_yaml(text[opening.end() : closing.start()], file, line_offset=above)
    if header.value is not None and not isinstance(header.value, dict):
        raise ModelInvalid(
            "A2030",
            "the header holds no options.",
            hint="Write them as `name: value`, one a line.",
            where=header.where(),
        )
    blank = "\n" * text.count("\n", 0, closing.end())
    return Split(body=blank + text[closing.end() :], header=header)
