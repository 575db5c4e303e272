"""Rows over HTTP: every media type, the rights to write, and bodies that are refused as a whole."""

import asyncio
import gzip
import io
import json
from collections.abc import Callable

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import ipc

from app.api import writing
from app.db import Database
from app.services import keys
from app.settings import environment

WHEN = "2025-08-21T00:00:00Z"
ROWS = [
    {"time": WHEN, "exchange": "binance", "instrument": "BTCUSDT", "asset": "BTC", "rate": 0.0001},
    {"time": WHEN, "exchange": "binance", "instrument": "ETHUSDT", "asset": "ETH", "rate": 0.0002},
]
Bytes = Callable[[list[dict[str, object]]], bytes]


def as_json(rows: list[dict[str, object]]) -> bytes:
    return json.dumps(rows).encode()


def as_answer(rows: list[dict[str, object]]) -> bytes:
    return json.dumps({"data": rows, "meta": {}, "page": {"next_cursor": None}}).encode()


def as_ndjson(rows: list[dict[str, object]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_csv(rows: list[dict[str, object]]) -> bytes:
    return "\r\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]).encode()


def as_parquet(rows: list[dict[str, object]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def as_arrow(rows: list[dict[str, object]]) -> bytes:
    sink = io.BytesIO()
    table = pa.Table.from_pylist(rows)
    with ipc.new_stream(sink, table.schema) as out:
        out.write_table(table)
    return sink.getvalue()


async def post(
    client: httpx.AsyncClient,
    content: bytes | list[dict[str, object]],
    path: str = "/funding",
    media: str = "application/json",
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    **query: object,
) -> dict[str, object]:
    body = content if isinstance(content, bytes) else as_json(content)
    sent = {"Content-Type": media, **(headers or {})}
    answer = await client.post(path, content=body, headers=sent, params=query)  # type: ignore[arg-type]
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("media", "write"),
    [
        ("application/json", as_json),
        ("application/json; charset=utf-8", as_answer),
        ("application/x-ndjson", as_ndjson),
        ("text/csv", as_csv),
        ("application/vnd.apache.parquet", as_parquet),
        ("application/vnd.apache.arrow.stream", as_arrow),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
async def test_every_media_type(writer: httpx.AsyncClient, media: str, write: Bytes, packed: bool) -> None:
    body = gzip.compress(write(ROWS)) if packed else write(ROWS)
    headers = {"Content-Encoding": "gzip"} if packed else {}
    for inserted, unchanged in ((2, 0), (0, 2)):
        answer = await post(writer, body, media=media, headers=headers)
        assert (answer["received"], answer["inserted"], answer["unchanged"]) == (2, inserted, unchanged)


async def test_the_whole_answer(writer: httpx.AsyncClient) -> None:
    rows = [*ROWS, {**ROWS[0], "rate": "x", "venue": "okx"}]
    assert await post(writer, rows) == {
        "import_id": 1,
        "received": 3,
        "inserted": 2,
        "updated": 0,
        "unchanged": 0,
        "rejected_count": 1,
        "rejected": [{"row": 2, "code": "bad_number", "reason": "`rate` is `x`, not a number"}],
        "notices": ["column `venue` was ignored", "new perpetuals: binance BTCUSDT, binance ETHUSDT"],
    }


async def test_what_is_written_is_read(writer: httpx.AsyncClient) -> None:
    await post(writer, ROWS)
    oi = [{**ROWS[0], "oi_usd": 5}]
    assert (await post(writer, oi, "/open-interest"))["inserted"] == 1
    candle = {"open": 1, "high": 3, "low": 1, "close": 2}
    assert (await post(writer, [{**ROWS[0], **candle}], "/candles"))["inserted"] == 1
    window = {"start": "2025-08-21", "end": "2025-08-22"}
    for path, field, value in (
        ("funding", "rate_native", 0.0001),
        ("open-interest", "oi_usd", 5),
        ("candles", "close", 2),
    ):
        asked = await writer.get(f"/{path}/BTC", params={**window, **({"interval": "1m"} if path == "candles" else {})})
        assert [row[field] for row in asked.json()["data"]] == [value], asked.text


@pytest.mark.parametrize(("media", "write"), [("text/csv", as_csv), ("application/vnd.apache.parquet", as_parquet)])
async def test_minute_data_is_written(writer: httpx.AsyncClient, media: str, write: Bytes) -> None:
    who = {name: ROWS[0][name] for name in ("time", "exchange", "instrument", "asset")}
    for path, values in (
        ("/liquidations", {"side": "short", "price": 9.5, "quantity": 2.0}),
        ("/long-short", {"long_short_ratio": 1.5}),
        ("/taker-volume", {"buy_volume_base": 1.0, "sell_volume_base": 2.0}),
    ):
        answer = await post(writer, write([{**who, **values}]), path, media)
        assert (answer["inserted"], answer["rejected"]) == (1, []), path
        assert (await post(writer, write([{**who, **values}]), path, media))["unchanged"] == 1


async def test_a_field_of_nobodys_perpspec_cannot_be_mapped(writer: httpx.AsyncClient) -> None:
    problem = await post(writer, ROWS, "/perp-data", status=400, map="rate:vwap")
    assert problem["errors"][0]["parameter"] == "map"
    assert "`vwap` is not a field" in problem["errors"][0]["reason"]


async def test_rows_that_retention_will_remove_are_told_of(
    writer: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERPSTORE_RETENTION_DAYS_PERP_1M", "10")
    environment.cache_clear()
    try:
        row = {**ROWS[0], "long_short_ratio": 2.0}
        notices = (await post(writer, [row], "/long-short"))["notices"]
        assert "1 row is older than the 10 days that minutes are kept: it will be removed" in notices
        assert "kept" not in str(await post(writer, ROWS))
    finally:
        environment.cache_clear()


@pytest.mark.parametrize("form", ["json", "csv", "ndjson", "parquet", "arrow"])
async def test_an_answer_of_get_can_be_sent_back(writer: httpx.AsyncClient, form: str) -> None:
    rows = [{**ROWS[0], "time": f"2025-08-21T{hour:02}:00:00Z", "rate": hour / 1e5} for hour in range(0, 24, 4)]
    await post(writer, rows, source="binance")
    window = {"start": "2025-08-21", "end": "2025-08-22", "format": form}
    got = await writer.get("/funding/BTC", params=window)
    answer = await post(writer, got.content, media=got.headers["Content-Type"])
    assert (answer["unchanged"], answer["rejected_count"]) == (6, 0)


async def test_columns_are_renamed_and_fixed_in_the_query(writer: httpx.AsyncClient) -> None:
    body = b"ts,coin,r\n1755734400000,BTC,0.0001\n"
    query = {"map": ["ts:time", "coin:asset", "r:rate"], "set": ["exchange:OKX"], "source": "Mine"}
    answer = await post(writer, body, media="text/csv", **query)
    assert (answer["inserted"], answer["notices"]) == (1, ["new perpetuals: okx BTC"])
    got = (await writer.get("/funding/BTC", params={"start": "2025-08-21", "end": "2025-08-22"})).json()["data"]
    assert [(row["exchange"], row["source"]) for row in got] == [("okx", "mine")]


async def test_a_dry_run_only_checks(writer: httpx.AsyncClient) -> None:
    answer = await post(writer, ROWS, dry_run="true")
    assert (answer["inserted"], answer["notices"][-1]) == (2, "dry run: nothing was written")  # type: ignore[index]
    assert (await post(writer, ROWS))["inserted"] == 2


async def test_assets_are_made_when_asked_for(writer: httpx.AsyncClient, clean_database: Database) -> None:
    rows = [{**ROWS[0], "instrument": "NEWCUSDT", "asset": "NEWC"}]
    refused = await post(writer, rows)
    assert refused["rejected"][0]["code"] == "unknown_asset"  # type: ignore[index]
    answer = await post(writer, rows, create_assets="true", dry_run="1")
    assert (answer["inserted"], answer["notices"][0]) == (1, "new asset `newc`")  # type: ignore[index]
    assert await clean_database.reads.fetchval("select count(*) from entity where canonical_id = 'newc'") == 0


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"map": "ts"}, "map"),
        ({"map": "ts:tiem"}, "map"),
        ({"set": "venue:okx"}, "set"),
        ({"set": ["exchange:a", "exchange:b"]}, "set"),
        ({"source": "../x"}, "source"),
        ({"dry_run": "maybe"}, "dry_run"),
        ({"creat_assets": "true"}, "creat_assets"),
        ({"source": ["a", "b"]}, "source"),
    ],
)
async def test_a_query_that_cannot_be_followed(
    writer: httpx.AsyncClient, query: dict[str, object], parameter: str
) -> None:
    problem = await post(writer, ROWS, status=400, **query)
    assert problem["errors"][0]["parameter"] == parameter  # type: ignore[index]
    assert problem["type"] == f"urn:perpstore:problem:{problem['code']}"


WRITTEN = [
    *("funding", "open-interest", "candles", "liquidations", "long-short", "taker-volume", "perp-data"),
    *("options", "index"),
]


@pytest.mark.parametrize("path", [f"/{dataset}" for dataset in WRITTEN])
async def test_writing_needs_a_key_of_that_scope(
    client: httpx.AsyncClient, clean_database: Database, path: str
) -> None:
    assert (await post(client, ROWS, path, status=401))["code"] == "key_required"
    client.headers["Authorization"] = "Bearer nonsense"
    assert (await post(client, ROWS, path, status=401))["code"] == "key_unknown"
    client.headers["Authorization"] = f"Bearer {await keys.create(clean_database, 'reader', ['read'])}"
    assert (await post(client, ROWS, path, status=403))["code"] == "scope_missing"


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": ""},
        {"Content-Type": "application/xml"},
        {"Content-Type": "text/csv", "Content-Encoding": "br"},
        {"Content-Type": "text/csv; charset=utf-16"},
    ],
)
async def test_other_media_types_are_refused(writer: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await writer.post("/funding", content=as_json(ROWS), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert "text/csv" in answer.headers["Accept-Post"]


@pytest.mark.parametrize(
    ("media", "body", "place"),
    [
        ("application/json", b"", "byte 0"),
        ("application/json", b'[{"time": 1}, {"time": ', "not closed"),
        ("application/json", b'[{"time": 1}, {x}]', "row 1"),
        ("text/csv", b"", "header"),
        ("application/vnd.apache.parquet", b"PAR1", "not a Parquet"),
    ],
)
async def test_a_broken_body_names_the_place(writer: httpx.AsyncClient, media: str, body: bytes, place: str) -> None:
    problem = await post(writer, body, media=media, status=400)
    assert problem["code"] == "bad_body"
    assert place in str(problem["detail"])
    assert problem["errors"][0]["parameter"] == "body"  # type: ignore[index]


async def test_a_broken_gzip_body(writer: httpx.AsyncClient) -> None:
    for body in (b"not gzip", gzip.compress(as_json(ROWS))[:-5]):
        problem = await post(writer, body, status=400, headers={"Content-Encoding": "gzip"})
        assert "decompressed bytes" in str(problem["detail"])


async def test_nothing_of_a_broken_body_is_kept(writer: httpx.AsyncClient, clean_database: Database) -> None:
    body = as_json(ROWS * 20_000)[:-1] + b', {"time": '
    await post(writer, body, status=400)
    for table in ("funding", "instrument", "series"):
        assert await clean_database.reads.fetchval(f"select count(*) from {table}") == 0


async def test_a_malformed_line_is_one_refused_row(writer: httpx.AsyncClient) -> None:
    body = as_ndjson(ROWS[:1]) + b"{\n" + as_ndjson(ROWS[1:])
    answer = await post(writer, body, media="application/x-ndjson")
    assert (answer["inserted"], answer["rejected_count"]) == (2, 1)
    assert (answer["rejected"][0]["row"], answer["rejected"][0]["code"]) == (1, "unreadable")  # type: ignore[index]


async def test_too_many_rows(writer: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "MAX_ROWS", 1)
    problem = await post(writer, ROWS, status=413)
    assert (problem["code"], "more than 1 rows" in str(problem["detail"])) == ("too_large", True)


async def test_too_large_a_body(writer: httpx.AsyncClient, clean_database: Database) -> None:
    app = writer._transport.app  # type: ignore[attr-defined]
    app.state.settings = app.state.settings.model_copy(update={"max_body_mb": 1})
    large = b"time,exchange\n" + b"\n" * (2 << 20)
    assert (await post(writer, large, media="text/csv", status=413))["code"] == "too_large"
    packed = {"Content-Encoding": "gzip"}
    problem = await post(writer, gzip.compress(large), media="text/csv", status=413, headers=packed)
    assert "decompressed" in str(problem["detail"])

    async def parts() -> "asyncio.Future[bytes]":  # a body that does not say how long it is
        for _ in range(3):
            yield b"x" * (1 << 19)  # type: ignore[misc]

    answer = await writer.post("/funding", content=parts(), headers={"Content-Type": "text/csv"})  # type: ignore[arg-type]
    assert answer.status_code == 413


async def test_many_writers_at_once(writer: httpx.AsyncClient, clean_database: Database) -> None:
    bodies = [[{**row, "time": f"2025-08-{day:02}"} for row in ROWS] for day in range(1, 13)]
    answers = await asyncio.gather(*(post(writer, rows) for rows in bodies))
    assert sum(answer["inserted"] for answer in answers) == 24  # type: ignore[misc]
    assert await clean_database.reads.fetchval("select count(*) from instrument") == 2


FILLED = "select count(*) from coin_1h where rate is not null"


async def test_the_rollup_follows_a_write(
    writer: httpx.AsyncClient, clean_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "SETTLE_SECONDS", 0)
    await post(writer, ROWS)
    await post(writer, [{**ROWS[0], "oi_usd": 5}], "/open-interest")
    async with asyncio.timeout(30):
        while not await clean_database.reads.fetchval(FILLED):  # noqa: ASYNC110 - the database does not tell
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("dataset", WRITTEN)
async def test_bodies_are_described(client: httpx.AsyncClient, dataset: str) -> None:
    operation = (await client.get("/openapi.json")).json()["paths"][f"/{dataset}"]["post"]
    content = operation["requestBody"]["content"]
    assert {"application/json", "application/x-ndjson", "text/csv", "application/vnd.apache.parquet"} <= content.keys()
    rows = content["application/json"]["schema"]["anyOf"][0]["items"]
    assert rows["properties"]["time"]["description"].startswith("RFC 3339")
    assert all(field["description"] for field in rows["properties"].values())
    assert operation["security"]
    assert {"400", "401", "403", "413", "415"} <= operation["responses"].keys()
