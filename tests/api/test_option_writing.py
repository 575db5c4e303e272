"""Options and index prices written over the API: read as they were told, sent back, and taken back."""

import gzip
from typing import Any

import httpx
import pytest

from tests.api.bringing import take_back
from tests.api.test_writing import Bytes, as_arrow, as_csv, as_json, as_ndjson, as_parquet, post

AT = "2024-12-01T08:00:00Z"
CALL, PUT, LINEAR = "BTC-27DEC24-100000-C", "BTC-27DEC24-100000-P", "BTC_USDC-27DEC24-100000-C"
GREEKS = {"delta": 0.4, "gamma": 2e-05, "vega": 90.5, "theta": -120.25, "rho": 15.5}
STATE = {"bid": 0.02, "ask": 0.021, "mark": 0.0205, "mark_iv": 0.61, "underlying": 96500.5, "index_price": 96400.0,
         "open_interest": 120.5, "volume": 3.1}  # fmt: skip
Row = dict[str, object]


def option(name: str = CALL, time: str = "2024-12-01T07:59:01.250Z", **fields: object) -> Row:
    return {"time": time, "exchange": "deribit", "instrument": name, **STATE, **fields}


def index(name: str = "btc_usd", **fields: object) -> Row:
    return {"time": "2024-12-01T07:59:00Z", "exchange": "deribit", "instrument": name, "price": 96400.0, **fields}


async def answers(client: httpx.AsyncClient) -> dict[str, bytes]:
    """What is answered of all that is written here, as bytes."""
    found: dict[str, bytes] = {}
    for path in (
        "options/BTC/chain",
        "options/BTC/expiries",
        "options/BTC/greeks",
        "index/BTC",
        "volatility-index/BTC",
    ):
        answer = await client.get(f"/{path}", params={"at": AT}, headers={"X-Request-ID": "same"})
        assert answer.status_code == 200, answer.text
        found[path] = answer.content
    return found


async def data(client: httpx.AsyncClient, path: str, **query: str) -> list[dict[str, Any]]:
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


MEDIA: list[tuple[str, Bytes]] = [
    ("application/json", as_json),
    ("application/x-ndjson", as_ndjson),
    ("text/csv", as_csv),
    ("application/vnd.apache.parquet", as_parquet),
    ("application/vnd.apache.arrow.stream", as_arrow),
]


async def test_every_media_type_says_the_same(writer: httpx.AsyncClient) -> None:
    for path, rows in (
        ("/options", [option(**GREEKS), option(PUT, **GREEKS)]),
        ("/index", [index(), index("eth_usd")]),
    ):
        for number, (media, write) in enumerate(MEDIA):
            packed = media == "text/csv"
            body, headers = (gzip.compress(write(rows)), {"Content-Encoding": "gzip"}) if packed else (write(rows), {})
            answer = await post(writer, body, path, media, headers=headers)
            assert (answer["received"], answer["rejected"]) == (2, [])
            assert answer["inserted"] == (0 if number else 2), media


async def test_what_is_written_is_read(writer: httpx.AsyncClient) -> None:
    linear = option(LINEAR, bid=1950.0, ask=2010.0, mark=1980.0)
    await post(writer, [option(**GREEKS), option(PUT, bid=0), linear], "/options")
    rows = await data(writer, "/options/BTC/chain", at=AT)
    assert [(row["strike"], row["quote"], row["price_unit"]) for row in rows] == [
        (100000, "BTC", "coin"), (100000, "USDC", "USD"),
    ]  # fmt: skip
    call, put = rows[0]["call"], rows[0]["put"]
    assert {name: call[name] for name in (*STATE, *GREEKS)} == {**STATE, **GREEKS}
    assert (call["greeks"], put["greeks"], put["bid"], put["ask"]) == ("told", "black76", None, 0.021)
    assert rows[1]["call"]["mark"] == 1980
    assert rows[0]["expiry"] == "2024-12-27T08:00:00Z"


