"""Options and index prices that are imported: a row's state and greeks are one thing told, and undone as one."""

from datetime import UTC, datetime

import asyncpg
import pytest

from app.db import Database
from app.services import batches
from app.services.batches import Writer
from app.services.together import GREEKS as GREEK
from app.services.together import STATE
from tests.db.importing import OPTION, bring, codes, contracts, funding, option, stored

GREEKS = {"delta": 0.4, "gamma": 2e-05, "vega": 90.5, "theta": -120.25, "rho": 15.5}
PUT = "BTC-27DEC24-100000-P"
LINEAR = "XRP_USDC-21SEP26-1d325-C"
KEY = Writer("desk", "api", "a body")
LATER = "2024-12-02T00:00:00.123456Z"
TABLES = ("option_1m", "greeks", "index_price", "revision", "instrument", "series", "exchange", "source", "entity")


async def everything(db: Database) -> list[list[asyncpg.Record]]:
    """All that imports of options write, but for the times at which instruments were seen."""
    return [await db.reads.fetch(f"select to_jsonb(t) - 'seen_at' from {table} t order by 1") for table in TABLES]


async def counts(db: Database) -> tuple[int, int]:
    found = await db.reads.fetchrow("select (select count(*) from option_1m), (select count(*) from greeks)")
    return tuple(found)


async def test_a_row_is_a_state_and_its_greeks_at_its_very_instant(clean_database: Database) -> None:
    db = clean_database
    answer = await bring(db, "options", option(**GREEKS), option(instrument=PUT, bid=0, ask=None))
    assert codes(answer) == []
    assert (answer.received, answer.inserted) == (2, 2)
    assert answer.notices == ("new options: deribit BTC-27DEC24-100000-C, deribit BTC-27DEC24-100000-P",)
    moment = datetime(2024, 12, 1, 0, 0, 1, 250_000, UTC)
    state = (0.0205, 0.61, 96500.5, 96400.0, 120.5, 3.1)
    assert await stored(db, "option_1m", "ts", *STATE, "close") == [
        (OPTION, "import", moment, 0.02, 0.021, *state, None),
        (PUT, "import", moment, None, None, *state, None),
    ]
    assert await stored(db, "greeks", "ts", *GREEK) == [(OPTION, "import", moment, *GREEKS.values())]
    known = await db.reads.fetch("select known_at from option_1m union select known_at from greeks")
    assert len(known) == 1


async def test_an_option_not_seen_before_is_made_with_its_terms(clean_database: Database) -> None:
    rows = [option(), option(instrument=LINEAR, asset="ripple", time=LATER), option(instrument=PUT.lower())]
    assert codes(await bring(clean_database, "options", *rows)) == []
    found = await clean_database.reads.fetch(
        """select i.symbol, i.kind, e.canonical_id, base, quote, margin, strike, option_type, price_index, active,
          i.expires_at from instrument i join entity e on e.id = i.entity_id order by i.symbol"""
    )
    december, september = datetime(2024, 12, 27, 8, tzinfo=UTC), datetime(2026, 9, 21, 8, tzinfo=UTC)
    ours = [False, december]
    assert [[*row] for row in found] == [
        [OPTION, "option", "bitcoin", "BTC", "BTC", "coin", 100000, "call", "btc_usd", *ours],
        [PUT, "option", "bitcoin", "BTC", "BTC", "coin", 100000, "put", "btc_usd", *ours],
        [LINEAR, "option", "ripple", "XRP", "USDC", "stable", 1.325, "call", "xrp_usdc", False, september],
    ]


async def test_an_option_is_no_perpetual_of_that_name(clean_database: Database) -> None:
    """Each dataset looks among its own contracts only."""
    await bring(clean_database, "funding", funding(exchange="deribit", instrument=OPTION))
    await bring(clean_database, "options", option())
    await bring(clean_database, "index", {"time": LATER, "exchange": "deribit", "instrument": "btc_usd", "price": 9e4})
    assert await contracts(clean_database) == [
        ("deribit", OPTION, "option", "bitcoin", 1),
        ("deribit", OPTION, "perp", "bitcoin", 1),
        ("deribit", "btc_usd", "index", "bitcoin", 1),
    ]


