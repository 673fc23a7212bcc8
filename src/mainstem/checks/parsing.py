# SPDX-License-Identifier: Apache-2.0
"""`checks:` entries -> `CheckSpec`: short forms resolved, everything wrong named with its place.

Light to import: the project loads every check of every asset before it plans anything.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mainstem.checks.known import COMMON, KINDS, LATER, SEVERITIES, Kind
from mainstem.errors import ConfigInvalid, MainstemError, Where, united
from mainstem.types import AssetKey, CheckSpec, dataclass, did_you_mean, nearest

_THRESHOLD = re.compile(r"\s*(=|==|!=|<>|<|<=|>|>=)\s*(\d+)\s*(%?)\s*")
_REF = re.compile(r"\{*\s*ref\(\s*(?:'[^']*'\s*,\s*)?['\"]([^'\"]+)['\"]\s*\)\s*\}*")
_SOURCE = re.compile(r"\{*\s*source\(\s*['\"]([^'\"]+)['\"]\s*,\s*['\"]([^'\"]+)['\"]\s*\)\s*\}*")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    asset: AssetKey
    column: str
    file: str
    line: int

    def error(self, code: str, summary: str, *, hint: str = "", known: Iterable[str] = ()) -> Any:
        where = Where(file=self.file, line=self.line, asset=str(self.asset))
        return ConfigInvalid(code, summary, hint=hint, where=where, known=known)


def parse_checks(
    raw: Sequence[Any] | None,
    asset: AssetKey,
    *,
    column: str | None = None,
    file: str = "",
    line: int = 0,
) -> list[CheckSpec]:
    """Read the entries of one `checks:` list.

    Args:
        raw: As YAML or the decorators of Python give them: names, or mappings with one name.
        asset: Whose checks they are.
        column: Column that the list stands under, if any.
        file: Where they are written, relative to the project folder.
        line: Line of the list, or of its one entry.

    Returns:
        One spec for each check; a list of columns gives one for each column, but for `unique`.

    Raises:
        ConfigInvalid: An entry has an unknown name or key, or lacks an argument.
        ErrorGroup: Several do.
    """
    place = _Place(asset=asset, column=column or "", file=file, line=line)
    specs: list[CheckSpec] = []
    errors: list[MainstemError] = []
    for entry in [raw] if isinstance(raw, str | Mapping) else raw or ():
        try:
            specs.extend(_parse(entry, place))
        except MainstemError as error:
            errors.append(error)
    if errors:
        raise united(errors)
    return number_repeats(specs)


def number_repeats(specs: Iterable[CheckSpec]) -> list[CheckSpec]:
    """Give checks of one asset that have equal ids a number: `expression`, `expression_2`.

    Call it on all checks of an asset, from whatever file they came.
    """
    seen: Counter[str] = Counter()
    result = []
    for spec in specs:
        seen[spec.id.casefold()] += 1
        number = seen[spec.id.casefold()]
        result.append(spec if number == 1 else replace(spec, label=f"{spec.title}_{number}"))
    return result


def _parse(entry: Any, place: _Place) -> list[CheckSpec]:
    name, value = _name_and_value(entry, place)
    kind = _kind(name, place)
    options = _options(name, kind, value, place)
    _know_all(name, kind, options, place)
    columns = _columns(name, kind, options, place)
    arguments = _arguments(name, kind, options, place)
    spec = CheckSpec(
        asset=place.asset,
        name=name,
        columns=columns[0],
        arguments=arguments,
        where=_where(name, kind, options, place),
        mostly=_mostly(name, kind, options, place),
        severity=_severity(options, name, place),
        quarantine=_quarantine(name, kind, options, place),
        sample=_sample(options, name, place),
        label=_text(options, "name", name, place),
        tags=_tags(options, name, place),
        description=_text(options, "description", name, place),
        file=place.file,
        line=place.line,
    )
    if len(columns) == 1:
        return [spec]
    labels = [f"{spec.label}({','.join(of)})" if spec.label else "" for of in columns]
    return [
        replace(spec, columns=of, label=label) for of, label in zip(columns, labels, strict=True)
    ]


def _name_and_value(entry: Any, place: _Place) -> tuple[str, Any]:
    if isinstance(entry, str):
        return entry, None
    if isinstance(entry, Mapping) and len(entry) == 1:
        name, value = next(iter(entry.items()))
        return str(name), value
    said = ", ".join(map(str, entry)) if isinstance(entry, Mapping) else repr(entry)
    raise place.error(
        "A4003",
        f"a check of {place.asset} is not a name with its arguments, but {said}.",
        hint="Write `- not_null: [a, b]` or `- between: {column: a, min: 0}`.",
    )


def _kind(name: str, place: _Place) -> Kind:
    if name in KINDS:
        return KINDS[name]
    if name in LATER:
        raise place.error(
            "A4004",
            f"check `{name}` of {place.asset} does not exist yet: {LATER[name]}.",
            hint="Leave it out for now.",
        )
    if name.startswith("expect_") or "." in name:
        raise place.error(
            "A4004",
            f"check `{name}` of {place.asset} does not exist yet: names of other tools come with a"
            " later version.",
            hint=f"Use one of: {', '.join(sorted(KINDS))}.",
            known=sorted(KINDS),
        )
    close = nearest(name, KINDS)
    raise place.error(
        "A4001",
        f"there is no check `{name}`, as {place.asset} has.",
        hint=did_you_mean(name, KINDS) or f"Known are: {', '.join(sorted(KINDS))}.",
        known=[*close, *sorted(set(KINDS) - set(close))],
    )


def _options(name: str, kind: Kind, value: Any, place: _Place) -> dict[str, Any]:
    """Resolve the short forms: what is given is always a mapping of names afterwards."""
    if value is None or (value is True and kind.first == ""):
        return {}
    if isinstance(value, Mapping):
        flat = {str(key): item for key, item in value.items() if key not in {"config", "arguments"}}
        for group in ("config", "arguments"):
            inner = value.get(group)
            if inner is None:
                continue
            if not isinstance(inner, Mapping):
                raise place.error("A4003", f"`{group}` of check `{name}` is not a mapping.")
            flat.update({str(key): item for key, item in inner.items()})
        if name == "schema" and not flat.keys() & (KINDS["schema"].arguments | COMMON):
            return {"columns": flat}
        return flat
    if not place.column and kind.columns != "none":
        if kind.required or kind.one_of:
            raise place.error(
                "A4003",
                f"check `{name}` of {place.asset} does not say which column it is of.",
                hint=f"Write `- {name}: {{column: NAME, {(*kind.required, *kind.one_of)[0]}: ...}}`"
                ", or put it under `columns:`.",
            )
        return {"columns": value}
    return {kind.first or "columns": value}


def _know_all(name: str, kind: Kind, options: Mapping[str, Any], place: _Place) -> None:
    known = kind.arguments | COMMON
    for key in options:
        if key not in known:
            raise place.error(
                "A4002",
                f"check `{name}` of {place.asset} has no key `{key}`.",
                hint=did_you_mean(key, known) or f"Known are: {', '.join(sorted(known))}.",
                known=[*nearest(key, known), *sorted(known)],
            )


def _columns(
    name: str, kind: Kind, options: Mapping[str, Any], place: _Place
) -> list[tuple[str, ...]]:
    """Give the columns of each check that an entry stands for."""
    if kind.columns == "none":
        return [()]
    given = options.get("columns", options.get("column"))
    if given is None and place.column:
        return [(place.column,)]
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, Sequence) or not names or not all(isinstance(n, str) for n in names):
        raise place.error(
            "A4003",
            f"check `{name}` of {place.asset} needs a column"
            + (f", not {given!r}." if given is not None else "."),
            hint=f"Write `- {name}: [a, b]`, or put it under `columns:`.",
        )
    if kind.columns == "together":
        return [tuple(names)]
    return [(each,) for each in names]


def _arguments(name: str, kind: Kind, options: Mapping[str, Any], place: _Place) -> dict[str, Any]:
    given = {key: options[key] for key in options if key in kind.arguments}
    if name == "between" and "range" in given:
        given.update(_range(given.pop("range"), place))
    if name == "expression" and "expression" in given:
        given.setdefault("sql", given.pop("expression"))
    for key in kind.required:
        if given.get(key) is None:
            raise place.error(
                "A4003",
                f"check `{name}` of {place.asset} lacks `{key}`.",
                hint=f"Write `- {name}: {{{key}: ...}}`.",
            )
    if kind.one_of and all(given.get(key) is None for key in kind.one_of):
        raise place.error(
            "A4003",
            f"check `{name}` of {place.asset} needs one of {', '.join(kind.one_of)}.",
            hint=f"Write `- {name}: {{{kind.one_of[0]}: ...}}`.",
        )
    _fit(name, given, place)
    for key in ("warn_if", "error_if"):
        if options.get(key) is not None:
            given[key] = _threshold(str(options[key]), key, name, place)
    return given


def _range(value: Any, place: _Place) -> dict[str, Any]:
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2:
        return {"min": value[0], "max": value[1]}
    raise place.error(
        "A4003",
        f"check `between` of {place.asset} takes two values, not {value!r}.",
        hint="Write `- between: [0, 100]` or `- between: {min: 0, max: 100}`.",
    )


def _fit(name: str, given: dict[str, Any], place: _Place) -> None:
    """Check the values of arguments, and bring them into one form."""
    wanted = {"values": list, "pattern": str, "sql": str, "to": str, "type": str, "field": str}
    for key, kind in wanted.items():
        if key in given and not isinstance(given[key], kind):
            if key == "values" and isinstance(given[key], tuple):
                continue
            noun = "a list" if kind is list else "text"
            raise place.error(
                "A4003",
                f"`{key}` of check `{name}` of {place.asset} is {given[key]!r}; {noun} is needed.",
            )
    if name == "relationships":
        given["to"] = _target(given, place)
        given.pop("field", None)
    if name in {"row_count", "length"}:
        _whole_numbers(name, given, place)
    if name == "regex":
        try:
            re.compile(given["pattern"])
        except re.error as error:
            # DuckDB's syntax (RE2) is nearly a subset of Python's: what fails here fails there.
            raise place.error(
                "A4003", f"the pattern of check `regex` of {place.asset} is broken: {error}."
            ) from error
    if name == "schema" and not isinstance(given["columns"], list | Mapping):
        raise place.error(
            "A4003",
            f"check `schema` of {place.asset} takes a list of columns, or a mapping to types.",
            hint="Write `- schema: {columns: {id: long, name: string}}`.",
        )


def _whole_numbers(name: str, given: Mapping[str, Any], place: _Place) -> None:
    for key in ("min", "max", "equal_to"):
        value = given.get(key)
        is_asset = name == "row_count" and key == "equal_to" and isinstance(value, str)
        if value is None or is_asset or (isinstance(value, int) and not isinstance(value, bool)):
            continue
        raise place.error(
            "A4003",
            f"`{key}` of check `{name}` of {place.asset} is {value!r}; a whole number is needed.",
        )


def _target(given: Mapping[str, Any], place: _Place) -> str:
    text = str(given["to"]).strip()
    if found := _REF.fullmatch(text):
        text = found[1]
    elif found := _SOURCE.fullmatch(text):
        text = f"{found[1]}.{found[2]}"
    if "field" in given:
        text = f"{text}.{given['field']}"
    if "." not in text:
        raise place.error(
            "A4003",
            f"`to` of check `relationships` of {place.asset} is `{text}`, which names no column.",
            hint="Write `to: namespace.name.column`.",
        )
    return text


def _threshold(text: str, key: str, name: str, place: _Place) -> str:
    found = _THRESHOLD.fullmatch(text)
    if found is None:
        raise place.error(
            "A4003",
            f"`{key}` of check `{name}` of {place.asset} is `{text}`.",
            hint="Write a comparison with the number of failing rows: `> 10`, or `> 1%` of them.",
        )
    return "".join(found.groups())


def _where(name: str, kind: Kind, options: Mapping[str, Any], place: _Place) -> str:
    text = _text(options, "where", name, place)
    if text and kind.asks in {"shape", "query"}:
        raise place.error(
            "A4003",
            f"check `{name}` of {place.asset} has no rows that `where` could select.",
            hint="Put the condition into the query." if kind.asks == "query" else "Leave it out.",
        )
    return text


def _mostly(name: str, kind: Kind, options: Mapping[str, Any], place: _Place) -> float:
    value = options.get("mostly")
    if value is None:
        return 1.0
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= 1:
        raise place.error(
            "A4003",
            f"`mostly` of check `{name}` of {place.asset} is {value!r}; a share between 0 and 1 is"
            " needed.",
            hint="0.999 lets one row in a thousand fail.",
        )
    if kind.asks in {"aggregate", "count", "shape", "query"}:
        raise place.error(
            "A4003",
            f"check `{name}` of {place.asset} has no rows that `mostly` could be a share of.",
            hint="Leave it out, or give bounds that are wide enough.",
        )
    return float(value)


def _severity(options: Mapping[str, Any], name: str, place: _Place) -> Any:
    value = options.get("severity", "error")
    folded = value.casefold() if isinstance(value, str) else value
    if folded not in SEVERITIES:
        raise place.error(
            "A4003",
            f"`severity` of check `{name}` of {place.asset} is {value!r}; known are error, warn and"
            " info.",
            hint=did_you_mean(str(value), SEVERITIES),
            known=SEVERITIES,
        )
    return folded


def _quarantine(name: str, kind: Kind, options: Mapping[str, Any], place: _Place) -> bool:
    value = options.get("quarantine", False)
    if not isinstance(value, bool):
        raise place.error(
            "A4003", f"`quarantine` of check `{name}` of {place.asset} is {value!r}; true or false."
        )
    if value and kind.asks != "row":
        raise place.error(
            "A4005",
            f"check `{name}` of {place.asset} cannot quarantine: it does not judge single rows.",
            hint="Use `severity: warn`, or a check of each row such as `expression`.",
        )
    return value


def _sample(options: Mapping[str, Any], name: str, place: _Place) -> int:
    value = options.get("sample", 20)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10_000:
        raise place.error(
            "A4003",
            f"`sample` of check `{name}` of {place.asset} is {value!r}; a number of rows up to"
            " 10,000 is needed.",
        )
    return value


def _tags(options: Mapping[str, Any], name: str, place: _Place) -> tuple[str, ...]:
    value = options.get("tags", ())
    tags = (value,) if isinstance(value, str) else value
    if not isinstance(tags, Sequence) or not all(isinstance(tag, str) for tag in tags):
        raise place.error("A4003", f"`tags` of check `{name}` of {place.asset} is {value!r}.")
    return tuple(tags)


def _text(options: Mapping[str, Any], key: str, name: str, place: _Place) -> str:
    value = options.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise place.error(
            "A4003", f"`{key}` of check `{name}` of {place.asset} is {value!r}; text is needed."
        )
    return value.strip()
