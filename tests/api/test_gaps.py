"""The ledger as it is read, and coverage against plain counting over days with gaps in them."""

import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from app.db import Database
from app.services import gaps, reference, retention
from app.services.gaps import Hole
from app.services.holes import NOT_IN_THE_IMPORT
from app.services.store import put
from tests.db.facts import DAY, batch, hour_batch, series, settle
from tests.db.minutes import CANDLE, MINUTE, WIDE, look, minute, tell

FIRST, LAST = DAY - timedelta(days=2), DAY + timedelta(hours=30, minutes=17, seconds=40)


async def rows(client: httpx.AsyncClient, path: str, **params: str) -> list[dict[str, Any]]:
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


@pytest.fixture
async def market(clean_database: Database) -> tuple[int, int]:
    """A contract as its exchange tells of it, and as an import does."""
    own = await series(clean_database, "binance", "BTCUSDT", listed_at=DAY - timedelta(hours=30, seconds=20))
    return own, (await reference.series_of(clean_database, "import", "binance"))["BTCUSDT"].id


async def test_the_ledger(client: httpx.AsyncClient, clean_database: Database, market: tuple[int, int]) -> None:
    own, brought = market
    await tell(clean_database, own, [n for n in range(30) if n not in (10, 11)])
    await tell(clean_database, brought, [0, 5])
    await look(clean_database, 30)
    await gaps.note(clean_database, [Hole(own, "liquidations", minute(3), minute(4) + timedelta(seconds=30))])
    ours, noticed = {"exchange": "binance", "instrument": "BTCUSDT", "asset": "BTC"}, [None] * 3
    found = await rows(client, "/quality/gaps")
    again = [row.pop("next_try_at") for row in found]
    assert [bool(at) for at in again] == [False, True, True]
    noticed = [(row.pop("noticed_at"), row.pop("settled_at"), row.pop("id")) for row in found]
    assert [bool(settled) for _, settled, _ in noticed] == [True, False, False]
    lacks = {"state": "open", "reason": "outage", "attempts": 0, "detail": None}
    assert found == [
        {
            "series": "binance:BTCUSDT:candles_1m:import", **ours, "source": "import", "dataset": "candles_1m",
            "from": "2026-01-05T00:01:00Z", "to": "2026-01-05T00:05:00Z", "minutes": 4.0, **lacks,
            "state": "unfillable", "reason": "upstream_keeps_no_more", "detail": NOT_IN_THE_IMPORT,
        },
        {
            "series": "binance:BTCUSDT:liquidations:binance", **ours, "source": "binance", "dataset": "liquidations",
            "from": "2026-01-05T00:03:00Z", "to": "2026-01-05T00:04:30Z", "minutes": 1.5, **lacks,
        },
        {
            "series": "binance:BTCUSDT:candles_1m:binance", **ours, "source": "binance", "dataset": "candles_1m",
            "from": "2026-01-05T00:10:00Z", "to": "2026-01-05T00:12:00Z", "minutes": 2.0, **lacks,
        },
    ]  # fmt: skip
    for asked, count in (
        ({"state": "open"}, 2), ({"state": "open,UNFILLABLE", "dataset": "candles_1m"}, 2), ({"source": "import"}, 1),
        ({"reason": "outage"}, 2), ({"asset": "BTC", "exchange": "binance"}, 3), ({"asset": "ETH"}, 0),
        ({"start": minute(5).isoformat()}, 1), ({"end": minute(3).isoformat()}, 1),
    ):  # fmt: skip
        assert len(await rows(client, "/quality/gaps", **asked)) == count, asked
    assert [row["minutes"] for row in await rows(client, "/quality/gaps", limit="1", order="desc")] == [2.0]
    given_up = {
        "state": "unfillable",
        "reason": "upstream_keeps_no_more",
        "gaps": 1,
        "minutes": 4.0,
        "next_try_at": None,
    }
    still_open = {"state": "open", "reason": "outage", "gaps": 2, "minutes": 3.5, "next_try_at": min(again[1:])}
    assert await rows(client, "/quality/gaps/summary") == [still_open, given_up]
    assert await rows(client, "/quality/gaps/summary", state="unfillable", asset="BTC") == [given_up]
    assert await rows(client, "/quality/gaps/summary", start=minute(5).isoformat()) == [
        {**still_open, "gaps": 1, "minutes": 2.0, "next_try_at": again[2]}
    ]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("gaps?state=lost", "state"),
        ("gaps?dataset=funding", "dataset"),
        ("gaps?exchange=nowhere", "exchange"),
        ("gaps?start=2026-01-02&end=2026-01-01", "start"),
        ("coverage?dataset=liquidations", "dataset"),
        ("coverage?start=2020-01-01&end=2026-01-01", "start"),
        ("coverage?days=3", "days"),
    ],
)
async def test_bad_questions_name_the_parameter(client: httpx.AsyncClient, query: str, parameter: str) -> None:
    answer = await client.get(f"/quality/{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] == parameter


def counted(times: Iterable[datetime], due: Iterable[datetime]) -> dict[datetime, tuple[int, int]]:
    """By day how many are due, and how many of them are there."""
    there, found = set(times), dict[datetime, tuple[int, int]]()
    for time in due:
        day = time.replace(hour=0, minute=0, second=0, microsecond=0)
        expected, stored = found.get(day, (0, 0))
        found[day] = expected + 1, stored + (time in there)
    return found


def every(step: timedelta, first: datetime, end: datetime) -> list[datetime]:
    return [first + n * step for n in range(-((first - end) // step))]


Days = dict[datetime, tuple[int, int]]
END = LAST.replace(second=0)
ASKED = {"start": FIRST.isoformat(), "end": LAST.isoformat(), "limit": "1000"}


def some(dice: random.Random, times: list[datetime], *sure: int) -> list[datetime]:
    """Not all of them, with a long stretch missing; some for sure."""
    away = range(len(times) // 3, len(times) // 3 + len(times) // 5)
    kept = {times[n] for n in sure}
    return [t for n, t in enumerate(times) if t in kept or (n not in away and dice.random() < 0.9)]


async def put_candles(db: Database, dice: random.Random, one: int, *, pulled: bool) -> tuple[Days, Days]:
    """Candles of minutes and hours with gaps; how many are due a day, and how many there. An import ends early."""
    opens = DAY - timedelta(hours=30)
    due = every(MINUTE, opens + 5 * MINUTE, END if pulled else END - timedelta(hours=5))
    minutes = some(dice, due, *((0,) if pulled else (0, -1)))
    await put(db, "perp_1m", [batch("perp_1m", [{"series_id": one, "ts": t, **CANDLE} for t in minutes])])
    hours_due = every(timedelta(hours=1), opens, END - timedelta(hours=1) + MINUTE)[: None if pulled else 20]
    hours = some(dice, hours_due, 0, -1)
    await put(db, "perp_1h", [hour_batch([{"series_id": one, "ts": t, **CANDLE} for t in hours])])
    return counted(minutes, due), counted(hours, hours_due)


async def found(client: httpx.AsyncClient, **asked: str) -> dict[tuple[str, str], Days]:
    """What the service counts, by dataset and source."""
    days: dict[tuple[str, str], Days] = {}
    for row in await rows(client, "/quality/coverage", **ASKED, **asked):
        of = days.setdefault((row["dataset"], row["source"]), {})
        of[datetime.fromisoformat(row["day"])] = row["expected"], row["stored"]
        assert row["coverage"] == pytest.approx(row["stored"] / row["expected"])
    return days


async def test_coverage_of_candles_is_what_plain_counting_tells(
    client: httpx.AsyncClient, clean_database: Database, market: tuple[int, int]
) -> None:
    dice, expected = random.Random(3), dict[tuple[str, str], Days]()
    for source, one in zip(("binance", "import"), market, strict=True):
        minutes, hours = await put_candles(clean_database, dice, one, pulled=source == "binance")
        expected |= {("candles_1m", source): minutes, ("candles_1h", source): hours}
    assert await found(client, asset="BTC", exchange="binance") == expected
    assert await found(client) == expected
    assert await found(client, asset="ETH") == {}
    pages, url = list[Any](), f"/quality/coverage?{httpx.QueryParams({**ASKED, 'limit': '3'})}"
    while url:
        body = (await client.get(url)).raise_for_status().json()
        pages, url = [*pages, *body["data"]], body["page"]["next_url"]
    assert pages == await rows(client, "/quality/coverage", **ASKED)


async def test_coverage_of_what_else_a_minute_holds(
    client: httpx.AsyncClient, clean_database: Database, market: tuple[int, int]
) -> None:
    """Of whoever tells it, every minute from the first to the last."""
    dice, expected = random.Random(4), dict[tuple[str, str], Days]()
    for name, values in WIDE.items():
        step = (5 if name == "long_short" else 1) * MINUTE
        due = every(step, DAY - timedelta(minutes=100), DAY + timedelta(minutes=700))
        told = some(dice, due, 0, -1)
        for one in market:
            await tell(clean_database, one, [(t - DAY) // MINUTE for t in told], **values)
        for source in ("binance", "import"):
            expected[name, source] = counted(told, due)
    assert await found(client) == expected
    only = await found(client, dataset="long_short,OPEN_INTEREST")
    assert {name for name, _ in only} == {"long_short", "open_interest"}


async def test_coverage_of_settlements_is_by_the_interval_in_force(
    client: httpx.AsyncClient, clean_database: Database, market: tuple[int, int]
) -> None:
    """Every 8 hours, then every 4: two are missing in the middle, and those since the last."""
    await settle(clean_database, market[0], dict.fromkeys((-24, -16, -8, 0, 4, 16, 20), 1e-4))
    day = {(DAY + timedelta(days=n)): counts for n, counts in ((-1, (3, 3)), (0, (6, 4)), (1, (2, 0)))}
    assert await found(client) == {("funding", "binance"): day}


async def test_today_is_counted_up_to_now(client: httpx.AsyncClient, clean_database: Database) -> None:
    own, now = await series(clean_database, "binance", "BTCUSDT"), datetime.now(DAY.tzinfo)
    opens = now.replace(second=0, microsecond=0) - 90 * MINUTE
    told = [{"series_id": own, "ts": opens + n * MINUTE, **CANDLE} for n in range(30)]
    await put(clean_database, "perp_1m", [batch("perp_1m", told)])
    found = await rows(client, "/quality/coverage", dataset="candles_1m")
    assert sum(row["expected"] for row in found) in (90, 91)
    assert sum(row["stored"] for row in found) == 30


async def test_why_there_are_none(client: httpx.AsyncClient, clean_database: Database) -> None:
    async def why(path: str) -> str:
        answer = (await client.get(path)).json()
        assert answer["data"] == []
        return answer["meta"]["notices"][-1]

    assert "the ledger is empty" in await why("/quality/gaps")
    assert "nothing is stored" in await why("/quality/coverage")


async def test_ticks_are_in_it_until_retention_removes_them(
    client: httpx.AsyncClient, clean_database: Database, market: tuple[int, int]
) -> None:
    own, _ = market
    for dataset in ("quotes", "trades", "book"):
        await gaps.note(clean_database, [Hole(own, dataset, minute(0), minute(10))])
    assert {row["dataset"] for row in await rows(client, "/quality/gaps")} == {"quotes", "trades", "book"}
    assert [row["dataset"] for row in await rows(client, "/quality/gaps", dataset="Trades")] == ["trades"]
    await clean_database.reads.execute(retention.NOTE, "perp_1m", minute(60))
    await gaps.forget_removed(clean_database)
    assert len(await rows(client, "/quality/gaps")) == 3
    for fact, until in (("option_tick", 10), ("option_trade", 4)):
        await clean_database.reads.execute(retention.NOTE, fact, minute(until))
    await gaps.forget_removed(clean_database)
    found = await rows(client, "/quality/gaps", dataset="quotes,trades,book")
    assert {row["dataset"]: row["minutes"] for row in found} == {"trades": 6, "book": 10}
