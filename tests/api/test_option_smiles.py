"""Expiries, surface, term structure and greeks: made-up smiles and recorded chains, against plain Python."""

import csv
import gzip
from collections import defaultdict
from datetime import datetime, timedelta
from math import sqrt
from statistics import median
from typing import Any

import httpx
import pytest

from app.db import Database
from tests.conftest import shared
from tests.options import EXPIRY, Option, at, listed, listing, smile, tell
from tests.plain_options import YEAR, between, black76

NEXT = EXPIRY + timedelta(days=35)
STRIKES = (60000, 70000, 80000, 85000, 90000, 95000, 100000, 120000, 150000)
GREEKS = ("delta", "gamma", "vega", "theta", "rho")
FORWARDS = {EXPIRY: 91000.0, NEXT: 92000.0}


def iv(strike: float, expires_at: datetime, kind: str) -> float:
    """A smile, slightly different for calls and puts."""
    return (
        0.45
        + 3e-10 * (strike - 95000) ** 2
        - 1e-6 * (strike - 90000)
        + 0.05 * (expires_at == NEXT)
        + 0.001 * (kind == "put")
    )


def state(strike: float, expires_at: datetime, kind: str) -> dict[str, Any]:
    return {
        "mark_iv": iv(strike, expires_at, kind), "underlying_price": FORWARDS[expires_at], "index_price": 90500.0,
        "open_interest": strike / 1e4 if kind == "call" else 2.0, "volume_24h": 1.0 if kind == "call" else 0.5,
    }  # fmt: skip


@pytest.fixture
async def smiles(clean_database: Database) -> Database:
    """Two expiries of nine strikes, told at 1:00; and at 5:00 with IV higher by 0.1."""
    found = await listing(
        clean_database,
        *(listed(strike, kind, expiry) for expiry in FORWARDS for strike in STRIKES for kind in ("call", "put")),
    )
    for hour, more in ((1, 0.0), (5, 0.1)):
        rows = [
            {"series_id": found[listed(strike, kind, expiry).symbol], "ts": at(hour), **told,
             "mark_iv": told["mark_iv"] + more}
            for expiry in FORWARDS for strike in STRIKES for kind in ("call", "put")
            for told in [state(strike, expiry, kind)]
        ]  # fmt: skip
        await tell(clean_database, "option_1m", *rows)
    return clean_database


def options(expires_at: datetime, hour: float, more: float = 0.0) -> list[Option]:
    """The same in plain Python."""
    life, forward = (expires_at - at(hour)) / YEAR, FORWARDS[expires_at]
    return [
        Option(strike, kind, iv(strike, expires_at, kind) + more, forward, life)
        for strike in STRIKES
        for kind in ("call", "put")
    ]


