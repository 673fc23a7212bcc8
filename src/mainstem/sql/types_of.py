# SPDX-License-Identifier: Apache-2.0
"""Types of expressions without data: a table of what DuckDB gives, `None` where it is not listed.

Never wrong, sometimes silent: tests compare every entry with DuckDB's own binder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlglot import exp

from mainstem.types import List, Primitive, Struct, Type

HUGEINT = Primitive("hugeint")
"""Of sums of integers, within a query; stored as long."""
UNKNOWN = Primitive("unknown")
"""In a schema of names alone: the type of a column could not be told without data."""
BOOLEAN, INT, LONG = Primitive("boolean"), Primitive("int"), Primitive("long")
FLOAT, DOUBLE, STRING = Primitive("float"), Primitive("double"), Primitive("string")
DATE, TIME = Primitive("date"), Primitive("time")
TIMESTAMP, TIMESTAMPTZ = Primitive("timestamp"), Primitive("timestamptz")

_INTEGERS = (INT, LONG, HUGEINT)
_DIGITS = {INT: 10, LONG: 19}
_MAX_PRECISION = 18
"""Beyond it DuckDB's rules for results change with the physical type; they are left out."""

TypeOf = Callable[[exp.Expr], Type | None]


def type_of(node: exp.Expr, child: TypeOf) -> Type | None:
    """Tell the type of an expression.

    Args:
        node: Any expression but a column or a subquery.
        child: Tells the type of what is below it.
    """
    rule = _RULES.get(type(node))
    if rule is not None:
        return rule(node, child)
    fixed = _FIXED.get(type(node))
    if fixed is not None:
        return fixed
    if isinstance(node, exp.Predicate):
        return BOOLEAN
    if isinstance(node, exp.Anonymous):
        return _NAMED.get(node.name.casefold())
    return None


def common_type(types: Iterable[Type | None]) -> Type | None:
    """Give the type that CASE, COALESCE and set operations unify to."""
    result: Type | None = None
    for of in types:
        if of is None:
            return None
        result = of if result is None else _unified(result, of)
        if result is None:
            return None
    return result


def _unified(one: Type, other: Type) -> Type | None:
    if one == other:
        return one
    if one in _INTEGERS and other in _INTEGERS:
        return max(one, other, key=_INTEGERS.index)
    if DOUBLE in {one, other} and all(_is_number(of) for of in (one, other)):
        return DOUBLE
    first, second = _decimal_sizes(one), _decimal_sizes(other)
    if first is not None and second is not None:
        whole, scale = _widest(first, second)
        return _decimal(whole + scale, scale)
    pair = {one, other}
    if pair == {DATE, TIMESTAMP}:
        return TIMESTAMP
    return TIMESTAMPTZ if pair in ({DATE, TIMESTAMPTZ}, {TIMESTAMP, TIMESTAMPTZ}) else None


def _is_number(of: Type | None) -> bool:
    return isinstance(of, Primitive) and (of in _INTEGERS or of in {FLOAT, DOUBLE} or of.is_decimal)


def _decimal_sizes(of: Type | None) -> tuple[int, int] | None:
    if isinstance(of, Primitive) and of.is_decimal:
        return of.precision_and_scale
    return (_DIGITS[of], 0) if isinstance(of, Primitive) and of in _DIGITS else None


def _widest(first: tuple[int, int], second: tuple[int, int]) -> tuple[int, int]:
    """Give the digits before and behind the point that hold values of both."""
    return max(first[0] - first[1], second[0] - second[1]), max(first[1], second[1])


def _decimal(precision: int, scale: int) -> Type | None:
    return Primitive(f"decimal({precision},{scale})") if precision <= _MAX_PRECISION else None


