"""Funding over HTTP: what was paid, what was in force, the mean and who stands behind it, pages and forms."""

import io
import json
from datetime import UTC, datetime, timedelta

import httpx
import pyarrow.parquet as pq
import pytest

from app.db import Database
from app.services import rollup
from app.services.store import put
from tests.db.facts import at, batch, hold, series, settle


def iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


async def read(client: httpx.AsyncClient, path: str, **params: object) -> dict[str, object]:
    answer = await client.get(path, params={k: v for k, v in params.items() if v is not None})  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
async def three(clean_database: Database) -> Database:
    """Three exchanges with settlements and open interest over a day."""
    for n, (name, step) in enumerate({"binance": 8, "bybit": 4, "hyperliquid": 1}.items()):
        to = await series(clean_database, name, f"BTC{n}")
        await settle(clean_database, to, {float(h): 1e-5 * step for h in range(0, 25, step)})
        await hold(clean_database, to, {h / 2: 1e6 * (n + 1) for h in range(49)})
    return clean_database


async def test_settlements_say_their_interval_and_source(client: httpx.AsyncClient, three: Database) -> None:
    found = await read(client, "/funding/btc", start=iso(at(0)), end=iso(at(8)), per="1h", exchanges="bybit,Binance")
    assert found["data"][1] == {  # type: ignore[index]
        "time": iso(at(0)), "exchange": "bybit", "instrument": "BTC1", "rate": 1e-5, "rate_native": 4e-5,
        "interval_hours": 4, "interval_known": "assumed", "kind": "settled", "source": "bybit",
    }  # fmt: skip
    assert [(row["time"], row["exchange"]) for row in found["data"]] == [  # type: ignore[attr-defined]
        (iso(at(0)), "binance"), (iso(at(0)), "bybit"), (iso(at(4)), "bybit"),
    ]  # fmt: skip
    meta = found["meta"]
    assert meta["window"]["start"] == iso(at(0))  # type: ignore[index]
    assert (meta["per"], meta["kind"]) == ("1h", "settled")  # type: ignore[index]
    assert "fraction" in meta["units"]["rate"]  # type: ignore[index]


async def test_who_tells_only_estimates_is_said_so_before_anything_is_held(
    client: httpx.AsyncClient, three: Database
) -> None:
    for source, hint in (("velo", True), ("coingecko", True), ("lighter", False), ("artemis", False)):
        found = await read(client, "/funding/BTC", source=source)
        assert ("ask for kind=predicted&source=" in found["meta"]["notices"][0]) is hint  # type: ignore[index]


