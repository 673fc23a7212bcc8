# SPDX-License-Identifier: Apache-2.0
"""The tables of keys: mainstem.yml, ingest files, model property files (GRAMMAR 2 to 5).

Keys of later issues have their shape here; what does not work yet, its own package refuses.
"""

from __future__ import annotations

from mainstem.config.command_keys import COMMAND_KEYS, COMMAND_SHARES
from mainstem.config.shape import (
    Anything,
    Either,
    Flag,
    Items,
    Key,
    Keys,
    Mapped,
    Number,
    Scalar,
    Text,
)

SOURCE_TYPES = (
    "files",
    "external",
    "database",
    "rest",
    "singer",
    "html",
    "webhook",
    "cdc",
    "python",
    "dlt",
)
WRITES = (
    "append",
    "replace",
    "upsert",
    "delete_insert",
    "insert_only",
    "history",
    "cdc",
)
CONTRACTS = ("evolve", "freeze", "quarantine", "discard_row", "discard_value")
COMPRESSIONS = ("auto", "none", "gzip", "zstd", "zip")
FORMATS = ("auto", "csv", "json", "jsonl", "parquet", "arrow")

_TEXT = Text()
_NAMES = Items(of=_TEXT)
_DURATION = Either(of=(Text(pattern=r"\d+\s*(ms|s|m|h|d|w)", example="10m, 6h or 1d"), Number()))
_REBUILD = r"on_change|always|\d+(\.\d+)?\s*(ms|s|m|h|d|w)"
_CHECKS = Items(of=Either(of=(_TEXT, Mapped(of=Anything(), name="check"))))
_EXCEPTIONS = Items(of=Text(pattern=r"[A-Za-z_][\w.]*", example="ConnectionError or RemoteError"))
_RETRY = {
    "retries": Key(Number(integer=True, minimum=0), "Further attempts after a failure."),
    "retry_delay": Key(_DURATION, "Wait before the next attempt; 1s by default."),
    "retry_backoff": Key(Text(choices=("exponential", "fixed")), "exponential by default."),
    "retry_factor": Key(Number(minimum=1), "What each delay is multiplied by; 2 by default."),
    "retry_max_delay": Key(_DURATION, "The longest delay; 5m by default."),
    "retry_jitter": Key(Number(minimum=0, maximum=1), "Part of a delay that is chance; 0.5."),
    "retry_on": Key(_EXCEPTIONS, "Exceptions worth another attempt: classes, or error codes."),
    "no_retry_on": Key(_EXCEPTIONS, "Exceptions that are not."),
    "timeout": Key(_DURATION, "How long one attempt may take."),
}
_SIZE = Either(
    of=(
        Text(pattern=r"\d+(\.\d+)?\s*(B|[kKMGT]B|[KMGT]iB)", example="512MiB or 2GB"),
        Number(integer=True, minimum=1),
    )
)
_NEEDS = {
    "pool": Key(_NAMES, "Names under `pools:`; each attempt takes a slot of each."),
    "priority": Key(Number(integer=True), "Of what can start, the highest is first; 0."),
    "memory": Key(_SIZE, "What an attempt needs; what the last ones took, if it is not set."),
}
RUN_KEYS = frozenset({*_RETRY, "run_timeout", "publish"})
"""Options of a job that say how its runs are executed."""
EXECUTION_KEYS = frozenset({*_RETRY, *_NEEDS})
"""Options of any asset that say how it is executed; `config.execution` reads them."""

