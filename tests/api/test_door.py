# SPDX-License-Identifier: Apache-2.0
"""Who is let in: hosts, origins, tokens, bodies, and what the log tells of them."""

import socket
from datetime import UTC, datetime, timedelta

import pytest

from mainstem.api import create_token, end_token, list_tokens
from mainstem.api.guard import Asked, is_local, refusal, shown_path
from mainstem.api.settings import ApiSettings
from mainstem.errors import UserError
from mainstem.types import SystemClock

URL = "/api/data/staging.orders"


def asked(method="GET", path="/api/data/a.b", query="", **headers):
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Asked(method=method, path=path, query=query, headers={"host": "localhost:3000", **given})


def code(request, **settings):
    found = refusal(request, ApiSettings(**settings))
    return found.code if found is not None else None


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:3000", "[::1]:3000", "LOCALHOST:80"])
def test_names_of_this_machine_are_answered(host):
    assert code(asked(host=host)) is None


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil:3000", "", "localhost,evil", "a b"],
)
def test_a_rebound_name_is_refused(host):
    assert code(asked(host=host)) == "A8101"


def test_further_names_can_be_allowed():
    assert code(asked(host="data.example.com"), hosts=("data.example.com",)) is None


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:4000", "x", "http://["]
)
def test_a_foreign_page_is_refused(origin):
    assert code(asked(origin=origin)) == "A8102"
    assert code(asked(method="POST", path="/graphql", origin=origin)) == "A8102"


def test_our_own_page_and_named_ones_are_let_in():
    assert code(asked(origin="http://localhost:3000")) is None
    assert code(asked(origin="https://ui.example"), origins=("https://ui.example",)) is None


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_browsers_call_cross_site_is_refused_without_origin(site):
    assert code(asked(sec_fetch_site=site)) == "A8102"
    assert code(asked(sec_fetch_site=site, sec_fetch_mode="navigate")) == "A8102"
    assert code(asked(path="/", sec_fetch_site=site, sec_fetch_mode="navigate")) is None


@pytest.mark.parametrize(
    "query",
    [
        "token=x",
        "access_token=x",
        "Authorization=x",
        "api_key=",
        "q=mst_0123456789ab_0123456789",
        "q=%6Dst_0123456789ab_0123456789",
    ],
)
def test_a_token_in_an_address_is_refused(query):
    assert code(asked(query=query)) == "A8103"


def test_a_path_is_shown_on_one_line_without_tokens():
    shown = shown_path("/x/mst_0123456789ab_01234567\r\nGET /evil \x1b[31m")

    assert "0123456789ab" not in shown
    assert shown.isprintable()
    assert " " not in shown


def test_only_loopback_without_a_proxy_is_local():
    def local(address, **headers):
        return is_local(Asked(method="GET", path="/", headers=headers, address=address))

    assert local("127.0.0.1")
    assert local("127.9.9.9")
    assert local("::1")
    assert not local("10.0.0.1")
    assert not local("")
    assert not local("127.0.0.1", forwarded="for=1.2.3.4")
    assert not local("127.0.0.1", **{"x-forwarded-for": "1.2.3.4"})


def token(project, role="viewer", life="1d"):
    return create_token(
        project.services.database, name="ci", role=role, life=life, clock=SystemClock()
    )


def bearer(made):
    return {"Authorization": f"Bearer {made.text}"}


def test_from_elsewhere_nothing_is_told_without_a_token(served):
    answer = served(address="10.0.0.1").get(URL)

    assert (answer.status_code, answer.json()["code"]) == (401, "A8107")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_token_lets_in_from_elsewhere(served, project):
    assert served(address="10.0.0.1").get(URL, headers=bearer(token(project))).status_code == 200


def test_on_this_machine_tokens_can_be_required(served, project):
    strict = served(require_token=True)

    assert strict.get(URL).status_code == 401
    assert strict.get(URL, headers=bearer(token(project))).status_code == 200


@pytest.mark.parametrize("given", ["Bearer ", "Bearer x", "Basic eDp5", "Bearer mst_0_0"])
def test_a_wrong_token_is_refused_even_on_this_machine(api, given):
    assert api.get(URL, headers={"Authorization": given}).status_code == 401


def test_a_token_whose_secret_is_off_by_one_is_refused(api, project):
    text = token(project).text
    other = text[:-1] + ("0" if text[-1] != "0" else "1")

    assert api.get(URL, headers={"Authorization": f"Bearer {other}"}).status_code == 401