def _literal(node: exp.Expr, _child: TypeOf) -> Type | None:
    if node.args.get("is_string"):
        return STRING
    text = node.name
    if text.isdigit():
        value = int(text)
        return INT if value < 2**31 else LONG if value < 2**63 else None
    whole, dot, part = text.partition(".")
    if dot and (whole + part).isdigit():
        digits = len(whole.lstrip("0")) + len(part)
        return _decimal(max(digits, len(part), 1), len(part)) if whole.lstrip("0") else None
    return DOUBLE if "e" in text.casefold() else None


def _additive(node: exp.Expr, child: TypeOf) -> Type | None:
    left, right = child(node.this), child(node.expression)
    is_interval = isinstance(node.expression, exp.Interval)
    if is_interval and left in {DATE, TIMESTAMP}:
        return TIMESTAMP
    if is_interval and left == TIMESTAMPTZ:
        return TIMESTAMPTZ
    if left is None or right is None:
        return None
    if left == DATE and right == INT:
        return DATE
    if left == DATE and right == DATE and isinstance(node, exp.Sub):
        return LONG
    if left in _INTEGERS and right in _INTEGERS:
        return _unified(left, right)
    if DOUBLE in {left, right} and _is_number(left) and _is_number(right):
        return DOUBLE
    first, second = _decimal_sizes(left), _decimal_sizes(right)
    if first is not None and second is not None:
        whole, scale = _widest(first, second)
        return _decimal(whole + scale + 1, scale)
    return None


def _multiplied(node: exp.Expr, child: TypeOf) -> Type | None:
    left, right = child(node.this), child(node.expression)
    if left in _INTEGERS and right in _INTEGERS:
        return _unified(left, right)
    if DOUBLE in {left, right} and _is_number(left) and _is_number(right):
        return DOUBLE
    first, second = _decimal_sizes(left), _decimal_sizes(right)
    if first is not None and second is not None:
        return _decimal(first[0] + second[0], first[1] + second[1])
    return None


def _integral(node: exp.Expr, child: TypeOf) -> Type | None:
    left, right = child(node.this), child(node.expression)
    return _unified(left, right) if left in _INTEGERS and right in _INTEGERS else None


def _divided(node: exp.Expr, child: TypeOf) -> Type | None:
    numbers = _is_number(child(node.this)) and _is_number(child(node.expression))
    floats = {child(node.this), child(node.expression)} == {FLOAT}
    return DOUBLE if numbers and not floats else None


def _same(node: exp.Expr, child: TypeOf) -> Type | None:
    return child(node.this) if isinstance(node.this, exp.Expr) else None


def _number_same(node: exp.Expr, child: TypeOf) -> Type | None:
    of = child(node.this)
    return of if _is_number(of) else None


def _rounded(node: exp.Expr, child: TypeOf) -> Type | None:
    of = child(node.this)
    sizes = of.precision_and_scale if isinstance(of, Primitive) and of.is_decimal else None
    if sizes is not None:
        has_digits = node.args.get("decimals") is not None
        return None if has_digits else Primitive(f"decimal({sizes[0]},0)")
    return of if of in {DOUBLE, FLOAT, INT, LONG} else None


def _summed(node: exp.Expr, child: TypeOf) -> Type | None:
    argument = node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this
    of = child(argument)
    if of in _INTEGERS:
        return HUGEINT
    if isinstance(of, Primitive) and of.is_decimal:
        return Primitive(f"decimal(38,{of.precision_and_scale[1]})")
    return DOUBLE if of in {FLOAT, DOUBLE} else None


def _averaged(node: exp.Expr, child: TypeOf) -> Type | None:
    argument = node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this
    return DOUBLE if _is_number(child(argument)) else None


def _case(node: exp.Expr, child: TypeOf) -> Type | None:
    results = [branch.args["true"] for branch in node.args.get("ifs") or ()]
    default = node.args.get("default")
    return _of_all([*results, *([default] if default is not None else [])], child)


def _if(node: exp.Expr, child: TypeOf) -> Type | None:
    false = node.args.get("false")
    return _of_all([node.args["true"], *([false] if false is not None else [])], child)


