"""Recorded chains of Deribit, imported as a user would: the API answers what plain Python makes of the files."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from math import isclose
from typing import Any

import httpx
import pytest

from app.db import Database
from app.services import keys
from app.settings import Settings
from tests.apps import asking, made
from tests.conftest import FACT_TABLES, RESTORE
from tests.plain_options import State, black76, by_expiry, chain, expiry, forwards, greeks_of, smile
from tests.recorded_options import (
    COINS,
    body_of,
    bring_rows,
    bring_snapshots,
    moment,
    snapshots,
    state_of,
    sweep,
)

GREEKS = ("delta", "gamma", "vega", "theta", "rho")
LATE = 9
"""Which of the snapshots comes after all others, though it was known in time."""
MS = timedelta(milliseconds=1)
Told = Mapping[str, list[State]]


@pytest.fixture(scope="module")
async def api(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """The API, with a key that may write, for all tests of this module."""
    snapshots("BTC")  # skips where there are none
    await database.reads.execute(f"truncate {FACT_TABLES} restart identity cascade")
    await database.reads.execute(RESTORE)
    key = {"Authorization": f"Bearer {await keys.create(database, 'test', ['write', 'admin'])}"}
    app = made(Settings(scheduler=False, backfills=False), database)
    async with asking(app, timeout=60, headers=key) as api:
        yield api
    await database.reads.execute(f"truncate {FACT_TABLES} restart identity cascade")
    await database.reads.execute(RESTORE)


@pytest.fixture(scope="module")
async def told(api: httpx.AsyncClient) -> Told:
    """A week of both coins, each file imported once: all rows of it are taken."""
    found: dict[str, list[State]] = {}
    for coin in COINS:
        rows = snapshots(coin)
        late = sorted({row["ts"] for row in rows})[LATE]
        for part in ([row for row in rows if row["ts"] != late], [row for row in rows if row["ts"] == late]):
            answer = await bring_snapshots(api, part)
            assert (answer["received"], answer["inserted"], answer["rejected"]) == (len(part), len(part), [])
        found[coin] = [state_of(row) for row in rows]
    return found


def instants(told: Told) -> list[datetime]:
    """At snapshots, right before them and between them; around an expiry; when some, and when all, are too old."""
    times = sorted({state.time for state in told["BTC"]})
    return [
        times[0],
        times[1] - MS,
        times[LATE] - MS,
        times[LATE] + timedelta(hours=1),
        times[12].replace(hour=8, minute=0, second=0, microsecond=0) - MS,
        times[12].replace(hour=8, minute=0, second=0, microsecond=0),
        times[-1] + timedelta(hours=20),
        times[-1] + timedelta(hours=24),
    ]


async def ask(api: httpx.AsyncClient, path: str, **query: Any) -> list[dict[str, Any]]:
    times = {name: one.isoformat() if isinstance(one, datetime) else one for name, one in query.items()}
    answer = await api.get(path, params={"limit": 10_000, **times})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def sides(api: httpx.AsyncClient, coin: str, **query: Any) -> dict[str, dict[str, Any]]:
    """The options of a chain by name; each stands in the row of its expiry and strike."""
    found: dict[str, dict[str, Any]] = {}
    for row in await ask(api, f"/options/{coin}/chain", **query):
        for side in filter(None, (row["call"], row["put"])):
            name = side["instrument"].split("-")
            assert (float(name[2]), name[3] == "C") == (row["strike"], side is row["call"])
            found[side["instrument"]] = {**side, "expiry": row["expiry"]}
    return found


def near(found: float | None, expected: float | None, relative: float = 1e-9) -> bool:
    if found is None or expected is None:
        return found is expected
    return isclose(found, expected, rel_tol=relative, abs_tol=1e-300)


def check_state(found: Mapping[str, Any], state: State) -> None:
    names = ("bid", "ask", "mark", "mark_iv", "underlying", "index_price", "open_interest", "volume")
    assert [found[name] for name in names] == [*state[2:10]], state
    assert datetime.fromisoformat(found["as_of"]) == state.time
    assert datetime.fromisoformat(found["expiry"]) == state.expiry


async def test_the_chain_at_any_instant_with_its_greeks(api: httpx.AsyncClient, told: Told) -> None:
    compared = 0
    for coin, states in told.items():
        for at in instants(told):
            found, expected = await sides(api, coin, at=at), chain(states, at)
            assert found.keys() == expected.keys(), (coin, at)
            for name, state in expected.items():
                check_state(found[name], state)
                greeks = greeks_of(state)
                assert greeks is not None
                wrong = [g for g in GREEKS if not near(found[name][g], getattr(greeks, g))]
                assert wrong == [], (name, at, found[name], greeks)
            compared += len(found)
    assert compared > 10_000
    fresh, stale = (len(chain(told["BTC"], at)) for at in instants(told)[-2:])
    assert fresh > 0 == stale


async def test_what_each_expiry_is(api: httpx.AsyncClient, told: Told) -> None:
    skews = 0
    for coin, states in told.items():
        for at in instants(told)[:-1]:
            rows = {datetime.fromisoformat(r["expiry"]): r for r in await ask(api, f"/options/{coin}/expiries", at=at)}
            options = by_expiry(chain(states, at))
            assert rows.keys() == options.keys()
            for expires, row in rows.items():
                assert row["forward"] in forwards(options[expires])
                expected = expiry(options[expires], row["forward"])
                wrong = [n for n, value in expected._asdict().items() if not near(row[n], value)]
                assert wrong == [], (coin, at, row, expected)
                skews += expected.skew_25d is not None
    assert skews > 100


async def test_the_surface_at_an_instant(api: httpx.AsyncClient, told: Told) -> None:
    at = instants(told)[3]
    rows = await ask(api, "/options/BTC/surface", at=at)
    found = {(datetime.fromisoformat(row["expiry"]), row["strike"]): row for row in rows}
    options = by_expiry(chain(told["BTC"], at))
    expected = {(day, strike): iv for day, held in options.items() for strike, iv in smile(held).items()}
    assert found.keys() == expected.keys()
    for (day, strike), row in found.items():
        years = (day - at) / timedelta(days=365)
        call = black76("call", row["forward"], strike, row["iv"], years)
        assert near(row["iv"], expected[day, strike])
        assert near(row["delta"], call.delta)


async def test_volatility_and_skew_over_a_day(api: httpx.AsyncClient, told: Told) -> None:
    start = instants(told)[0].replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=4)
    rows = await ask(api, "/options/BTC/term-structure", start=start, end=start + timedelta(days=1), interval="4h")
    found = {(datetime.fromisoformat(r["time"]), datetime.fromisoformat(r["expiry"])): r for r in rows if r["expiry"]}
    assert len({at for at, _ in found}) == 6
    for at in {at for at, _ in found}:
        options = by_expiry(chain(told["BTC"], at))
        of_instant = {day: row for (time, day), row in found.items() if time == at}
        assert of_instant.keys() <= options.keys()
        for day, row in of_instant.items():
            expected = expiry(options[day], row["forward"])
            assert near(row["atm_iv"], expected.atm_iv)
            assert near(row["skew_25d"], expected.skew_25d)


async def test_a_snapshot_that_came_late_is_there_as_of_when_it_was_known(api: httpx.AsyncClient, told: Told) -> None:
    states = told["ETH"]
    times = sorted({state.time for state in states})
    late = times[LATE]
    for at in (late - MS, late, times[LATE + 1] - MS, times[LATE + 1]):
        for known in (late - MS, late):
            found, expected = await sides(api, "ETH", at=at, known_at=known), chain(states, at, known)
            as_of = {name: datetime.fromisoformat(side["as_of"]) for name, side in found.items()}
            assert as_of == {name: state.time for name, state in expected.items()}, (at, known)
    newest = {datetime.fromisoformat(side["as_of"]) for side in (await sides(api, "ETH", at=late)).values()}
    assert max(newest) == late


async def test_black76_is_the_model_of_the_published_greeks(api: httpx.AsyncClient, told: Told) -> None:
    """As the notes to the recording have it: delta to 0.015, price to 4e-4 of a coin."""
    compared = 0
    for coin in COINS:
        rows = snapshots(coin)
        first = min(row["ts"] for row in rows)
        found = await sides(api, coin, at=moment(first))
        for row in (row for row in rows if row["ts"] == first):
            side, state = found[row["instrument_name"]], state_of(row)
            greeks = greeks_of(state)
            assert greeks is not None
            assert abs(side["delta"] - float(row["delta"])) <= 0.015, row
            assert abs(greeks.price / state.underlying - (state.mark or 0)) <= 4e-4, row
            assert side["greeks"] == "black76"
            compared += 1
    assert compared > 1_500
    assert told


async def test_a_chain_with_greeks_that_were_told(api: httpx.AsyncClient) -> None:
    """Percent and the text of a program are made fractions and rows by whoever brings them."""
    recorded = sweep()
    answer = await bring_rows(api, body_of(recorded))
    assert (answer["received"], answer["inserted"], answer["rejected"]) == (326, 326, [])
    last = max(state.time for state, _ in recorded.values())
    found = await sides(api, "BTC", at=last)
    assert found.keys() == recorded.keys()
    for name, (state, published) in recorded.items():
        check_state(found[name], state)
        assert found[name]["greeks"] == "told"
        assert [found[name][greek] for greek in GREEKS] == [*published]
        model = greeks_of(state)
        assert model is not None
        assert abs(model.delta - published.delta) <= 0.015, name
        assert abs(model.price / state.underlying - (state.mark or 0)) <= 4e-4, name
    rows = {datetime.fromisoformat(row["expiry"]): row for row in await ask(api, "/options/BTC/expiries", at=last)}
    for day, options in by_expiry({name: state for name, (state, _) in recorded.items()}).items():
        assert near(rows[day]["forward"], next(iter(forwards(options))))
        expected = expiry(options, rows[day]["forward"])
        assert [n for n, value in expected._asdict().items() if not near(rows[day][n], value)] == [], day
    assert round(sum(state.open_interest for state, _ in recorded.values())) == 106_082
    again = await bring_rows(api, body_of(recorded))
    assert (again["unchanged"], again["received"]) == (326, 326)


async def test_percent_is_refused_by_row(api: httpx.AsyncClient) -> None:
    rows = body_of(sweep())[:10]
    answer = await bring_rows(api, [{**row, "mark_iv": row["mark_iv"] * 100} for row in rows])
    assert (answer["inserted"], answer["rejected_count"]) == (0, 10)
    assert {reject["code"] for reject in answer["rejected"]} == {"looks_like_percent"}