async def rows(client: httpx.AsyncClient, what: str, **params: str) -> list[dict[str, Any]]:
    answer = await client.get(f"/options/BTC/{what}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_expiries(client: httpx.AsyncClient, smiles: Database) -> None:
    first, second = await rows(client, "expiries", at=at(2).isoformat())
    calls, puts = sum(STRIKES) / 1e4, 18.0
    assert first["days"] == pytest.approx((EXPIRY - at(2)) / timedelta(days=1))
    assert (first["options"], first["forward"], second["forward"]) == (18, 91000, 92000)
    assert first["call_open_interest"] == pytest.approx(calls)
    assert first["put_open_interest_usd"] == pytest.approx(puts * 90500)
    assert first["put_call_open_interest"] == pytest.approx(puts / calls)
    assert (first["call_volume"], first["put_volume"], first["put_call_volume"]) == (9, 4.5, 0.5)
    for row, expiry in ((first, EXPIRY), (second, NEXT)):
        made = smile(options(expiry, 1), FORWARDS[expiry])
        assert made["call"]
        assert made["put"]
        assert made["atm_iv"]
        assert row["atm_iv"] == pytest.approx(made["atm_iv"], rel=1e-12)
        assert row["skew_25d"] == pytest.approx(made["put"] - made["call"], rel=1e-9)
        assert row["butterfly_25d"] == pytest.approx((made["put"] + made["call"]) / 2 - made["atm_iv"], rel=1e-9)


async def test_no_iv_is_guessed_beyond_what_is_told(client: httpx.AsyncClient, clean_database: Database) -> None:
    found = await listing(clean_database, listed(95000, "call"))
    (series,) = found.values()
    await tell(clean_database, "option_1m", {"series_id": series, "ts": at(1), "mark_iv": 0.5, "underlying_price": 9e4})
    (row,) = await rows(client, "expiries", at=at(2).isoformat())
    assert (row["atm_iv"], row["skew_25d"], row["butterfly_25d"], row["put_call_open_interest"]) == (None,) * 4
    assert (row["call_open_interest"], row["put_open_interest"]) == (None, None)
    assert await rows(client, "surface", at=at(2).isoformat(), by="delta") == []
    assert len(await rows(client, "surface", at=at(2).isoformat())) == 1


async def test_surface_by_strike(client: httpx.AsyncClient, smiles: Database) -> None:
    found = await rows(client, "surface", at=at(2).isoformat(), expiry="2026-03-27")
    assert [row["strike"] for row in found] == list(STRIKES)
    for row in found:
        mean = (iv(row["strike"], EXPIRY, "call") + iv(row["strike"], EXPIRY, "put")) / 2
        made = black76("call", 91000, row["strike"], mean, (EXPIRY - at(2)) / YEAR)
        assert (row["iv"], row["delta"]) == (pytest.approx(mean), pytest.approx(made.delta, rel=1e-9))
        assert row["moneyness"] == pytest.approx(row["strike"] / 91000)


async def test_surface_by_delta(client: httpx.AsyncClient, smiles: Database) -> None:
    found = await rows(client, "surface", at=at(2).isoformat(), by="delta", expiry="2026-03-27")
    assert [row["bucket"] for row in found] == [
        "10d put", "15d put", "25d put", "35d put", "ATM", "35d call", "25d call", "15d call", "10d call",
    ]  # fmt: skip
    held = options(EXPIRY, 1)
    for row in found:
        if row["bucket"] == "ATM":
            assert (row["delta"], row["strike"], row["iv"]) == (
                None,
                91000,
                pytest.approx(smile(held, 91000)["atm_iv"]),
            )
            continue
        kind = row["bucket"].split()[1]
        side = [
            o for o in held if o.option_type == kind and (o.strike >= 91000 if kind == "call" else o.strike <= 91000)
        ]
        assert row["iv"] == pytest.approx(between([(o.delta, o.iv) for o in side], row["delta"]), rel=1e-9)
        assert row["strike"] == pytest.approx(between([(o.delta, o.strike) for o in side], row["delta"]), rel=1e-9)
    assert [row["strike"] for row in found] == sorted(row["strike"] for row in found)


async def test_term_structure(client: httpx.AsyncClient, smiles: Database) -> None:
    found = await rows(client, "term-structure", start=at(0).isoformat(), end=at(7).isoformat(), interval="1h")
    of_expiry = {(row["time"][11:13], row["maturity"]): row for row in found}
    assert sorted({hour for hour, _ in of_expiry}) == ["01", "02", "03", "04", "05", "06"]
    assert {maturity for _, maturity in of_expiry} == {"2026-03-27", "2026-05-01", "30d"}
    for hour, told_at, more in (("02", 1, 0.0), ("05", 5, 0.1)):
        made = {expiry: smile(options(expiry, told_at, more), FORWARDS[expiry]) for expiry in FORWARDS}
        near = of_expiry[hour, "2026-03-27"]
        assert near["atm_iv"] == pytest.approx(made[EXPIRY]["atm_iv"])
        now = at(int(hour))
        variances = {
            what: between(
                [
                    ((expiry - now) / YEAR, (each[what] or 0) ** 2 * ((expiry - now) / YEAR))
                    for expiry, each in made.items()
                ],
                30 / 365,
            )
            for what in ("atm_iv", "call", "put")
        }
        ivs = {what: sqrt((variance or 0) * 365 / 30) for what, variance in variances.items()}
        month = of_expiry[hour, "30d"]
        assert (month["expiry"], month["days"]) == (None, 30)
        assert month["atm_iv"] == pytest.approx(ivs["atm_iv"], rel=1e-9)
        assert month["skew_25d"] == pytest.approx(ivs["put"] - ivs["call"], rel=1e-6)


async def test_term_structure_in_pages_and_at_an_instant(client: httpx.AsyncClient, smiles: Database) -> None:
    asked = {"start": at(0).isoformat(), "end": at(30).isoformat()}
    for order in ("asc", "desc"):
        whole = await rows(client, "term-structure", **asked, order=order)
        url: str | None = str(httpx.URL("/options/BTC/term-structure", params={**asked, "limit": "7", "order": order}))
        paged: list[dict[str, Any]] = []
        while url:
            body = (await client.get(url)).json()
            paged += body["data"]
            url = body["page"]["next_url"]
        assert paged == whole
        assert len(whole) == 3 * 28
    (one,) = await rows(client, "term-structure", at=at(2.5).isoformat(), expiry="2026-03-27")
    assert one["time"] == "2026-03-02T02:30:00Z"


async def test_greeks_told_and_computed(client: httpx.AsyncClient, smiles: Database) -> None:
    found = await listing(smiles, listed(90000, "call"), listed(95000, "put"))
    call, put = found[listed(90000, "call").symbol], found[listed(95000, "put").symbol]
    told = [{"series_id": call, "ts": at(hour), "delta": hour / 10} for hour in (1, 2, 3)]
    await tell(smiles, "greeks", *told, {"series_id": put, "ts": at(2), "delta": -0.6, "rho": -3.0})
    window = {"start": at(1).isoformat(), "end": at(3).isoformat()}
    answered = await rows(client, "greeks", **window)
    assert [(row["time"][11:13], row["delta"], row["rho"], row["model"]) for row in answered] == [
        ("01", 0.1, None, "told"), ("02", 0.2, None, "told"), ("02", -0.6, -3.0, "told"),
    ]  # fmt: skip
    assert [row["delta"] for row in await rows(client, "greeks", at=at(2.5).isoformat())] == [0.2, -0.6]
    assert await rows(client, "greeks", at=at(0.5).isoformat()) == []
    made = await rows(client, "greeks", **window, model="black76", expiry="2026-03-27")
    assert len(made) == 2 * 18
    (row,) = [row for row in made if row["instrument"] == listed(90000, "call").symbol and row["time"][11:13] == "02"]
    plain = black76("call", 91000, 90000, iv(90000, EXPIRY, "call"), (EXPIRY - at(1)) / YEAR)
    assert {name: row[name] for name in ("delta", "gamma", "vega", "theta", "rho")} == {
        name: pytest.approx(value, rel=1e-9) for name, value in plain._asdict().items() if name != "price"
    }
    assert row["as_of"] == "2026-03-02T01:00:00Z"


Snapshot = list[dict[str, str]]


def recorded(coin: str) -> dict[str, Snapshot]:
    """Recorded chains of a week, by the time of their snapshot."""
    path = shared("datasets/deribit_option_snapshots_2026_02") / f"{coin}_options.csv.gz"
    found: dict[str, Snapshot] = defaultdict(list)
    with gzip.open(path, "rt") as file:
        for row in csv.DictReader(file):
            found[row["snapshot_time"]].append(row)
    return dict(found)


async def test_recorded_chains(client: httpx.AsyncClient, clean_database: Database) -> None:
    """Chain, open interest, put/call, ATM IV and skew of recorded snapshots equal what plain Python makes of them."""
    moment, chain = list(recorded("BTC").items())[13]
    terms = {
        r["instrument_name"]: (float(r["strike"]), r["option_type"], datetime.fromisoformat(r["expiry_datetime"]))
        for r in chain
    }
    found = await listing(clean_database, *(listed(*one) for one in terms.values()))
    assert terms.keys() <= found.keys()
    time = datetime.fromisoformat(moment)
    names = {"bid_price": "bid", "ask_price": "ask", "mark_price": "mark_price", "implied_volatility": "mark_iv",
             "underlying": "underlying_price", "index_price": "index_price", "open_interest": "open_interest",
             "volume": "volume_24h"}  # fmt: skip
    await tell(
        clean_database,
        "option_1m",
        *(
            {
                "series_id": found[r["instrument_name"]],
                "ts": time,
                **{to: float(r[name]) if r[name] else None for name, to in names.items()},
            }
            for r in chain
        ),
    )
    answered = await rows(client, "chain", at=moment, limit="10000")
    sides = {side["instrument"]: side for row in answered for side in (row["call"], row["put"]) if side}
    assert sides.keys() == terms.keys()
    for row in chain:
        side, side_of = sides[row["instrument_name"]], terms[row["instrument_name"]]
        assert (side["bid"], side["mark_iv"]) == (
            float(row["bid_price"]) if row["bid_price"] else None,
            float(row["implied_volatility"]),
        )
        made = black76(side_of[1], side["underlying"], side_of[0], side["mark_iv"], (side_of[2] - time) / YEAR)
        assert {greek: side[greek] for greek in GREEKS} == {
            greek: pytest.approx(getattr(made, greek), rel=1e-6, abs=1e-12) for greek in GREEKS
        }
    apart = [abs(sides[row["instrument_name"]]["delta"] - float(row["delta"])) for row in chain]
    assert median(apart) < 0.005
    by_expiry: dict[datetime, Snapshot] = defaultdict(list)
    for row in chain:
        by_expiry[terms[row["instrument_name"]][2]].append(row)
    told = {datetime.fromisoformat(row["expiry"]): row for row in await rows(client, "expiries", at=moment)}
    assert told.keys() == by_expiry.keys()
    for expiry, group in by_expiry.items():
        _expiry_equals(told[expiry], sorted(group, key=lambda row: row["instrument_name"]), (expiry - time) / YEAR)


def _expiry_equals(row: dict[str, Any], group: Snapshot, years: float) -> None:
    forward = float(group[0]["underlying"])
    held = [
        Option(float(r["strike"]), r["option_type"], float(r["implied_volatility"]), float(r["underlying"]), years)
        for r in group
    ]
    made = smile(held, forward)
    interest = {
        kind: sum(float(r["open_interest"]) for r in group if r["option_type"] == kind) for kind in ("call", "put")
    }
    assert (row["forward"], row["options"]) == (forward, len(group))
    assert row["call_open_interest"] == pytest.approx(interest["call"])
    assert row["put_call_open_interest"] == (
        pytest.approx(interest["put"] / interest["call"]) if interest["call"] else None
    )
    assert row["atm_iv"] == (made["atm_iv"] and pytest.approx(made["atm_iv"], rel=1e-9))
    skew = None if made["put"] is None or made["call"] is None else made["put"] - made["call"]
    assert row["skew_25d"] == (None if skew is None else pytest.approx(skew, abs=1e-9))