def test_a_revoked_token_is_refused_at_once(api, project):
    made = token(project)
    assert api.get(URL, headers=bearer(made)).status_code == 200

    end_token(project.services.database, made.stored.id, clock=SystemClock())

    assert api.get(URL, headers=bearer(made)).status_code == 401


class FixedClock(SystemClock):
    __slots__ = ("at",)

    def now(self):
        return self.at


def test_an_expired_token_is_refused(api, project):
    clock = FixedClock()
    clock.at = datetime.now(UTC) - timedelta(hours=2)
    made = create_token(
        project.services.database, name="old", role="viewer", life="1h", clock=clock
    )

    assert api.get(URL, headers=bearer(made)).status_code == 401


def test_the_database_has_no_secret_of_a_token(project, folder):
    made = token(project)
    secret = made.text.rpartition("_")[2]
    project.close()

    kept = b"".join(file.read_bytes() for file in folder.glob(".mainstem/mainstem.db*"))

    assert secret.encode() not in kept
    assert bytes.fromhex(secret) not in kept


def test_tokens_are_listed_with_their_end(project):
    made = token(project)
    end_token(project.services.database, made.stored.id, clock=SystemClock())

    (listed,) = list_tokens(project.services.database)

    assert (listed.name, listed.role) == ("ci", "viewer")
    assert listed.revoked_at is not None


@pytest.mark.parametrize(
    ("name", "role", "life"), [("a b", "viewer", "1d"), ("a", "root", "1d"), ("a", "admin", "1y")]
)
def test_a_token_that_cannot_be_is_refused(project, name, role, life):
    with pytest.raises(UserError) as caught:
        create_token(
            project.services.database, name=name, role=role, life=life, clock=SystemClock()
        )

    assert caught.value.code == "A8116"


def test_the_log_has_no_query_and_no_token(served, project):
    lines = []
    caller = served(log=lines.append)
    made = token(project)
    caller.get(f"{URL}?filter=customer = 'ann'", headers=bearer(made))
    caller.get(f"{URL}?token={made.text}")
    caller.get(f"/{made.text}")

    assert [line.status for line in lines] == [200, 400, 400]
    assert lines[0].actor == "ci"
    assert made.text[17:] not in repr(lines)
    assert "ann" not in repr(lines)


def test_a_body_that_is_told_to_be_large_is_refused_unread(served):
    answer = served(max_body_bytes=100).post("/graphql", content=b"x" * 101)

    assert (answer.status_code, answer.json()["code"]) == (413, "A8104")


def test_every_answer_says_how_to_treat_it(api):
    for url in (URL, "/nowhere", "/health"):
        headers = api.get(url).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    "path",
    [
        "/api/data/../../etc/passwd",
        "/api/data/..%2F..%2Fetc%2Fpasswd",
        "/api/data/%00",
        "/..%5c..%5cwindows",
        "/api/data//etc/passwd",
        "/static/../../mainstem.yml",
    ],
)
def test_no_path_reaches_the_file_system(api, path):
    answer = api.get(path)

    assert answer.status_code in {400, 404}
    assert "root:" not in answer.text
    assert "name: shop" not in answer.text


def test_what_fails_inside_is_not_told(served, project):
    project.services.__dict__["lake"] = "not a lake"

    answer = served().get(URL)

    assert answer.status_code == 500
    assert answer.json()["code"] == "A9000"
    assert "Traceback" not in answer.text
    assert "lake" not in answer.text


def test_health_is_told_to_everybody_and_says_nothing_else(served):
    answer = served(address="10.0.0.1", host=f"{socket.gethostname()}.pod").get("/health")

    assert answer.json() == {"live": True, "ready": True}


def test_health_is_not_ready_without_a_database(served, project):
    project.services.database.close()
    caller = served()

    assert caller.get("/health").status_code == 503
    assert caller.get("/health/live").status_code == 200


def test_metrics_are_in_prometheus_text(api, database):
    text = api.get("/metrics").text
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))

    assert values['mainstem_runs{status="succeeded"}'] == "1"
    assert values["mainstem_assets"] == "3"
    # The size of a server's database is the server's to tell.
    assert (int(values.get("mainstem_database_bytes", 0)) > 0) == (database == "sqlite")
    assert text.count("# TYPE mainstem_runs gauge") == 1
