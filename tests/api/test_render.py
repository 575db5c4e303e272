"""One set of rows in every form it is given in."""

import csv
import io
import json
from datetime import UTC, datetime

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.api.errors import NotAcceptable
from app.api.forms import accepted
from app.api.funding_rows import Settlement, WeightedFunding
from app.api.schemas import Row, columns, columns_model
from app.db import Database
from tests.db import facts

WINDOW = {"start": "2026-01-05T00:00:00Z", "end": "2026-01-06T00:00:00Z"}
RATES = {0: 1e-4, 8: -0.1 / 3, 16: 5e-324}
SETTLEMENTS = "/funding/BTC"


@pytest.fixture
async def rates(clean_database: Database) -> Database:
    series = await facts.series(clean_database, "binance", "BTCUSDT")
    await facts.settle(clean_database, series, RATES, hours=8)
    return clean_database


async def rows(client: httpx.AsyncClient, path: str = SETTLEMENTS, **params: str) -> list[dict[str, object]]:
    return (await client.get(path, params={**WINDOW, **params})).raise_for_status().json()["data"]


async def test_numbers_survive(client: httpx.AsyncClient, rates: Database) -> None:
    assert [row["rate_native"] for row in await rows(client)] == list(RATES.values())


async def test_every_field_is_there(client: httpx.AsyncClient, rates: Database) -> None:
    for row in await rows(client):
        assert list(row) == [column.name for column in columns(Settlement)]
    for row in await rows(client, weighted="oi", interval="8h"):
        assert list(row) == [column.name for column in columns(WeightedFunding)]


async def test_missing_is_null(client: httpx.AsyncClient, rates: Database) -> None:
    first = (await rows(client, weighted="oi", interval="8h"))[0]
    assert (first["rate"], first["oi_usd"], first["present"], first["stale"]) == (None, None, [], ["binance"])


async def test_columns_are_the_rows(client: httpx.AsyncClient, rates: Database) -> None:
    for params in ({}, {"weighted": "oi", "interval": "8h"}):
        told = await rows(client, **params)
        arrays = (await client.get(SETTLEMENTS, params={**WINDOW, **params, "format": "columns"})).json()["data"]
        assert arrays == {name: [row[name] for row in told] for name in told[0]}


async def test_empty_columns_are_empty_arrays(client: httpx.AsyncClient) -> None:
    body = (await client.get(SETTLEMENTS, params={**WINDOW, "format": "columns"})).json()
    assert body["data"] == {column.name: [] for column in columns(Settlement)}
    assert body["meta"]["notices"]


async def test_empty_says_why(client: httpx.AsyncClient) -> None:
    body = (await client.get(SETTLEMENTS, params=WINDOW)).json()
    assert (body["data"], len(body["meta"]["notices"])) == ([], 1)


async def test_units(client: httpx.AsyncClient, rates: Database) -> None:
    meta = (await client.get(SETTLEMENTS, params=WINDOW)).json()["meta"]
    assert meta["units"]["interval_hours"] == "hours"
    assert (meta["per"], meta["kind"]) == ("8h", "settled")


async def test_ndjson(client: httpx.AsyncClient, rates: Database) -> None:
    answer = await client.get(SETTLEMENTS, params={**WINDOW, "format": "ndjson"})
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert [json.loads(line) for line in answer.text.splitlines()] == await rows(client)


async def test_csv(client: httpx.AsyncClient, rates: Database) -> None:
    answer = await client.get(SETTLEMENTS, params={**WINDOW, "format": "csv"})
    told = list(csv.DictReader(io.StringIO(answer.text)))
    assert list(told[0]) == [column.name for column in columns(Settlement)]
    assert [float(row["rate_native"]) for row in told] == list(RATES.values())
    assert told[0]["time"] == WINDOW["start"]


async def test_csv_of_nulls_and_lists(client: httpx.AsyncClient, rates: Database) -> None:
    answer = await client.get(SETTLEMENTS, params={**WINDOW, "format": "csv", "weighted": "oi", "interval": "8h"})
    first = next(csv.DictReader(io.StringIO(answer.text)))
    assert (first["rate"], json.loads(first["stale"]), json.loads(first["present"])) == ("", ["binance"], [])


@pytest.mark.parametrize("form", ["parquet", "arrow"])
async def test_typed_files(client: httpx.AsyncClient, rates: Database, form: str) -> None:
    answer = await client.get(SETTLEMENTS, params={**WINDOW, "format": form})
    table = read(form, answer.content)
    assert table.schema.field("time").type == pa.timestamp("us", "UTC")
    assert table.column("time")[0].as_py() == datetime(2026, 1, 5, tzinfo=UTC)
    assert table.column("rate_native").to_pylist() == list(RATES.values())
    facts_told = json.loads(table.schema.metadata[b"perpstore"])
    assert facts_told == json.loads(answer.headers["x-perpstore-meta"])
    assert facts_told["window"]["start"] == WINDOW["start"]


def read(form: str, body: bytes) -> pa.Table:
    return pq.read_table(io.BytesIO(body)) if form == "parquet" else pa.ipc.open_stream(body).read_all()


