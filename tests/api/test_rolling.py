"""Minutes by perpspec and their changes, held against the plain way of computing them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from app.db import Database
from app.services import perpspecs
from tests import plain_rolling as plain
from tests.db import facts

FIRST = facts.at(0)
COUNT = 90
SHORT = {"binance": "bin", "okx": "okx"}
WINDOW = {"start": FIRST.isoformat(), "end": facts.at(COUNT / 60).isoformat(), "limit": "10000"}
ALL = ",".join(f"{short}-{kind}" for short in SHORT.values() for kind in plain.SPECS)
Rows = list[dict[str, Any]]


def stamp(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


@pytest.fixture
async def told(clean_database: Database) -> tuple[plain.Told, dict[str, list[int]]]:
    """Ninety minutes of three contracts."""
    series = await plain.contracts(clean_database)
    found = plain.made_up(7, [one for many in series.values() for one in many], FIRST, COUNT)
    for time in [time for one, time in found if one == series["other"][0]]:
        row = dict(found[series["other"][0], time])
        found[series["other"][0], time] = {n: v for n, v in row.items() if n not in ("open", "high", "low", "close")}
    await plain.store(clean_database, found)
    return found, series


async def rows(client: httpx.AsyncClient, path: str, **params: str) -> Rows:
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    assert answer.json()["page"]["next_cursor"] is None
    return answer.json()["data"]


def expected(told: plain.Told, series: Mapping[str, list[int]], *, changes: bool) -> Rows:
    """What all perpspecs of both exchanges say, with null in the columns that are not a row's own."""
    compute = plain.rolling if changes else plain.slices
    found = [
        {"time": stamp(time), "perpspec": f"{short}-{kind}", "exchange": exchange, **row}
        for exchange, short in SHORT.items()
        for kind in plain.SPECS
        for time, row in compute(told, series[exchange], kind).items()
    ]
    names = {name for row in found for name in row}
    return sorted(
        ({name: row.get(name) for name in names} for row in found),
        key=lambda row: (row["time"], row["exchange"], row["perpspec"]),
    )


def close_to(found: Rows, wanted: Rows) -> None:
    assert [[r[k] for k in ("time", "exchange", "perpspec")] for r in found] == [
        [r[k] for k in ("time", "exchange", "perpspec")] for r in wanted
    ]
    for one, other in zip(found, wanted, strict=True):
        for name, value in other.items():
            assert one[name] == (pytest.approx(value, rel=1e-12) if isinstance(value, float) else value), (name, one)


async def test_rows_are_those_of_each_perpspec(client: httpx.AsyncClient, told: Any) -> None:
    found = await rows(client, "/perp-data/BTC", perpspecs=ALL, **WINDOW)
    close_to(found, expected(*told, changes=False))
    assert {row["instrument"] for row in found} == {"BTCUSDT", "BTC-USDT-SWAP"}


async def test_changes_are_against_the_minute_exactly_so_long_before(client: httpx.AsyncClient, told: Any) -> None:
    found = await rows(client, "/rolling/BTC", perpspecs=ALL, **WINDOW)
    wanted = expected(*told, changes=True)
    close_to(found, wanted)
    assert {row["lqside_chg_5m"] for row in found} == {None, "long", "short"}
    assert {*found[0]} - {*wanted[0]} == {"instrument"}


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_pages_are_the_whole(client: httpx.AsyncClient, told: Any, order: str) -> None:
    """Each page reads no more minutes than fill it, and looks back as far as the whole would."""
    whole = await rows(client, "/rolling/BTC", perpspecs=ALL, order=order, **WINDOW)
    paged: Rows = []
    params = {"perpspecs": ALL, **WINDOW, "limit": "97", "order": order}
    while True:
        answer = (await client.get("/rolling/BTC", params=params)).json()
        paged += answer["data"]
        if answer["page"]["next_cursor"] is None:
            break
        params["cursor"] = answer["page"]["next_cursor"]
    assert paged == whole


async def test_columns_are_narrowed(client: httpx.AsyncClient, told: Any) -> None:
    asked = {"perpspecs": "bin-ohlcv,bin-oi", "fields": "c,c_chg_5m"}
    found = await client.get("/rolling/BTC", params={**asked, **WINDOW})
    assert list(found.json()["data"][0]) == ["time", "perpspec", "exchange", "instrument", "c", "c_chg_5m"]
    assert {row["perpspec"] for row in found.json()["data"]} == {"bin-ohlcv"}
    assert found.json()["meta"]["units"] == {"c": "quote currency a coin", "c_chg_5m": "percent"}


