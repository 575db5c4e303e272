"""What all routes have in common: time, names, parameters, pages, validators, ids."""

import gzip
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app.api.times import parse_time
from app.api.words import nearest
from app.db import Database
from tests.db import facts

T0, T24 = "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z"
WINDOW = {"start": T0, "end": T24}


@pytest.fixture
async def rates(clean_database: Database) -> Database:
    """Hourly settlements of two exchanges over the test day."""
    for exchange, symbol in (("hyperliquid", "BTC"), ("binance", "BTCUSDT")):
        series = await facts.series(clean_database, exchange, symbol)
        await facts.settle(clean_database, series, {h: h * 1e-6 for h in range(24)}, hours=1)
    return clean_database


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05T08:00:00Z",
        "2026-01-05t08:00:00z",
        "2026-01-05T08:00:00",
        "2026-01-05 08:00:00",
        "2026-01-05T08:00",
        "2026-01-05T08:00:00.000",
        "2026-01-05T10:00:00+02:00",
        "2026-01-05T10:00:00 02:00",
        "2026-01-05T10:00:00+0200",
        "2026-01-05T03:30:00-04:30",
        "1767600000",
        "1767600000000",
        1767600000,
    ],
)
def test_time_is_read(text: object) -> None:
    assert parse_time(text) == datetime(2026, 1, 5, 8, tzinfo=UTC)


def test_date_is_midnight() -> None:
    assert parse_time("2026-01-05") == datetime(2026, 1, 5, tzinfo=UTC)


def test_seconds_and_milliseconds_are_told_apart_by_size() -> None:
    assert parse_time("0") == datetime(1970, 1, 1, tzinfo=UTC)
    assert parse_time("4133980799") == datetime(2100, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert parse_time("100000000000") == datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-13-01",
        "2026-02-30",
        "2026-01-05T25:00:00Z",
        "2026-01-05T08:00:00+24:00",
        "1969-12-31T23:59:59Z",
        "2101-01-01",
        "-1",
        "99999999999",
        "9" * 5000,
        "１７６７６０００００",
        "nan",
        "2026-01-05T08:00:00Z; drop table funding",
        "2026-W01-1",
    ],
)
def test_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="time"):
        parse_time(text)


async def test_window_is_echoed(client: httpx.AsyncClient) -> None:
    answer = await client.get("/funding/BTC", params={"start": "2026-01-05", "end": "1767657600", "per": "1H"})
    window = answer.json()["meta"]["window"]
    assert window == {"start": T0, "end": T24, "at": None, "known_at": None}


async def test_default_window_is_the_last_day(client: httpx.AsyncClient) -> None:
    window = (await client.get("/funding/BTC")).json()["meta"]["window"]
    start, end = (datetime.fromisoformat(window[name]) for name in ("start", "end"))
    assert end - start == timedelta(days=1)
    assert datetime.now(UTC) - end < timedelta(minutes=1)


async def test_end_in_the_future_is_clamped_and_said(client: httpx.AsyncClient) -> None:
    meta = (await client.get("/funding/BTC", params={"end": "2099-01-01"})).json()["meta"]
    assert datetime.fromisoformat(meta["window"]["end"]) <= datetime.now(UTC)
    assert any("clamped" in notice for notice in meta["notices"])


@pytest.mark.parametrize(
    "params",
    [
        {"start": T24, "end": T0},
        {"start": T0, "end": T0},
        {"start": "2099-01-01"},
        {"start": "2099-01-01", "end": "2099-02-01"},
        {"at": T0, "start": T0},
    ],
)
async def test_impossible_window(client: httpx.AsyncClient, params: dict[str, str]) -> None:
    answer = await client.get("/funding/BTC", params=params)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_window")


async def test_start_is_inclusive_and_end_exclusive(client: httpx.AsyncClient, rates: Database) -> None:
    found = (await client.get("/funding/BTC", params={"start": T0, "end": "2026-01-05T02:00:00Z"})).json()["data"]
    assert sorted({row["time"] for row in found}) == [T0, "2026-01-05T01:00:00Z"]


async def test_times_as_milliseconds(client: httpx.AsyncClient, rates: Database) -> None:
    body = (await client.get("/funding/BTC", params={**WINDOW, "time_format": "MS", "limit": "1"})).json()
    assert body["data"][0]["time"] == 1767571200000
    assert body["meta"]["window"]["start"] == 1767571200000