@pytest.mark.parametrize("form", ["parquet", "arrow"])
async def test_typed_files_of_lists_and_milliseconds(client: httpx.AsyncClient, rates: Database, form: str) -> None:
    params = {**WINDOW, "format": form, "weighted": "oi", "interval": "8h", "time_format": "ms"}
    table = read(form, (await client.get(SETTLEMENTS, params=params)).content)
    assert table.column("time")[0].as_py() == 1767571200000
    assert table.column("stale")[0].as_py() == ["binance"]


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet", "arrow"])
async def test_empty_streams(client: httpx.AsyncClient, form: str) -> None:
    answer = await client.get(SETTLEMENTS, params={**WINDOW, "format": form})
    assert answer.status_code == 200
    assert json.loads(answer.headers["x-perpstore-meta"])["notices"]
    if form in ("parquet", "arrow"):
        assert read(form, answer.content).num_rows == 0


async def test_streams_hold_the_whole_window(client: httpx.AsyncClient, clean_database: Database) -> None:
    series = await facts.series(clean_database, "hyperliquid", "BTC")
    count = 12_345
    await facts.settle(clean_database, series, {-h: 1e-5 for h in range(count)}, hours=1)
    params = {"start": "2020-01-01", "end": "2026-02-01"}
    for form in ("csv", "ndjson"):
        text = (await client.get(SETTLEMENTS, params={**params, "format": form})).text
        assert len(text.splitlines()) == count + (form == "csv")
    for form in ("parquet", "arrow"):
        assert read(form, (await client.get(SETTLEMENTS, params={**params, "format": form})).content).num_rows == count
    some = await client.get(SETTLEMENTS, params={**params, "format": "ndjson", "limit": "3", "order": "desc"})
    newest, *rest = some.text.splitlines()
    assert json.loads(newest)["time"] == WINDOW["start"]
    assert len(rest) == 2


async def test_stream_gives_its_connection_back(client: httpx.AsyncClient, rates: Database) -> None:
    for _ in range(20):
        await client.get(SETTLEMENTS, params={**WINDOW, "format": "csv"})
    assert rates.reads.get_size() == rates.reads.get_idle_size()


async def test_failure_before_the_first_byte_is_a_problem(client: httpx.AsyncClient) -> None:
    answer = await client.get("/funding/nothing-of-that-name", params={"format": "parquet"})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_streams_take_no_cursor(client: httpx.AsyncClient, rates: Database) -> None:
    cursor = (await client.get(SETTLEMENTS, params={**WINDOW, "limit": "1"})).json()["page"]["next_cursor"]
    answer = await client.get(SETTLEMENTS, params={**WINDOW, "cursor": cursor, "format": "csv"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")


@pytest.mark.parametrize(
    ("header", "form"),
    [
        (None, "json"),
        ("", "json"),
        ("*/*", "json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "json"),
        ("application/json", "json"),
        ("text/csv", "csv"),
        ("text/csv;q=0.5, application/x-ndjson;q=0.9", "ndjson"),
        ("Text/CSV; charset=utf-8", "csv"),
        ("application/*", "json"),
        ("text/*", "csv"),
        ("application/json;q=0, */*", "csv"),
        ("application/vnd.apache.parquet", "parquet"),
        ("application/vnd.apache.arrow.stream, */*;q=0.1", "arrow"),
    ],
)
def test_accept(header: str | None, form: str) -> None:
    assert accepted(header) == form


@pytest.mark.parametrize("header", ["image/png", "text/csv;q=0", "application/json;q=nan", "text/csv;q=2", ";;,,"])
def test_accept_of_nothing_we_have(header: str) -> None:
    with pytest.raises(NotAcceptable):
        accepted(header)


async def test_accept_and_format(client: httpx.AsyncClient, rates: Database) -> None:
    by_header = await client.get(SETTLEMENTS, params=WINDOW, headers={"Accept": "text/csv"})
    assert by_header.headers["content-type"].startswith("text/csv")
    by_parameter = await client.get(SETTLEMENTS, params={**WINDOW, "format": "NDJSON"}, headers={"Accept": "image/png"})
    assert by_parameter.headers["content-type"].startswith("application/x-ndjson")
    refused = await client.get(SETTLEMENTS, headers={"Accept": "image/png"})
    assert (refused.status_code, refused.json()["code"]) == (406, "not_acceptable")


def every_row(parent: type[Row] = Row) -> list[type[Row]]:
    found = [kind for child in parent.__subclasses__() for kind in (child, *every_row(child))]
    return [kind for kind in found if kind.model_fields]


@pytest.mark.parametrize("row", every_row(), ids=lambda row: row.__name__)
def test_rows_have_descriptions_and_no_defaults(row: type[Row]) -> None:
    assert row.__doc__
    for name, field in row.model_fields.items():
        assert field.description, name
        assert field.is_required(), name
    assert set(row.keys) <= {column.name for column in columns(row)}
    assert len(columns_model(row).model_fields) == len(columns(row))