REFUSED: list[tuple[str, dict[str, object]]] = [
    ("bad_instrument", {"instrument": "BTC-PERPETUAL"}),
    ("bad_instrument", {"instrument": "BTC-27DEC24"}),
    ("bad_instrument", {"instrument": "BTC-07DEC24-100000-C"}),
    ("bad_instrument", {"instrument": "BTC-CS-19MAY26-70000_75000"}),
    ("no_instrument", {"instrument": None, "asset": "BTC"}),
    ("unknown_instrument", {"instrument": "NOSUCHCOIN-27DEC24-100000-C"}),
    ("unknown_asset", {"asset": "nosuchcoin"}),
    ("asset_mismatch", {"instrument": PUT, "asset": "ETH"}),
    ("no_exchange", {"exchange": None}),
    ("no_time", {"time": None}),
    ("looks_like_percent", {"mark_iv": 61.57}),
    ("looks_like_percent", {"mark_iv": 10.01}),
    ("negative", {"mark_iv": -0.1}),
    ("negative", {"bid": -0.1}),
    ("bad_delta", {"delta": 1.01}),
    ("bad_delta", {"delta": -39.5}),
    ("negative", {"gamma": -1e-9}),
    ("negative", {"open_interest": -1}),
    ("bad_number", {"theta": "much"}),
    ("not_finite", {"rho": "inf"}),
    ("no_value", dict.fromkeys(("bid", "ask", "mark", "mark_iv", "underlying", "index_price", "open_interest",
                                "volume"))),
]  # fmt: skip


async def test_what_cannot_be_is_refused(clean_database: Database) -> None:
    await bring(clean_database, "options", option(instrument=PUT))
    wrong = [option(**fields) for _, fields in REFUSED]
    answer = await bring(clean_database, "options", option(), *wrong, option(time=LATER))
    assert codes(answer) == [(row, code) for row, (code, _) in enumerate(REFUSED, 1)]
    assert answer.inserted == 2


async def test_what_a_refusal_says(clean_database: Database) -> None:
    answer = await bring(clean_database, "options", option(mark_iv=61.57), option(instrument="BTC-PERPETUAL"))
    percent, name = (reject.reason for reject in answer.rejected)
    assert "`mark_iv` is `61.57`, which looks like percent" in percent
    assert "`BTC-PERPETUAL` is no option's name" in name


async def test_limits_that_still_count(clean_database: Database) -> None:
    rows = [option(mark_iv=10, delta=1), option(instrument=PUT, mark_iv=0, delta=-1, theta=0)]
    assert codes(await bring(clean_database, "options", *rows)) == []
    assert await stored(clean_database, "option_1m", "mark_iv") == [(OPTION, "import", 10), (PUT, "import", None)]
    assert await stored(clean_database, "greeks", "delta", "theta") == [
        (OPTION, "import", 1, None), (PUT, "import", -1, 0),
    ]  # fmt: skip


async def test_counts_are_of_rows(clean_database: Database) -> None:
    """Whatever of a row was new: its state, its greeks or both."""
    db, times = clean_database, [f"2024-12-01T00:0{n}:00Z" for n in range(6)]
    rows = [option(time=time) for time in times[:4]]
    assert (await bring(db, "options", *rows)).inserted == 4
    only_greeks = {"time": times[4], "exchange": "deribit", "instrument": OPTION, **GREEKS}
    again = [
        option(time=times[0]),
        option(time=times[1], **GREEKS),
        option(time=times[2], bid=0.019, delta=0.5),
        option(time=times[3], bid=None),
        only_greeks,
        option(time=times[5], **GREEKS),
    ]
    answer = await bring(db, "options", *again)
    assert (answer.received, answer.inserted, answer.updated, answer.unchanged) == (6, 2, 2, 2)
    assert await counts(db) == (5, 4)
    answer = await bring(db, "options", *again)
    assert (answer.received, answer.unchanged) == (6, 6)
    assert (await bring(db, "options", option(time=times[4]))).inserted == 1


