# SPDX-License-Identifier: Apache-2.0
"""`explain`: the page of an error code."""

from __future__ import annotations

from importlib.resources import files

import click

from mainstem.cli.options import json_option
from mainstem.cli.output import Output
from mainstem.errors import UserError
from mainstem.types import nearest


@click.command(name="explain")
@click.argument("code", required=False)
@json_option
def explain_command(*, code: str | None, is_json: bool) -> None:
    """Explain an error CODE such as A2041; without one, list them all."""
    output = Output.of_process(is_json=is_json)
    pages = _pages()
    if code is None:
        titles = {name: _title(name) for name in pages}
        if is_json:
            output.document(titles)
        else:
            output.lines(f"{name}  {title}" for name, title in titles.items())
        return
    name = code.upper()
    if name not in pages:
        raise UserError(
            "A1057",
            f"There is no error code {code}.",
            hint="List them all: mainstem explain",
            known=nearest(name, pages),
        )
    text = _text(name)
    if is_json:
        output.document({"code": name, "title": _title(name), "text": text})
    else:
        output.lines(text.rstrip().splitlines())


def _pages() -> list[str]:
    folder = files("mainstem.cli") / "explain"
    return sorted(item.name[:-3] for item in folder.iterdir() if item.name.endswith(".md"))


def _text(name: str) -> str:
    return (files("mainstem.cli") / "explain" / f"{name}.md").read_text(encoding="utf-8")


def _title(name: str) -> str:
    return _text(name).splitlines()[0].lstrip("# ").partition(": ")[2]