@pytest.mark.parametrize(
    "query",
    ["exchanges=binance,hyperliquid", "exchanges=BINANCE&exchanges=HyperLiquid", "exchanges=binance,,hyperliquid,"],
)
async def test_lists_by_comma_and_repetition_in_any_case(
    client: httpx.AsyncClient, rates: Database, query: str
) -> None:
    found = (await client.get(f"/funding/btc?start={T0}&end={T24}&{query}")).json()["data"]
    assert {row["exchange"] for row in found} == {"binance", "hyperliquid"}


async def test_rows_come_by_time_then_exchange_then_instrument(client: httpx.AsyncClient, rates: Database) -> None:
    found = (await client.get("/funding/BTC", params=WINDOW)).json()["data"]
    keys = [(row["time"], row["exchange"], row["instrument"]) for row in found]
    assert keys == sorted(keys)
    newest_first = (await client.get("/funding/BTC", params={**WINDOW, "order": "desc"})).json()["data"]
    assert newest_first == found[::-1]


@pytest.mark.parametrize(("wrong", "meant"), [("exchange", "exchanges"), ("strat", "start"), ("Per", "per")])
async def test_unknown_parameter_names_the_nearest(client: httpx.AsyncClient, wrong: str, meant: str) -> None:
    answer = await client.get("/funding/BTC", params={wrong: "binance"})
    body = answer.json()
    assert (answer.status_code, body["code"], body["candidates"]) == (400, "unknown_parameter", [meant])
    assert meant in body["detail"]


async def test_unknown_parameter_where_there_are_none(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health/live?x=1")).json()["code"] == "unknown_parameter"


async def test_single_value_given_twice(client: httpx.AsyncClient) -> None:
    answer = await client.get("/funding/BTC?limit=1&limit=2")
    assert (answer.status_code, answer.json()["code"]) == (400, "repeated_parameter")


@pytest.mark.parametrize("limit", ["0", "10001", "-1", "1.5", "many", "9" * 400])
async def test_limit_out_of_bounds(client: httpx.AsyncClient, limit: str) -> None:
    answer = await client.get("/funding/BTC", params={"limit": limit})
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "limit")


def test_nearest_word() -> None:
    assert nearest("exchnage", ["exchanges", "end"], 1) == ["exchanges"]
    assert nearest("zzzz", ["exchanges", "end"], 1) == []