async def test_one_minute_is_as_in_the_window(client: httpx.AsyncClient, told: Any) -> None:
    """The one that closed last: a minute is known at its end."""
    whole = await rows(client, "/rolling/BTC", perpspecs=ALL, **WINDOW)
    for seconds in (0, 59):
        at = FIRST + timedelta(minutes=31, seconds=seconds)
        found = await rows(client, "/rolling/BTC", perpspecs=ALL, at=at.isoformat())
        assert found == [row for row in whole if row["time"] == stamp(FIRST + timedelta(minutes=30))]
        assert found


async def test_last_rows_by_an_instant(client: httpx.AsyncClient, told: Any) -> None:
    whole = await rows(client, "/perp-data/BTC", perpspecs=ALL, **WINDOW)
    at = FIRST + timedelta(minutes=40, seconds=20)
    found = await rows(client, "/perp-data/BTC", perpspecs=ALL, at=at.isoformat())
    newest = {row["perpspec"]: row for row in whole if row["time"] < stamp(FIRST + timedelta(minutes=40))}
    assert {row["perpspec"]: {**row, "age_s": None} for row in found} == {
        name: {**row, "age_s": None} for name, row in newest.items()
    }
    for row in found:
        closed = datetime.fromisoformat(row["time"]) + plain.MINUTE
        assert row["age_s"] == (at - closed).total_seconds()
    assert await rows(client, "/perp-data/BTC", perpspecs=ALL, at=facts.at(26).isoformat()) == []


async def test_side_by_side(client: httpx.AsyncClient, told: Any) -> None:
    single = await rows(client, "/perp-data/BTC", perpspecs=ALL, **WINDOW)
    found = await rows(client, "/perp-data/BTC", perpspecs=ALL, joined="true", **WINDOW)
    wanted: dict[str, dict[str, Any]] = {}
    for row in single:
        kind = row["perpspec"].partition("-")[2]
        wanted.setdefault(row["time"], {}).update(
            {f"{row['perpspec']}.{name}": row[name] for name in plain.SPECS[kind]}
        )
    assert [row["time"] for row in found] == sorted(wanted)
    for row in found:
        assert row == {**dict.fromkeys(found[0]), "time": row["time"], **wanted[row["time"]]}
    at = await rows(client, "/perp-data/BTC", perpspecs=ALL, joined="true", at=facts.at(31 / 60).isoformat())
    assert at == [row for row in found if row["time"] == stamp(facts.at(30 / 60))]


async def test_strength_of_all_exchanges(client: httpx.AsyncClient, told: Any, clean_database: Database) -> None:
    """One row an exchange; by minute as the function has it, of the source that is preferred."""
    ohlc = ("open", "high", "low", "close")
    runs = {
        (told[1][exchange][0], FIRST + n * plain.MINUTE): dict.fromkeys(ohlc, 100.0 + n * (-1) ** n)
        for exchange in SHORT
        for n in range(40)
    }
    await plain.store(clean_database, runs)
    found = await rows(client, "/perp-data/BTC", perpspecs="rsi", **WINDOW)
    assert {row["exchange"] for row in found} == {*SHORT}
    sql = "select ts, rsi1, rsi60 from rsi_minutes($1, $2, $3, null) where num_nonnulls(rsi1, rsi60) > 0"
    wanted: dict[tuple[str, str], Any] = {}
    for exchange in SHORT:
        for one in reversed(told[1][exchange]):
            for row in await clean_database.reads.fetch(sql, one, FIRST, facts.at(COUNT / 60)):
                wanted[stamp(row["ts"]), exchange] = (row["rsi1"], row["rsi60"])
    assert {(row["time"], row["exchange"]): (row["rsi1"], row["rsi60"]) for row in found} == wanted
    joined = await rows(client, "/perp-data/BTC", perpspecs="rsi,bin-ohlcv", joined="true", **WINDOW)
    assert {"rsi.binance.rsi1", "rsi.okx.rsi60", "bin-ohlcv.c"} <= set(joined[0])
    only = await rows(client, "/perp-data/BTC", perpspecs="rsi", exchanges="okx", **WINDOW)
    assert only == [row for row in found if row["exchange"] == "okx"]


