# SPDX-License-Identifier: Apache-2.0
"""YAML 1.2 with places."""

import pytest

from mainstem.config import load_yaml, read_yaml
from mainstem.errors import ConfigInvalid, ErrorGroup


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("NO", "NO"),
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("1_000", "1_000"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("-3", -3),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("'null'", "null"),
        ('"1"', "1"),
        ("<<", "<<"),
        ("!!str 12", "12"),
    ],
)
def test_scalars_follow_yaml_1_2(written, value):
    assert load_yaml(f"a: {written}\n", "x.yml").value == {"a": value}


def test_infinity_and_not_a_number_are_numbers():
    value = load_yaml("[.inf, -.Inf, .nan]", "x.yml").value

    assert value[:2] == [float("inf"), float("-inf")]
    assert value[2] != value[2]


def test_keys_are_text_as_written():
    assert load_yaml("{NO: 1, 12: 2, true: 3}", "x.yml").value == {"NO": 1, "12": 2, "true": 3}


def test_every_key_and_item_has_a_place():
    document = load_yaml("a:\n  b: [x, yy]\n", "x.yml", line_offset=10)

    assert (document.where(("a", "b")).line, document.where(("a", "b")).column) == (12, 3)
    item = document.where(("a", "b", 1))
    assert (item.line, item.column, item.length, item.excerpt) == (12, 10, 2, "  b: [x, yy]")
    assert document.where(("a", "b"), of_value=True).column == 6


def test_a_path_that_is_not_written_points_to_its_parent():
    document = load_yaml("a:\n  b: 1\n", "x.yml")

    assert document.where(("a", "c")).line == 1
    assert document.where(("z",)).line == 1


def test_merge_keys_work_and_own_keys_win():
    document = load_yaml("d: &d {x: 1, y: 2}\ne: {<<: *d, y: 3}\n", "x.yml")

    assert document.value["e"] == {"x": 1, "y": 3}


def test_all_keys_that_stand_twice_are_reported():
    with pytest.raises(ErrorGroup) as caught:
        load_yaml("a: 1\nb: 1\na: 2\nb: 2\n", "x.yml")

    assert [error.code for error in caught.value.errors] == ["A1002", "A1002"]
    assert str(caught.value.errors[0]).startswith("x.yml:3:1: `a` stands twice")


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("a: [1,\nb: 2\n", 3, "brackets"),
        ("a:\n\tb: 1\n", 2, "tabs"),
        ("a: *x\n", 1, "quotes"),
        ("a: >=0.1\n", 1, "quotes"),
        ("a: b: c\n", 1, "`: `"),
        ("select: [a, !b]\n", 1, "!internal_*"),
        ("a: 'x\n", 2, ""),
    ],
)
def test_syntax_errors_point_and_say_what_helps(text, line, hint):
    with pytest.raises(ConfigInvalid) as caught:
        load_yaml(text, "x.yml")

    assert caught.value.code == "A1001"
    assert caught.value.where.line == line
    assert hint in caught.value.hint


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_an_empty_document_has_no_value(text):
    assert load_yaml(text, "x.yml").value is None


def test_several_documents_in_a_file_are_refused():
    with pytest.raises(ConfigInvalid):
        load_yaml("a: 1\n---\nb: 2\n", "x.yml")


def test_aliases_cannot_grow_without_end():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]

    with pytest.raises(ConfigInvalid) as caught:
        load_yaml("\n".join(lines), "x.yml")

    assert caught.value.code == "A1003"


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "[" * 3000 + "]" * 3000])
def test_endless_or_very_deep_documents_are_refused(text):
    with pytest.raises(ConfigInvalid) as caught:
        load_yaml(text, "x.yml")

    assert caught.value.code in {"A1001", "A1003"}


def test_a_file_must_exist_and_be_utf8(tmp_path):
    latin = tmp_path / "latin.yml"
    latin.write_bytes("a: 1\nb: ä\n".encode("latin-1"))

    with pytest.raises(ConfigInvalid) as missing:
        read_yaml(tmp_path / "none.yml", "none.yml")
    with pytest.raises(ConfigInvalid) as encoded:
        read_yaml(latin, "latin.yml")

    assert missing.value.code == "A1004"
    assert encoded.value.where.line == 2


def test_a_byte_order_mark_is_no_content(tmp_path):
    path = tmp_path / "x.yml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")

    assert read_yaml(path, "x.yml").value == {"a": 1}
