# SPDX-License-Identifier: Apache-2.0
"""`dataclass` for frozen values with slots, at a tenth of the usual cost of defining one.

The standard library makes each class twice and compiles six methods for it: a quarter of a second
for the 300 classes that a run imports. Here the class is made once more at most, and each method
when it is first called: closures over `operator.attrgetter`, as fast to call, and `__init__`, which
is compiled. Fields are the standard library's own, so `replace`, `fields` and `asdict` work, and
type checkers see the standard decorator.
"""

from __future__ import annotations

import dataclasses
import operator
import reprlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

__all__ = ["changed", "dataclass"]

_Field = dataclasses.Field[Any]
_Method = Callable[..., Any]
_Value = TypeVar("_Value")
_ABSENT = object()
"""The argument that was not given, where a field has a factory."""
_CLASS_VARIABLES = ("ClassVar", "typing.ClassVar")


@dataclasses.dataclass(init=False, repr=False, eq=False)
class _Standard:
    """What the standard library notes in a class and in its fields."""

    field: int


_NOTED = vars(_Standard)["__dataclass_params__"]
_KIND = "_field_type"
_ORDINARY = getattr(dataclasses.fields(_Standard)[0], _KIND)
"""What tells a field of values from a `ClassVar`."""


def _value(*, frozen: bool, slots: bool, kw_only: bool = False) -> Callable[[type], type]:
    """Decorate as `dataclasses.dataclass` does; what can change takes that one."""
    assert frozen, "a value does not change"
    assert slots, "a value has nothing beside its fields"

    def decorate(cls: type) -> type:
        assert not hasattr(cls, "__post_init__"), "a value is what it was given"
        own = _own_fields(cls, is_keyword=kw_only)
        fields = {**_inherited_fields(cls), **own}
        taken = {name for base in cls.__mro__ for name in vars(base).get("__slots__", ())}
        return type(cls)(cls.__name__, cls.__bases__, {
            **_methods(list(fields.values())),
            **_written(cls, own),
            "__slots__": tuple(name for name in own if name not in taken),
            "__dataclass_fields__": fields,
            "__dataclass_params__": _NOTED,
            "__match_args__": tuple(name for name, of in fields.items() if not of.kw_only),
            "__qualname__": cls.__qualname__,
        })  # fmt: skip

    return decorate


def _written(cls: type, own: Mapping[str, _Field]) -> dict[str, Any]:
    """Give what stands in the class beside its fields."""
    dropped = {"__dict__", "__weakref__", *own}
    if vars(cls).get("__hash__") is None:  # Python's doing, where `__eq__` stands alone
        dropped.add("__hash__")
    return {name: value for name, value in vars(cls).items() if name not in dropped}


def _own_fields(cls: type, *, is_keyword: bool) -> dict[str, _Field]:
    """Give the fields that the class itself declares, in order."""
    found = {}
    for name, annotation in cls.__annotations__.items():
        if str(annotation).startswith(_CLASS_VARIABLES):
            continue
        default = vars(cls).get(name, dataclasses.MISSING)
        is_described = isinstance(default, dataclasses.Field)
        field = default if is_described else dataclasses.field(default=default)
        assert field.init, "every field of a value is an argument"
        field.name, field.type = name, annotation
        setattr(field, _KIND, _ORDINARY)
        if field.kw_only is dataclasses.MISSING:
            field.kw_only = is_keyword
        found[name] = field
    return found


def _inherited_fields(cls: type) -> dict[str, _Field]:
    found: dict[str, _Field] = {}
    for base in cls.__mro__[-1:0:-1]:
        found.update(vars(base).get("__dataclass_fields__", {}))
    return found


class _Made:
    """Stands for a method until it is called for the first time: only then it is made."""

    __slots__ = ("_fields", "_make", "_name", "_owner")

    def __init__(
        self, name: str, fields: Sequence[_Field], make: Callable[[type, Sequence[_Field]], _Method]
    ) -> None:
        self._name = name
        self._fields = fields
        self._make = make
        self._owner: type | None = None

    def __set_name__(self, owner: type, _name: str) -> None:
        self._owner = owner

    def __get__(self, instance: object, _owner: type | None = None) -> _Method:
        assert self._owner is not None, "is part of a class"
        method = self._make(self._owner, self._fields)
        method.__name__ = self._name
        method.__qualname__ = f"{self._owner.__qualname__}.{self._name}"
        type.__setattr__(self._owner, self._name, method)
        return method if instance is None else cast("_Method", method.__get__(instance))