async def test_at_gives_what_was_in_force(client: httpx.AsyncClient, three: Database) -> None:
    found = await read(client, "/funding/BTC", at=iso(at(7.5)), per="native")
    assert [(row["exchange"], row["time"]) for row in found["data"]] == [  # type: ignore[attr-defined]
        ("binance", iso(at(0))), ("bybit", iso(at(4))), ("hyperliquid", iso(at(7))),
    ]  # fmt: skip
    later = await read(client, "/funding/BTC", at=iso(at(26)))
    assert {row["exchange"] for row in later["data"]} == {"binance", "bybit"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("refreshed", [False, True])
async def test_weighted_is_the_same_with_and_without_the_rollup(
    client: httpx.AsyncClient, three: Database, refreshed: bool
) -> None:
    if refreshed:
        await rollup.refresh(three)
    found = await read(client, "/funding/BTC", weighted="oi", start=iso(at(0)), end=iso(at(24)))
    rows = found["data"]
    assert len(rows) == 24  # type: ignore[arg-type]
    assert rows[9] == {  # type: ignore[index]
        "time": iso(at(9)), "rate": pytest.approx(8e-5), "mean": pytest.approx(8e-5), "median": pytest.approx(8e-5),
        "min": pytest.approx(8e-5), "max": pytest.approx(8e-5), "instruments": 3, "oi_usd": 6e6, "coverage": 1,
        "present": ["binance", "bybit", "hyperliquid"], "stale": [], "missing": [],
    }  # fmt: skip


async def test_the_mean_names_what_has_no_weight_at_all(client: httpx.AsyncClient, clean_database: Database) -> None:
    for name in ("binance", "bybit"):
        await settle(clean_database, await series(clean_database, name, "A"), {0: 1e-4, 8: 2e-4})
    asked = {"at": iso(at(9)), "weighted": "oi"}
    found = await read(client, "/funding/BTC", **asked)
    assert (found["data"][0]["rate"], found["meta"]["notices"]) == (  # type: ignore[index]
        None, ["no open interest known: weighted=equal takes no weights"])  # fmt: skip
    await hold(clean_database, await series(clean_database, "bybit", "A"), {9: 1.0})
    found = await read(client, "/funding/BTC", **asked)
    row, notices = found["data"][0], found["meta"]["notices"]  # type: ignore[index]
    assert (row["coverage"], row["stale"]) == (1, ["binance"])
    assert notices == ["no open interest known of: binance:A; not in the mean nor in coverage"]
    assert (await read(client, "/funding/BTC", exchanges="bybit", **asked))["meta"]["notices"] == []  # type: ignore[index]
    equal = await read(client, "/funding/BTC", at=iso(at(9)), weighted="equal")
    assert equal["meta"]["notices"] == []  # type: ignore[index]


async def test_pages_of_the_mean_join_without_a_seam(client: httpx.AsyncClient, three: Database) -> None:
    asked = {"weighted": "oi", "start": iso(at(0)), "end": iso(at(30)), "interval": "15m"}
    for order in ("asc", "desc"):
        whole = (await read(client, "/funding/BTC", order=order, limit=10_000, **asked))["data"]
        assert len(whole) == 120  # type: ignore[arg-type]
        pages: list[object] = []
        cursor = None
        while True:
            page = await read(client, "/funding/BTC", order=order, limit=17, cursor=cursor, **asked)
            pages += page["data"]  # type: ignore[arg-type,operator]
            cursor = page["page"]["next_cursor"]  # type: ignore[index]
            if cursor is None:
                break
        assert pages == whole


async def test_forms_hold_the_same_rows(client: httpx.AsyncClient, three: Database) -> None:
    asked = {"start": iso(at(0)), "end": iso(at(24))}
    rows = (await read(client, "/funding/BTC", **asked))["data"]
    arrays = (await read(client, "/funding/BTC", format="columns", **asked))["data"]
    assert [dict(zip(arrays, values, strict=True)) for values in zip(*arrays.values(), strict=True)] == rows  # type: ignore[attr-defined,arg-type]
    lines = (await client.get("/funding/BTC", params={**asked, "format": "ndjson"})).text
    assert [json.loads(line) for line in lines.splitlines()] == rows
    parquet = (await client.get("/funding/BTC", params={**asked, "format": "parquet"})).content
    table = pq.read_table(io.BytesIO(parquet))
    assert table["rate"].to_pylist() == [row["rate"] for row in rows]  # type: ignore[attr-defined]
    assert [iso(t.astimezone(UTC)) for t in table["time"].to_pylist()] == [row["time"] for row in rows]  # type: ignore[attr-defined]


async def test_the_market_now(client: httpx.AsyncClient, clean_database: Database) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    to = await series(clean_database, "okx", "BTC-USDT-SWAP")
    facts = {"series_id": to, "ts": now}
    await put(clean_database, "funding", [batch("funding", [{**facts, "rate": 1e-4, "interval_hours": 4.0}])])
    await put(clean_database, "open_interest", [batch("open_interest", [{**facts, "oi_usd": 5.0}])])
    sample = {**facts, "rate": 2e-4, "interval_hours": 4.0, "for_time": now + timedelta(hours=4)}
    await put(clean_database, "predicted_funding", [batch("predicted_funding", [sample])])
    for moment in (None, iso(datetime.now(UTC))):
        (row,) = (await read(client, "/funding", assets="BTC", at=moment))["data"]  # type: ignore[misc]
        age = row.pop("age_s")  # type: ignore[attr-defined]
        assert 0 <= age < 3700
        assert row == {
            "asset": "BTC", "exchange": "okx", "instrument": "BTC-USDT-SWAP", "time": iso(now), "rate": 2e-4,
            "interval_hours": 4, "next_time": iso(now + timedelta(hours=4)), "predicted_rate": 4e-4, "oi_usd": 5,
            "rate_native": 1e-4, "interval_known": "declared", "source": "okx",
        }  # fmt: skip
    (sampled,) = (await read(client, "/funding/BTC", kind="predicted"))["data"]  # type: ignore[misc]
    assert (sampled["for_time"], sampled["kind"]) == (iso(now + timedelta(hours=4)), "predicted")  # type: ignore[index]


async def test_known_at_sees_what_stood_then(client: httpx.AsyncClient, clean_database: Database) -> None:
    to = await series(clean_database, "okx", "BTC-USDT-SWAP")
    await settle(clean_database, to, {0: 1e-4, 8: 1e-4})
    moment = iso(datetime.now(UTC))
    await settle(clean_database, to, {8: 9e-4, 16: 1e-4})
    asked = {"start": iso(at(0)), "end": iso(at(24)), "per": "native"}
    now = (await read(client, "/funding/BTC", **asked))["data"]
    then = (await read(client, "/funding/BTC", known_at=moment, **asked))["data"]
    assert [row["rate"] for row in now] == [1e-4, 9e-4, 1e-4]  # type: ignore[attr-defined]
    assert [row["rate"] for row in then] == [1e-4, 1e-4]  # type: ignore[attr-defined]


async def test_carry(client: httpx.AsyncClient, three: Database) -> None:
    asked = {"start": iso(at(0)), "end": iso(at(24)), "notional": 1000}
    rows = (await read(client, "/funding/BTC/carry", **asked))["data"]
    assert [(r["exchange"], r["settlements"]) for r in rows] == [("binance", 3), ("bybit", 6), ("hyperliquid", 24)]  # type: ignore[attr-defined]
    for row in rows:  # type: ignore[attr-defined]
        assert row["cumulative_rate"] == pytest.approx(24e-5)
        assert row["apr"] == pytest.approx(24e-5 * 365)
        assert row["paid_usd"] == pytest.approx(0.24)
    short = (await read(client, "/funding/BTC/carry", side="short", **asked))["data"]
    assert short[0]["paid_usd"] == pytest.approx(-0.24)  # type: ignore[index]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/funding/BTC?start=2020-01-01&end=2020-02-01", "before our history"),
        ("/funding/BTC", "nothing newer than"),
        ("/funding/ETH", "no perpetual of this asset"),
        ("/candles/BTC", "not fetched yet"),
    ],
)
async def test_an_empty_answer_says_why(client: httpx.AsyncClient, three: Database, path: str, reason: str) -> None:
    answer = (await client.get(path)).json()
    assert answer["data"] == []
    assert any(reason in notice for notice in answer["meta"]["notices"])


