# SPDX-License-Identifier: Apache-2.0
"""No secret of the project is kept or shown, however user code prints it (anchors 1, row 37)."""

import base64
from urllib.parse import quote

import pytest

PASSWORD = "c0rrect h0rse/b@ttery"
KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\n9w0BAQEFAASCBKcwggSj\n-----END KEY-----\n"
SETTINGS = """\
name: shop
connections:
  shop_db: {type: postgres, host: localhost, user: etl, password: "${SHOP_PASSWORD}"}
  other: {type: postgres, dsn: "postgresql://etl:${OTHER}@db.example/shop"}
  vault: {type: rest, private_key: "${file:key.pem}"}
"""
MODEL = """\
import base64, logging, os, sys
from urllib.parse import quote
import pyarrow as pa
from mainstem import asset, check

password = os.environ["SHOP_PASSWORD"]


@asset
def loud(context) -> pa.Table:
    print("plain", password)
    print("repr", [password], {"p": password})
    print("url", quote(password, safe=""), quote(password))
    print("basic", base64.b64encode(f"etl:{password}".encode()).decode())
    print("other", os.environ["OTHER"], f"postgresql://etl:{os.environ['OTHER']}@db.example/shop")
    print(open("key.pem").read())
    logging.warning("logged %s", password)
    os.write(1, password.encode()[:7])
    os.write(1, password.encode()[7:] + b"\\n")
    context.log(f"told {password}")
    context.progress(1, f"with {password}")
    return pa.table({"n": [1]})


@check("main.loud")
def judged(loud: pa.Table) -> bool:
    raise ValueError(f"checked with {password}")


@asset
def broken() -> pa.Table:
    connect = f"postgresql://etl:{password}@db.example/shop"
    raise ConnectionError(f"cannot connect to {connect}")
"""


@pytest.fixture
def leaky(shop, monkeypatch):
    """A project whose Python prints its passwords in all ways."""
    (shop / "mainstem.yml").write_text(SETTINGS)
    (shop / "models/loud.py").write_text(MODEL)
    (shop / "key.pem").write_text(KEY)
    (shop / ".env").write_text("OTHER=an0ther-passw0rd\n")
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    monkeypatch.setenv("OTHER", "an0ther-passw0rd")
    return shop


def _forms():
    basic = base64.b64encode(f"etl:{PASSWORD}".encode()).decode()
    yield from (PASSWORD, quote(PASSWORD, safe=""), quote(PASSWORD), "an0ther-passw0rd")
    yield basic[8:-8]
    yield from KEY.splitlines()[1:3]


def test_a_password_printed_in_all_ways_is_nowhere_below_the_state_folder(leaky, mainstem):
    run = mainstem("run", "--select", "main.loud", "main.broken")
    shown = [
        run,
        mainstem("runs", "log", "1"),
        mainstem("runs", "log", "1", "--json"),
        mainstem("runs", "show", "1"),
        mainstem("query", "select * from system.logs", "--json"),
        mainstem("query", "select * from system.steps", "--json"),
        mainstem("query", "select * from system.check_results", "--json"),
    ]

    assert run.code == 2, run.out + run.err
    assert "logged ****" in shown[1].out
    assert "plain ****" in shown[1].out
    assert "told ****" in shown[1].out
    assert "cannot connect to postgresql://etl:****@db.example/shop" in shown[1].out
    for form in _forms():
        for done in shown:
            assert form not in done.out + done.err
        for file in (leaky / ".mainstem").rglob("*"):
            if file.is_file():
                assert form.encode() not in file.read_bytes(), f"{form} in {file}"


def test_the_lines_of_a_run_can_be_queried(leaky, mainstem):
    mainstem("run", "--select", "main.loud")

    done = mainstem(
        "query",
        "select step, attempt, kind, text, logged_at > '2020-01-01'::timestamp as is_timed "
        "from system.logs where run_id = 1 and text like 'told%'",
        "--json",
    )

    assert done.document == [
        {
            "step": "main.loud",
            "attempt": 1,
            "kind": "log",
            "text": "told ****",
            "is_timed": True,
        }
    ]


def test_without_a_run_the_table_of_lines_is_empty(shop, mainstem):
    done = mainstem("query", "select count(*) as n from system.logs", "--json")

    assert done.document == [{"n": 0}]


def test_following_a_run_that_is_over_prints_its_lines_once(leaky, mainstem):
    mainstem("run", "--select", "main.broken")

    followed = mainstem("runs", "log", "1", "main.broken", "-f", "--json")

    (failed,) = followed.objects
    assert (failed["kind"], failed["attempt"]) == ("failed", 1)
    assert "Traceback" in failed["text"]
    assert "ConnectionError" in failed["text"]
