# SPDX-License-Identifier: Apache-2.0
"""`${NAME}`: where values come from, when they are asked for, and that they are never shown."""

import pytest

from mainstem.config import MASK, load_variables, load_yaml, report, settings_of
from mainstem.errors import ConfigInvalid


def variables(folder, process=(), *, environment="dev"):
    return load_variables(folder, environment, process=dict(process))


def test_the_process_wins_over_the_environments_file_and_that_over_the_common_one(tmp_path):
    (tmp_path / ".env").write_text("A=common\nB=common\nC=common\n")
    (tmp_path / ".env.dev").write_text("A=dev\nB=dev\n")

    found = variables(tmp_path, {"A": "process"})

    assert [found.expand(f"${{{name}}}") for name in "ABC"] == ["process", "dev", "common"]
    assert [found.origins[name] for name in "ABC"] == ["process", ".env.dev", ".env"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("a ${X} b ${Y}", "a 1 b 2"),
        ("${Z:-none}", "none"),
        ("${EMPTY:-none}", "none"),
        ("${EMPTY}", ""),
        ("${Z:-}", ""),
        ("${Z:-a:b-c}", "a:b-c"),
        ("$$ $${X} $X", "$ ${X} $X"),
        ("${file:secret.txt}", "s3cret"),
    ],
)
def test_references_are_replaced(tmp_path, text, value):
    (tmp_path / "secret.txt").write_text("s3cret\n")

    assert variables(tmp_path, {"X": "1", "Y": "2", "EMPTY": ""}).expand(text) == value


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("X=a", "a"),
        (" export X = a  # note", "a"),
        ("X='a $b # c'", "a $b # c"),
        (r'X="a\nb \"c\""', 'a\nb "c"'),
        ("X=a#b", "a#b"),
        ("X=", ""),
    ],
)
def test_env_files_are_read_as_shells_do(tmp_path, line, value):
    (tmp_path / ".env").write_text(f"# note\n\n{line}\n")

    assert variables(tmp_path).expand("${X}") == value


def test_a_bad_line_of_an_env_file_is_named_but_not_shown(tmp_path):
    (tmp_path / ".env").write_text("A=1\nhunter2 is my password\n")

    with pytest.raises(ConfigInvalid) as caught:
        variables(tmp_path)

    assert caught.value.code == "A1025"
    assert caught.value.where.line == 2
    assert "hunter2" not in str(caught.value.to_json())


SHOP = """
name: shop
connections:
  shop_db:
    type: postgres
    user: etl
    host: "${PGHOST:-localhost}"
    password: "${SHOP_PASSWORD}"
    url: "postgres://etl:hunter2@host/db"
    options: {api_key: abc, ports: [1, 2]}
vars: {token: abc, region: eu}
"""


def test_a_missing_variable_is_named_with_its_place_when_the_connection_is_used(tmp_path):
    shop = settings_of(load_yaml(SHOP, "mainstem.yml"))
    connection = shop.environment().connection("shop_db")

    with pytest.raises(ConfigInvalid) as caught:
        connection.resolve(variables(tmp_path, {"SHOP_PASSWRD": "hunter2"}))

    assert caught.value.code == "A1022"
    assert "SHOP_PASSWORD" in caught.value.summary
    assert "connection `shop_db`" in caught.value.summary
    assert caught.value.hint == "Did you mean `SHOP_PASSWRD`?"
    assert (caught.value.where.file, caught.value.where.line) == ("mainstem.yml", 4)
    assert "hunter2" not in str(caught.value.to_json())


def test_a_connection_is_resolved_whole(tmp_path):
    shop = settings_of(load_yaml(SHOP, "mainstem.yml"))

    options = (
        shop.environment()
        .connection("shop_db")
        .resolve(variables(tmp_path, {"SHOP_PASSWORD": "pw"}))
    )

    assert (options["host"], options["password"], options["options"]["ports"]) == (
        "localhost",
        "pw",
        [1, 2],
    )


def test_an_unknown_connection_is_named_with_the_nearest(tmp_path):
    shop = settings_of(load_yaml(SHOP, "mainstem.yml"))

    with pytest.raises(ConfigInvalid) as caught:
        shop.environment().connection("shopdb")

    assert (caught.value.code, caught.value.hint) == ("A1026", "Did you mean `shop_db`?")


@pytest.mark.parametrize(
    ("text", "code"), [("${", "A1023"), ("${1X}", "A1023"), ("${file:no}", "A1024")]
)
def test_bad_references_are_refused(tmp_path, text, code):
    with pytest.raises(ConfigInvalid) as caught:
        variables(tmp_path).expand(text)

    assert caught.value.code == code


def test_the_report_says_who_set_what_and_hides_secrets(tmp_path):
    (tmp_path / ".env").write_text("SHOP_PASSWORD=hunter2\n")
    shop = settings_of(load_yaml(SHOP, "mainstem.yml"))

    lines = report(shop, shop.environment(), variables(tmp_path))

    shown = {line.name: (line.value, line.origin) for line in lines}
    assert shown["name"] == ("shop", "mainstem.yml:2")
    assert shown["branch"] == ("main", "default")
    assert shown["connections.shop_db.host"] == ("localhost", "mainstem.yml:7, not set PGHOST")
    assert shown["connections.shop_db.password"] == (MASK, "mainstem.yml:8, .env SHOP_PASSWORD")
    assert shown["connections.shop_db.url"][0] == f"postgres://etl:{MASK}@host/db"
    assert shown["connections.shop_db.options.api_key"][0] == MASK
    assert (shown["vars.token"][0], shown["vars.region"][0]) == (MASK, "eu")
    assert "hunter2" not in str(lines)


def test_variables_do_not_show_their_values(tmp_path):
    assert "hunter2" not in repr(variables(tmp_path, {"X": "hunter2"}))