def _coalesced(node: exp.Expr, child: TypeOf) -> Type | None:
    return _of_all([node.this, *node.expressions], child)


def _of_all(nodes: list[exp.Expr], child: TypeOf) -> Type | None:
    typed = [node for node in nodes if not isinstance(node, exp.Null)]
    # A literal takes the type of what stands beside it: only like with like is sure.
    if any(node.is_string for node in typed) and any(child(node) != STRING for node in typed):
        return None
    return common_type(child(node) for node in typed) if typed else None


def _cast(node: exp.Expr, child: TypeOf) -> Type | None:  # noqa: ARG001  # one signature for all rules
    return declared_type(node.args["to"])


def declared_type(of: exp.Expr) -> Type | None:
    """Read a type as SQL writes it; `None` for what tables do not store, or is not listed."""
    if not isinstance(of, exp.DataType) or (
        of.args.get("nested") and not isinstance(of, exp.DataType)
    ):
        return None
    kind = of.this.value if isinstance(of.this, exp.DataType.Type) else str(of.this)
    if kind == "DECIMAL":
        sizes = [int(size.name) for size in of.expressions]
        precision, scale = (*sizes, 3 if not sizes else 0, 0)[:2] if sizes else (18, 3)
        return Primitive(f"decimal({precision},{scale})")
    if kind in {"ARRAY", "LIST"} and len(of.expressions) == 1 and not of.args.get("values"):
        element = declared_type(of.expressions[0])
        return List(element=element) if element is not None else None
    return _DECLARED.get(kind) if not of.expressions else None


def _truncated(node: exp.Expr, child: TypeOf) -> Type | None:
    of = child(node.this)
    return TIMESTAMP if of in {DATE, TIMESTAMP} else of if of == TIMESTAMPTZ else None


def _concatenated(node: exp.Expr, child: TypeOf) -> Type | None:
    return STRING if STRING in {child(node.this), child(node.expression)} else None


def _member(node: exp.Expr, child: TypeOf) -> Type | None:
    of = child(node.this)
    name = node.expression
    if isinstance(of, Struct) and isinstance(name, exp.Identifier):
        return field_type(of, str(name.this))
    return None


def _item(node: exp.Expr, child: TypeOf) -> Type | None:
    of = child(node.this)
    index = node.expressions[0] if node.expressions else None
    if isinstance(of, List) and not isinstance(index, exp.Slice):
        return of.element
    if isinstance(of, Struct) and index is not None and index.is_string:
        return field_type(of, index.name)
    return None


def field_type(of: Struct, name: str) -> Type | None:
    """Find a struct's field without case."""
    folded = name.casefold()
    return next((field.type for field in of.fields if field.name.casefold() == folded), None)


def _classes(*names: str) -> list[type[exp.Expr]]:
    return [found for name in names if (found := getattr(exp, name, None)) is not None]