@pytest.mark.parametrize(
    "path",
    [
        "/funding?weighted=oi&per=native",
        "/funding?weighted=price",
        "/funding/BTC?weighted=oi&per=native",
        "/funding/BTC?weighted=oi&kind=predicted",
        "/funding/BTC?weighted=oi&max_age=two",
        "/funding/BTC?at=2026-01-05&start=2026-01-01",
        "/funding/BTC?wieghted=oi",
        "/funding/BTC?interval=7m&weighted=oi",
    ],
)
async def test_what_makes_no_sense_is_refused(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"]


async def test_a_sample_without_an_interval_takes_that_of_the_settlement_before(
    client: httpx.AsyncClient, clean_database: Database
) -> None:
    to = await series(clean_database, "binance", "BTCUSDT")
    await settle(clean_database, to, {0: 1e-4, 4: 1e-4})
    sample = {"series_id": to, "ts": at(5), "rate": 1e-4, "for_time": at(8)}
    await put(clean_database, "predicted_funding", [batch("predicted_funding", [sample])])
    for asked in ({"at": iso(at(6))}, {"start": iso(at(5)), "end": iso(at(6))}):
        (row,) = (await read(client, "/funding/BTC", kind="predicted", **asked))["data"]  # type: ignore[misc]
        assert (row["rate"], row["interval_hours"], row["interval_known"]) == (2e-4, 4, "inferred")  # type: ignore[index]


async def test_an_unknown_exchange_or_source_is_named(client: httpx.AsyncClient) -> None:
    for path in ("/funding/BTC?exchanges=binanse", "/funding?exchanges=binanse"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_exchange")
        assert answer.json()["candidates"] == ["binance"]
    assert (await client.get("/funding/BTC?source=nobody")).json()["code"] == "unknown_source"


async def test_means_of_buckets_are_what_carry_sums(client: httpx.AsyncClient, three: Database) -> None:
    """Each bucket: the plain sum that /carry gives for it, over the hours it is of; an empty one has no row."""
    asked = {"start": iso(at(0)), "end": iso(at(24))}
    found = (await read(client, "/funding/BTC", interval="4h", per="1y", limit="2", **asked))["data"]
    assert [(row["time"], row["exchange"]) for row in found] == [(iso(at(0)), "binance"), (iso(at(0)), "bybit")]  # type: ignore[attr-defined]
    rows = (await read(client, "/funding/BTC", interval="4h", per="1y", **asked))["data"]
    assert len(rows) == 3 + 6 + 6  # type: ignore[arg-type]
    for row in rows:  # type: ignore[attr-defined]
        start = datetime.fromisoformat(row["time"])
        window = {"start": iso(start), "end": iso(start + timedelta(hours=4)), "exchanges": row["exchange"]}
        (carry,) = (await read(client, "/funding/BTC/carry", **window))["data"]  # type: ignore[misc]
        assert (row["cumulative_rate"], row["settlements"]) == (carry["cumulative_rate"], carry["settlements"])
        assert (
            row["interval_hours"]
            == carry["settlements"] * {"binance": 8, "bybit": 4, "hyperliquid": 1}[row["exchange"]]
        )
        assert row["rate"] == pytest.approx(row["cumulative_rate"] / row["interval_hours"] * 8760)


async def test_pages_of_means_are_the_whole(client: httpx.AsyncClient, three: Database) -> None:
    asked = {"interval": "8h", "start": iso(at(1)), "end": iso(at(25))}
    for order in ("asc", "desc"):
        whole = (await read(client, "/funding/BTC", order=order, **asked))["data"]
        assert len(whole) == 9  # type: ignore[arg-type]
        pages: list[object] = []
        cursor: str | None = None
        while True:
            page = await read(client, "/funding/BTC", order=order, limit=2, cursor=cursor, **asked)
            pages += page["data"]  # type: ignore[operator]
            cursor = page["page"]["next_cursor"]  # type: ignore[index]
            if cursor is None:
                break
        assert pages == whole


async def test_the_last_bucket_of_means_is_whole_and_says_so(client: httpx.AsyncClient, three: Database) -> None:
    """As candles are: it begins in the window, and what settles in it after `end` counts."""
    asked = {"interval": "8h", "exchanges": "hyperliquid", "start": iso(at(0))}
    cut, whole = [await read(client, "/funding/BTC", end=iso(at(end)), **asked) for end in (11, 16)]
    assert cut["data"] == whole["data"]
    notice = f"the last bucket is whole: it holds what settled until {iso(at(16))}, after `end`"
    assert (cut["meta"]["notices"], whole["meta"]["notices"]) == ([notice], [])  # type: ignore[index]


@pytest.mark.parametrize("words", ["interval=1d&per=native", "interval=1d&kind=predicted", "interval=1d&at=2026-03-02"])
async def test_what_has_no_mean_of_buckets_is_refused(client: httpx.AsyncClient, three: Database, words: str) -> None:
    answer = await client.get(f"/funding/BTC?{words}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_value")
