# SPDX-License-Identifier: Apache-2.0
"""Our `dataclass` does what the standard one does with the same arguments."""

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Mapping

import pytest

from mainstem.types import changed, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """A value."""

    name: str
    size: int = 3
    tags: Mapping[str, int] = dataclasses.field(default_factory=dict)
    secret: str = dataclasses.field(default="s", repr=False, compare=False)

    @property
    def double(self):
        return 2 * self.size


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """A value."""

    name: str
    size: int = 3
    tags: Mapping[str, int] = dataclasses.field(default_factory=dict)
    secret: str = dataclasses.field(default="s", repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived(Ours):
    """A value with more."""

    more: int


@dataclass(frozen=True, slots=True)
class Positional:
    """Fields in their order."""

    left: int
    right: int = 0
    last: int = dataclasses.field(default=1, kw_only=True)


@dataclass(frozen=True, slots=True)
class Single:
    """One field."""

    value: float


@dataclass(frozen=True, slots=True)
class Nothing:
    """No field."""


@dataclass(frozen=True, slots=True)
class Own:
    """Methods that were written by hand stay."""

    value: int

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 7

    def __repr__(self):
        return "own"


@pytest.mark.parametrize("given", [{"name": "a"}, {"name": "b", "size": 1, "secret": "x"}])
def test_values_read_like_those_of_the_standard_library(given):
    assert repr(Ours(**given)) == repr(Standard(**given)).replace("Standard", "Ours")
    assert dataclasses.asdict(Ours(**given)) == dataclasses.asdict(Standard(**given))
    assert Ours(**given).double == 2 * given.get("size", 3)


def test_a_signature_is_the_standard_one_without_annotations():
    ours, standard = (inspect.signature(of).parameters.values() for of in (Ours, Standard))

    assert [(each.name, each.kind) for each in ours] == [
        (each.name, each.kind) for each in standard
    ]
    with pytest.raises(TypeError, match=r"Ours.__init__\(\) missing 1 required keyword-only"):
        Ours()
    with pytest.raises(TypeError, match="unexpected keyword argument 'nmae'"):
        Ours(nmae="a")


def test_equal_values_are_equal_and_others_are_not():
    tags = (("x", 1),)

    assert Ours(name="a", tags=tags) == Ours(name="a", tags=tags, secret="other")
    assert hash(Ours(name="a", tags=tags)) == hash(Ours(name="a", tags=tags, secret="other"))
    assert Ours(name="a") != Ours(name="a", size=4)
    assert Ours(name="a") != Standard(name="a")
    assert Ours(name="a") != Derived(name="a", more=1)
    assert Nothing() == Nothing()
    assert Single(1) == Single(1.0)
    assert Single(1) != Single(2)
    nan = float("nan")
    assert Single(nan) == Single(nan)  # one object, as in tuples


def test_a_value_does_not_change():
    value = Ours(name="a")

    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'name'"):
        value.name = "b"
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'name'"):
        del value.name
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.unknown = 1
    assert not hasattr(value, "__dict__")


def test_factories_are_called_for_each_value():
    assert Ours(name="a").tags is not Ours(name="a").tags


def test_a_value_is_replaced_copied_and_pickled():
    value = Derived(name="a", more=1, tags={"x": 1}, secret="t")

    for again in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert again == value
        assert again.secret == "t"
    assert dataclasses.replace(value, size=9) == Derived(name="a", more=1, tags={"x": 1}, size=9)


def test_a_class_derives_from_another():
    assert [field.name for field in dataclasses.fields(Derived)] == [
        "name",
        "size",
        "tags",
        "secret",
        "more",
    ]
    assert isinstance(Derived(name="a", more=1), Ours)
    assert Derived(name="a", more=1).double == 6


def test_fields_have_their_positions():
    match Positional(1, 2, last=3):
        case Positional(left, right):
            assert (left, right) == (1, 2)
    assert repr(Positional(1)) == "Positional(left=1, right=0, last=1)"
    with pytest.raises(TypeError):
        Positional(1, 2, 3)


def test_methods_written_by_hand_stay():
    assert Own(1) == Own(2)
    assert (hash(Own(1)), repr(Own(1))) == (7, "own")


def test_what_changes_or_computes_is_no_value():
    class Computed:
        """A class with more to do."""

        a: int

        def __post_init__(self):
            """Do it."""

    with pytest.raises(AssertionError, match="does not change"):
        dataclass(frozen=False, slots=True)
    with pytest.raises(AssertionError, match="what it was given"):
        dataclass(frozen=True, slots=True)(Computed)


def test_a_changed_copy_is_what_the_standard_library_makes():
    value = Derived(name="a", size=4, more=1)

    assert changed(value, size=5, more=2) == dataclasses.replace(value, size=5, more=2)
    assert value.size == 4
    with pytest.raises(TypeError, match="no field"):
        changed(value, weight=1)


def test_what_was_pickled_with_other_fields_is_refused():
    value = object.__new__(Ours)

    with pytest.raises(ValueError, match="values for the fields"):
        value.__setstate__(("a", 3))
