# SPDX-License-Identifier: Apache-2.0
"""Files as the engine can read them: zip members and other encodings go through a temporary copy.

DuckDB reads gzip and zstd itself. Nothing is held in memory beyond a block.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import fnmatch
import gzip
import io
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, cast

from mainstem.errors import ConfigInvalid, SourceUnavailable, StorageFailed
from mainstem.ingest.observation import FoundFile, unreadable
from mainstem.ingest.table import Compression, FileTable, Format, format_of
from mainstem.types import dataclass

_BLOCK = 1 << 17
"""Bytes moved at a time; with a whole MiB, unpacking took twice the time, for fresh memory."""
_UTF8 = frozenset({"utf-8", "utf8", "utf-8-sig", "utf_8"})


class _BadZstd(Exception):
    """What the library says of damaged data: it is loaded only for files that need it."""


_BAD_ARCHIVE = (zipfile.BadZipFile, zlib.error, EOFError, _BadZstd, gzip.BadGzipFile)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One readable file: the source's own, a member of an archive, or a recoded copy."""

    name: str
    """For people: `data/flights.csv.zip/flights.csv`."""
    path: str
    format: Format
    compression: Compression = "none"
    is_copy: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether bytes of the file are bytes of its text."""
        return self.compression == "none"


def parts_of(file: FoundFile, definition: FileTable, scratch: Path) -> list[Part]:
    """Make a file readable.

    Args:
        file: As found.
        definition: Tells format, compression, member and encoding.
        scratch: Folder for copies; the caller removes it.

    Raises:
        SourceUnavailable: The file or archive cannot be read, or is not in the encoding.
        ConfigInvalid: Its format or encoding is unknown.
    """
    own_format, own_compression = format_of(file.name)
    compression = own_compression if definition.compression == "auto" else definition.compression
    try:
        if compression == "zip":
            return list(_members(file, definition, scratch))
        part = Part(
            name=file.name,
            path=file.path,
            format=_format(own_format, definition, file.name),
            compression=compression,
        )
        return [_recoded(part, definition, scratch)]
    except _BAD_ARCHIVE as error:
        raise _damaged(file.name, error) from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StorageFailed(
                "A5512",
                f"{file.name} cannot be unpacked: the disk of {scratch.parent} is full.",
                hint="Free space there, or set TMPDIR to a disk with space, and run again.",
            ) from error
        raise unreadable(file.name, error) from error


@contextlib.contextmanager
def opened(part: Part) -> Iterator[IO[bytes]]:
    """Open the decompressed bytes of a part."""
    path = Path(part.path)
    try:
        if part.compression == "gzip":
            with gzip.open(path, "rb") as file:
                yield cast("IO[bytes]", file)
        elif part.compression == "zstd":
            with _unzstd(path) as stream:
                yield stream
        else:
            with path.open("rb") as file:
                yield file
    except _BAD_ARCHIVE as error:
        raise _damaged(part.name, error) from error
    except OSError as error:
        raise unreadable(part.name, error) from error


@contextlib.contextmanager
def _unzstd(path: Path) -> Iterator[IO[bytes]]:
    zstandard = import_module("zstandard")
    try:
        with path.open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw) as stream:
            yield cast("IO[bytes]", io.BufferedReader(stream))
    except zstandard.ZstdError as error:
        raise _BadZstd(str(error)) from error


def lines_at(part: Part, positions: Sequence[int]) -> list[int]:
    """Tell in which line each byte position of the text is; positions ascend."""
    lines: list[int] = []
    line, read = 1, 0
    with opened(part) as file:
        for position in positions:
            while read < position:
                block = file.read(min(_BLOCK, position - read))
                if not block:
                    break
                line += block.count(b"\n")
                read += len(block)
            lines.append(line)
    return lines


def _members(file: FoundFile, definition: FileTable, scratch: Path) -> Iterator[Part]:
    with zipfile.ZipFile(file.path) as archive:
        members = [
            member
            for member in archive.infolist()
            if not member.is_dir() and not member.filename.startswith("__MACOSX/")
        ]
        wanted = sorted(
            (one for one in members if fnmatch.fnmatchcase(one.filename, definition.member)),
            key=lambda one: one.filename,
        )
        if not wanted:
            names = tuple(one.filename for one in members)
            raise SourceUnavailable(
                "A3013",
                f"{file.name} holds no file that matches `{definition.member}`; it holds "
                f"{', '.join(names[:5]) or 'nothing'}.",
                hint="Set `member:`.",
                known=names,
            )
        for member in wanted:
            if member.flag_bits & 1:
                raise SourceUnavailable(
                    "A3013",
                    f"{member.filename} in {file.name} is encrypted.",
                    hint="Unpack it, and name the file itself.",
                )
            name = f"{file.name}/{member.filename}"
            own_format, compression = format_of(member.filename)
            # Never the member's own name as a path: an archive may say `../../x`.
            target = scratch / f"part-{sum(1 for _ in scratch.iterdir())}"
            with archive.open(member) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy, _BLOCK)
            part = Part(
                name=name,
                path=str(target),
                format=_format(own_format, definition, name),
                compression=compression,
                is_copy=True,
            )
            recoded = _recoded(part, definition, scratch)
            if recoded.path != part.path:
                target.unlink()
            yield recoded


def _recoded(part: Part, definition: FileTable, scratch: Path) -> Part:
    encoding = definition.csv.encoding
    if encoding in _UTF8 or part.format not in {"csv", "json", "jsonl"}:
        return part
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
    except LookupError as error:
        raise ConfigInvalid(
            "A3014",
            f"`{encoding}` is not an encoding.",
            hint="For example utf-8, latin-1, cp1252, utf-16, shift_jis.",
        ) from error
    target = scratch / f"part-{sum(1 for _ in scratch.iterdir())}"
    position = 0
    with opened(part) as source, target.open("wb") as copy:
        while True:
            block = source.read(_BLOCK)
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeError as error:
                start = error.start if isinstance(error, UnicodeDecodeError) else 0
                raise SourceUnavailable(
                    "A3015",
                    f"{part.name} is not {encoding}: it fails near byte {position + start:,}.",
                    hint="Set `encoding:` to what the file is written in.",
                ) from error
            copy.write(text.encode("utf-8"))
            position += len(block)
            if not block:
                break
    return Part(name=part.name, path=str(target), format=part.format, is_copy=True)


def _format(own: Format, definition: FileTable, name: str) -> Format:
    if definition.format != "auto":
        return definition.format
    if own == "auto":
        raise ConfigInvalid(
            "A3016",
            f"The format of {name} cannot be told by its ending.",
            hint="Set `format:` to csv, json, jsonl, parquet or arrow.",
            known=("csv", "json", "jsonl", "parquet", "arrow"),
        )
    return own


def _damaged(name: str, error: BaseException) -> SourceUnavailable:
    return SourceUnavailable(
        "A3013",
        f"{name} cannot be unpacked: {error}.",
        hint="Check that it was copied whole; `compression:` overrides what its ending says.",
    )
