# SPDX-License-Identifier: Apache-2.0
"""`/api/data`: formats, versions, filters, streams."""

import asyncio
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mainstem.api.rest.stream import PIECE_BYTES, Broken, Pipe

URL = "/api/data/staging.orders"
ROWS = [
    {"id": 1, "customer": "ann", "amount": 10},
    {"id": 2, "customer": "bob", "amount": 20},
    {"id": 3, "customer": None, "amount": 30},
]


def test_rows_come_as_json(api):
    answer = api.get(URL)

    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == ROWS


def test_rows_come_as_csv(api):
    answer = api.get(URL, headers={"Accept": "text/csv"})

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text.splitlines()[0] == '"id","customer","amount"'
    assert len(answer.text.splitlines()) == 4


def test_rows_come_as_an_arrow_stream(api):
    answer = api.get(URL, headers={"Accept": "application/vnd.apache.arrow.stream"})

    with pa.ipc.open_stream(answer.content) as reader:
        assert reader.read_all().to_pylist() == ROWS


def test_rows_come_as_parquet(api):
    answer = api.get(f"{URL}?format=parquet")

    assert pq.read_table(io.BytesIO(answer.content)).to_pylist() == ROWS


def test_the_preferred_type_is_given(api):
    accept = "text/csv;q=0.4, application/json;q=0.9, text/html"

    assert api.get(URL, headers={"Accept": accept}).json() == ROWS


def test_a_type_that_rows_do_not_come_in_is_refused(api):
    answer = api.get(URL, headers={"Accept": "text/html"})

    assert (answer.status_code, answer.json()["code"]) == (406, "A8115")


def test_columns_filter_order_and_limit_are_applied(api):
    query = "columns=customer,ID&filter=amount >= 20&order=-amount&limit=1"

    assert api.get(f"{URL}?{query}").json() == [{"customer": None, "id": 3}]


def test_views_can_be_read(api):
    assert [row["id"] for row in api.get("/api/data/marts.large").json()] == [2, 3]


def test_whoever_has_the_version_gets_304(api):
    first = api.get(URL)
    again = api.get(URL, headers={"If-None-Match": first.headers["etag"]})

    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == first.headers["etag"]


def test_another_request_and_another_format_have_another_tag(api):
    tags = {api.get(url).headers["etag"] for url in (URL, f"{URL}?limit=2", f"{URL}?format=csv")}

    assert len(tags) == 3


def test_the_tag_changes_with_the_data(api, project, folder):
    before = api.get(URL).headers["etag"]
    (folder / "data/orders.csv").write_text("id,customer,amount\n9,eve,90\n")
    project.run()

    after = api.get(URL, headers={"If-None-Match": before})

    assert (after.status_code, after.json()) == (200, [{"id": 9, "customer": "eve", "amount": 90}])


def test_older_states_can_be_read(api, project, folder):
    commit = project.lake.ref("main").commit_id
    (folder / "data/orders.csv").write_text("id,customer,amount\n9,eve,90\n")
    project.run()

    assert api.get(f"{URL}?branch=main&at={commit[:12]}").json() == ROWS
    assert api.get(f"{URL}?at={commit}").json() == ROWS


def test_head_tells_the_version_without_rows(api):
    answer = api("HEAD", URL)

    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["etag"] == api.get(URL).headers["etag"]


@pytest.mark.parametrize(
    ("query", "code", "status"),
    [
        ("filter=amount > (select 1)", "A8114", 400),
        ("filter=read_csv('/etc/passwd')", "A8114", 400),
        ("filter=amuont > 1", "A8114", 400),
        ("columns=amuont", "A8113", 400),
        ("order=id;drop", "A8113", 400),
        ("limit=-1", "A8113", 400),
        ("limit=1e9", "A8113", 400),
        ("limt=1", "A8113", 400),
        ("format=xlsx", "A8115", 406),
        ("branch=mian", "A5010", 404),
        ("at=2001-01-01", "A5018", 404),
    ],
)
def test_what_cannot_be_is_refused_with_its_code(api, query, code, status):
    answer = api.get(f"{URL}?{query}")

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_unknown_table_is_not_found(api):
    answer = api.get("/api/data/staging.ordres")

    assert answer.status_code == 404
    assert "staging.orders" in answer.json()["hint"]


def test_a_view_that_fails_says_so_before_any_row(api, project):
    with project.lake.transaction("broken") as _unused:
        pass
    answer = api.get(f"{URL}?filter=customer > 5 and amount = 'x'")

    assert answer.status_code >= 400
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_pipe_holds_few_pieces_and_breaks_when_the_reader_goes():
    async def scene():
        pipe = Pipe(asyncio.get_running_loop(), patience_s=0.2)
        written = 0

        def write():
            nonlocal written
            for _ in range(100):
                pipe.write(b"x" * PIECE_BYTES)
                written += 1

        with pytest.raises(Broken):
            await asyncio.to_thread(write)
        return written

    assert asyncio.run(scene()) == 4


def test_a_pipe_gives_everything_in_order():
    async def scene():
        pipe = Pipe(asyncio.get_running_loop(), patience_s=10)

        def write():
            for number in range(50):
                pipe.write(bytes([number]) * 10_000)
            pipe.finish()

        writing = asyncio.ensure_future(asyncio.to_thread(write))
        got = b"".join([piece async for piece in pipe.pieces()])
        await writing
        return got

    assert asyncio.run(scene()) == b"".join(bytes([n]) * 10_000 for n in range(50))