@pytest.mark.parametrize("order", [[0, 1, 2], [0, 2, 1], [2, 0, 1], [2, 1, 0]])
async def test_of_one_instant_told_twice_the_later_word_wins_for_each_part(
    clean_database: Database, order: list[int]
) -> None:
    """A row that tells greeks alone does not make the state before it unsaid, nor the other way."""
    who = {"time": LATER, "exchange": "deribit", "instrument": OPTION}
    rows = [{**who, "bid": 0.5}, {**who, "delta": 0.25}, {**who, "bid": 0.75, "delta": 0.75}]
    answer = await bring(clean_database, "options", *(rows[at] for at in order))
    assert codes(answer) == []
    last = {name: next(rows[at][name] for at in reversed(order) if name in rows[at]) for name in ("bid", "delta")}
    assert await stored(clean_database, "option_1m", "bid") == [(OPTION, "import", last["bid"])]
    assert await stored(clean_database, "greeks", "delta") == [(OPTION, "import", last["delta"])]
    winners = {at for at in order for name, value in last.items() if rows[at].get(name) == value}
    assert (answer.inserted, answer.updated, answer.unchanged) == (len(winners), 0, 3 - len(winners))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
async def test_imports_taken_back_leave_no_trace(clean_database: Database, order: tuple[int, ...]) -> None:
    db = clean_database
    await bring(db, "options", option(), option(instrument=PUT, **GREEKS))
    before = await everything(db)
    told = [
        [option(bid=0.3, **GREEKS), option(time=LATER, **GREEKS)],
        [option(bid=0.4), option(instrument=PUT, delta=0.1), option(time=LATER)],
        [option(instrument=LINEAR, time=LATER, **GREEKS), {**option(exchange="elsewhere"), "mark": 0.5}],
    ]
    numbers = [(await bring(db, "options", *rows, by=KEY)).imports[0] for rows in told]
    assert await everything(db) != before
    for at in order:
        await batches.take_back(db, numbers[at])
    assert await everything(db) == before


async def test_one_taken_back_leaves_what_the_other_said(clean_database: Database) -> None:
    db = clean_database
    first = (await bring(db, "options", option(**GREEKS), by=KEY)).imports[0]
    await bring(db, "options", option(bid=0.4, theta=-1.0, delta=None), by=KEY)
    await batches.take_back(db, first)
    assert await stored(db, "option_1m", "bid", "mark_price") == [(OPTION, "import", 0.4, 0.0205)]
    assert await stored(db, "greeks", "delta", "theta") == [(OPTION, "import", None, -1.0)]


async def test_a_dry_run_only_checks(clean_database: Database) -> None:
    before = await everything(clean_database)
    answer = await bring(clean_database, "options", option(**GREEKS), option(mark_iv=50), dry_run=True)
    assert (answer.inserted, answer.rejected_count) == (1, 1)
    assert await everything(clean_database) == before


async def test_an_older_version_is_what_was_known_then(clean_database: Database) -> None:
    db = clean_database
    await bring(db, "options", option(known_at="2024-12-01T00:01:00Z", **GREEKS))
    await bring(db, "options", option(known_at=LATER, bid=0.3, delta=0.9))
    moment = datetime(2024, 12, 1, 12, tzinfo=UTC)
    assert await db.reads.fetchval("select bid from option_1m_known($1)", moment) == 0.02
    assert await db.reads.fetchval("select delta from greeks_known($1)", moment) == 0.4
    assert await db.reads.fetchval("select bid from option_1m_known(null)") == 0.3


async def test_days_that_are_not_kept_are_told_by_table(clean_database: Database) -> None:
    rows = [option(**GREEKS), option(instrument=PUT)]
    answer = await bring(clean_database, "options", *rows, kept={"option_1m": 10, "greeks": 5})
    assert [notice for notice in answer.notices if "older" in notice] == [
        "1 row is older than the 5 days that greeks are kept: it will be removed",
        "2 rows are older than the 10 days that states of options are kept: they will be removed",
    ]
