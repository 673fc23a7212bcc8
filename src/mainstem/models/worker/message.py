# SPDX-License-Identifier: Apache-2.0
"""What supervisor and worker say to each other: frozen values, pickled, length-prefixed.

Requests: `Load`, `Build`, `Judge`, `Sense`; each is answered by notes, at most one question at a
time, and one last answer. User exceptions never cross: they may not pickle, or pickle to anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Literal

from mainstem.errors import MainstemError
from mainstem.models.python.context import Partition
from mainstem.models.python.definition import Discovered, Form
from mainstem.types import (
    AssetKey,
    DataFile,
    PartitionValue,
    Relation,
    Schema,
    SensorAnswer,
    Usage,
    WriteTarget,
    dataclass,
)

Mode = Literal["overwrite", "append", "upsert", "replace_partitions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One argument: which data, in which form."""

    parameter: str
    form: Form
    relations: tuple[Relation, ...] = ()
    """The relation itself last, before it what it reads if it is a view; empty gives `None`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What `context` tells."""

    run_id: int = 0
    attempt: int = 1
    logical_time: datetime | None = None
    environment: str = "local"
    branch: str = "main"
    full_refresh: bool = False
    partition: Partition | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One output of a function, and how it is written."""

    key: AssetKey
    mode: Mode
    row_key: tuple[str, ...] = ()
    current: Relation | None = None
    """What an upsert changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Import files and describe them: answered by `Loading`, `Loaded` for each, then `Finished`."""

    files: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """Call a model's function and write what it gives: answered by `Built` or `Failed`."""

    file: str
    function: str
    outputs: tuple[Expected, ...]
    code: str = ""
    """Digest of the function's code where the run is: compared on other machines."""
    given: tuple[Given, ...] = ()
    facts: Facts = field(default_factory=Facts)
    takes_context: bool = False
    is_effect: bool = False
    is_multi: bool = False
    may_return_nothing: bool = False
    """Without a return annotation `None` is taken as having done its work elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Call a check's function: answered by `Judged` or `Failed`."""

    file: str
    function: str
    check: str
    given: tuple[Given, ...] = ()
    facts: Facts = field(default_factory=Facts)
    takes_context: bool = False
    sample: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Sense:
    """Call a sensor's function: answered by `Sensed` or `Failed`."""

    file: str
    function: str
    sensor: str
    parameters: tuple[str, ...] = ()
    """Those that it takes, of `cursor` and `now`."""
    cursor: str = ""
    """JSON; empty at the first look."""
    now: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function that any worker of the project finds."""

    file: str
    """Of the project; empty: the module is installed."""
    module: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Do one item of a loop: answered by `Called` or `Failed`."""

    function: Function
    item: bytes
    path: str
    """Where its result goes."""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapItems:
    """A function fans out, and waits: answered by `Mapped`."""

    loop: str
    function: Function | None
    """`None`: only the asking process can do the items."""
    items: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """What is known of the items."""

    folder: str
    done: Mapping[str, str]
    """Files with results, by key."""
    failed: Mapping[str, MainstemError] = field(default_factory=dict)
    is_complete: bool = False
    """All were done or failed; otherwise the asking process does those that are missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemEnded:
    """The asking process did an item."""

    loop: str
    key: str
    path: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """The worker is about to import a file: if it dies now, this file did it."""

    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """One file is described."""

    discovered: Discovered


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """Something to log, or how far the work is."""

    text: str = ""
    rows: int | None = None
    is_progress: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Where shall rows of these columns be written? Answered by `Told`."""

    key: AssetKey
    schema: Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The place, or why there is none."""

    target: WriteTarget | None = None
    error: MainstemError | None = None
    rules: tuple[tuple[str, str], ...] = ()
    """Checks whose bad rows are set aside: id, and SQL that is true for a bad row."""
    rejects: AssetKey | None = None
    """Where those rows go."""
    clears_rejects: bool = False
    """Rows set aside before are replaced, if only by none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written for one output."""

    key: AssetKey
    rows: int
    added: tuple[DataFile, ...] = ()
    removed: tuple[str, ...] = ()
    """Files whose rows live on in `added`."""
    partitions: tuple[tuple[PartitionValue, ...], ...] = ()
    """Partitions that were replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The last message on a request: the worker is idle again."""

    modules: Mapping[str, tuple[int, int]] | None = None
    """Time and size of each project file imported so far; `None`: as told before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(Answer):
    """All files are described."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built(Answer):
    """The function ran to its end."""

    written: tuple[Written, ...] = ()
    returned_nothing: bool = False
    usage: Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Called(Answer):
    """An item is done."""

    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged(Answer):
    """What a check found."""

    passed: bool
    failed_count: int | None = None
    sample: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensed(Answer):
    """What a sensor noticed."""

    answer: SensorAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(Answer):
    """The request could not be carried out."""

    error: MainstemError