_DECLARED: dict[str, Type] = {
    "BOOLEAN": BOOLEAN,
    "TINYINT": INT,
    "SMALLINT": INT,
    "INT": INT,
    "UTINYINT": INT,
    "USMALLINT": INT,
    "BIGINT": LONG,
    "UINT": LONG,
    "FLOAT": FLOAT,
    "DOUBLE": DOUBLE,
    "TEXT": STRING,
    "VARCHAR": STRING,
    "CHAR": STRING,
    "DATE": DATE,
    "TIME": TIME,
    "TIMESTAMP": TIMESTAMP,
    "TIMESTAMPNTZ": TIMESTAMP,
    "TIMESTAMPTZ": TIMESTAMPTZ,
    "UUID": Primitive("uuid"),
    "VARBINARY": Primitive("binary"),
    "BLOB": Primitive("binary"),
    "JSON": STRING,
}
_RULES: dict[type, Callable[[exp.Expr, TypeOf], Type | None]] = {
    exp.Literal: _literal,
    exp.Add: _additive,
    exp.Sub: _additive,
    exp.Mul: _multiplied,
    exp.IntDiv: _integral,
    exp.Mod: _integral,
    exp.Div: _divided,
    exp.Sum: _summed,
    exp.Avg: _averaged,
    exp.Case: _case,
    exp.If: _if,
    exp.Coalesce: _coalesced,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.TimestampTrunc: _truncated,
    exp.DateTrunc: _truncated,
    exp.DPipe: _concatenated,
    exp.Dot: _member,
    exp.Bracket: _item,
    exp.Round: _rounded,
    exp.Ceil: _rounded,
    exp.Floor: _rounded,
    **dict.fromkeys(
        _classes(
            "Paren", "Filter", "Window", "IgnoreNulls", "RespectNulls", "Max", "Min", "AnyValue",
            "First", "Last", "FirstValue", "LastValue", "Lag", "Lead", "NthValue", "ArgMax",
            "ArgMin", "Nullif", "Mode", "Alias", "WithinGroup", "Order",
        ),
        _same,
    ),
    **dict.fromkeys(_classes("Neg", "Abs"), _number_same),
    **dict.fromkeys(_classes("Median", "PercentileCont", "Quantile"), _averaged),
}  # fmt: skip
_FIXED: dict[type, Type] = {
    **dict.fromkeys(
        _classes("Boolean", "And", "Or", "Not", "Exists", "RegexpLike", "Contains", "StartsWith",
                 "EndsWith", "LogicalOr", "LogicalAnd", "Is", "In", "Between"),
        BOOLEAN,
    ),
    **dict.fromkeys(
        _classes("Count", "Length", "RowNumber", "Rank", "DenseRank", "Ntile", "DateDiff",
                 "TsOrDsDiff", "Extract", "Year", "Month", "Day", "Hour", "Minute",
                 "Second", "Quarter", "Week", "DayOfWeek", "DayOfMonth",
                 "DayOfYear", "DayOfWeekIso", "WeekOfYear", "ApproxDistinct", "StrPosition"),
        LONG,
    ),
    **dict.fromkeys(_classes("CountIf"), HUGEINT),
    **dict.fromkeys(
        _classes("Stddev", "StddevPop", "StddevSamp", "Variance", "VariancePop", "Corr",
                 "CovarSamp", "CovarPop", "Sqrt", "Ln", "Exp", "Pow", "PercentRank", "CumeDist"),
        DOUBLE,
    ),
    **dict.fromkeys(
        _classes("Upper", "Lower", "Trim", "Concat", "ConcatWs", "Substring", "Replace",
                 "RegexpReplace", "SplitPart", "TimeToStr", "GroupConcat", "MD5", "Left", "Right",
                 "Pad", "Repeat", "Reverse", "Dayname", "Monthname"),
        STRING,
    ),
    **dict.fromkeys(_classes("CurrentDate", "DateFromParts", "LastDay"), DATE),
    **dict.fromkeys(_classes("CurrentTimestamp", "UnixToTime"), TIMESTAMPTZ),
    **dict.fromkeys(_classes("StrToTime", "TimestampFromParts", "Localtimestamp"), TIMESTAMP),
}  # fmt: skip
_NAMED: dict[str, Type] = {
    **dict.fromkeys(
        ("year", "month", "day", "hour", "minute", "second", "date_part", "datepart", "isodow",
         "dayofweek", "dayofyear", "weekofyear", "week", "quarter", "strlen", "isoyear"),
        LONG,
    ),
    **dict.fromkeys(
        ("dayname", "monthname", "format", "printf", "regexp_extract", "strftime"), STRING
    ),
    **dict.fromkeys(("make_timestamp", "strptime"), TIMESTAMP),
    "make_date": DATE,
    "now": TIMESTAMPTZ,
    "today": DATE,
    "to_timestamp": TIMESTAMPTZ,
    "__newer_than__": BOOLEAN,
}  # fmt: skip