async def pages(client: httpx.AsyncClient, **params: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    url: str | None = str(httpx.URL("/funding/BTC", params=params))
    while url:
        body = (await client.get(url)).raise_for_status().json()
        rows += body["data"]
        url = body["page"]["next_url"]
    return rows


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", ["1", "7", "48"])
async def test_pages_are_the_whole(client: httpx.AsyncClient, rates: Database, order: str, limit: str) -> None:
    whole = (await client.get("/funding/BTC", params={**WINDOW, "order": order})).json()["data"]
    assert len(whole) == 48
    assert await pages(client, **WINDOW, order=order, limit=limit) == whole


async def test_pages_are_stable_while_rows_are_inserted(client: httpx.AsyncClient, rates: Database) -> None:
    first = (await client.get("/funding/BTC", params={**WINDOW, "limit": "10"})).json()
    series = await facts.series(rates, "bybit", "BTCUSDT")
    await facts.settle(rates, series, {0: 1e-4, 20: 1e-4}, hours=1)
    second = (await client.get(first["page"]["next_url"], params=None)).json()
    assert first["data"][-1]["time"] < second["data"][0]["time"] or first["data"][-1]["exchange"] == "binance"
    assert not {json.dumps(row) for row in first["data"]} & {json.dumps(row) for row in second["data"]}


async def test_pages_keep_the_first_window(client: httpx.AsyncClient, clean_database: Database) -> None:
    series = await facts.series(clean_database, "binance", "BTCUSDT")
    now = datetime.now(UTC)
    hours = [(now - timedelta(hours=h) - facts.DAY) / timedelta(hours=1) for h in (3, 2, 1)]
    await facts.settle(clean_database, series, dict.fromkeys(hours, 1e-4), hours=1)
    first = (await client.get("/funding/BTC?limit=2")).json()
    second = (await client.get(first["page"]["next_url"])).json()
    assert second["meta"]["window"] == first["meta"]["window"]
    assert len(first["data"] + second["data"]) == 3


async def test_cursor_may_change_form_and_limit_but_not_the_question(
    client: httpx.AsyncClient, rates: Database
) -> None:
    cursor = (await client.get("/funding/BTC", params={**WINDOW, "limit": "2"})).json()["page"]["next_cursor"]
    same = {**WINDOW, "cursor": cursor, "limit": "5", "format": "columns", "time_format": "ms"}
    assert (await client.get("/funding/BTC", params=same)).status_code == 200
    for other in ({**WINDOW, "per": "1h"}, {"start": T0}, {**WINDOW, "order": "desc"}):
        answer = await client.get("/funding/BTC", params={**other, "cursor": cursor})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")
    assert (await client.get("/candles/BTC", params={**WINDOW, "cursor": cursor})).json()["code"] == "bad_cursor"


def tampered(cursor: str, **parts: object) -> str:
    document = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    for place, value in parts.items():
        document[int(place.removeprefix("at"))] = value
    return urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


async def test_tampered_cursors(client: httpx.AsyncClient, rates: Database) -> None:
    cursor = (await client.get("/funding/BTC", params={**WINDOW, "limit": "2"})).json()["page"]["next_cursor"]
    forged = [
        *("AAAA", "bm90IGpzb24", "WzFd", "e30", "bnVsbA", "W1tbW1tb", "====", cursor[:-3]),
        *(tampered(cursor, at3=wrong) for wrong in ("x", 10**30, -(10**30), None, True, 1.5, [])),
        *(tampered(cursor, at4=wrong) for wrong in (1, None, "a\0b", "\ud800")),
        *(tampered(cursor, at1=wrong) for wrong in ("x", 10**30, None)),
    ]
    for wrong in forged:
        answer = await client.get("/funding/BTC", params={**WINDOW, "cursor": wrong})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor"), wrong


async def test_last_page_says_so(client: httpx.AsyncClient, rates: Database) -> None:
    page = (await client.get("/funding/BTC", params={**WINDOW, "limit": "48"})).json()["page"]
    assert page == {"next_cursor": None, "next_url": None}


async def test_unchanged_answer_is_304(client: httpx.AsyncClient, rates: Database) -> None:
    first = await client.get("/funding/BTC", params=WINDOW)
    again = await client.get("/funding/BTC", params=WINDOW)
    etag = first.headers["etag"]
    assert again.headers["etag"] == etag
    assert first.headers["cache-control"] == "no-cache"
    assert first.json()["meta"]["request_id"] != again.json()["meta"]["request_id"]
    for told in (etag, etag.removeprefix("W/"), f'"x", {etag}', "*"):
        answer = await client.get("/funding/BTC", params=WINDOW, headers={"If-None-Match": told})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    assert (await client.get("/funding/BTC", params=WINDOW, headers={"If-None-Match": '"x"'})).status_code == 200


async def test_changed_answer_has_another_etag(client: httpx.AsyncClient, rates: Database) -> None:
    etags = {
        (await client.get("/funding/BTC", params={**WINDOW, **more})).headers["etag"]
        for more in ({}, {"per": "1h"}, {"format": "columns"}, {"limit": "3"}, {"time_format": "ms"})
    }
    assert len(etags) == 5


async def test_gzip(client: httpx.AsyncClient, rates: Database) -> None:
    packed = {"Accept-Encoding": "gzip"}
    async with client.stream("GET", "/funding/BTC", params=WINDOW, headers=packed) as answer:
        raw = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert {"Accept", "Accept-Encoding"} <= {word.strip() for word in answer.headers["vary"].split(",")}
    assert len(json.loads(gzip.decompress(raw))["data"]) == 48
    plain = await client.get("/funding/BTC", params=WINDOW, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers


@pytest.mark.parametrize("form", ["json", "csv", "parquet"])
async def test_head_is_get_without_the_body(client: httpx.AsyncClient, rates: Database, form: str) -> None:
    params = {**WINDOW, "format": form}
    head, whole = await client.head("/funding/BTC", params=params), await client.get("/funding/BTC", params=params)
    assert (head.status_code, head.content) == (200, b"")
    told = {"content-type", "cache-control", "etag", "vary"}
    assert {k: head.headers.get(k) for k in told} == {k: whole.headers.get(k) for k in told}
    assert (await client.head("/nothing")).status_code == 404
    assert rates.reads.get_size() == rates.reads.get_idle_size()


async def test_request_id_goes_in_and_out(client: httpx.AsyncClient) -> None:
    answer = await client.get("/exchanges", headers={"X-Request-ID": "mine-1"})
    assert answer.headers["x-request-id"] == answer.json()["meta"]["request_id"] == "mine-1"
    for indecent in ("x" * 200, "a b", 'quo"te', "é".encode()):
        given = await client.get("/exchanges", headers={"X-Request-ID": indecent})
        assert given.headers["x-request-id"] != indecent
        assert given.headers["x-request-id"] == given.json()["meta"]["request_id"]


async def test_next_url_trusts_no_strange_host(client: httpx.AsyncClient) -> None:
    for host in ("a b", "[", "evil/../", '"'):
        page = (await client.get("/exchanges?limit=1", headers={"Host": host})).json()["page"]
        assert page["next_url"].startswith("/exchanges?")