_LAKE = Keys(
    title="`lake:`",
    keys={
        "database": Key(
            _TEXT, "Catalog and run state: a path, sqlite:///path, or postgresql://..."
        ),
        "warehouse": Key(_TEXT, "Folder (or bucket) of the data files."),
    },
)
_CONNECTION = Keys(
    title="a connection",
    keys={"type": Key(_TEXT, "postgres, s3, ...")},
    required=("type",),
    is_open=True,
)
_TELEMETRY = Keys(
    title="`telemetry:`",
    keys={
        "otlp": Key(_TEXT, "Where to send to by OTLP/HTTP, such as http://localhost:4318."),
        "headers": Key(Mapped(of=_TEXT, name="header"), "Sent along."),
    },
    required=("otlp",),
)
_OPENLINEAGE = Keys(
    title="`openlineage:`",
    keys={
        "url": Key(_TEXT, "Where to send to, such as http://localhost:5000."),
        "namespace": Key(_TEXT, "Of jobs and datasets; the project's name by default."),
        "api_key": Key(_TEXT, "Sent as bearer token."),
    },
    required=("url",),
)
_RETENTION = Keys(
    title="`retention:`",
    keys={
        "logs": Key(_DURATION, "What steps print and log; 30d by default."),
        "history": Key(_DURATION, "What happened in runs, in daily files; 400d by default."),
        "steps": Key(_DURATION, "Rows of steps and of results of checks; 180d by default."),
    },
)
_ENVIRONMENT = Keys(
    title="an environment",
    keys={
        "branch": Key(_TEXT, "Lake branch; `{user}` is the user's name, `git` the git branch."),
        "from": Key(_TEXT, "Branch that it is created from, and that sources are read from."),
        "protected": Key(Flag(), "Needs a clean git tree, and a job or --yes."),
        "lake": Key(_LAKE, "Where catalog and data are."),
        "vars": Key(Mapped(of=Anything(), name="variable"), "Overrides `vars:` of the project."),
        "connections": Key(Mapped(of=_CONNECTION, name="connection"), "Overrides connections."),
        "ingest": Key(Text(choices=("read_through", "load")), "What a run does with sources."),
        "dbt_target": Key(_TEXT, "Target of profiles.yml for dbt projects."),
    },
)
_JOB = Keys(
    title="a job",
    keys={
        "select": Key(_NAMES, "Selection of assets."),
        "exclude": Key(_NAMES, "Selection to leave out."),
        "cron": Key(_NAMES, "When it runs, as five cron fields; several are united."),
        "every": Key(_DURATION, "Interval, instead of `cron`."),
        "zone": Key(_TEXT, "Time zone of `cron`, such as Europe/Berlin; UTC by default."),
        "catchup": Key(
            Text(choices=("none", "latest", "all")),
            "Which ticks are made up for that no server was there for; latest by default.",
        ),
        "enabled": Key(Flag(), "Whether its schedule is on until somebody turns it on or off."),
        "priority": Key(Number(integer=True), "Higher goes first; 0 by default."),
        "environment": Key(_TEXT, "Where it runs; the default environment if it is not set."),
        "publish": Key(Text(choices=("passed", "all_or_nothing"))),
        "alert": Key(_NAMES, "Names under `alerts:`."),
        "full_refresh": Key(Flag()),
        "vars": Key(Mapped(of=Anything(), name="variable")),
        "partition": Key(_TEXT, "Partitions of each run: latest, or a set of them."),
        "description": Key(_TEXT),
        "run_timeout": Key(_DURATION, "How long a run may take; what passed is published."),
        **_RETRY,
    },
    elsewhere={
        **dict.fromkeys(("schedule", "schedules"), "When a job runs is its `cron`, or `every`."),
        **dict.fromkeys(("timezone", "tz"), "The time zone of a job is its `zone`."),
        **dict.fromkeys(("assets", "selection", "models"), "What a job builds is its `select`."),
    },
)
_POOL = Either(
    of=(
        Number(integer=True, minimum=1),
        Keys(
            title="a pool",
            keys={
                "slots": Key(Number(integer=True, minimum=1), "Attempts at once, in all runs."),
                "rate": Key(
                    Text(pattern=r"\d+(\.\d+)?\s*/\s*(s|m|h|d)", example="60/m or 5/s"),
                    "Attempts that may start in a time.",
                ),
                "burst": Key(
                    Number(integer=True, minimum=1),
                    "Attempts that may start at once after a pause; 1 unless it is set.",
                ),
                "description": Key(_TEXT),
            },
        ),
    )
)
_EXECUTOR = Keys(
    title="an executor",
    keys={
        "type": Key(Text(choices=("dask", "remote")), "Dask, or `mainstem worker NAME` elsewhere."),
        "address": Key(_TEXT, "Of a Dask scheduler; without, workers are started here."),
        "workers": Key(Number(integer=True, minimum=1), "Processes of a local Dask cluster."),
        "resources": Key(Mapped(of=Number(), name="resource"), "What a worker needs: {GPU: 1}."),
    },
    required=("type",),
)
_LAUNCHED: dict[str, Key] = {
    "job": Key(_TEXT, "Name under `jobs:`: what is launched."),
    "select": Key(_NAMES, "What is launched, instead of a job."),
    "exclude": Key(_NAMES),
    "environment": Key(_TEXT),
    "partition": Key(_TEXT),
    "priority": Key(Number(integer=True)),
    "enabled": Key(Flag()),
    "description": Key(_TEXT),
}
_SENSOR = Keys(
    title="a sensor",
    keys={
        "when": Key(
            Keys(
                title="`when:` of a sensor",
                keys={
                    "files": Key(_NAMES, "Globs of files that arrive, relative to the project."),
                    "table": Key(_TEXT, "An asset that another run moves."),
                    "branch": Key(_TEXT, "Where the table is looked at."),
                },
            ),
            "What it waits for: {files: landing/*.csv} or {table: raw.orders}.",
        ),
        "every": Key(_DURATION, "Between two looks; 30s by default."),
        **_LAUNCHED,
    },
    required=("when",),
)
_HOOK = Keys(
    title="a hook",
    keys={
        "secret": Key(_NAMES, "Shared with the sender, as ${NAME}; two while it is replaced."),
        "scheme": Key(
            Text(choices=("mainstem", "github", "stripe", "slack")),
            "How the sender signs; mainstem by default.",
        ),
        "tolerance": Key(_DURATION, "How old a signed time may be; 5m by default."),
        "dedup": Key(
            Keys(
                title="`dedup:` of a hook",
                keys={
                    "header": Key(_TEXT, "Header with the identity of a delivery."),
                    "json": Key(_TEXT, "Where it is in the body: $.event.id."),
                },
            ),
            "What makes two deliveries one; by default the signed content.",
        ),
        "max_bytes": Key(Number(integer=True, minimum=1), "Of the body; 1048576 by default."),
        "vars": Key(Mapped(of=_TEXT, name="variable"), "Variable to its place in the body."),
        **_LAUNCHED,
    },
    required=("secret",),
)
_PROMISES: dict[str, Key] = {
    "run_when": Key(
        _TEXT, "Condition that launches it: eager, on_missing, on_cron(...), or an expression."
    ),
    "freshness": Key(
        Keys(
            title="`freshness:`",
            keys={
                "within": Key(_DURATION, "Age that it is promised not to reach."),
                "by": Key(_TEXT, 'Time of day by which it is promised to be new: "08:00".'),
                "zone": Key(_TEXT, "Of `by`; UTC by default."),
            },
        ),
        "Promise about its age; an alert tells when it is broken.",
    ),
}
_ALERT = Keys(
    title="an alert",
    keys={
        "type": Key(Text(choices=("slack", "email", "webhook"))),
        "on": Key(
            Items(of=Text(choices=("failed", "held", "late", "recovered"))), "All by default."
        ),
        "environments": Key(_NAMES, "Only runs of these; all by default."),
        "window": Key(_DURATION, "The same failure within this time is counted: 1h."),
        "remind": Key(_DURATION, "A failure that goes on is told again after this time: 4h."),
        "url": Key(_TEXT, "Of slack and webhook: where to send to."),
        "headers": Key(Mapped(of=_TEXT, name="header"), "Of webhook: sent along."),
        "secret": Key(_TEXT, "Of webhook: signs the body, in X-Mainstem-Signature."),
        "to": Key(_NAMES, "Of email: who receives it."),
        "from": Key(_TEXT, "Of email: who sends it."),
        "host": Key(_TEXT, "Of email: the SMTP server."),
        "port": Key(Number(integer=True, minimum=1), "Of email: 587, 465 with tls, 25 with none."),
        "security": Key(Text(choices=("starttls", "tls", "none")), "Of email: starttls."),
        "user": Key(_TEXT, "Of email: to log in with."),
        "password": Key(_TEXT, "Of email: to log in with."),
    },
    required=("type",),
)
_API = Keys(
    title="`api:`",
    keys={
        "hosts": Key(_NAMES, "Further names that the server is called by: data.example.com."),
        "origins": Key(_NAMES, "Other sites whose pages may call it: https://ui.example.com."),
        "token": Key(
            Text(choices=("optional", "required")),
            "Whether callers on the same machine need a token; others always do.",
        ),
    },
)
_COUNT = Number(integer=True, minimum=1)
_SERVE = Keys(
    title="`serve:`",
    keys={
        "max_runs": Key(_COUNT, "Launches that run at once; 4 unless it is set."),
        "share": Key(
            Keys(title="`share:`", keys={"fresh": Key(_COUNT), "backfill": Key(_COUNT)}),
            "How slots are divided while both wait; {fresh: 3, backfill: 1} unless it is set.",
        ),
        "lost": Key(
            Text(choices=("requeue", "report")),
            "What becomes of a launch whose server died: again (default), or marked as lost.",
        ),
        "attempts": Key(_COUNT, "Times that a launch is begun before it counts as lost; 3."),
        "grace": Key(_DURATION, "How long runs may go on when the server is stopped; 30s."),
        "lease": Key(
            _DURATION,
            "Silence after which another server leads; 15s. What it held is free after twice that.",
        ),
        "history_days": Key(_COUNT, "How long ended launches are remembered; 90."),
    },
)
MODEL_OPTIONS: dict[str, Key] = {
    "materialized": Key(
        Text(choices=("view", "table", "incremental", "history", "ephemeral")),
        "view (default), table, incremental, history or ephemeral.",
    ),
    "namespace": Key(_TEXT, "Instead of the first folder's name."),
    "key": Key(_NAMES, "Columns that identify a row; an incremental model then upserts."),
    "strategy": Key(Text(choices=("append", "upsert", "replace_partitions", "delete_insert"))),
    "partitions": Key(Anything(), "Unit of work: {by: month, column: c, start: 2013-01-01}."),
    "partition_by": Key(_NAMES, "Layout of files: carrier, month(time_hour)."),
    "on_code_change": Key(Text(choices=("rebuild", "forward"))),
    "rebuild": Key(
        Either(of=(Text(pattern=_REBUILD, example="on_change, always or 1d"), Number())),
        "on_change (default), always, or the age at which it is built anew: 1d.",
    ),
    "upstream": Key(Text(choices=("mutable",))),
    "contract": Key(Anything(), "Columns and types that the model promises."),
    "tags": Key(_NAMES),
    "owner": Key(_TEXT),
    "deps": Key(_NAMES, "Assets to wait for, without reading them."),
    "description": Key(_TEXT),
    "enabled": Key(Flag()),
    "vars": Key(Mapped(of=Anything(), name="variable")),
    "executor": Key(_TEXT, "Name under `executors:`, for Python models."),
    **_PROMISES,
    **_RETRY,
    **_NEEDS,
}
MODEL_FOLDER = Keys(title="the options of a model folder", keys=MODEL_OPTIONS)

