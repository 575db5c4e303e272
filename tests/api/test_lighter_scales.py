"""Lighter's two scales: the number before and after, from what it sends to what the API answers."""

from datetime import UTC, datetime, timedelta
from math import copysign

import httpx
import pytest
import respx

from app.db import Database
from app.ingest import jobs
from app.ingest.sources import load

HOUR = timedelta(hours=1)
LAST = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
PAID = [("0.0012", "long"), ("0.0058", "long"), ("0.0000", "short"), ("0.0012", "short")]  # percent of an hour
EXPECTED = 0.000096  # a fraction of 8 hours
OTHERS = {"binance": 0.0001, "bybit": 0.0002, "hyperliquid": 0.0003}


def answer(request: httpx.Request) -> httpx.Response:
    """What Lighter says of ETH: four settlements, the last at the last full hour."""
    return httpx.Response(200, json={"code": 200, **BODIES[request.url.path.removeprefix("/api/v1/")]})


BODIES: dict[str, dict[str, object]] = {
    "orderBookDetails": {
        "order_book_details": [
            {
                "symbol": "ETH",
                "market_id": 0,
                "market_type": "perp",
                "status": "active",
                "open_interest": 39_559.33,
                "last_trade_price": 2264,
            }
        ]
    },
    "fundings": {
        "resolution": "1h",
        "fundings": [
            {
                "timestamp": int((LAST - before * HOUR).timestamp()),
                "value": "0.02707872",
                "rate": rate,
                "direction": payer,
            }
            for before, (rate, payer) in zip((3, 2, 1, 0), PAID, strict=True)
        ],
    },
    "funding-rates": {
        "funding_rates": [
            {"market_id": 0, "exchange": exchange, "symbol": "ETH", "rate": rate}
            for exchange, rate in {**OTHERS, "lighter": EXPECTED}.items()
        ]
    },
}


@pytest.fixture
async def told(client: httpx.AsyncClient, clean_database: Database) -> httpx.AsyncClient:
    """The API, after Lighter was asked."""
    with respx.mock(assert_all_called=False) as upstream:
        upstream.route(host="mainnet.zklighter.elliot.ai").mock(side_effect=answer)
        for dataset in ("instruments", "funding", "predicted_funding", "open_interest"):
            (done,) = await jobs.pull(clean_database, load({"lighter"})["lighter"], dataset, days=0.2)
            assert (done.status, done.counts.rejected) == ("succeeded", 0), done.error
    return client


async def rates(client: httpx.AsyncClient, **asked: str) -> list[float]:
    found = (await client.get("/funding/ETH", params=asked)).json()["data"]
    assert {row["exchange"] for row in found} == {"lighter"}
    return [row["rate"] for row in found]


async def test_percent_an_hour_and_who_pays(told: httpx.AsyncClient) -> None:
    """0.0012 percent paid by shorts is -0.000012 an hour; zero has no sign whoever is named."""
    window = {"start": (LAST - 4 * HOUR).isoformat(), "end": (LAST + HOUR).isoformat()}
    for per, last in {"1h": -0.000012, "8h": -0.000096, "1y": -0.10512}.items():
        paid = await rates(told, per=per, **window)
        assert paid == pytest.approx([-last, -last * 0.0058 / 0.0012, 0.0, last], rel=1e-12)
        assert copysign(1, paid[2]) == 1
        assert await rates(told, per=per, at=LAST.isoformat()) == pytest.approx([last], rel=1e-12)


async def test_a_fraction_of_eight_hours(told: httpx.AsyncClient) -> None:
    """0.000096 is 0.000012 an hour: what was paid as 0.0012 percent; the others beside it are not stored."""
    for per, rate in {"1h": 0.000012, "8h": 0.000096, "1y": 0.10512}.items():
        assert await rates(told, kind="predicted", per=per) == pytest.approx([rate], rel=1e-12)


async def test_open_interest_is_told_in_coins(told: httpx.AsyncClient) -> None:
    (row,) = (await told.get("/open-interest/ETH", params={"start": LAST.isoformat()})).json()["data"]
    assert (row["oi_base"], row["oi_usd"]) == (39_559.33, pytest.approx(39_559.33 * 2264))