def _initializer(made: type, fields: Sequence[_Field]) -> _Method:
    """Compile `__init__`: the one method whose signature callers see."""
    positional, keyword, body = ["self"], list[str](), list[str]()
    names: dict[str, Any] = {"_ABSENT": _ABSENT, "__name__": made.__module__}
    for field in fields:
        argument = value = name = field.name
        if field.default is not dataclasses.MISSING:
            names[f"_default_{name}"] = field.default
            argument = f"{name}=_default_{name}"
        elif field.default_factory is not dataclasses.MISSING:
            names[f"_new_{name}"] = field.default_factory
            argument = f"{name}=_ABSENT"
            value = f"_new_{name}() if {name} is _ABSENT else {name}"
        (keyword if field.kw_only else positional).append(argument)
        names[f"_set_{name}"] = getattr(made, name).__set__  # the slot's own: past `__setattr__`
        body.append(f"    _set_{name}(self, {value})")
    arguments = ", ".join([*positional, *(["*", *keyword] if keyword else [])])
    lines = [f"def __init__({arguments}):", *(body or ["    pass"])]
    exec("\n".join(lines), names)  # noqa: S102  # made of the names of fields
    method: _Method = names["__init__"]
    return method


def _filler(made: type, fields: Sequence[_Field]) -> _Method:
    """Compile `__setstate__`: unpickling a project is mostly this.

    While its fields are set, a value is of an open class that is alike but for that: setting them
    costs a fifth of calling the setter of each slot.
    """
    every = [field.name for field in fields]
    opened = type(made)(
        made.__name__,
        made.__bases__,
        {"__slots__": vars(made)["__slots__"], "__setattr__": object.__setattr__},
    )
    names = {"_open": opened, "_made": made, "_turn": vars(object)["__class__"].__set__}
    lines = [
        "def __setstate__(self, values):",
        f"    if len(values) != {len(every)}:",
        f"        raise ValueError(f'{{len(values)}} values for the fields {', '.join(every)}')",
        "    _turn(self, _open)",
        f"    {''.join(f'self.{name}, ' for name in every) or '()'} = values",
        "    _turn(self, _made)",
    ]
    exec("\n".join(lines), names)  # noqa: S102  # made of the names of fields
    method: _Method = names["__setstate__"]
    return method


def _equal(_made: type, fields: Sequence[_Field]) -> _Method:
    compared = _getter([field.name for field in fields if field.compare])

    def equal(self: Any, other: Any) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return compared(self) == compared(other)

    return equal


def _digest(_made: type, fields: Sequence[_Field]) -> _Method:
    compared = _getter([field.name for field in fields if field.compare])

    def digest(self: Any) -> int:
        return hash(compared(self))

    return digest


def _text(_made: type, fields: Sequence[_Field]) -> _Method:
    shown = [field.name for field in fields if field.repr]

    @reprlib.recursive_repr()
    def text(self: Any) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{self.__class__.__qualname__}({values})"

    return text


def _state(_made: type, fields: Sequence[_Field]) -> _Method:
    stored = _getter([field.name for field in fields])

    def state(self: Any) -> tuple[Any, ...]:
        return stored(self)

    return state


def _copied(made: type, fields: Sequence[_Field]) -> _Method:
    every = [field.name for field in fields]
    places = {name: place for place, name in enumerate(every)}
    stored = _getter(every)

    def copied(self: Any, **changes: Any) -> Any:
        values = list(stored(self))
        for name, value in changes.items():
            if name not in places:
                raise TypeError(f"{made.__qualname__} has no field {name}")
            values[places[name]] = value
        other = object.__new__(self.__class__)
        other.__setstate__(values)
        return other

    return copied


_MAKERS = {
    "__init__": _initializer,
    "__setstate__": _filler,
    "__eq__": _equal,
    "__hash__": _digest,
    "__repr__": _text,
    "__getstate__": _state,
    "__replace__": _copied,
}


def _methods(fields: Sequence[_Field]) -> Mapping[str, Any]:
    """Give the methods of a class; most are never called in one run, and so never made."""
    return {
        **{name: _Made(name, fields, make) for name, make in _MAKERS.items()},
        "__setattr__": _refuse_to_assign,
        "__delattr__": _refuse_to_delete,
    }


def changed(value: _Value, **changes: Any) -> _Value:
    """Give a changed copy, in a third of the time of `dataclasses.replace`; for hot paths only.

    Type checkers do not see through it as they do through that one.
    """
    other: _Value = value.__replace__(**changes)  # type: ignore[attr-defined]  # only of values
    return other


def _refuse_to_assign(_self: object, name: str, _value: object) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_self: object, name: str) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _getter(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Give a function that gives the values of attributes as a tuple, however many they are."""
    if len(names) > 1:
        return operator.attrgetter(*names)
    if not names:
        return lambda _: ()
    single = operator.attrgetter(names[0])
    return lambda value: (single(value),)


if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    dataclass = _value