SETTINGS_FILE = Keys(
    title="mainstem.yml",
    keys={
        "name": Key(
            Text(
                pattern=r"[A-Za-z][A-Za-z0-9_\-]*", example="a letter, then letters, digits, _ or -"
            ),
            "Name of the project.",
        ),
        "requires_mainstem": Key(_TEXT, 'Versions that can run it, as in ">=0.1,<0.2".'),
        "include": Key(_NAMES, "Further project folders in the same graph."),
        "default_environment": Key(_TEXT, "Environment when none is named."),
        "environments": Key(Mapped(of=_ENVIRONMENT, name="environment")),
        "connections": Key(Mapped(of=_CONNECTION, name="connection")),
        "lake": Key(_LAKE, "Where catalog and data are, for every environment."),
        "models": Key(Mapped(of=MODEL_FOLDER, name="folder of models"), "Folder to options."),
        "vars": Key(Mapped(of=Anything(), name="variable"), "Values of {{ var('name') }}."),
        "telemetry": Key(_TELEMETRY, "Traces and metrics of runs, by OpenTelemetry."),
        "openlineage": Key(_OPENLINEAGE, "Events of runs, for lineage catalogs."),
        "retention": Key(_RETENTION, "How long records are kept; `mainstem gc` and runs prune."),
        "jobs": Key(Mapped(of=_JOB, name="job")),
        "pools": Key(Mapped(of=_POOL, name="pool"), "What only so many steps may use at once."),
        "memory": Key(_SIZE, "What all steps on a machine may need; 80 % of it by default."),
        "executors": Key(Mapped(of=_EXECUTOR, name="executor"), "Where Python steps may run."),
        "sensors": Key(Mapped(of=_SENSOR, name="sensor"), "What is looked at again and again."),
        "hooks": Key(Mapped(of=_HOOK, name="hook"), "What others may call: POST /hooks/NAME."),
        "alerts": Key(Mapped(of=_ALERT, name="alert")),
        "api": Key(_API, "Whom the server answers."),
        "serve": Key(_SERVE, "How `mainstem serve` works."),
    },
    required=("name",),
)