async def test_another_contract_and_another_source(client: httpx.AsyncClient, told: Any) -> None:
    found = await rows(client, "/perp-data/BTC", perpspecs=ALL, instrument="btcusdc", **WINDOW)
    assert {(row["exchange"], row["instrument"]) for row in found} == {("binance", "BTCUSDC")}
    of_import = await rows(client, "/perp-data/BTC", perpspecs="bin-oi", source="import", **WINDOW)
    alone = plain.slices(told[0], told[1]["binance"][1:], "oi")
    assert {row["time"]: row["oi"] for row in of_import} == {stamp(t): row["oi"] for t, row in sorted(alone.items())}
    wrong = await client.get("/perp-data/BTC", params={"instrument": "BTCUSDD"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "unknown_instrument")
    assert "BTCUSDC" in wrong.json()["candidates"]


async def test_scan_is_the_cross_sections_minute_by_minute(
    client: httpx.AsyncClient, told: Any, clean_database: Database
) -> None:
    eth = await facts.series(clean_database, "binance", "ETHUSDT", "ETH")
    await plain.store(clean_database, plain.made_up(8, [eth], FIRST, COUNT))
    where = {"perpspecs": ALL, "where": "c_chg_5m>=1"}
    scan = await rows(client, "/rolling", **where, **WINDOW)
    assert {row["asset"] for row in scan} == {"BTC", "ETH"}
    by_minute: Rows = []
    for n in range(COUNT):
        at = FIRST + timedelta(minutes=n + 1)
        by_minute += await rows(client, "/rolling", **where, at=at.isoformat())
    assert scan == by_minute
    assert min(row["c_chg_5m"] for row in scan) >= 1
    alone = [row for row in await rows(client, "/rolling/BTC", perpspecs=ALL, **WINDOW) if (row["c_chg_5m"] or 0) >= 1]
    assert [{k: v for k, v in row.items() if k != "asset"} for row in scan if row["asset"] == "BTC"] == [
        {k: row[k] for k in row} for row in sorted(alone, key=lambda r: (r["time"], r["exchange"], r["instrument"]))
    ]


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        ("lqside=long", lambda row: row["lqside"] == "long"),
        ("lqside_chg_1m!=long", lambda row: row["lqside_chg_1m"] == "short"),
        ("lqqty>1, lqqty<=3", lambda row: row["lqqty"] is not None and 1 < row["lqqty"] <= 3),
        ("lqqty != 2", lambda row: row["lqqty"] not in (None, 2)),
        ("lqqty_chg_10m < -1.5e1", lambda row: row["lqqty_chg_10m"] is not None and row["lqqty_chg_10m"] < -15),
    ],
)
async def test_conditions(client: httpx.AsyncClient, told: Any, where: str, holds: Any) -> None:
    whole = await rows(client, "/rolling/BTC", perpspecs="bin-lq", **WINDOW)
    found = await rows(client, "/rolling", perpspecs="bin-lq", where=where, **WINDOW)
    assert [row["time"] for row in found] == [row["time"] for row in whole if holds(row)]
    assert found


async def test_only_perpspecs_that_have_what_is_asked(client: httpx.AsyncClient, told: Any) -> None:
    """And none that is computed, unless its field is named."""
    at = {"at": facts.at(31 / 60).isoformat()}
    assert {row["perpspec"] for row in await rows(client, "/rolling", **at)} <= set(ALL.split(","))
    named = await rows(client, "/rolling", where="rsi1>=0", **at)
    assert {row["perpspec"] for row in named} <= {"rsi"}
    narrowed = await rows(client, "/rolling", fields="c,c_chg_1m", **at)
    assert {row["perpspec"] for row in narrowed} <= {"bin-ohlcv", "okx-ohlcv"}


async def test_a_later_correction_is_not_seen(client: httpx.AsyncClient, told: Any, clean_database: Database) -> None:
    then = await clean_database.reads.fetchval("select clock_timestamp()")
    asked = {"perpspecs": ALL, "known_at": then.isoformat()}
    at = {"at": facts.at(31 / 60).isoformat()}
    ways = [("/rolling/BTC", WINDOW), ("/rolling/BTC", at), ("/perp-data/BTC", WINDOW), ("/rolling", at)]
    before = [await rows(client, path, **asked, **window) for path, window in ways]
    corrected = {key: {**row, "close": 100.0, "oi_base": 5.0} for key, row in told[0].items() if row.get("open")}
    await plain.store(clean_database, corrected, then + timedelta(hours=1))
    assert [await rows(client, path, **asked, **window) for path, window in ways] == before
    assert all(before)
    now = await rows(client, "/rolling/BTC", perpspecs=ALL, **WINDOW)
    assert now != before[0]


@pytest.mark.parametrize(
    ("path", "params", "code", "names"),
    [
        ("/perp-data/BTC", {"perpspecs": "bin-ohlc"}, "unknown_perpspec", "bin-ohlcv"),
        ("/rolling/BTC", {"perpspecs": "bin-ohlcv", "fields": "c_chg_2m"}, "unknown_field", "c_chg_1m"),
        ("/rolling", {"where": "c_chg_5m>>3"}, "bad_where", ""),
        ("/rolling", {"where": "c_chg_5m"}, "bad_where", ""),
        ("/rolling", {"where": "c_chg_5m>nan"}, "bad_where", ""),
        ("/rolling", {"where": "c_chg_5m>1e999"}, "bad_where", ""),
        ("/rolling", {"where": "close>3"}, "unknown_field", ""),
        ("/rolling", {"where": "lqside>long"}, "bad_where", ""),
        ("/rolling", {"where": "lqside=both"}, "bad_where", ""),
        ("/rolling", {"where": "c>1,oi>1"}, "bad_where", ""),
        ("/rolling", {"start": "2026-01-01", "end": "2026-01-02"}, "where_missing", ""),
        ("/rolling", {"at": "2026-01-01", "end": "2026-01-02"}, "bad_window", ""),
    ],
)
async def test_refused(client: httpx.AsyncClient, path: str, params: dict[str, str], code: str, names: str) -> None:
    answer = await client.get(path, params=params)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, code), problem
    assert not names or names in problem["candidates"]
    assert problem["errors"][0]["parameter"] in params or code == "where_missing"