async def test_greeks_and_indexes_can_be_sent_back_as_they_are_answered(writer: httpx.AsyncClient) -> None:
    window = {"start": "2024-12-01", "end": "2024-12-02"}
    await post(writer, [option(**GREEKS)], "/options")
    candle = {"open": 0.47, "high": 0.48, "low": 0.465}
    await post(writer, [index(), index("BTC-DVOL", price=0.475, **candle)], "/index")
    for asked, path in (
        ("/options/BTC/greeks", "/options"), ("/index/BTC", "/index"), ("/volatility-index/BTC", "/index"),
    ):  # fmt: skip
        got = await writer.get(asked, params=window)
        answer = await post(writer, got.content, path)
        assert (answer["received"], answer["unchanged"], answer["notices"]) == (1, 1, []), asked
    (row,) = await data(writer, "/volatility-index/BTC", **window)
    assert {name: row[name] for name in ("instrument", "price", *candle)} == {
        "instrument": "BTC-DVOL", "price": 0.475, **candle,
    }  # fmt: skip


async def test_imports_taken_back(writer: httpx.AsyncClient) -> None:
    await post(writer, [option(), option(PUT, **GREEKS)], "/options")
    await post(writer, [index()], "/index")
    before = await answers(writer)
    wrong = [option(mark_iv=0.9, **GREEKS), option(PUT, delta=-0.9), option(LINEAR)]
    other = [index(price=1.0), index("BTC-DVOL", price=0.9), index(time=AT, price=2.0)]
    numbers = [(await post(writer, rows, path))["import_id"] for rows, path in ((wrong, "/options"), (other, "/index"))]
    assert {path for path, answer in (await answers(writer)).items() if answer == before[path]} == set()
    for number, counted in zip(numbers, ((3, 1, 2), (3, 2, 1)), strict=True):
        assert isinstance(number, int)
        record = await take_back(writer, number)
        assert (record["received"], record["inserted"], record["updated"]) == counted
    assert await answers(writer) == before


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"instrument": "BTC-PERPETUAL"}, "bad_instrument"),
        ({"mark_iv": 61.0}, "looks_like_percent"),
        ({"mark": 3550.0}, "looks_like_usd"),
        ({"instrument": CALL, "bid": 20.5}, "looks_like_usd"),
        ({"instrument": CALL, "ask": 20.5, "underlying": None, "index_price": None}, "looks_like_usd"),
        ({"ask": 20.5, "underlying": None, "index_price": None}, "looks_like_usd"),
        ({"mark": 21.0, "underlying": 5e4}, "looks_like_usd"),
        ({"time": "2024-12-27T08:00:00Z"}, "after_expiry"),
        ({"time": "2025-01-05T00:00:00Z"}, "after_expiry"),
    ],
)
async def test_rows_that_cannot_be_are_named(writer: httpx.AsyncClient, fields: Row, code: str) -> None:
    answer = await post(writer, [option(), {**option(PUT), **fields}], "/options")
    assert (answer["inserted"], answer["rejected_count"]) == (1, 1)
    assert [(reject["row"], reject["code"]) for reject in answer["rejected"]] == [(1, code)]


@pytest.mark.parametrize(
    "fields",
    [
        {"instrument": CALL, "bid": 0.98, "ask": 1.0},
        {"ask": 19.5, "underlying": None, "index_price": None},
        {"mark": 1.9, "underlying": 5e4},
        {"mark": 1.9, "underlying": None, "index_price": 5e4},
        {"instrument": LINEAR, "mark": 3550.0},
        {"time": "2024-12-27T07:59:59.999Z"},
    ],
)
async def test_rows_that_are_rare_but_can_be_are_taken(writer: httpx.AsyncClient, fields: Row) -> None:
    answer = await post(writer, [{**option(PUT), **fields}], "/options")
    assert (answer["inserted"], answer["rejected"]) == (1, [])