_COLUMN = Either(
    of=(
        Text(example="double"),
        Keys(
            title="a column",
            keys={
                "type": Key(_TEXT, "bigint, double, decimal(10,2), timestamptz, text, ..."),
                "rename": Key(_TEXT, "Name of the column in the table."),
                "description": Key(_TEXT),
                "pii": Key(Anything()),
                "tags": Key(_NAMES),
                "checks": Key(_CHECKS),
            },
        ),
    )
)
_CONTRACT = Either(
    of=(
        Text(choices=CONTRACTS),
        Keys(
            title="`contract:`",
            keys={
                "columns": Key(
                    Text(choices=("evolve", "freeze", "discard_value", "discard_row", "quarantine"))
                ),
                "types": Key(Text(choices=CONTRACTS)),
            },
        ),
    )
)
_TABLE_KEYS: dict[str, Key] = {
    "as": Key(_TEXT, "Name of the asset, if not that of the key."),
    "files": Key(Items(of=_TEXT), "File names or globs below `path`."),
    "format": Key(Text(choices=FORMATS), "Found by the file's ending if it is not set."),
    "compression": Key(Text(choices=COMPRESSIONS), "Found by the file's ending if it is not set."),
    "member": Key(_TEXT, "Glob of the files inside a zip; all of them by default."),
    "delimiter": Key(_TEXT, "Sniffed if it is not set."),
    "quote": Key(_TEXT, "Sniffed if it is not set; empty for none."),
    "escape": Key(_TEXT, "Sniffed if it is not set; empty for none."),
    "header": Key(Flag(), "Whether the first line holds names; sniffed if it is not set."),
    "skip": Key(Number(integer=True, minimum=0), "Lines to leave out before the header."),
    "comment": Key(_TEXT, "Character that begins a comment line."),
    "encoding": Key(_TEXT, "utf-8 by default; latin-1, utf-16, cp1252, ..."),
    "date_format": Key(_TEXT, "As in %d.%m.%Y."),
    "timestamp_format": Key(_TEXT, "As in %d.%m.%Y %H:%M."),
    "decimal_separator": Key(Text(choices=(".", ","))),
    "null_values": Key(Items(of=Scalar()), 'What stands for null, as in ["", NA]; never assumed.'),
    "records": Key(_TEXT, "Where the records of a JSON document are: $.data.items[*]."),
    "write": Key(Text(choices=WRITES), "upsert with a key, replace without, unless it is set."),
    "key": Key(_NAMES, "Columns that identify a row."),
    "cursor": Key(
        Either(
            of=(
                _TEXT,
                Keys(
                    title="`cursor:`",
                    keys={"column": Key(_TEXT), "start": Key(Scalar()), "lookback": Key(_DURATION)},
                ),
            )
        )
    ),
    "columns": Key(Mapped(of=_COLUMN, name="column"), "Name to type, or to {type, rename, ...}."),
    "select": Key(_NAMES, "Globs of columns; `!` excludes."),
    "where": Key(_TEXT, "SQL condition; rows for which it is not true are left out."),
    "nested": Key(Text(choices=("json", "struct", "tables")), "What becomes of nested data."),
    "contract": Key(_CONTRACT, "What happens when later data does not fit."),
    "checks": Key(_CHECKS),
    "partition_by": Key(_NAMES, "Layout of files: carrier, month(time_hour)."),
    "fresh_for": Key(_DURATION),
    "tags": Key(_NAMES),
    "owner": Key(_TEXT),
    "description": Key(_TEXT),
    **_PROMISES,
    **_RETRY,
    **_NEEDS,
}
_WHOLE = {"partitions": "It is loaded as a whole; models that read it are built in partitions."}
INGEST_TABLE = Keys(title="an ingest table", keys=_TABLE_KEYS, elsewhere=_WHOLE)
INGEST_DEFAULTS = Keys(
    title="`defaults:` of an ingest file",
    keys={name: key for name, key in _TABLE_KEYS.items() if name not in {"as", "files"}},
)
INGEST_SOURCE_KEYS: dict[str, Key] = {
    "type": Key(Text(choices=SOURCE_TYPES), "Kind of source."),
    "connection": Key(_TEXT, "Name under `connections:`."),
    "path": Key(_TEXT, "Folder of the files, relative to the project."),
    "into": Key(_TEXT, "Namespace of the tables; the file's name by default."),
    "defaults": Key(INGEST_DEFAULTS, "Keys that hold for each table."),
    "fresh_for": Key(_DURATION, "A run by hand does not read again within this time."),
    "tags": Key(_NAMES),
    "owner": Key(_TEXT),
    "description": Key(_TEXT),
    "tables": Key(
        Mapped(of=Either(of=(INGEST_TABLE, Items(of=_TEXT))), name="table"),
        "Name to options, or to a file name.",
    ),
}
INGEST_FILES = Keys(
    title="an ingest file of type files",
    keys=INGEST_SOURCE_KEYS,
    required=("type", "tables"),
)
INGEST_FILE = Keys(
    title="an ingest file",
    keys={**INGEST_SOURCE_KEYS, "tables": Key(Mapped(of=Anything(), name="table"))},
    required=("type",),
    is_open=True,
)
"""For types of later issues: their own keys are not known yet."""