async def test_nothing_says_why(client: httpx.AsyncClient, told: Any) -> None:
    for path in ("/perp-data/ETH", "/rolling/ETH", "/rolling", "/perp-data/BTC"):
        answer = await client.get(path, params={"perpspecs": "byb-oi", "at": facts.at(1).isoformat()})
        assert (answer.status_code, answer.json()["data"]) == (200, [])
        assert any(notice.startswith("no rows: ") for notice in answer.json()["meta"]["notices"]), path


async def test_sums_that_are_lower_bounds_say_so(client: httpx.AsyncClient, told: Any) -> None:
    """In the same words as the list of liquidations does."""
    notices = {
        name: (await client.get("/perp-data/BTC", params={"perpspecs": name})).json()["meta"]["notices"]
        for name in ("bin-lq", "okx-lq", "byb-lq", "bin-oi")
    }
    said = ": at most one liquidation of a contract a second is told, what is here is a lower bound"
    assert {name for name, told in notices.items() if f"{name}{said}" in told} == {"bin-lq", "okx-lq"}
    assert not [notice for name in ("byb-lq", "bin-oi") for notice in notices[name] if said in notice]


@pytest.mark.parametrize("form", ["columns", "csv", "ndjson", "parquet", "arrow"])
@pytest.mark.parametrize("path", ["/perp-data/BTC", "/rolling/BTC", "/rolling"])
async def test_forms(client: httpx.AsyncClient, told: Any, path: str, form: str) -> None:
    window = {"at": facts.at(31 / 60).isoformat()}
    answer = await client.get(path, params={"perpspecs": ALL, "format": form, **window})
    assert answer.status_code == 200
    assert len(answer.content) > 300


async def test_why_there_is_no_strength(client: httpx.AsyncClient, told: Any, clean_database: Database) -> None:
    """Candles there are, but not so many in a row."""
    await clean_database.reads.execute("delete from perp_1m where date_part('minute', ts)::int % 10 = 9")
    for path in (
        "/perp-data/BTC",
        "/rolling/BTC",
        "/perp-data/BTC?joined=true",
        "/rolling?at=" + stamp(FIRST + 9 * plain.MINUTE),
    ):
        asked = {} if "at=" in path else WINDOW
        answer = (await client.get(path, params={**dict(httpx.URL(path).params), **asked, "perpspecs": "rsi"})).json()
        assert answer["data"] == []
        assert "fewer than 14 changes" in answer["meta"]["notices"][-1], path


async def test_strength_of_one_exchange(client: httpx.AsyncClient, told: Any, clean_database: Database) -> None:
    """Under another name, and of that exchange only."""
    series = [one for name in SHORT for one in told[1][name]]
    run = """insert into perp_1m (series_id, ts, close)
      select s, $2::timestamptz + n * interval '1 minute', 100 + n % 7 + s
      from unnest($1::int[]) s, generate_series(60, 100) n
      on conflict (series_id, ts) do update set close = excluded.close"""
    await clean_database.reads.execute(run, series, FIRST)
    asked = {**WINDOW, "end": facts.at(2).isoformat()}
    await perpspecs.add(clean_database, perpspecs.Perpspec("okx-strong", ("rsi1",)))
    try:
        everywhere = await rows(client, "/rolling/BTC", perpspecs="rsi", **asked)
        found = await rows(client, "/rolling/BTC", perpspecs="okx-strong", **asked)
    finally:
        await clean_database.reads.execute("delete from perpspec where name = 'okx-strong'")
    assert {row["exchange"] for row in everywhere} == {"binance", "okx"}
    wanted = [(row["time"], row["rsi1"]) for row in everywhere if row["exchange"] == "okx" and row["rsi1"] is not None]
    assert [(row["time"], row["rsi1"]) for row in found] == wanted
    assert len(wanted) > 20


@pytest.mark.parametrize("path", ["/perp-data/BTC", "/perp-data/BTC?joined=true", "/rolling/BTC", "/rolling"])
async def test_an_instant_to_come_is_now(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, params={**dict(httpx.URL(path).params), "at": "2099-01-01T00:00:00Z"})
    assert "at is in the future: clamped to now" in answer.json()["meta"]["notices"]
