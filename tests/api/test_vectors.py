"""The vectors of the domain rules, each through the front door: written by POST, read by GET."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

DAY = datetime(2026, 1, 5, tzinfo=UTC)
T0 = "2026-01-05T00:00:00Z"
T8 = "2026-01-05T08:00:00Z"


def hour(h: float) -> str:
    return (DAY + timedelta(hours=h)).isoformat().replace("+00:00", "Z")


async def post(client: httpx.AsyncClient, path: str, rows: list[dict[str, object]]) -> dict[str, object]:
    answer = await client.post(path, json=rows)
    assert answer.status_code == 200, answer.text
    assert answer.json()["rejected_count"] == 0, answer.text
    return answer.json()


async def get(client: httpx.AsyncClient, path: str, **params: object) -> list[dict[str, object]]:
    answer = await client.get(path, params={name: str(value) for name, value in params.items()})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def paid(exchange: str, rate: float, hours: float, time: str = T8, **more: object) -> dict[str, object]:
    return {"time": time, "exchange": exchange, "asset": "BTC", "rate": rate, "interval_hours": hours, **more}


SAME = [("binance", 0.0001, 8), ("bybit", 0.00005, 4), ("hyperliquid", 0.0000125, 1), ("lighter", 0.0000125, 1)]


@pytest.mark.parametrize(("per", "expected"), [("1h", 0.0000125), ("8h", 0.0001), ("1y", 0.1095)])
async def test_same_rate_four_exchanges(writer: httpx.AsyncClient, per: str, expected: float) -> None:
    await post(writer, "/funding", [paid(*row) for row in SAME])
    rows = await get(writer, "/funding/BTC", at=T8, per=per)
    assert {row["exchange"] for row in rows} == {"binance", "bybit", "hyperliquid", "lighter"}
    assert [row["rate"] for row in rows] == pytest.approx([expected] * 4, rel=1e-12)


async def test_raw_mean_is_wrong(writer: httpx.AsyncClient) -> None:
    await post(writer, "/funding", [paid(*row) for row in SAME[:3]])
    weights = {"binance": 5.0, "bybit": 3.0, "hyperliquid": 2.0}
    await post(
        writer,
        "/open-interest",
        [{"time": T8, "exchange": e, "asset": "BTC", "oi_usd": usd} for e, usd in weights.items()],
    )
    (row,) = await get(writer, "/funding/BTC", weighted="oi", at=T8)
    assert row["rate"] == pytest.approx(0.0001, rel=1e-12)
    native = await get(writer, "/funding/BTC", at=T8, per="native")
    raw = sum(weights[str(r["exchange"])] * float(str(r["rate"])) for r in native) / 10
    assert raw == pytest.approx(0.0000675, rel=1e-12)


async def test_which_is_higher(writer: httpx.AsyncClient) -> None:
    await post(writer, "/funding", [paid("binance", 0.00002234, 8), paid("hyperliquid", 0.0000125, 1)])
    rates = {row["exchange"]: row["rate"] for row in await get(writer, "/funding/BTC", at=T8, per="1h")}
    assert rates == pytest.approx({"binance": 0.0000027925, "hyperliquid": 0.0000125}, rel=1e-12)
    assert float(str(rates["hyperliquid"])) / float(str(rates["binance"])) == pytest.approx(4.476, abs=5e-4)


@pytest.mark.parametrize(("second", "expected"), [(4.0, 0.000157142857), (8.0, 0.000188888889)])
async def test_open_interest_weighting(writer: httpx.AsyncClient, second: float, expected: float) -> None:
    """0.01 % weighing 10 and 0.03 % weighing 4; and what it would be with one leg counted on both sides."""
    await post(writer, "/funding", [paid("binance", 0.0001, 8), paid("bybit", 0.0003, 8)])
    held = [("binance", 10.0), ("bybit", second)]
    await post(
        writer, "/open-interest", [{"time": T8, "exchange": e, "asset": "BTC", "oi_usd": usd} for e, usd in held]
    )
    (row,) = await get(writer, "/funding/BTC", weighted="oi", at=T8)
    assert row["rate"] == pytest.approx(expected, rel=1e-8)


async def test_annualising(writer: httpx.AsyncClient) -> None:
    await post(writer, "/funding", [paid("binance", 0.003, 8, time=T0)])
    (row,) = await get(writer, "/funding/BTC", at=T0, per="1y")
    assert row["rate"] == pytest.approx(3.285, rel=1e-12)
    (row,) = await get(writer, "/funding/BTC/carry", start=T0, end=T8, side="long")
    assert row["apr"] == pytest.approx(3.285, rel=1e-12)
    assert row["apy"] == pytest.approx(25.58, abs=5e-3)


async def test_missing_settlement(writer: httpx.AsyncClient) -> None:
    rows = [{"time": hour(h), "exchange": "binance", "asset": "BTC", "rate": 1e-4} for h in (0, 4, 12)]
    await post(writer, "/funding", rows)
    found = await get(writer, "/funding/BTC", start=T0, end=hour(24))
    assert [row["interval_hours"] for row in found] == [4, 4, 4]


async def test_interval_change(writer: httpx.AsyncClient) -> None:
    rows = [{"time": hour(h), "exchange": "binance", "asset": "BTC", "rate": 1e-4} for h in (0, 8, 16, 20, 24)]
    await post(writer, "/funding", rows)
    found = await get(writer, "/funding/BTC", start=T0, end=hour(25))
    assert [row["interval_hours"] for row in found] == [8, 8, 8, 4, 4]
    assert [row["interval_known"] for row in found] == ["assumed", "inferred", "inferred", "inferred", "inferred"]


async def test_late_exchange(writer: httpx.AsyncClient) -> None:
    a = [paid("binance", h * 1e-5, 8, time=hour(h)) for h in (0, 8, 16)]
    b = [paid("hyperliquid", h * 1e-6, 1, time=hour(h)) for h in range(21)]
    await post(writer, "/funding", [*a, *b])
    (row,) = await get(writer, "/funding/BTC", weighted="equal", at=hour(20), detail="contributors")
    assert row["present"] == ["binance", "hyperliquid"]
    settled = {c["exchange"]: c["settled_at"] for c in row["contributors"]}  # type: ignore[union-attr,index,attr-defined]
    assert settled == {"binance": hour(16), "hyperliquid": hour(20)}


async def test_stale_exchange(writer: httpx.AsyncClient) -> None:
    a = [paid("binance", 9e-4, 8, time=hour(h)) for h in (0, 8)]
    b = [paid("bybit", 1e-4, 8, time=hour(h)) for h in (0, 8, 16)]
    await post(writer, "/funding", [*a, *b])
    (row,) = await get(writer, "/funding/BTC", weighted="equal", at=hour(21))
    assert (row["present"], row["missing"]) == (["bybit"], ["binance"])
    assert row["rate"] == pytest.approx(1e-4)