_PROPERTY_COLUMN = Keys(
    title="a column",
    keys={
        "name": Key(_TEXT),
        "description": Key(_TEXT),
        "data_type": Key(_TEXT),
        "type": Key(_TEXT),
        "quote": Key(Flag()),
        "checks": Key(_CHECKS),
        "tests": Key(_CHECKS),
        "data_tests": Key(_CHECKS),
        "constraints": Key(Items(of=Anything())),
        "tags": Key(_NAMES),
        "meta": Key(Anything()),
        "config": Key(Anything()),
        "pii": Key(Anything()),
    },
    required=("name",),
)
_DESCRIBED: dict[str, Key] = {
    "description": Key(_TEXT),
    "checks": Key(_CHECKS, "The same as data_tests and tests."),
    "tests": Key(_CHECKS),
    "data_tests": Key(_CHECKS),
    "columns": Key(Items(of=_PROPERTY_COLUMN, strict=True)),
    "tags": Key(_NAMES),
    "owner": Key(_TEXT),
    "meta": Key(Anything()),
    "docs": Key(Anything()),
    "group": Key(_TEXT),
    "config": Key(Mapped(of=Anything(), name="option")),
}
_PROPERTY_MODEL = Keys(
    title="a model's properties",
    keys={
        "name": Key(_TEXT),
        **_DESCRIBED,
        **MODEL_OPTIONS,
        "access": Key(_TEXT),
        "constraints": Key(Items(of=Anything())),
        "versions": Key(Items(of=Anything())),
        "latest_version": Key(Scalar()),
    },
    required=("name",),
)
_OF_COMMANDS = {
    **COMMAND_KEYS,
    **{name: MODEL_OPTIONS[name] for name in (*COMMAND_SHARES, *_RETRY, *_NEEDS)},
}
COMMAND_OPTIONS = frozenset(_OF_COMMANDS)
"""Options of an entry of `assets:` that say how a command builds it."""
_PROPERTY_ASSET = Keys(
    title="an asset's properties",
    keys={"key": Key(_TEXT, "namespace.name"), **_DESCRIBED, **_OF_COMMANDS},
    required=("key",),
)
_PROPERTY_SEED = Keys(
    title="a seed's properties",
    keys={"name": Key(_TEXT), **_DESCRIBED},
    required=("name",),
    elsewhere=_WHOLE,
)
_PROPERTY_SOURCE = Keys(
    title="a source's properties",
    keys={
        "name": Key(_TEXT),
        "schema": Key(_TEXT),
        "database": Key(_TEXT),
        "tables": Key(
            Items(
                of=Keys(
                    title="a source table's properties",
                    keys={"name": Key(_TEXT), "identifier": Key(_TEXT), **_DESCRIBED},
                    required=("name",),
                    is_open=True,
                ),
                strict=True,
            )
        ),
        **_DESCRIBED,
    },
    required=("name",),
    is_open=True,
)
PROPERTY_FILE = Keys(
    title="a property file",
    keys={
        "version": Key(Scalar()),
        "models": Key(Items(of=_PROPERTY_MODEL, strict=True)),
        "sources": Key(Items(of=_PROPERTY_SOURCE, strict=True)),
        "seeds": Key(Items(of=_PROPERTY_SEED, strict=True)),
        "assets": Key(Items(of=_PROPERTY_ASSET, strict=True)),
        "unit_tests": Key(Items(of=Anything(), strict=True)),
        "snapshots": Key(Items(of=Anything(), strict=True)),
        "macros": Key(Items(of=Anything(), strict=True)),
        "exposures": Key(Items(of=Anything(), strict=True)),
        "metrics": Key(Items(of=Anything(), strict=True)),
        "semantic_models": Key(Items(of=Anything(), strict=True)),
        "groups": Key(Items(of=Anything(), strict=True)),
    },
)

FILES: dict[str, Keys] = {
    "mainstem": SETTINGS_FILE,
    "ingest": INGEST_FILES,
    "models": PROPERTY_FILE,
}
"""Shapes by the name that `json_schema` takes."""
