# SPDX-License-Identifier: Apache-2.0
"""Turn what user code raised into errors of ours, its traceback on top and no frame of ours in it.

Exceptions themselves never leave the worker: they may not pickle, or pickle to anything.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import FrameType, TracebackType

import mainstem.errors
from mainstem.errors import MainstemError, ModelInvalid, StepFailed, Where

_OUR_FOLDER = str(Path(mainstem.errors.__file__).parent)
_DETAILS_LIMIT = 20_000
_MESSAGE_LIMIT = 500


def import_failed(error: BaseException, file: str, root: Path) -> MainstemError:
    """Say why a file could not be imported."""
    if isinstance(error, SyntaxError):
        return syntax_failed(error, _relative(error.filename or file, root))
    where = _place(error, root) or Where(file=file)
    hint = ""
    if isinstance(error, ModuleNotFoundError) and error.name:
        hint = _missing_module_hint(error.name, file, root)
    elif isinstance(error, SystemExit):
        hint = "A file of a project is imported; it must not exit the process."
    return ModelInvalid(
        "A7101",
        f"{file} cannot be imported: {described(error)}.",
        hint=hint,
        where=where,
        details=user_traceback(error),
    )


def syntax_failed(error: SyntaxError, file: str) -> MainstemError:
    """Say where Python cannot read a file."""
    return ModelInvalid(
        "A7102",
        f"{file} is not Python: {error.msg}.",
        where=Where(
            file=file,
            line=error.lineno or 0,
            column=error.offset or 0,
            excerpt=(error.text or "").rstrip("\n"),
        ),
    )


def run_failed(error: BaseException, asset: str, root: Path) -> MainstemError:
    """Say what a user's function raised; our own errors pass as they are."""
    if isinstance(error, MainstemError) and type(error).__module__ == "mainstem.errors":
        return error
    if isinstance(error, SystemExit):
        summary = f"{asset} called sys.exit({error.code if error.code is not None else ''})."
        hint = "Raise an exception to fail, return to succeed."
    else:
        summary, hint = f"{asset} raised {described(error)}.", ""
    place = _place(error, root)
    where = Where(asset=asset) if place is None else place
    return StepFailed(
        "A7110",
        summary,
        hint=hint,
        where=where,
        details=user_traceback(error),
        raised=class_names(error),
    )


def class_names(error: BaseException) -> tuple[str, ...]:
    """Name the classes of an exception, bare and with their module, its own first."""
    kinds = [kind for kind in type(error).__mro__ if kind not in {object, BaseException}]
    return tuple(
        dict.fromkeys(
            name
            for kind in kinds
            for name in (kind.__qualname__, f"{kind.__module__}.{kind.__qualname__}")
        )
    )


def described(error: BaseException) -> str:
    """Give `ValueError: first line of the message`, whatever the exception's `__str__` does."""
    message = "<its text cannot be made>"
    with contextlib.suppress(Exception):
        message = str(error).strip()
    first = message.split("\n", 1)[0].rstrip(".")
    name = type(error).__qualname__
    if len(first) > _MESSAGE_LIMIT:
        first = f"{first[:_MESSAGE_LIMIT]}…"
    return f"{name}: {first}" if first else name


def user_traceback(error: BaseException) -> str:
    """Format a traceback from the first frame of user code on; bounded."""
    start = error.__traceback__
    while start is not None and _is_ours(start.tb_frame):
        start = start.tb_next
    text = f"{type(error).__qualname__}\n"
    with contextlib.suppress(Exception):  # one whose __str__ or __cause__ misbehaves
        lines = traceback.format_exception(type(error), error, start or error.__traceback__)
        text = "".join(lines)
    if len(text) > _DETAILS_LIMIT:
        half = _DETAILS_LIMIT // 2
        text = (
            f"{text[:half]}\n  ... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"
        )
    return text


def _is_ours(frame: FrameType) -> bool:
    name = frame.f_code.co_filename
    return name.startswith((_OUR_FOLDER, "<frozen importlib", importlib.util.__file__)) or (
        name.endswith("importlib/__init__.py")
    )


def _place(error: BaseException, root: Path) -> Where | None:
    """Find the innermost line of the project that the error passed."""
    found: TracebackType | None = None
    step = error.__traceback__
    while step is not None:
        name = step.tb_frame.f_code.co_filename
        if name.startswith(f"{root}/") and "/site-packages/" not in name:
            found = step
        step = step.tb_next
    if found is None:
        return None
    name = found.tb_frame.f_code.co_filename
    line = found.tb_lineno
    try:
        excerpt = Path(name).read_text("utf-8", errors="replace").splitlines()[line - 1]
    except (OSError, IndexError):
        excerpt = ""
    return Where(file=_relative(name, root), line=line, excerpt=excerpt)


def _relative(path: str, root: Path) -> str:
    return path.removeprefix(f"{root}/")


def _missing_module_hint(name: str, file: str, root: Path) -> str:
    beside = Path(file).parent / f"{name}.py"
    if (root / beside).is_file():
        return f"{beside} is beside it: write `from .{name} import ...`."
    missing = name.partition(".")[0]
    if (root / missing).exists() or (root / f"{missing}.py").exists():
        return "Imports start at the project folder: `from models.lib import x`."
    return f"Install it into the environment of {sys.executable}, or correct the name."
